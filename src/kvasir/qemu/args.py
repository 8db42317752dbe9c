"""QEMU's arguments as data: one class for each option; the same value gives the command line and the hotplug command."""

from __future__ import annotations

import json
from typing import Any, ClassVar


def plain(value: Any) -> Any:
    """Drop what is None, at every depth; underscores of keywords become dashes except where QEMU has underscores."""
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items() if v is not None}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    return value


def _keys(props: dict[str, Any]) -> dict[str, Any]:
    return {key.rstrip("_").replace("_", "-"): value for key, value in props.items() if value is not None}


class Arg:
    """An argument of QEMU. ``fds`` names the file descriptors that it refers to."""

    def argv(self) -> list[str]:
        raise NotImplementedError

    def qmp(self) -> tuple[str, dict[str, Any]]:
        """The QMP command that adds the same thing to a running guest. Raises TypeError where there is none."""
        raise TypeError(f"{type(self).__name__} cannot be added to a running guest")

    def __repr__(self) -> str:
        return f"{type(self).__name__}({' '.join(self.argv())})"

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and vars(self) == vars(other)

    __hash__ = None  # type: ignore[assignment]


class Opt(Arg):
    """A plain option with its value: ``Opt("-boot", "strict=on")``, ``Opt("-no-shutdown")``."""

    def __init__(self, option: str, value: str | None = None) -> None:
        self.option, self.value = option, value

    def argv(self) -> list[str]:
        return [self.option] if self.value is None else [self.option, self.value]


class _Json(Arg):
    OPTION: ClassVar[str]
    HEAD: ClassVar[str]
    COMMAND: ClassVar[str]

    def __init__(self, head: str, props: dict[str, Any] | None = None, **more: Any) -> None:
        """``props`` for keys that are no Python names or keep underscores; keywords turn ``_`` into ``-``; None is left out."""
        self.head = head
        self.props: dict[str, Any] = plain({**(props or {}), **_keys(more)})

    def data(self) -> dict[str, Any]:
        return {self.HEAD: self.head, **self.props}

    def argv(self) -> list[str]:
        return [self.OPTION, json.dumps(self.data(), separators=(",", ":"))]

    def qmp(self) -> tuple[str, dict[str, Any]]:
        return self.COMMAND, self.data()


class Obj(_Json):
    """``-object``: a QOM object."""

    OPTION, HEAD, COMMAND = "-object", "qom-type", "object-add"


class Dev(_Json):
    """``-device``: a device on a bus."""

    OPTION, HEAD, COMMAND = "-device", "driver", "device_add"


class Netdev(_Json):
    """``-netdev``: the host's side of a network card."""

    OPTION, HEAD, COMMAND = "-netdev", "type", "netdev_add"


class Blockdev(_Json):
    """``-blockdev``: a node of the block graph."""

    OPTION, HEAD, COMMAND = "-blockdev", "driver", "blockdev-add"


class Audiodev(_Json):
    """``-audiodev``: the host's side of a sound card."""

    OPTION, HEAD, COMMAND = "-audiodev", "driver", ""

    def qmp(self) -> tuple[str, dict[str, Any]]:
        raise TypeError("Audiodev cannot be added to a running guest")


def comma(value: str) -> str:
    """Double the commas, as QEMU's key=value options want."""
    return value.replace(",", ",,")


class Chardev(Arg):
    """``-chardev``: the host's side of a character device, in key=value form as libvirt 9.0 writes it."""

    def __init__(
        self, backend: str, id: str, opts: dict[str, Any] | None = None, qmp_backend: dict[str, Any] | None = None
    ) -> None:
        self.backend, self.id = backend, id
        self.opts: dict[str, Any] = {k: v for k, v in (opts or {}).items() if v is not None}
        self.qmp_backend = qmp_backend

    def argv(self) -> list[str]:
        words = [self.backend, f"id={self.id}"]
        for key, value in self.opts.items():
            words.append(f"{key}={'on' if value is True else 'off' if value is False else comma(str(value))}")
        return ["-chardev", ",".join(words)]

    def qmp(self) -> tuple[str, dict[str, Any]]:
        if self.qmp_backend is None:
            raise TypeError(f"chardev {self.id} has no hotplug form")
        return "chardev-add", {"id": self.id, "backend": self.qmp_backend}
