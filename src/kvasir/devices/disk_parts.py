"""Parts of a disk's source: logins, encryption, labels, slices, reservations, servers, cookies."""

from __future__ import annotations

from typing import Any

from kvasir.errors import Error, InvalidArg, Origin, XmlError
from kvasir.xml import Element, Form, attr, child, children, text
from kvasir.xml.types import ENUM, UINT, ULLONG, UUID, YESNO, lenient


def _bad_secret(value: str) -> Error:
    return XmlError(f"invalid secret uuid '{value}'", origin=Origin.NONE)


class Secret(Element, tag="secret"):
    """A stored secret, by its uuid or by what it is used for."""

    type: str | None = attr("@type")
    uuid: str | None = attr("@uuid", UUID, error=_bad_secret)
    usage: str | None = attr("@usage")

    @classmethod
    def parse(cls, node: Any, keep: bool = False) -> Any:
        """Read a reference to a secret: by its uuid or by its usage."""
        said = [name for name in ("uuid", "usage") if node.get(name)]
        if len(said) != 1:
            text_ = "either secret uuid or usage expected" if said else "missing secret uuid or usage attribute"
            raise XmlError(text_, origin=Origin.NONE)
        if not node.get("uuid") and "uuid" in node.attrib and not keep:
            del node.attrib["uuid"]
        return super().parse(node, keep)


class Auth(Element, tag="auth"):
    """The user and secret with which a network source is opened."""

    type: str | None = attr("@type", ENUM("none", "chap", "ceph"), error="unsupported-storage:unknown auth type '{value}'",
                            when=lambda auth, form: auth.type != "none")  # fmt: skip
    username: str | None = attr("@username")
    secret: Secret | None = child(Secret)

    @classmethod
    def parse(cls, node: Any, keep: bool = False) -> Any:
        """Read a login: a user and a secret."""
        if not node.get("username"):
            raise XmlError("missing username for auth", origin=Origin.STORAGE)
        if node.find("secret") is None and node.get("type", "none") in ("none", "chap", "ceph"):
            raise XmlError("Missing <secret> element in auth", origin=Origin.STORAGE)
        return super().parse(node, keep)


class EncryptionSecret(Element, tag="secret"):
    """The passphrase that opens an encrypted image."""

    type: str | None = attr("@type", ENUM("passphrase"),
                            error="unsupported-storage:unknown volume encryption secret type {value}")  # fmt: skip
    uuid: str | None = attr("@uuid", UUID, error=_bad_secret)
    usage: str | None = attr("@usage")

    @classmethod
    def parse(cls, node: Any, keep: bool = False) -> Any:
        """Read a reference to a passphrase."""
        if not node.get("type"):
            raise XmlError("unknown volume encryption secret type", origin=Origin.STORAGE)
        return super().parse(node, keep)


class Encryption(Element, tag="encryption"):
    """How an image is encrypted, and the secrets that open it."""

    format: str | None = attr("@format", ENUM("default", "qcow", "luks", "luks2"),
                              error="unsupported-storage:unknown volume encryption format type {value}")  # fmt: skip
    engine: str | None = attr("@engine", ENUM("qemu", "librbd"))
    secrets: list[EncryptionSecret] = children(EncryptionSecret)
    cipher: str | None = attr("cipher/@name")
    cipher_size: int | None = attr("cipher/@size", UINT)
    cipher_mode: str | None = attr("cipher/@mode")
    cipher_hash: str | None = attr("cipher/@hash")
    ivgen: str | None = attr("ivgen/@name")
    ivgen_hash: str | None = attr("ivgen/@hash")

    @classmethod
    def parse(cls, node: Any, keep: bool = False) -> Any:
        """Read an encryption, which has a format."""
        if not node.get("format"):
            raise XmlError("unknown volume encryption format", origin=Origin.STORAGE)
        return super().parse(node, keep)

    def parsed(self, node: Any) -> None:
        cipher = node.find("cipher")
        if cipher is not None and self.cipher is None:
            raise XmlError("cipher info missing 'name' attribute", origin=Origin.STORAGE)
        if node.find("ivgen") is not None and cipher is None:
            raise XmlError("ivgen element found, but cipher is missing", origin=Origin.STORAGE)

    def write(self, out: list[str], pad: str, form: Form, tag: str) -> None:
        """An encryption without parts has both tags, as libvirt writes it."""
        super().write(out, pad, form, tag)
        if out and out[-1].startswith(f"{pad}<{tag}") and out[-1].endswith("/>\n"):
            out[-1] = out[-1][:-3] + f">\n{pad}</{tag}>\n"

    def fill(self) -> None:
        """The engine that libvirt assumes."""
        if self.engine is None and self.format != "default":
            self.engine = "qemu"


