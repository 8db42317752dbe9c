"""Memory devices: modules that can be added, persistent memory, and memory that can grow."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from kvasir.errors import Code, ConfigUnsupported, Error, Origin, XmlError
from kvasir.model.tune import bad_cpus
from kvasir.qemu.args import Dev, Obj
from kvasir.xml import attr, flag, scaled, text
from kvasir.xml.types import CPUSET, ENUM, UINT, UUID, YESNO

from .base import Device

if TYPE_CHECKING:
    from kvasir.qemu.args import Arg

MODELS = ("dimm", "nvdimm", "virtio-pmem", "virtio-mem", "sgx-epc")
QEMU = {"dimm": "pc-dimm", "nvdimm": "nvdimm", "virtio-pmem": "virtio-pmem-pci", "virtio-mem": "virtio-mem-pci"}
PATHS = ("nvdimm", "virtio-pmem")


def _document_error(text: str) -> Error:
    """libvirt gives these without a prefix."""
    return Error(text, code=Code.XML_DETAIL, origin=Origin.DOMAIN)


def _no_size(path: str) -> Callable[[str], Error]:
    return lambda value: XmlError(f"Invalid value '{value}' for element or attribute './{path}'", origin=Origin.XML)


class Memory(Device, tag="memory"):
    """A memory device. Sizes are in KiB."""

    ALIAS = "mem"

    model: str = attr("@model", ENUM(*MODELS), required=True, abi=True)
    access: str | None = attr("@access", ENUM("shared", "private"), abi=True)
    discard: bool | None = attr("@discard", YESNO, abi=True)
    uuid: str | None = text("uuid", UUID)
    nodemask: frozenset[int] | None = text("source/nodemask", CPUSET, error=bad_cpus)
    pagesize: int | None = scaled("source/pagesize", error=_no_size("pagesize"))
    path: str | None = text("source/path", label=True)
    alignsize: int | None = scaled("source/alignsize", error=_no_size("alignsize"))
    pmem: bool = flag("source/pmem")
    size: int | None = scaled("target/size", abi=True, error=_no_size("size"))
    node: int | None = text("target/node", UINT, abi=True, error="invalid value of memory device node")
    label_size: int | None = scaled("target/label/size", abi=True, error=_no_size("label/size"))
    block: int | None = scaled("target/block", abi=True, error=_no_size("block"))
    requested: int | None = scaled("target/requested", live=True, error=_no_size("requested"))
    current: int | None = scaled("target/current", only="live")
    readonly: bool = flag("target/readonly", abi=True)

    def parsed(self, node: Any) -> None:
        if node.find("target") is None:
            raise XmlError("missing <target> element for <memory> device")
        if self.size is None:
            raise XmlError("missing element or attribute './size'", origin=Origin.XML)
        if self.model != "nvdimm":
            self.uuid, self.label_size = None, None
        elif self.label_size is not None:
            if self.label_size < 128:
                raise XmlError("nvdimm label must be at least 128KiB")
            if self.label_size >= (self.size or 0):
                raise XmlError("label size must be smaller than NVDIMM size")
        if self.model == "virtio-mem":
            if self.requested is None:
                self.requested = 0
        else:
            self.block = self.requested = self.current = None
        if self.model in PATHS:
            self.nodemask = self.pagesize = None
        else:
            self.path = self.alignsize = None
            self.pmem = False

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
        node, cells = self.node, vm.domain.cpu_cells()
        if node is not None and not cells:
            raise _document_error("can't add memory backend as guest has no NUMA nodes configured")
        if node is not None and node >= len(cells):
            raise _document_error(
                f"can't add memory backend for guest node '{node}' as the guest has only '{len(cells)}' NUMA nodes "
                "configured"
            )

    def _check_virtio_mem(self) -> None:
        block, size, requested = self.block or 0, self.size or 0, self.requested or 0
        if not block or block & (block - 1):
            raise _document_error("block size must be a power of two")
        if requested > size:
            raise _document_error(f"requested size must be smaller than or equal to @size ({size}KiB)")
        if requested % block:
            raise _document_error("requested size must be an integer multiple of block size")

    def _check_virtio_pmem(self) -> None:
        if self.access != "shared":
            raise ConfigUnsupported("shared access mode required for virtio-pmem device")
        if self.node is not None:
            raise ConfigUnsupported("guest node is not supported for virtio-pmem device")

    def needs_address(self, vm: Any) -> str | None:
        if self.model in ("dimm", "nvdimm"):
            return "dimm"
        return "pci" if self.model in ("virtio-pmem", "virtio-mem") else None

    async def prepare(self, host: Any) -> None:
        """The folder of a file that backs it; those of a guest that starts are made all at once."""
        if host.guest.run is not None and not host.guest.run.starting:
            from kvasir.qemu import memory_files

            memory_files.prepare(host, host.vm, [self._backend(host.vm)])

    def qemu(self, vm: Any) -> Iterator[Arg]:
        yield self._backend(vm)
        memory = f"mem{self.alias}"
        if self.model == "sgx-epc":
            return
        props: dict[str, Any] = {"node": self.node, "memdev": memory, "id": self.alias}
        if self.model == "nvdimm":
            props["label-size"] = self.label_size * 1024 if self.label_size else None
            props["unarmed"] = True if self.readonly else None
            props["uuid"] = self.uuid
        elif self.model == "virtio-mem":
            props["block-size"] = (self.block or 0) * 1024
            props["requested-size"] = self.requested * 1024 if self.requested else None
        yield Dev(QEMU[self.model], props)

    def _backend(self, vm: Any) -> Obj:
        if self.model in PATHS or self.model == "sgx-epc":
            return self._own_backend(vm)
        from kvasir.qemu.argv.memory import backend

        cell = next((c for c in vm.domain.cpu_cells() if c.id == self.node), None)
        if cell is not None and (self.access is not None or self.discard is not None):
            cell = cell.copy()
            cell.mem_access = self.access or cell.mem_access
            cell.discard = self.discard if self.discard is not None else cell.discard
        size = (self.size or 0) * 1024
        found: Any = backend(vm, f"mem{self.alias}", size, cell=cell, nodeset=self.nodemask, page=self.pagesize)
        if self.model == "virtio-mem":
            found.props["reserve"] = False
        return found  # type: ignore[no-any-return]

    def _own_backend(self, vm: Any) -> Obj:
        """The backend of memory with a file or an enclave of its own."""
        props: dict[str, Any] = {"id": f"mem{self.alias}"}
        if self.model == "sgx-epc":
            kind = "memory-backend-epc"
            props["prealloc"] = True
        else:
            kind = "memory-backend-file"
            props["mem-path"] = self.path
            props["prealloc"] = True if self.model == "nvdimm" and not self.pmem else None
            props["share"] = None if self.access is None else self.access == "shared"
            props["discard-data"] = True if self.discard else None
        props["size"] = (self.size or 0) * 1024
        if self.model == "virtio-pmem":
            from kvasir.qemu.argv.memory import policy

            props |= policy(vm)
        props["align"] = self.alignsize * 1024 if self.alignsize else None
        props["pmem"] = True if self.pmem else None
        return Obj(kind, props)

    def machine_words(self, vm: Any) -> list[str]:
        """Persistent memory is an option of the machine."""
        first = next((m for m in vm.domain.memories if m.model == "nvdimm"), None)
        return ["nvdimm=on"] if first is self else []
