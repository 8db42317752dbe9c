"""Memory devices: modules that can be added, persistent memory, and memory that can grow."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from kvasir.errors import Code, ConfigUnsupported, Error, Origin, XmlError
from kvasir.qemu.args import Dev, Obj
from kvasir.xml import Element, Form, attr, child, flag, scaled, text
from kvasir.xml.types import CPUSET, ENUM, UINT, UUID, YESNO

from .address import DimmAddress
from .base import Device

if TYPE_CHECKING:
    from kvasir.qemu.args import Arg

MODELS = ("dimm", "nvdimm", "virtio-pmem", "virtio-mem", "sgx-epc")
QEMU = {"dimm": "pc-dimm", "nvdimm": "nvdimm", "virtio-pmem": "virtio-pmem-pci", "virtio-mem": "virtio-mem-pci"}
PATHS = ("nvdimm", "virtio-pmem")


def _document_error(text: str) -> Error:
    """libvirt gives these without a prefix."""
    return Error(text, code=Code.XML_DETAIL, origin=Origin.DOMAIN)


class Source(Element, tag="source"):
    """Where the host takes it from."""

    nodemask: frozenset[int] | None = text("nodemask", CPUSET)
    pagesize: int | None = scaled("pagesize")
    path: str | None = text("path", label=True)
    alignsize: int | None = scaled("alignsize")
    pmem: bool = flag("pmem")

    def written(self, form: Form) -> Element | None:
        return self if self.nodemask or self.pagesize or self.path or self.alignsize or self.pmem else None


class Target(Element, tag="target"):
    """What the guest sees. Sizes are in KiB."""

    size: int | None = scaled("size", required=True, error="missing element or attribute './size'")
    node: int | None = text("node", UINT)
    label_size: int | None = scaled("label/size")
    block: int | None = scaled("block")
    requested: int | None = scaled("requested")
    current: int | None = scaled("current", only="live")
    readonly: bool = flag("readonly")


class Memory(Device, tag="memory"):
    """A memory device."""

    ALIAS = "mem"

    model: str = attr("@model", ENUM(*MODELS), required=True, abi=True)
    access: str | None = attr("@access", ENUM("shared", "private"), abi=True)
    discard: bool | None = attr("@discard", YESNO, abi=True)
    uuid: str | None = text("uuid", UUID)
    source: Source | None = child(Source)
    target: Target = child(Target)

    def parsed(self, node: Any) -> None:
        if self.target is None:
            raise XmlError("missing <target> element for <memory> device")
        target = self.target
        if self.model != "nvdimm":
            self.uuid, target.label_size = None, None
        elif target.label_size is not None:
            if target.label_size < 128:
                raise XmlError("nvdimm label must be at least 128KiB")
            if target.label_size >= (target.size or 0):
                raise XmlError("label size must be smaller than NVDIMM size")
        if self.model == "virtio-mem":
            if target.requested is None:
                target.requested = 0
        else:
            target.block = target.requested = target.current = None
        source = self.source
        if source is not None:
            if self.model in PATHS:
                source.nodemask = source.pagesize = None
            else:
                source.path = source.alignsize = None
                source.pmem = False

    @property
    def path(self) -> str | None:
        """The file of the host behind persistent memory."""
        return self.source.path if self.source is not None else None

    def check(self, vm: Any) -> None:
        if self.model in PATHS and not self.path:
            raise _document_error(f"path is required for model '{self.model}'")
        if self.model == "virtio-mem":
            self._check_virtio_mem()
        if self.model == "virtio-pmem":
            self._check_virtio_pmem()
        if self.model == "nvdimm" and self.uuid is not None and not vm.arch.startswith("ppc64"):
            raise ConfigUnsupported("UUID is not supported for NVDIMM device")
        if self.model == "sgx-epc" and not vm.caps.has("sgx-epc"):
            raise ConfigUnsupported("sgx epc isn't supported by this QEMU binary")
        node, cells = self.target.node, vm.domain.cpu_cells()
        if node is not None and node >= len(cells):
            raise Error(
                f"can't add memory backend for guest node '{node}' as the guest has only '{len(cells)}' NUMA nodes "
                "configured",
                code=Code.CONFIG_UNSUPPORTED,
                origin=Origin.QEMU,
            )

    def _check_virtio_mem(self) -> None:
        block, size, requested = self.target.block or 0, self.target.size or 0, self.target.requested or 0
        if not block or block & (block - 1):
            raise _document_error("block size must be a power of two")
        if requested > size:
            raise _document_error(f"requested size must be smaller than or equal to @size ({size}KiB)")
        if requested % block:
            raise _document_error("requested size must be an integer multiple of block size")

    def _check_virtio_pmem(self) -> None:
        if self.access != "shared":
            raise ConfigUnsupported("shared access mode required for virtio-pmem device")
        if self.target.node is not None:
            raise ConfigUnsupported("guest node is not supported for virtio-pmem device")

    def needs_address(self, vm: Any) -> str | None:
        if self.model in ("dimm", "nvdimm"):
            return "dimm"
        return "pci" if self.model in ("virtio-pmem", "virtio-mem") else None

    def qemu(self, vm: Any) -> Iterator[Arg]:
        yield self._backend(vm)
        memory = f"mem{self.alias}"
        if self.model == "sgx-epc":
            return
        target = self.target
        props: dict[str, Any] = {"node": target.node, "memdev": memory, "id": self.alias}
        if self.model == "nvdimm":
            props["label-size"] = target.label_size * 1024 if target.label_size else None
            props["unarmed"] = True if target.readonly else None
            props["uuid"] = self.uuid
        elif self.model == "virtio-mem":
            props["block-size"] = (target.block or 0) * 1024
            props["requested-size"] = target.requested * 1024 if target.requested else None
        yield Dev(QEMU[self.model], props)

    def _backend(self, vm: Any) -> Obj:
        source = self.source or Source()
        shared = None if self.access is None else self.access == "shared"
        props: dict[str, Any] = {"id": f"mem{self.alias}"}
        kind = "memory-backend-ram"
        if self.model in PATHS:
            kind = "memory-backend-file"
            props["mem-path"] = source.path
            props["prealloc"] = True if self.model == "nvdimm" else None
        elif self.model == "sgx-epc":
            kind = "memory-backend-epc"
            props["prealloc"] = True
        elif shared is not None or (source.pagesize or 0) > 4:
            kind = "memory-backend-file"
            props["mem-path"] = f"{vm.memory_folder()}/{self.alias}"
        if kind == "memory-backend-file":
            props["share"] = shared
            props["discard-data"] = True if self.discard else None
        props["reserve"] = False if self.model == "virtio-mem" else None
        props["size"] = (self.target.size or 0) * 1024
        props["align"] = source.alignsize * 1024 if source.alignsize else None
        props["pmem"] = True if source.pmem else None
        if source.nodemask:
            props["host-nodes"] = sorted(source.nodemask)
            props["policy"] = "bind"
        return Obj(kind, props)


__all__ = ["DimmAddress", "Memory"]
