"""Storage pools and volumes as documents."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from kvasir.errors import Error, Origin, XmlError
from kvasir.xml import Element, Form, attr, child, children, flag, scaled, text
from kvasir.xml.fields import NAMESPACES, runtime
from kvasir.xml.types import ENUM, HEX, INT, UINT, ULLONG, UUID, YESNO, Type

POOL_TYPES = (
    "dir", "fs", "netfs", "logical", "disk", "iscsi", "iscsi-direct", "scsi", "mpath", "rbd", "sheepdog", "gluster",
    "zfs", "vstorage",
)  # fmt: skip


def _read_mode(value: str) -> int:
    if not re.fullmatch(r"\s*[+-]?[0-7]+", value) or not 0 <= int(value, 8) <= 0o777:
        raise ValueError(value)
    return int(value, 8)


MODE = Type("mode", _read_mode, lambda v: f"0{v:o}", json={"type": "string"})


def _owner(value: str) -> int:
    if not re.fullmatch(r"\s*[+-]?[0-9]+", value) or not -1 <= int(value) < 1 << 32:
        raise ValueError(value)
    return int(value) if int(value) != 0xFFFFFFFF else -1


OWNER = Type("owner", _owner, str, json={"type": "integer"})


def _read_stamp(value: str) -> int:
    seconds, _, rest = value.strip().partition(".")
    if not (seconds + rest).isdigit():
        return 0  # times of a user's document mean nothing
    return int(seconds) * 10**9 + int(f"{rest:0<9.9}")


def _write_stamp(nanoseconds: int) -> str:
    seconds, rest = divmod(nanoseconds, 10**9)
    return f"{seconds}.{rest:09d}" if rest else str(seconds)


STAMP = Type("stamp", _read_stamp, _write_stamp, json={"type": "string"})
"""A moment in nanoseconds, written in seconds."""


def _malformed(what: str) -> Callable[[str], Error]:
    return lambda value: XmlError(f"malformed {what}", origin=Origin.STORAGE)


class Permissions(Element, tag="permissions"):
    """Who may use the file: mode (octal), owner, group and label."""

    mode: int | None = text("mode", MODE, error=_malformed("octal mode"))
    owner: int | None = text("owner", OWNER, error=_malformed("owner element"), when=lambda o, form: o.owner != -1)
    group: int | None = text("group", OWNER, error=_malformed("group element"), when=lambda o, form: o.group != -1)
    label: str | None = text("label")

    @property
    def says(self) -> bool:
        """Whether it asks for anything."""
        return not (self.mode is None and self.owner in (None, -1) and self.group in (None, -1) and self.label is None)

    def parsed(self, node: Any) -> None:
        for what in ("owner", "group"):
            part = node.find(what)
            if part is not None and not part.text:
                raise XmlError(f"malformed {what} element", origin=Origin.STORAGE)


class SourceHost(Element, tag="host"):
    """A server of the pool's source."""

    name: str | None = attr(
        "@name", required=True, missing=lambda: XmlError("missing storage pool host name", origin=Origin.STORAGE)
    )
    port: int | None = attr("@port", INT)


class Extent(Element, tag="extent"):
    """A part of a device, from its first byte to the one behind its last."""

    start: int | None = attr("@start", ULLONG)
    end: int | None = attr("@end", ULLONG)


class SourceDevice(Element, tag="device"):
    """A block device or target that the pool is made of."""

    path: str | None = attr(
        "@path",
        required=True,
        missing=lambda: XmlError("missing storage pool source device path", origin=Origin.STORAGE),
    )
    part_separator: bool | None = attr("@part_separator", YESNO)
    free: list[Extent] = children(Extent, "freeExtent", parse=False)


class VolumeDevice(Element, tag="device"):
    """Where on a device of the pool the volume lies."""

    path: str | None = attr("@path")
    extents: list[Extent] = children(Extent)


def _no_uuid(value: str) -> Error:
    return XmlError(f"invalid secret uuid '{value}'", origin=Origin.SECRET)


