"""Directories of the host given to the guest: by 9p inside QEMU, or by virtiofsd."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from kvasir.errors import Code, ConfigUnsupported, Error, Origin, XmlError
from kvasir.model.words import no_size
from kvasir.qemu.args import Arg, Chardev, Dev, Opt, comma
from kvasir.xml import Form, attr, flag, scaled
from kvasir.xml.types import ENUM, INT, ONOFF, Type

from .base import Device
from .common_check import shared_memory
from .virtio_options import SUFFIX, props, transport
from .words import no_bus

TYPES = ("mount", "block", "file", "template", "ram", "bind", "volume")
FORMATS = (
    "raw", "dir", "bochs", "cloop", "dmg", "iso", "vpc", "vdi", "fat", "vhd", "ploop", "luks", "cow", "qcow", "qcow2", "qed",
    "vmdk",
)  # fmt: skip
DRIVERS = ("path", "handle", "loop", "nbd", "ploop", "virtiofs")


def _read_mode(value: str) -> int:
    number = int(value, 8)
    if number < 0:
        raise ValueError(value)
    return number


MODE = Type("mode", _read_mode, lambda v: f"{v:04o}", "Expected non-negative integer value", pattern="[0-7]{1,4}")


def _small_mode(name: str) -> Any:
    return lambda value: f"invalid {name}: '0{value:o}'" if value > 0o777 else None


class NoPlace(Error):
    """A file system without source or target."""

    def __init__(self, code: Code, what: str, other: str | None) -> None:
        text = f"missing {what} information for device {other or ''}".rstrip()
        super().__init__(text, code=code, origin=Origin.DOMAIN)


class Filesystem(Device, tag="filesystem"):
    """A directory of the host that the guest mounts."""

    ALIAS, ADDRESS, BOOT, HOTPLUG = "fs", "pci", True, True

    type: str = attr("@type", ENUM(*TYPES), key=True)
    accessmode: str | None = attr("@accessmode", ENUM("passthrough", "mapped", "squash"))
    model: str | None = attr("@model", ENUM("virtio", "virtio-transitional", "virtio-non-transitional"))
    multidevs: str | None = attr(
        "@multidevs", ENUM("default", "remap", "forbid", "warn"), when=lambda o, form: o.multidevs != "default"
    )
    fmode: int | None = attr("@fmode", MODE, check=_small_mode("fmode"))
    dmode: int | None = attr("@dmode", MODE, check=_small_mode("dmode"))
    driver_type: str | None = attr("driver/@type", ENUM(*DRIVERS))
    format: str | None = attr(
        "driver/@format", ENUM(*FORMATS), error="unsupported:unknown driver format value '{value}'"
    )
    wrpolicy: str | None = attr("driver/@wrpolicy", ENUM("immediate"))
    queue: int | None = attr(
        "driver/@queue",
        Type("queue", lambda value: int(value), str, json={"type": "integer"}),
        error="cannot parse queue size '{value}' for virtiofs",
    )
    iommu: bool | None = attr("driver/@iommu", ONOFF)
    ats: bool | None = attr("driver/@ats", ONOFF)
    packed: bool | None = attr("driver/@packed", ONOFF)
    page_per_vq: bool | None = attr("driver/@page_per_vq", ONOFF)
    binary_path: str | None = attr("binary/@path")
    xattr: bool | None = attr("binary/@xattr", ONOFF)
    cache: str | None = attr("binary/cache/@mode", ENUM("none", "always"))
    sandbox: str | None = attr("binary/sandbox/@mode", ENUM("namespace", "chroot"))
    posix_lock: bool | None = attr("binary/lock/@posix", ONOFF)
    flock: bool | None = attr("binary/lock/@flock", ONOFF)
    threads: int | None = attr("binary/thread_pool/@size", INT, when=lambda o, form: (o.threads or 0) >= 0)
    source_dir: str | None = attr("source/@dir")
    source_dev: str | None = attr("source/@dev")
    source_file: str | None = attr("source/@file")
    source_name: str | None = attr("source/@name")
    source_usage: str | None = attr("source/@usage")
    source_units: str | None = attr("source/@units")
    source_pool: str | None = attr("source/@pool")
    source_volume: str | None = attr("source/@volume")
    source_socket: str | None = attr("source/@socket")
    target: str | None = attr("target/@dir", key=True, doc="The mount tag that the guest names.")
    readonly: bool = flag("readonly")
    hard_limit: int | None = scaled("space_hard_limit", "bytes", last=True, error=no_size("./space_hard_limit"))
    soft_limit: int | None = scaled("space_soft_limit", "bytes", last=True, error=no_size("./space_soft_limit"))

    @property
    def is_virtiofs(self) -> bool:
        return self.driver_type == "virtiofs"

    def source(self) -> str | None:
        """What is mounted, in the attribute that the type has."""
        named = {"block": self.source_dev, "file": self.source_file, "template": self.source_name,
                 "ram": self.source_usage, "volume": self.source_volume}  # fmt: skip
        return named.get(self.type, self.source_dir)

    def parsed(self, node: Any) -> None:
        """What libvirt checks while it reads."""
        self.type = self.type or "mount"
        if not self.is_virtiofs:
            self.queue = None
        if self.driver_type is None:
            self.format = self.wrpolicy = None
        source = self.source_socket if self.is_virtiofs and self.source_socket else self.source()
        if source is None and self.type != "ram":
            raise NoPlace(Code.NO_SOURCE, "source", self.target)
        if self.target is None:
            raise NoPlace(Code.NO_TARGET, "target", source)

    def written(self, form: Form) -> Filesystem:
        """The binary is shown for virtiofs only."""
        if self.is_virtiofs or not any((self.binary_path, self.xattr, self.cache, self.sandbox)):
            return self
        shown = self.copy()
        shown.binary_path = shown.xattr = shown.cache = shown.sandbox = None
        shown.posix_lock = shown.flock = shown.threads = None
        return shown

    def defaults(self, vm: Any) -> None:
        """9p and virtiofs pass access through unless told otherwise."""
        if self.accessmode is None and not self.source_socket:
            self.accessmode = "passthrough"

    def needs_address(self, vm: Any) -> str | None:
        return "virtio-mmio" if vm.is_microvm else "pci"

    def check(self, vm: Any) -> None:
        """Refuse what QEMU or virtiofsd cannot do."""
        if self.driver_type in ("loop", "nbd", "ploop"):
            raise no_bus()
        if self.type != "mount":
            raise ConfigUnsupported("only supports mount filesystem type")
        if (self.fmode is not None or self.dmode is not None) and self.accessmode != "mapped":
            raise ConfigUnsupported("fmode and dmode must be used with accessmode=mapped")
        if self.is_virtiofs:
            self._check_virtiofs(vm)
            return
        if self.driver_type not in (None, "path", "handle"):
            raise ConfigUnsupported("Filesystem driver type not supported")
        if self.driver_type == "handle" and self.accessmode not in (None, "passthrough"):
            raise ConfigUnsupported("only supports passthrough accessmode")
        if self.boot is not None:
            raise ConfigUnsupported("boot order is only supported for virtiofs", origin=Origin.DOMAIN)

    def _check_virtiofs(self, vm: Any) -> None:
        if not self.source_socket:
            if self.readonly:
                raise ConfigUnsupported("virtiofs does not yet support read-only mode")
            if self.accessmode not in (None, "passthrough"):
                raise ConfigUnsupported("virtiofs only supports passthrough accessmode")
            if self.wrpolicy is not None:
                raise ConfigUnsupported("virtiofs does not support wrpolicy")
            if self.model not in (None, "virtio"):
                raise ConfigUnsupported("virtiofs does not support model")
            if self.format is not None:
                raise ConfigUnsupported("virtiofs does not support format")
            if self.multidevs not in (None, "default"):
                raise ConfigUnsupported("virtiofs does not support multidevs")
        if not vm.caps.has("vhost-user-fs"):
            raise ConfigUnsupported("virtiofs is not supported with this QEMU binary")
        if not shared_memory(vm.domain):
            raise ConfigUnsupported("'virtiofs' requires shared memory")
        if self.queue is not None and self.queue & (self.queue - 1):
            raise XmlError("virtiofs queue size must be a power of two")

    # -- the host's side

    async def prepare(self, host: Any) -> None:
        """Start virtiofsd."""
        if self.is_virtiofs and not self.source_socket:
            from kvasir.qemu.virtiofs import start

            await start(self, host)

    async def release(self, host: Any) -> None:
        """End virtiofsd and remove its socket."""
        if self.is_virtiofs and not self.source_socket:
            from kvasir.qemu.virtiofs import stop

            await stop(self, host)

    # -- QEMU

    def qemu(self, vm: Any) -> Iterator[Arg]:
        """The file system's backend and its device."""
        if self.is_virtiofs:
            from kvasir.qemu.virtiofs import socket_path

            name = f"chr-vu-{self.alias}"
            path = self.source_socket or socket_path(vm, self)
            where = {"type": "unix", "data": {"path": path}}
            yield Chardev("socket", name, {"path": path}, {"type": "socket", "data": {"addr": where, "server": False}})
            yield Dev(
                f"vhost-user-fs-{self._bus(vm)}",
                {**props(self), "id": self.alias, "chardev": name, "queue-size": self.queue, "tag": self.target},
            )
            return
        yield Opt("-fsdev", ",".join(self._fsdev()))
        yield Dev(
            f"virtio-9p-{self._bus(vm)}{SUFFIX.get(self.model or '', '')}",
            {**props(self), "id": self.alias, "fsdev": f"fsdev-{self.alias}", "mount_tag": self.target},
        )

    def _bus(self, vm: Any) -> str:
        return transport(self)

    def _fsdev(self) -> Iterator[str]:
        if self.driver_type == "handle":
            yield "handle"
        else:
            yield "local"
            yield f"security_model={'none' if self.accessmode == 'squash' else self.accessmode or 'passthrough'}"
        if self.multidevs not in (None, "default") and self.driver_type != "handle":
            yield f"multidevs={self.multidevs}"
        if self.fmode is not None:
            yield f"fmode={self.fmode:04o}"
        if self.dmode is not None:
            yield f"dmode={self.dmode:04o}"
        if self.wrpolicy:
            yield f"writeout={self.wrpolicy}"
        yield f"id=fsdev-{self.alias}"
        yield f"path={comma(self.source_dir or '')}"
        if self.readonly:
            yield "readonly"
