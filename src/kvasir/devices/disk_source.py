"""Where the data of a disk, of a layer of its backing chain or of its mirror lies: one class for each ``type=``."""

from __future__ import annotations

from typing import Any

from kvasir.errors import Code, ConfigUnsupported, Error, Origin, XmlError
from kvasir.xml import Element, Form, attr, child, children, custom, runtime, scaled, variant
from kvasir.xml.types import ENUM, HEX, UINT, ULLONG, YESNO, lenient

from .disk_parts import Auth, Cookie, Encryption, Host, Reservations, Slice, SourceSeclabel, check_cookies

SOURCE_TYPES = ("file", "block", "dir", "network", "volume", "nvme", "vhostuser")
FORMATS = (
    "none", "raw", "dir", "bochs", "cloop", "dmg", "iso", "vpc", "vdi", "fat", "vhd", "ploop", "luks", "cow", "qcow",
    "qcow2", "qed", "vmdk",
)  # fmt: skip
PROTOCOLS = ("nbd", "rbd", "sheepdog", "gluster", "iscsi", "http", "https", "ftp", "ftps", "tftp", "ssh", "vxhs", "nfs")
PORTS = {
    "nbd": 10809, "sheepdog": 7000, "gluster": 24007, "iscsi": 3260, "http": 80, "https": 443, "ftp": 21, "ftps": 990,
    "tftp": 69, "ssh": 22, "vxhs": 9999,
}  # fmt: skip
"""Ports that a host without one gets (rbd and nfs leave it to their libraries)."""


DRIVER_FORMATS = tuple(word for word in FORMATS if word not in ("none", "luks"))
"""Formats that a disk's driver may name; luks is said by its encryption."""


def _has_medium(source: Any, form: Form) -> bool:
    """An empty drive has a node number in the daemon only, unless its medium was taken out while the guest ran."""
    shown = source.emptied or source.location() is not None or getattr(source, "protocol", None) is not None
    return form.named and shown


class NodeName(Element, tag="nodename"):
    """A node of QEMU's block graph; only in the daemon's status documents."""

    type: str | None = attr("@type")
    name: str | None = attr("@name")


class Source(Element):
    """What sources of all types share."""

    startup_policy: str | None = attr("source/@startupPolicy", ENUM("mandatory", "requisite", "optional"), last=True)
    index: int | None = attr("source/@index", lenient(UINT), last=True, when=_has_medium)
    slices: list[Slice] = children(Slice, "source/slices/slice", last=True)
    seclabels: list[SourceSeclabel] = children(SourceSeclabel, "source/seclabel", last=True)
    auth: Auth | None = child(Auth, "source/auth", last=True)
    encryption: Encryption | None = child(Encryption, "source/encryption", last=True)
    reservations: Reservations | None = child(Reservations, "source/reservations", last=True)
    nodenames: list[NodeName] = children(NodeName, "source/privateData/nodenames/nodename", last=True, only="status")
    emptied: bool = runtime(False)

    def location(self) -> str | None:
        """The path or name that libvirt's messages print, or None where there is no data."""
        return None

    def defaults(self) -> None:
        """What libvirt fills in a source; numbers of block nodes belong to running guests."""
        self.index = None
        if self.encryption is not None:
            self.encryption.fill()

    def check(self) -> None:
        """Refuse what no source of this type can be."""
        if self.encryption is not None and self.encryption.cipher:
            raise ConfigUnsupported(
                "supplying <cipher> for domain disk definition is unnecessary", origin=Origin.DOMAIN
            )


class FileSource(Source):
    """An image file."""

    file: str | None = attr("source/@file", label=True)
    fdgroup: str | None = attr("source/@fdgroup")

    def parsed(self, node: Any) -> None:
        self.file = self.file or None  # an empty path is none

    def location(self) -> str | None:
        return self.file