class SourceAuth(Element, tag="auth"):
    """Credentials, by a secret."""

    kind: str | None = attr("@type", ENUM("chap", "ceph"), error="unsupported:unknown auth type '{value}'")
    username: str | None = attr(
        "@username", required=True, missing=lambda: XmlError("missing username for auth", origin=Origin.NONE)
    )
    secret: bool = flag("secret")
    secret_type: str | None = attr("secret/@type")
    secret_usage: str | None = attr("secret/@usage")
    secret_uuid: str | None = attr("secret/@uuid", UUID, error=_no_uuid)

    def problem(self) -> str:
        """What is wrong with the secret's name, or nothing."""
        if not self.secret and not (self.secret_usage or self.secret_uuid):
            return "Missing <secret> element in auth"
        if bool(self.secret_usage) == bool(self.secret_uuid):
            return "either secret uuid or usage expected"
        return ""


class AdapterAddress(Element, tag="address"):
    """PCI address of a SCSI host."""

    domain: int = attr("@domain", HEX(4))
    bus: int = attr("@bus", HEX(2))
    slot: int = attr("@slot", HEX(2))
    function: int = attr("@function", HEX(1))


class ParentAddress(Element, tag="parentaddr"):
    """A SCSI host by its PCI address and the number that its driver gave it."""

    unique_id: int | None = attr("@unique_id", UINT)
    address: AdapterAddress | None = child(AdapterAddress)


class Adapter(Element, tag="adapter"):
    """A SCSI host adapter, or a virtual one on a fibre channel adapter."""

    kind: str | None = attr("@type", ENUM("scsi_host", "fc_host"))
    name: str | None = attr("@name")
    parent: str | None = attr("@parent")
    parent_wwnn: str | None = attr("@parent_wwnn")
    parent_wwpn: str | None = attr("@parent_wwpn")
    parent_fabric_wwn: str | None = attr("@parent_fabric_wwn")
    managed: bool | None = attr("@managed", YESNO)
    wwnn: str | None = attr("@wwnn")
    wwpn: str | None = attr("@wwpn")
    parent_address: ParentAddress | None = child(ParentAddress)


class MountOption(Element, tag="fs:option"):
    """An option of mount."""

    name: str | None = attr(
        "@name", required=True, missing=lambda: XmlError("no fs mount option name specified", origin=Origin.STORAGE)
    )


class RbdOption(Element, tag="rbd:option"):
    """An option of Ceph's configuration."""

    name: str | None = attr(
        "@name", required=True, missing=lambda: XmlError("no rbd option name specified", origin=Origin.STORAGE)
    )
    value: str | None = attr("@value")


class PoolSource(Element, tag="source"):
    """What the pool is made of."""

    hosts: list[SourceHost] = children(SourceHost)
    devices: list[SourceDevice] = children(SourceDevice)
    directory: str | None = attr("dir/@path")
    adapter: Adapter | None = child(Adapter)
    name: str | None = text("name")
    initiator: str | None = attr("initiator/iqn/@name")
    format: str | None = attr("format/@type")
    auth: SourceAuth | None = child(SourceAuth)
    protocol_version: str | None = attr("protocol/@ver")
    vendor: str | None = attr("vendor/@name")
    product: str | None = attr("product/@name")

    def write(self, out: list[str], pad: str, form: Form, tag: str) -> None:
        """libvirt writes an empty source as two lines."""
        mark = len(out)
        super().write(out, pad, form, tag)
        if out[mark].endswith("/>\n"):
            out[mark:] = [f"{pad}<{tag}>\n", f"{pad}</{tag}>\n"]


def _fs(pool: Any) -> str | None:
    return NAMESPACES["fs"] if pool.mount_options else None


def _rbd(pool: Any) -> str | None:
    return NAMESPACES["rbd"] if pool.rbd_options else None


class Pool(Element, tag="pool"):
    """A storage pool."""

    type: str = attr("@type", ENUM(*POOL_TYPES), required=True)
    fs_namespace: str | None = attr("@xmlns:fs", value=_fs)
    rbd_namespace: str | None = attr("@xmlns:rbd", value=_rbd)
    name: str | None = text("name")
    uuid: str | None = text("uuid", UUID, error=_malformed("uuid element"))
    capacity: int = scaled("capacity", "bytes")
    allocation: int = scaled("allocation", "bytes")
    available: int = scaled("available", "bytes")
    cow: bool | None = attr("features/cow/@state", YESNO)
    source: PoolSource | None = child(PoolSource)
    target_path: str | None = text("target/path")
    permissions: Permissions | None = child(Permissions, "target/permissions", when=lambda o, form: o.permissions.says)
    mount_options: list[MountOption] = children(MountOption, "fs:mount_opts/fs:option")
    rbd_options: list[RbdOption] = children(RbdOption, "rbd:config_opts/rbd:option")


