"""Network interfaces: the guest's card and what it is plugged into."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from kvasir.errors import ConfigUnsupported, InvalidArg, Origin, XmlDetail, XmlError
from kvasir.xml import Form, attr, child, children, text, variant
from kvasir.xml.types import ENUM, ONOFF, STR, UINT, ULLONG, YESNO, Type

from .base import Device, pass_over
from .interface_parts import Bandwidth, FilterRef, Ip, PortForward, Route, VirtualPort, Vlan, bad_value
from .interface_source import SOURCES, ActualSource

if TYPE_CHECKING:
    from kvasir.qemu.args import Arg

TYPES = (
    "user", "ethernet", "vhostuser", "server", "client", "mcast", "network", "bridge", "internal", "direct", "hostdev",
    "udp", "vdpa", "null", "vds",
)  # fmt: skip
VIRTIO = ("virtio", "virtio-transitional", "virtio-non-transitional")
PORTED = ("network", "bridge", "direct", "hostdev")
"""Types that may have a virtual port."""
VIRTIO_ONLY = ("iommu", "ats", "packed", "page_per_vq")
GENERATED_NAMES = ("vnet", "macvtap", "macvlan")


def _read_mac(value: str) -> str:
    parts = value.split(":")
    if len(parts) != 6 or any(not re.fullmatch(r"[0-9a-fA-F]{1,2}", p) for p in parts):
        raise ValueError(value)
    return ":".join(f"{int(p, 16):02x}" for p in parts)


MAC = Type("mac", _read_mac, STR.write, pattern="([0-9a-fA-F]{1,2}:){5}[0-9a-fA-F]{1,2}", json={"type": "string"})


def unsupported(text: str) -> ConfigUnsupported:
    """Error 67 of the document's reader."""
    return ConfigUnsupported(text, origin=Origin.DOMAIN)


def _no_teaming(value: str) -> ConfigUnsupported:
    return unsupported(f"unknown teaming type '{value or '(null)'}'")


def coalesce_error(value: str) -> XmlDetail:
    """libvirt's error 35 for a coalesce value that is no number."""
    error = XmlDetail(f"cannot parse value '{value}' for coalesce parameter")
    error.origin = Origin.DOMAIN
    return error


def random_mac() -> str:
    """A MAC address with QEMU's prefix."""
    return "52:54:00:" + ":".join(f"{random.randrange(256):02x}" for _ in range(3))


def _shown_target(net: Any, form: Any) -> bool:
    """Names that the daemon makes up are not kept in inactive documents."""
    return form.live or net.target_managed is False or not str(net.target_dev).startswith(GENERATED_NAMES)


