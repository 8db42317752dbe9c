"""Errors that several fields of the root element word themselves."""

from __future__ import annotations

from collections.abc import Callable

from kvasir.errors import Error, InternalError, Origin, XmlError


def internal(text: str) -> Callable[..., Error]:
    """An ``error`` or ``missing`` column with code 1."""
    return lambda value="": InternalError(text, origin=Origin.DOMAIN)


def no_size(path: str) -> Callable[..., Error]:
    """For a scaled number at an XPath: not there, or none."""

    def failure(value: str | None = None) -> Error:
        if value is None:
            return XmlError(f"missing element or attribute '{path}'", origin=Origin.XML)
        return XmlError(f"Invalid value '{value}' for element or attribute '{path}[1]'", origin=Origin.XML)

    return failure