class BlockSource(Source):
    """A block device of the host."""

    dev: str | None = attr("source/@dev", label=True)

    def parsed(self, node: Any) -> None:
        self.dev = self.dev or None  # an empty path is none

    def location(self) -> str | None:
        return self.dev


class DirSource(Source):
    """A folder shown as a FAT disk."""

    dir: str | None = attr("source/@dir", label=True)

    def parsed(self, node: Any) -> None:
        self.dir = self.dir or None  # an empty path is none

    def location(self) -> str | None:
        return self.dir


class NetworkSource(Source):
    """An image behind a network protocol."""

    protocol: str | None = attr("source/@protocol", ENUM(*PROTOCOLS))
    name: str | None = attr("source/@name")
    query: str | None = attr("source/@query")
    tls: bool | None = attr("source/@tls", YESNO)
    tls_hostname: str | None = attr("source/@tlsHostname")
    hosts: list[Host] = children(Host, "source/host")
    snapshot: str | None = attr("source/snapshot/@name")
    config: str | None = attr("source/config/@file")
    initiator: str | None = attr("source/initiator/iqn/@name")
    ssl_verify: bool | None = attr("source/ssl/@verify", YESNO)
    cookies: list[Cookie] = children(Cookie, "source/cookies/cookie", secret=True)
    readahead: int | None = attr("source/readahead/@size", ULLONG, error="invalid readahead size or timeout")
    timeout: int | None = attr("source/timeout/@seconds", ULLONG, error="invalid readahead size or timeout")
    user: str | None = attr("source/identity/@user")
    group: str | None = attr("source/identity/@group")

    def location(self) -> str | None:
        return self.name

    def parsed(self, node: Any) -> None:
        if node.find("source") is None:
            return
        if self.protocol is None:
            raise XmlError("Missing required attribute 'protocol' in element 'source'", origin=Origin.XML)
        if not self.name and self.protocol not in ("nbd",):
            raise XmlError("missing name for disk source")
        if self.protocol in ("http", "https"):
            check_cookies(self.cookies)
        else:
            self.cookies = []
        self.readahead, self.timeout = self.readahead or None, self.timeout or None
        if self.protocol == "iscsi" and self.name and "/" not in self.name:
            self.name += "/0"
        if self.protocol in ("gluster", "rbd") and "/" not in (self.name or ""):
            raise XmlError(f"can't split path '{self.name}' into pool name and image name")

    def defaults(self) -> None:
        super().defaults()
        for host in self.hosts:
            if host.port is None and host.transport in (None, "tcp"):
                host.port = PORTS.get(self.protocol or "")


class VolumeSource(Source):
    """A volume of a storage pool."""

    pool: str | None = attr("source/@pool")
    volume: str | None = attr("source/@volume")
    mode: str | None = attr(
        "source/@mode",
        ENUM("host", "direct"),
        error="unsupported:unknown source mode '{value}' for volume type disk",
    )
    actual: Any = runtime(None)
    """The source that the volume is, while the guest runs."""

    @property
    def file(self) -> str | None:
        return getattr(self.actual, "file", None)

    @property
    def dev(self) -> str | None:
        return getattr(self.actual, "dev", None)

    def parsed(self, node: Any) -> None:
        if self.pool is None and self.volume is None:
            return
        if not self.pool or not self.volume:
            raise XmlError("'pool' and 'volume' must be specified together for 'pool' type source")

    def location(self) -> str | None:
        return f"{self.pool}/{self.volume}" if self.pool else None