class Interface(Device, tag="interface"):
    """A network card of the guest."""

    ALIAS, ADDRESS, BOOT, ROM = "net", "pci", True, True

    type: str | None = attr("@type", ENUM(*TYPES))
    managed: bool | None = attr("@managed", YESNO, when=lambda net, form: bool(net.managed))
    trust_guest_rx_filters: bool | None = attr("@trustGuestRxFilters", YESNO)
    mac: str | None = attr("mac/@address", MAC, error="unable to parse mac address '{value}'", key=True, abi=True)
    mac_type: str | None = attr("mac/@type", ENUM("generated", "static"))
    mac_check: bool | None = attr("mac/@check", YESNO)
    source: Any = variant("type", SOURCES)
    actual: ActualSource | None = child(ActualSource)
    vlan: Vlan | None = child(Vlan, live=True)
    virtualport: VirtualPort | None = child(VirtualPort)
    bandwidth: Bandwidth | None = child(Bandwidth, live=True)
    isolated: bool | None = attr("port/@isolated", YESNO)
    ips: list[Ip] = children(Ip)
    routes: list[Route] = children(Route)
    port_forwards: list[PortForward] = children(PortForward)
    script: str | None = attr("script/@path")
    downscript: str | None = attr("downscript/@path")
    backenddomain: str | None = attr("backenddomain/@name")
    target_dev: str | None = attr("target/@dev", when=_shown_target)
    target_managed: bool | None = attr("target/@managed", YESNO)
    guest_dev: str | None = attr("guest/@dev")
    guest_actual: str | None = attr("guest/@actual", only="live")
    model: str | None = attr("model/@type", abi=True)
    driver_name: str | None = attr("driver/@name")
    txmode: str | None = attr("driver/@txmode", ENUM("iothread", "timer"))
    ioeventfd: bool | None = attr("driver/@ioeventfd", ONOFF)
    event_idx: bool | None = attr("driver/@event_idx", ONOFF)
    queues: int | None = attr("driver/@queues", UINT)
    rx_queue_size: int | None = attr("driver/@rx_queue_size", UINT)
    tx_queue_size: int | None = attr("driver/@tx_queue_size", UINT)
    rss: bool | None = attr("driver/@rss", ONOFF)
    rss_hash_report: bool | None = attr("driver/@rss_hash_report", ONOFF)
    iommu: bool | None = attr("driver/@iommu", ONOFF)
    ats: bool | None = attr("driver/@ats", ONOFF)
    packed: bool | None = attr("driver/@packed", ONOFF)
    page_per_vq: bool | None = attr("driver/@page_per_vq", ONOFF)
    host_csum: bool | None = attr("driver/host/@csum", ONOFF)
    host_gso: bool | None = attr("driver/host/@gso", ONOFF)
    host_tso4: bool | None = attr("driver/host/@tso4", ONOFF)
    host_tso6: bool | None = attr("driver/host/@tso6", ONOFF)
    host_ecn: bool | None = attr("driver/host/@ecn", ONOFF)
    host_ufo: bool | None = attr("driver/host/@ufo", ONOFF)
    host_mrg_rxbuf: bool | None = attr("driver/host/@mrg_rxbuf", ONOFF)
    guest_csum: bool | None = attr("driver/guest/@csum", ONOFF)
    guest_tso4: bool | None = attr("driver/guest/@tso4", ONOFF)
    guest_tso6: bool | None = attr("driver/guest/@tso6", ONOFF)
    guest_ecn: bool | None = attr("driver/guest/@ecn", ONOFF)
    guest_ufo: bool | None = attr("driver/guest/@ufo", ONOFF)
    backend_type: str | None = attr("backend/@type", ENUM("passt"))
    backend_tap: str | None = attr("backend/@tap")
    backend_vhost: str | None = attr("backend/@vhost")
    backend_log: str | None = attr("backend/@logFile")
    filterref: FilterRef | None = child(FilterRef, live=True)
    sndbuf: int | None = text("tune/sndbuf", ULLONG, error="sndbuf must be a positive integer")
    teaming: str | None = attr("teaming/@type", ENUM("persistent", "transient"), error=_no_teaming)
    teaming_persistent: str | None = attr("teaming/@persistent")
    link: str | None = attr("link/@state", live=True)
    mtu: int | None = attr("mtu/@size", UINT, error="malformed mtu size")
    coalesce: int | None = attr("coalesce/rx/frames/@max", UINT, error=coalesce_error)

    @property
    def actual_type(self) -> str:
        """What it is plugged into: what the virtual network gave, or what the document says."""
        return str(self.actual.type if self.actual is not None and self.actual.type else self.type)

    def effective(self, name: str) -> Any:
        """``vlan``, ``virtualport``, ``bandwidth`` or ``isolated`` as the port has it, merged with the network's."""
        merged = getattr(self.actual, name) if self.actual is not None else None
        return getattr(self, name) if merged is None else merged

    def written(self, form: Form) -> Interface:
        """The live document shows what the port of a virtual network really is."""
        if not form.live or form.status or self.actual is None or self.type != "network":
            return self
        shown = self.copy()
        for name in ("vlan", "virtualport", "bandwidth", "isolated"):
            setattr(shown, name, self.effective(name))
        kind = self.actual_type
        if kind != "network" and kind in SOURCES:
            given, old = self.actual.source, shown.source
            source = SOURCES[kind]()
            for name in ("network", "portgroup", "portid"):
                if name in source.FIELDS:
                    setattr(source, name, getattr(old, name))
            for name in ("bridge", "mac_table", "dev", "mode", "driver", "address"):
                if name in source.FIELDS and getattr(given, name, None) is not None:
                    setattr(source, name, getattr(given, name))
            shown.type, shown.source, shown.managed = kind, source, self.actual.managed
        shown.actual = None
        return shown

    @property
    def is_virtio(self) -> bool:
        return self.model in VIRTIO

    @classmethod
    def parse(cls, node: Any, keep: bool = False) -> Any:
        """Read an interface; what its type or model does not have is passed over. Raises XmlError, ConfigUnsupported."""
        if not keep:
            kind, model = node.get("type", "user"), node.find("model")
            if kind != "hostdev":
                pass_over(node, "@managed")
            if kind != "udp":
                pass_over(node, "source/local")
            driver = node.find("driver")
            if driver is not None and (model is None or model.get("type") not in VIRTIO):
                for name in [name for name in driver.attrib if name not in (*VIRTIO_ONLY, "name")]:
                    del driver.attrib[name]
                driver[:] = []
            if kind not in PORTED and node.find("virtualport") is not None:
                raise unsupported(f"<virtualport> element unsupported for <interface type='{kind}'>")
        return super().parse(node, keep)

    def parsed(self, node: Any) -> None:
        if self.type is None:
            self.type, self.source = "user", self.source or SOURCES["user"]()
        if self.rom_enabled is False and (self.rom_bar or self.rom_file is not None):
            raise unsupported("ROM tuning is not supported when ROM is disabled")
        self.model = self.model or None
        if self.mac is not None and int(self.mac[:2], 16) & 1:
            word = node.find("mac").get("address")
            raise XmlError(f"expected unicast mac address, found multicast '{word}'")
        if self.link is not None and self.link not in ("up", "down"):
            raise ConfigUnsupported(f"unknown interface link state '{self.link}'", origin=Origin.DOMAIN)
        if self.model is not None and not re.fullmatch(r"[A-Za-z0-9_-]+", self.model):
            raise InvalidArg("Model name contains invalid characters", origin=Origin.DOMAIN)
        self._check_teaming()
        self._drop_unread()
        self._show_actual()
        if self.driver_name not in (None, "qemu", "vhost") and self.is_virtio:
            raise bad_value("name", "driver", str(self.driver_name))

    def _show_actual(self) -> None:
        """The live document shows the bridge that the virtual network gave."""
        if self.actual is not None and self.type == "network" and hasattr(self.actual.source, "bridge"):
            self.source.bridge, self.source.mac_table = self.actual.source.bridge, self.actual.source.mac_table

    def _drop_unread(self) -> None:
        """Parts that libvirt does not read for this type."""
        if self.type == "user" and self.backend_type is None:
            self.source.dev = None
        if self.type == "hostdev":
            self.driver_name = None
        if self.type not in ("network", "bridge", "ethernet") or (self.filterref and self.filterref.filter is None):
            self.filterref = None
        if self.bandwidth == Bandwidth():
            self.bandwidth = None

    def _check_teaming(self) -> None:
        if self.teaming is None and self.teaming_persistent is not None:
            raise _no_teaming("")
        if self.teaming == "transient" and not self.teaming_persistent:
            raise unsupported("teaming persistent attribute must be set if teaming type is 'transient'")
        if self.teaming == "persistent" and self.teaming_persistent:
            raise unsupported("teaming persistent attribute not allowed if teaming type is 'persistent'")

    def _drop_virtio_options(self) -> None:
        """libvirt keeps the driver's options of a virtio card only."""
        self.backend_vhost = None
        for name, field in self.FIELDS.items():
            if field.path.startswith("driver/") and name not in VIRTIO_ONLY:
                setattr(self, name, None)

    def defaults(self, vm: Any) -> None:
        """A MAC address, the model, and what the daemon makes up is dropped."""
        if self.mac is None:
            self.mac = random_mac()
            self.mac_type = None
        if self.model is None and self.type != "hostdev":
            self.model = "virtio" if self.type == "vdpa" else default_model(vm)
        if not self.is_virtio:
            self._drop_virtio_options()
        if self.virtualport is not None:
            self.virtualport.fill()
        if self.queues == 1:
            self.queues = None
        self.rx_queue_size, self.tx_queue_size = self.rx_queue_size or None, self.tx_queue_size or None
        if self.target_dev and self.target_dev.startswith(GENERATED_NAMES) and not self.target_managed_no():
            self.target_dev = None

    def target_managed_no(self) -> bool:
        """Whether the tap device is the user's own."""
        return self.target_managed is False

    def check(self, vm: Any) -> None:
        """libvirt's rules for interfaces."""
        from .interface_check import check

        check(self, vm)

    def qemu(self, vm: Any) -> Iterator[Arg]:
        """The host's side, then the card."""
        from .interface_qemu import interface

        yield from interface(self, vm)

    async def started(self, monitor: Any) -> None:
        """Pull the plug of a card whose link is down."""
        if self.link == "down":
            await monitor.command("set_link", {"name": self.alias, "up": False})

    async def prepare(self, host: Any) -> None:
        """Tap devices and vhost descriptors."""
        from .interface_host import prepare

        await prepare(self, host)

    async def release(self, host: Any) -> None:
        """Take the tap device away."""
        from .interface_host import release

        await release(self, host)


def default_model(vm: Any) -> str:
    """The card that libvirt gives a guest whose document names none."""
    if vm.is_microvm:
        return "virtio"
    if not vm.is_x86:
        from kvasir.qemu.boards import net_model

        if model := net_model(vm):
            return model
    if vm.caps.has("rtl8139"):
        return "rtl8139"
    if vm.caps.has("e1000"):
        return "e1000"
    return "virtio"