class SourceSeclabel(Element, tag="seclabel"):
    """Overrides the labelling of one source."""

    model: str | None = attr("@model")
    relabel: bool | None = attr("@relabel", YESNO)
    labelskip: bool | None = attr("@labelskip", lenient(YESNO), when=lambda label, form: label.labelskip)
    label: str | None = text("label")

    def parsed(self, node: Any) -> None:
        if self.label is not None and self.relabel is False:
            raise XmlError(f"Cannot specify a label if relabelling is turned off. model={self.model or '<null>'}")

    def written(self, form: Form) -> Element | None:
        """One that changes nothing is not written; nor is, for guests that are off, what labelling skipped."""
        changes = self.label is not None or self.relabel is False
        return self if changes or (self.labelskip and form.live) else None


def _bad_slice(name: str) -> Any:
    return lambda value: XmlError(f"malformed value '{value}' of '{name}' attribute of slice")


def _no_slice() -> Error:
    return XmlError("missing offset or size attribute of slice")


class Slice(Element, tag="slice"):
    """The part of a file that is the image, in bytes."""

    type: str | None = attr("@type")
    offset: int = attr("@offset", ULLONG, required=True, error=_bad_slice("offset"), missing=_no_slice)
    size: int = attr("@size", ULLONG, required=True, error=_bad_slice("size"), missing=_no_slice)

    @classmethod
    def parse(cls, node: Any, keep: bool = False) -> Any:
        """Read a slice; one that is not of the storage is not read."""
        return super().parse(node, keep) if node.get("type") == "storage" else cls()


class Reservations(Element, tag="reservations"):
    """Who keeps SCSI reservations: the daemon's own helper, or one at a socket."""

    managed: bool | None = attr("@managed", YESNO, required=True)
    type: str | None = attr("source/@type")
    path: str | None = attr("source/@path")
    mode: str | None = attr("source/@mode")


def _bad_port(value: str) -> Error:
    return InvalidArg(f"failed to parse port number '{value}'", origin=Origin.NONE)


class Host(Element, tag="host"):
    """A server of a network source."""

    name: str | None = attr("@name")
    port: int | None = attr("@port", UINT, error=_bad_port)
    transport: str | None = attr("@transport", ENUM("tcp", "unix", "rdma"), when=lambda host, form: host.transport != "tcp",
                                 error="unsupported:unknown protocol transport type '{value}'")  # fmt: skip
    socket: str | None = attr("@socket")

    def parsed(self, node: Any) -> None:
        if self.transport == "unix" and not self.socket:
            raise XmlError("missing socket for unix transport")
        if self.socket and self.transport != "unix":
            raise XmlError(f"transport '{self.transport or 'tcp'}' does not support socket attribute")
        if self.transport != "unix" and not self.name:
            raise XmlError("missing name for host")


class Cookie(Element, tag="cookie"):
    """A cookie sent to the HTTP server."""

    name: str | None = attr("@name")
    value: str | None = text(".")

    def check(self) -> None:
        if not self.name:
            raise XmlError("missing cookie name")
        if self.value is None:
            raise XmlError(f"missing value for cookie '{self.name}'")


_CONTROL = "".join(map(chr, (*range(1, 32), 127)))
_NOT_IN_NAME = frozenset(_CONTROL + '()<>@,;:\\"/[]?={} ')
_NOT_IN_VALUE = frozenset(_CONTROL + ' ",;\\')


def check_cookies(cookies: list[Cookie]) -> None:
    """Each has a name of its own and a value, of characters that HTTP allows. Raises XmlError."""
    for cookie in cookies:
        cookie.check()
    for at, cookie in enumerate(cookies, 1):
        name, value = cookie.name or "", cookie.value or ""
        if _NOT_IN_NAME & set(name):
            raise XmlError(f"cookie name '{name}' contains invalid characters")
        if value[:1] == value[-1:] == '"':
            value = value[1:-1]
        if _NOT_IN_VALUE & set(value):
            raise XmlError(f"value of cookie '{name}' contains invalid characters")
        if any(other.name == name for other in cookies[at:]):
            raise XmlError(f"duplicate cookie '{name}'")
