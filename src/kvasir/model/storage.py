"""Storage pools and volumes as documents."""

from __future__ import annotations

from kvasir.xml import Element, Form, attr, child, children, flag, scaled, text
from kvasir.xml.types import ENUM, UINT, UUID, YESNO, Type

POOL_TYPES = (
    "dir", "fs", "netfs", "logical", "disk", "iscsi", "iscsi-direct", "scsi", "mpath", "rbd", "sheepdog", "gluster",
    "zfs", "vstorage",
)  # fmt: skip


def _read_mode(value: str) -> int:
    number = int(value, 8)
    if not 0 <= number <= 0o7777:
        raise ValueError(value)
    return number


MODE = Type("mode", _read_mode, lambda v: f"{v:04o}", json={"type": "string"})


def _owner(value: str) -> int:
    number = int(value)
    if number < -1:
        raise ValueError(value)
    return number


OWNER = Type("owner", _owner, str, json={"type": "integer"})


class Permissions(Element, tag="permissions"):
    """Who may use the file: mode (octal), owner, group and label."""

    mode: int | None = text("mode", MODE, error="malformed octal mode")
    owner: int | None = text("owner", OWNER, error="malformed owner element")
    group: int | None = text("group", OWNER, error="malformed group element")
    label: str | None = text("label")


class SourceHost(Element, tag="host"):
    """A server of the pool's source."""

    name: str | None = attr("@name")
    port: int | None = attr("@port", UINT)


class SourceDevice(Element, tag="device"):
    """A block device or target that the pool is made of."""

    path: str | None = attr("@path")
    part_separator: bool | None = attr("@part_separator", YESNO)


class SourceAuth(Element, tag="auth"):
    """Credentials, by a secret."""

    kind: str | None = attr("@type", ENUM("chap", "ceph"))
    username: str | None = attr("@username")
    secret_usage: str | None = attr("secret/@usage")
    secret_uuid: str | None = attr("secret/@uuid", UUID)


class Adapter(Element, tag="adapter"):
    """A SCSI host adapter."""

    kind: str | None = attr("@type", ENUM("scsi_host", "fc_host"))
    name: str | None = attr("@name")
    parent: str | None = attr("@parent")
    managed: bool | None = attr("@managed", YESNO)
    wwnn: str | None = attr("@wwnn")
    wwpn: str | None = attr("@wwpn")


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


class Pool(Element, tag="pool"):
    """A storage pool."""

    type: str = attr("@type", ENUM(*POOL_TYPES), required=True, error="unknown storage pool type {value}")
    name: str | None = text("name")
    uuid: str | None = text("uuid", UUID, error="malformed uuid element")
    cow: bool | None = attr("features/cow/@state", YESNO)
    capacity: int = scaled("capacity", "bytes")
    allocation: int = scaled("allocation", "bytes")
    available: int = scaled("available", "bytes")
    source: PoolSource | None = child(PoolSource)
    target_path: str | None = text("target/path")
    permissions: Permissions | None = child(Permissions, "target/permissions")


class Timestamps(Element, tag="timestamps"):
    """Times of the file, in seconds and nanoseconds."""

    atime: str | None = text("atime")
    mtime: str | None = text("mtime")
    ctime: str | None = text("ctime")
    btime: str | None = text("btime")


class VolumeEncryption(Element, tag="encryption"):
    """Encryption of the volume's data."""

    format: str | None = attr("@format", ENUM("default", "qcow", "luks", "luks2"))
    secret_type: str | None = attr("secret/@type", ENUM("passphrase"))
    secret_uuid: str | None = attr("secret/@uuid", UUID)
    secret_usage: str | None = attr("secret/@usage")
    cipher_name: str | None = attr("cipher/@name")
    cipher_size: int | None = attr("cipher/@size", UINT)
    cipher_mode: str | None = attr("cipher/@mode")
    cipher_hash: str | None = attr("cipher/@hash")
    ivgen_name: str | None = attr("ivgen/@name")
    ivgen_hash: str | None = attr("ivgen/@hash")


class BackingStore(Element, tag="backingStore"):
    """The image below this one."""

    path: str | None = text("path")
    format: str | None = attr("format/@type")
    permissions: Permissions | None = child(Permissions)
    timestamps: Timestamps | None = child(Timestamps)


class Volume(Element, tag="volume"):
    """A storage volume. Sizes are in bytes."""

    type: str | None = attr("@type", ENUM("file", "block", "dir", "network", "netdir", "ploop"))
    name: str | None = text("name")
    key: str | None = text("key")
    source: PoolSource | None = child(PoolSource)
    capacity: int | None = scaled("capacity", "bytes")
    allocation: int | None = scaled("allocation", "bytes")
    physical: int | None = scaled("physical", "bytes")
    path: str | None = text("target/path")
    format: str | None = attr("target/format/@type")
    permissions: Permissions | None = child(Permissions, "target/permissions")
    timestamps: Timestamps | None = child(Timestamps, "target/timestamps")
    encryption: VolumeEncryption | None = child(VolumeEncryption, "target/encryption")
    compat: str | None = text("target/compat")
    cluster_size: int | None = scaled("target/clusterSize", "B")
    nocow: bool = flag("target/nocow")
    lazy_refcounts: bool = flag("target/features/lazy_refcounts")
    extended_l2: bool = flag("target/features/extended_l2")
    features: bool = flag("target/features")
    backing: BackingStore | None = child(BackingStore)
