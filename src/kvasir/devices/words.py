"""Errors and value types that several devices share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kvasir.errors import ConfigUnsupported, Error, InternalError, Origin, XmlError
from kvasir.xml.types import Type, number

Failure = Callable[..., Error]


def unsupported(text: str) -> Failure:
    """An ``error`` or ``missing`` column with code 67 from the document's side; ``{value}`` is the wrong word."""
    return lambda value="": ConfigUnsupported(text.format(value=value), origin=Origin.DOMAIN)


def internal(text: str) -> Failure:
    """The same with code 1."""
    return lambda value="": InternalError(text.format(value=value), origin=Origin.DOMAIN)


def wrong(text: str) -> Failure:
    """The same with code 27."""
    return lambda value="": XmlError(text.format(value=value))


def no_bus() -> InternalError:
    """libvirt's error for a device that no bus takes."""
    return InternalError(
        "Cannot automatically add a new PCI bus for a device with connect flags 00", origin=Origin.DOMAIN
    )


def missing(name: str, element: str) -> XmlError:
    """libvirt's error for an attribute that must be there."""
    return XmlError(f"Missing required attribute '{name}' in element '{element}'", origin=Origin.XML)


def bad_value(name: str, element: str, value: str, tail: str = ".") -> XmlError:
    """libvirt's error for an attribute with a wrong word."""
    return XmlError(f"Invalid value for attribute '{name}' in element '{element}': '{value}'{tail}", origin=Origin.XML)


def zero(name: str, element: str) -> XmlError:
    """libvirt's error for a number that may not be 0."""
    return XmlError(
        f"Invalid value for attribute '{name}' in element '{element}': Zero is not permitted", origin=Origin.XML
    )


NATURAL: Type = number("unsignedInt", 0, 2**32 - 1, "Expected non-negative integer value")


def only_one(device: Any, all_of_kind: list[Any], failure: Error) -> None:
    """Refuse a second device of the kind."""
    if all_of_kind and all_of_kind[0] is not device:
        raise failure


def check_audio(vm: Any, number: int | None) -> None:
    """Refuse a reference to an audio backend that is not there."""
    if number is not None and not any(a.id == number for a in vm.domain.audios):
        raise XmlError(f"no audio device with ID {number}")


def audio_of(vm: Any, number: int | None) -> str | None:
    """QEMU's id of the audio backend; the first one where the document names none."""
    if number is None:
        audios = vm.domain.audios
        number = audios[0].id if audios else None
    return None if number is None else f"audio{number}"
