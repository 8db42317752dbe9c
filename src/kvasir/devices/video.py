"""Video cards."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from kvasir.errors import Code, ConfigUnsupported, Error, OperationFailed, Origin, XmlError
from kvasir.qemu.args import Chardev, Dev
from kvasir.xml import Form, attr
from kvasir.xml.types import ENUM, ONOFF, UINT, YESNO, blank, lenient

from .base import Device
from .virtio_options import props, transport
from .words import internal, unsupported, wrong

if TYPE_CHECKING:
    from kvasir.qemu.args import Arg

TYPES = (
    "default", "vga", "cirrus", "vmvga", "xen", "vbox", "qxl", "parallels", "virtio", "gop", "none", "bochs", "ramfb",
)  # fmt: skip
VRAM = {
    "vga": 16384, "cirrus": 16384, "vmvga": 16384, "bochs": 16384, "vbox": 8192, "xen": 4096, "qxl": 65536,
    "parallels": 32768,
}  # fmt: skip
"""Memory in KiB of each model when the document says nothing."""
QEMU_TYPES = ("vga", "cirrus", "vmvga", "qxl", "virtio", "none", "bochs", "ramfb")
PRIMARY = {"vga": "VGA", "cirrus": "cirrus-vga", "vmvga": "vmware-svga", "qxl": "qxl-vga", "virtio": "virtio-vga"}
SECONDARY = {"vga": "VGA", "qxl": "qxl", "virtio": "virtio-gpu-pci", "bochs": "bochs-display", "ramfb": "ramfb"}
NEEDS = {"qxl": "qxl", "virtio": "virtio-gpu", "vga": "VGA", "cirrus": "cirrus-vga", "vmvga": "vmware-svga"}
SECOND_OK = ("qxl", "virtio")


def _round_up(kib: int) -> int:
    """The next power of two."""
    return 1 << (kib - 1).bit_length() if kib else 0


class Video(Device, tag="video"):
    """A video card. Memory sizes are in KiB."""

    ALIAS, ADDRESS, HOTPLUG = "video", "pci", False

    iommu: bool | None = attr("driver/@iommu", ONOFF)
    ats: bool | None = attr("driver/@ats", ONOFF)
    packed: bool | None = attr("driver/@packed", ONOFF)
    page_per_vq: bool | None = attr("driver/@page_per_vq", ONOFF)
    driver: str | None = attr("driver/@name", ENUM("qemu", "vhostuser"))
    vgaconf: str | None = attr("driver/@vgaconf", when=lambda video, form: False)
    type: str = attr("model/@type", blank(ENUM(*TYPES)), error=unsupported("unknown video model '{value}'"), abi=True)
    ram: int | None = attr("model/@ram", blank(UINT), error=wrong("cannot parse video ram '{value}'"), abi=True)
    vram: int | None = attr("model/@vram", blank(UINT), error=wrong("cannot parse video vram '{value}'"), abi=True)
    vram64: int | None = attr(
        "model/@vram64", blank(UINT), error=wrong("cannot parse video vram64 '{value}'"), abi=True
    )
    vgamem: int | None = attr(
        "model/@vgamem", blank(UINT), error=wrong("cannot parse video vgamem '{value}'"), abi=True
    )
    heads: int | None = attr("model/@heads", blank(UINT), error=internal("cannot parse video heads '{value}'"), abi=True,
                             when=lambda video, form: bool(video.heads))  # fmt: skip
    primary: bool | None = attr("model/@primary", lenient(YESNO), when=lambda video, form: bool(video.primary))
    blob: bool | None = attr("model/@blob", ONOFF, when=lambda video, form: False)
    accel3d: bool | None = attr("model/acceleration/@accel3d", YESNO)
    accel2d: bool | None = attr("model/acceleration/@accel2d", YESNO)
    rendernode: str | None = attr("model/acceleration/@rendernode")
    x: int | None = attr("model/resolution/@x", UINT)
    y: int | None = attr("model/resolution/@y", UINT)

    def parsed(self, node: Any) -> None:
        model = node.find("model")
        if model is None:
            return
        if self.driver == "vhostuser" and self.type != "virtio":
            raise ConfigUnsupported("'vhostuser' driver is only supported with 'virtio' device", origin=Origin.DOMAIN)
        for name in ("ram", "vram64", "vgamem"):
            if getattr(self, name) is not None and self.type != "qxl":
                raise ConfigUnsupported(f"{name} attribute only supported for video type qxl", origin=Origin.DOMAIN)
        self.vram64 = self.vram64 or None
        if model.find("acceleration") is not None and (self.accel2d, self.accel3d, self.rendernode) == (None,) * 3:
            raise ConfigUnsupported("missing values for acceleration", origin=Origin.DOMAIN)
        resolution = model.find("resolution")
        if resolution is not None:
            for name in ("x", "y"):
                if getattr(self, name) is None:
                    raise XmlError(f"Missing required attribute '{name}' in element 'resolution'", origin=Origin.XML)
            if not self.x or not self.y:
                raise ConfigUnsupported("video resolution values must be greater than 0", origin=Origin.DOMAIN)

    def defaults(self, vm: Any) -> None:
        videos = vm.domain.videos
        if self.type in (None, "default"):
            self.type = self._default_type(vm)
        if self.type == "none":
            self.primary = self.heads = self.vram = None
            return
        chosen = next((v for v in videos if v.primary), None)
        if chosen is None and videos and videos[0] is self:
            self.primary = True
        elif videos and videos[0] is self and not self.primary and chosen is not None:
            videos.remove(chosen)
            videos.insert(0, chosen)
        if self.heads is None:
            self.heads = 1
        if self.type == "qxl":
            self._qxl_memory()
        elif self.vram is None:
            self.vram = VRAM.get(self.type)
        elif self.type in VRAM:
            self.vram = _round_up(self.vram)

    def _qxl_memory(self) -> None:
        self.ram = _round_up(self.ram) if self.ram else 65536
        self.vram = _round_up(self.vram) if self.vram else 65536
        self.vgamem = self.vgamem or 16384

    @staticmethod
    def _default_type(vm: Any) -> str:
        if not vm.is_x86:
            from kvasir.qemu.boards import video_model

            if model := video_model(vm):
                return model
        for kind, word in (("cirrus", "cirrus-vga"), ("vga", "VGA"), ("virtio", "virtio-gpu")):
            if vm.caps.has(word):
                return kind
        return "cirrus"

    def check(self, vm: Any) -> None:
        self._check_document(vm)
        if self.type not in QEMU_TYPES:
            raise ConfigUnsupported(f"domain configuration does not support video model '{self.type}'")
        need = NEEDS.get(self.type)
        if need and not vm.caps.has(need) and vm.caps.has("qxl"):
            raise ConfigUnsupported(f"domain configuration does not support video model '{self.type}'")
        if not self.primary and self.type not in (*SECOND_OK, "none"):
            raise ConfigUnsupported(f"video type '{self.type}' is only valid as primary video device")
        if self.accel2d:
            raise ConfigUnsupported("qemu does not support the accel2d setting")
        if self.accel3d and self.type != "virtio":
            raise ConfigUnsupported("3d acceleration is supported only with 'virtio' video device")
        if self.x is not None and self.type not in ("vga", "qxl", "virtio", "bochs"):
            raise XmlError("model resolution is not supported", origin=Origin.QEMU)
        if self.type not in ("qxl", "virtio", "none") and self.heads != 1:
            raise ConfigUnsupported(f"video type '{self.type}' doesn't support multiple 'heads'")
        self._check_memory()

    def _check_document(self, vm: Any) -> None:
        videos = vm.domain.videos
        if self.type == "none" and len(videos) > 1:
            raise ConfigUnsupported(
                "a 'none' video type must be the only video device defined for the domain", origin=Origin.DOMAIN
            )
        if self.primary and sum(1 for v in videos if v.primary) > 1:
            raise ConfigUnsupported("Only one primary video device is supported", origin=Origin.DOMAIN)
        if self.driver != "vhostuser" and self.rendernode is not None:
            raise ConfigUnsupported("unsupported rendernode accel attribute without 'vhostuser'", origin=Origin.DOMAIN)
        if self.type != "virtio":
            for name in ("iommu", "ats", "packed", "page_per_vq"):
                if getattr(self, name) is not None:
                    raise ConfigUnsupported(
                        f"{name} driver option is only supported for virtio devices", origin=Origin.DOMAIN
                    )

    def _check_memory(self) -> None:
        if self.type == "qxl" and self.vgamem is not None:
            if self.vgamem < 1024:
                raise ConfigUnsupported("value for 'vgamem' must be at least 1 MiB (1024 KiB)")
            if self.vgamem != _round_up(self.vgamem):
                raise ConfigUnsupported("value for 'vgamem' must be power of two")
        if self.type == "qxl":
            for name in ("vram", "ram"):
                if (getattr(self, name) or 0) > 2**32 // 1024 - 1:
                    raise Error(
                        code=Code.OVERFLOW,
                        message=f"numerical overflow: value for '{name}' must be less than '{2**32 // 1024 - 1}'",
                    )
        elif self.type in ("vga", "vmvga") and self.vram is not None and self.vram < 1024:
            raise ConfigUnsupported("value for 'vram' must be at least 1 MiB (1024 KiB)")

    def needs_address(self, vm: Any) -> str | None:
        return None if self.type in ("none", "ramfb") else "pci"

    def qemu(self, vm: Any) -> Iterator[Arg]:
        if self.type == "none":
            return
        if self.driver == "vhostuser":
            if f"vhost-user-{self.alias}" not in vm.fds:  # no helper is started: that is not built
                raise OperationFailed("Unable to find a satisfying vhost-user-gpu")
            yield Chardev("socket", f"chr-vu-{self.alias}", {"fd": vm.fd(f"vhost-user-{self.alias}")})
        more: dict[str, Any] = {}
        if self.type == "qxl":
            more = {
                "max_outputs": self.heads, "ram_size": (self.ram or 0) * 1024, "vram_size": (self.vram or 0) * 1024,
                "vram64_size_mb": (self.vram64 or 0) // 1024, "vgamem_mb": (self.vgamem or 0) // 1024,
            }  # fmt: skip
        elif self.type == "virtio":
            more = (
                {"max_outputs": self.heads}
                if self.driver != "vhostuser"
                else {"max_outputs": self.heads, "chardev": f"chr-vu-{self.alias}"}
            )
        elif self.type in ("vga", "vmvga"):
            more = {"vgamem_mb": (self.vram or 0) // 1024}
        elif self.type == "bochs":
            more = {"vgamem": (self.vram or 0) * 1024}
        if self.x is not None:
            more |= {"xres": self.x, "yres": self.y}
        virtio = props(self) if self.type == "virtio" else {}
        yield Dev(self._qemu_name(vm), {**virtio, "id": self.alias, **more})

    def _qemu_name(self, vm: Any) -> str:
        primary = bool(self.primary) and self.type in PRIMARY
        name = (PRIMARY if primary else SECONDARY)[self.type]
        if self.type == "virtio":
            vga = primary and vm.caps.has("virtio-vga")
            if self.driver == "vhostuser":
                return "vhost-user-vga" if vga else "vhost-user-gpu-pci"
            name = "virtio-vga" if vga else "virtio-gpu-pci"
            if (way := transport(self)) != "pci":
                name = f"virtio-gpu-{way}"
            if self.accel3d:
                name = name.replace("virtio-vga", "virtio-vga-gl").replace("virtio-gpu-pci", "virtio-gpu-gl-pci")
        return name


__all__ = ["Form", "Video"]