class Timestamps(Element, tag="timestamps"):
    """Times of the file."""

    atime: int | None = text("atime", STAMP)
    mtime: int | None = text("mtime", STAMP)
    ctime: int | None = text("ctime", STAMP)
    btime: int | None = text("btime", STAMP)


class EncryptionSecret(Element, tag="secret"):
    """The secret that opens an encrypted volume."""

    type: str | None = attr("@type", ENUM("passphrase"), error="unknown volume encryption secret type '{value}'")
    uuid: str | None = attr("@uuid", UUID, error="malformed volume encryption uuid '{value}'")
    usage: str | None = attr("@usage")


class Cipher(Element, tag="cipher"):
    """How the data are encrypted. Size in bits."""

    name: str | None = attr("@name", required=True, error="cipher info missing 'name' attribute")
    size: int | None = attr("@size", UINT, required=True)
    mode: str | None = attr("@mode")
    hash: str | None = attr("@hash")


class Ivgen(Element, tag="ivgen"):
    """How initialization vectors are made."""

    name: str | None = attr("@name", required=True, error="missing ivgen info name string")
    hash: str | None = attr("@hash")


class VolumeEncryption(Element, tag="encryption"):
    """Encryption of the volume's data."""

    format: str | None = attr("@format", ENUM("default", "qcow", "luks", "luks2"), required=True,
                              missing=lambda: XmlError("unknown volume encryption format", origin=Origin.STORAGE),
                              error="unsupported-storage:unknown volume encryption format type {value}")  # fmt: skip
    engine: str | None = attr("@engine", ENUM("qemu", "librbd"))
    secrets: list[EncryptionSecret] = children(EncryptionSecret)
    cipher: Cipher | None = child(Cipher)
    ivgen: Ivgen | None = child(Ivgen)

    def write(self, out: list[str], pad: str, form: Form, tag: str) -> None:
        """libvirt writes one without a secret as two lines."""
        mark = len(out)
        super().write(out, pad, form, tag)
        if out[mark].endswith("/>\n"):
            out[mark] = out[mark].removesuffix("/>\n") + ">\n"
            out.append(f"{pad}</{tag}>\n")


class BackingStore(Element, tag="backingStore"):
    """The image below this one."""

    path: str | None = text("path")
    format: str | None = attr("format/@type")
    permissions: Permissions | None = child(Permissions)
    timestamps: Timestamps | None = child(Timestamps)


class VolumeSource(Element, tag="source"):
    """Where the volume lies on the pool's devices."""

    devices: list[VolumeDevice] = children(VolumeDevice)


class Volume(Element, tag="volume"):
    """A storage volume. Sizes are in bytes; ``features`` is set where the document has that element."""

    type: str | None = attr(
        "@type",
        ENUM("file", "block", "dir", "network", "netdir", "ploop"),
        error="unsupported-storage:unknown volume type '{value}'",
    )
    name: str | None = text("name")
    key: str | None = text("key")
    source: VolumeSource | None = child(VolumeSource)
    capacity: int | None = scaled("capacity", "bytes", error="malformed capacity element")
    allocation: int | None = scaled("allocation", "bytes", error="malformed allocation element")
    physical: int | None = scaled("physical", "bytes")
    path: str | None = text("target/path")
    format: str | None = attr("target/format/@type")
    permissions: Permissions | None = child(Permissions, "target/permissions")
    timestamps: Timestamps | None = child(Timestamps, "target/timestamps")
    encryption: VolumeEncryption | None = child(VolumeEncryption, "target/encryption")
    compat: str | None = text("target/compat")
    cluster_size: int | None = scaled("target/clusterSize", "B")
    nocow: bool = flag("target/nocow")
    features: bool = flag("target/features")
    lazy_refcounts: bool = flag("target/features/lazy_refcounts")
    extended_l2: bool = flag("target/features/extended_l2")
    backing: BackingStore | None = child(BackingStore)
    inherits: bool = runtime(default=False)
    """The document names no capacity, so that of the image below counts."""
    sparse: bool = runtime(default=False)