class NvmeSource(Source):
    """A namespace of an NVMe controller of the host, given to QEMU alone."""

    type: str | None = attr("source/@type", ENUM("pci"), error="unsupported source type '{value}'")
    managed: bool | None = attr("source/@managed", YESNO)
    namespace: int | None = attr("source/@namespace", ULLONG)
    domain: int | None = attr("source/address/@domain", HEX(4, 0xFFFFFFFF))
    bus: int | None = attr("source/address/@bus", HEX(2, 0xFF))
    slot: int | None = attr("source/address/@slot", HEX(2, 0x1F))
    function: int | None = attr("source/address/@function", HEX(1, 7))

    def location(self) -> str | None:
        return (
            None
            if self.bus is None
            else f"{self.domain or 0:04x}:{self.bus:02x}:{self.slot or 0:02x}.{self.function or 0}"
        )

    def parsed(self, node: Any) -> None:
        source = node.find("source")
        if source is None:
            return
        for name, value in (("type", self.type), ("namespace", self.namespace)):
            if value is None:
                raise XmlError(f"missing '{name}' attribute to disk source")
        if self.namespace == 0:
            raise ConfigUnsupported("NVMe namespace can't be zero", origin=Origin.DOMAIN)
        if source.find("address") is None:
            raise XmlError("NVMe disk source is missing address")

    def defaults(self) -> None:
        super().defaults()
        if self.managed is None:
            self.managed = True
        self.domain, self.slot, self.function = self.domain or 0, self.slot or 0, self.function or 0


class VhostUserSource(Source):
    """A disk served by another process over a vhost-user socket."""

    type: str | None = attr("source/@type", ENUM("unix"), error="invalid 'type' attribute for vhostuser disk source")
    path: str | None = attr("source/@path", label=True)
    reconnect: bool | None = attr("source/reconnect/@enabled", YESNO)
    reconnect_timeout: int | None = attr("source/reconnect/@timeout", UINT)

    def location(self) -> str | None:
        return self.path

    def parsed(self, node: Any) -> None:
        if node.find("source") is None:
            return
        for name in ("type", "path"):
            if getattr(self, name) is None:
                raise XmlError(f"missing '{name}' attribute for vhostuser disk source")


SOURCES: dict[str, Any] = {
    "file": FileSource, "block": BlockSource, "dir": DirSource, "network": NetworkSource, "volume": VolumeSource,
    "nvme": NvmeSource, "vhostuser": VhostUserSource,
}  # fmt: skip


def _read_layer(node: Any) -> BackingStore:
    return BackingStore.parse(node)


def _write_layer(layer: BackingStore, form: Form, pad: str) -> str:
    return layer.xml(form, pad)


class BackingStore(Element, tag="backingStore"):
    """The layer below an image; empty where the chain ends."""

    type: str | None = attr("@type", ENUM(*SOURCE_TYPES), error="unknown storage source type '{value}'")
    index: int | None = attr("@index", UINT, when=lambda layer, form: form.named)
    format: str | None = attr("format/@type", ENUM(*FORMATS), error="unknown storage source format '{value}'")
    metadata_cache: int | None = scaled("format/metadata_cache/max_size", unit="bytes")
    source: Any = variant("type", SOURCES)
    backing_store: Any = custom("backingStore", _read_layer, _write_layer)
    detected: bool = runtime(False)
    """Found in the images at the start, not said by a document: shown for running guests only."""

    def written(self, form: Form) -> Element | None:
        return None if self.detected and not form.live else self

    def parsed(self, node: Any) -> None:
        if self.type is None:
            self.format = self.metadata_cache = self.backing_store = None
        if self.type is not None and self.format is None:
            raise XmlError("missing disk backing store format")
        if self.type is not None and node.find("source") is None:
            raise XmlError("missing disk backing store source")

    def chain(self) -> list[BackingStore]:
        """This layer and those below it, without the empty end."""
        layers: list[BackingStore] = []
        layer: BackingStore | None = self
        while layer is not None and layer.type is not None:
            layers.append(layer)
            layer = layer.backing_store
        return layers


def no_target(source: str | None) -> Error:
    """libvirt's error 20."""
    return Error(f"missing target information for device {source}" if source else "missing target information for device",
                 code=Code.NO_TARGET, origin=Origin.DOMAIN)  # fmt: skip
