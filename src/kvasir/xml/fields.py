"""Field kinds: the words in which a class body says what stands where in its element."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .types import STR, Type

NAMESPACES = {
    "qemu": "http://libvirt.org/schemas/domain/qemu/1.0",
    "lxc": "http://libvirt.org/schemas/domain/lxc/1.0",
    "dnsmasq": "http://libvirt.org/schemas/network/dnsmasq/1.0",
    "fs": "http://libvirt.org/schemas/storagepool/fs/1.0",
    "rbd": "http://libvirt.org/schemas/storagepool/rbd/1.0",
}


def clark(step: str) -> str:
    """Turn ``qemu:commandline`` into lxml's ``{namespace}commandline``; other names stay."""
    prefix, colon, local = step.partition(":")
    return f"{{{NAMESPACES[prefix]}}}{local}" if colon and prefix in NAMESPACES else step


class Field:
    """One named value of an element: where it stands (``path``), of which ``kind`` and type, and its columns.

    Kinds: attr, text, flag, child, children, texts, scaled, variant, raw, custom, runtime.
    """

    __slots__ = (
        "abi", "by", "check", "cli", "default", "doc", "error", "factory", "key", "kind", "label", "last", "live",
        "missing", "model", "most", "name", "needs", "only", "owner", "parse", "path", "read", "required", "secret", "since", "table",
        "there", "type", "ui", "unit", "value", "when", "write",
    )  # fmt: skip

    def __init__(self, kind: str, path: str, type: Type = STR, **columns: Any) -> None:
        self.kind, self.path, self.type = kind, path, type
        self.name = ""
        self.owner: Any = None
        self.model: Any = columns.pop("model", None)
        self.table: Mapping[str, Any] = columns.pop("table", {})
        self.by: str = columns.pop("by", "")
        self.unit: str = columns.pop("unit", "")
        self.most: int = columns.pop("most", 2**63 - 1 if self.unit == "KiB" else 2**64 - 1)
        self.read: Callable[[Any], Any] | None = columns.pop("read", None)
        self.write: Callable[..., str] | None = columns.pop("write", None)
        self.factory: Callable[[], Any] | None = columns.pop("factory", None)
        self.default: Any = columns.pop("default", None)
        self.doc: str = columns.pop("doc", "")
        self.since: str = columns.pop("since", "")
        self.check: Callable[[Any], str | None] | None = columns.pop("check", None)
        self.needs: str = columns.pop("needs", "")
        self.label: bool = columns.pop("label", False)
        self.live: bool = columns.pop("live", False)
        self.abi: bool = columns.pop("abi", False)
        self.secret: bool = columns.pop("secret", False)
        self.key: bool = columns.pop("key", False)
        self.ui: str = columns.pop("ui", "")
        self.cli: str = columns.pop("cli", "")
        self.required: bool = columns.pop("required", False)
        self.there: bool = columns.pop("there", False)
        self.only: str = columns.pop("only", "")
        self.when: Callable[[Any, Any], bool] | None = columns.pop("when", None)
        self.value: Callable[[Any], str | None] | None = columns.pop("value", None)
        self.parse: bool = columns.pop("parse", True)
        self.error: Any = columns.pop("error", "")
        self.missing: Any = columns.pop("missing", None)
        self.last: bool = columns.pop("last", False)
        if columns:
            raise TypeError(f"unknown column {next(iter(columns))!r} of field {path!r}")

    @property
    def many(self) -> bool:
        return self.kind in ("children", "texts")

    def empty(self) -> Any:
        """The value of the field when the document says nothing."""
        if self.many:
            return []
        if self.kind == "flag":
            return False
        if self.kind == "runtime":
            return self.factory() if self.factory else self.default
        return None


def attr(path: str, type: Type = STR, **columns: Any) -> Any:
    """An attribute: ``@name``, or ``driver/@name`` of a sub-element, which must have it where it is ``there``."""
    return Field("attr", path, type, **columns)


def text(path: str = ".", type: Type = STR, **columns: Any) -> Any:
    """The text of a sub-element, or of the element itself (``.``). An empty text counts as absent."""
    return Field("text", path, type, **columns)


def flag(path: str, **columns: Any) -> Any:
    """True where the sub-element stands."""
    return Field("flag", path, **columns)


def child(model: Any, path: str = "", **columns: Any) -> Any:
    """One sub-element with a class of its own; the path is its tag unless given."""
    return Field("child", path or model.TAG, model=model, **columns)


def children(model: Any, path: str = "", **columns: Any) -> Any:
    """Any number of sub-elements with a class of their own."""
    return Field("children", path or model.TAG, model=model, **columns)


def texts(path: str, type: Type = STR, **columns: Any) -> Any:
    """Any number of sub-elements that hold one text each."""
    return Field("texts", path, type, **columns)


def scaled(path: str, unit: str = "KiB", *, assume: str = "", **columns: Any) -> Any:
    """A size with its unit attribute; kept and written in ``unit``, read in every unit (``assume`` when it names none).

    ``most`` bytes can be said: 2^63 - 1 of what is kept in KiB, else 2^64 - 1.
    """
    return Field("scaled", path, unit=unit, default=columns.pop("default", None), by=assume or unit, **columns)


def variant(by: str, table: Mapping[str, Any], *, absent: str = "", **columns: Any) -> Any:
    """A part of the same element whose class is chosen by the word in field ``by`` (``absent`` when it has none)."""
    return Field("variant", "", by=by, table=table, default=absent, **columns)


def raw(path: str, **columns: Any) -> Any:
    """A sub-element kept as it is (metadata), written in libxml2's form."""
    return Field("raw", path, **columns)


def custom(path: str, read: Callable[[Any], Any], write: Callable[..., str], **columns: Any) -> Any:
    """A sub-element with a codec of its own: ``read(node)`` and ``write(value, form, pad)`` -> whole lines."""
    return Field("custom", path, read=read, write=write, **columns)


def runtime(default: Any = None, *, factory: Callable[[], Any] | None = None) -> Any:
    """A value of the object that no document holds."""
    return Field("runtime", "", default=default, factory=factory)
