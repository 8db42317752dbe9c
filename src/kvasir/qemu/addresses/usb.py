"""Gives USB ports to devices, and adds hubs when the controllers have too few."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from kvasir.devices.address import UsbAddress
from kvasir.errors import ConfigUnsupported, InternalError, XmlError

HUB_PORTS = 8
DEPTH = 4
PORTS = {None: 2, "piix3-uhci": 2, "piix4-uhci": 2, "vt82c686b-uhci": 2, "ehci": 6, "ich9-ehci1": 6, "pci-ohci": 3}


def ports_of(controller: Any) -> int:
    """How many devices fit on a USB controller (companions count with their EHCI part)."""
    if controller.model in ("nec-xhci", "qemu-xhci"):
        return int(controller.ports) if controller.ports is not None else 4
    if controller.model in ("qusb1", "qusb2"):
        return int(controller.ports) if controller.ports is not None else 8
    return PORTS.get(controller.model, 0)


class Hub:
    """The ports of a controller or of a hub; a port may lead to another hub."""

    def __init__(self, ports: int) -> None:
        self.taken = [False] * ports
        self.below: dict[int, Hub] = {}

    def free(self, level: int = 0) -> tuple[int, ...] | None:
        """The first free port, as the way to it."""
        for number, taken in enumerate(self.taken, 1):
            if not taken:
                return (number,)
        if level >= DEPTH - 1:
            return None
        for number in sorted(self.below):
            way = self.below[number].free(level + 1)
            if way:
                return (number, *way)
        return None


def _way(address: UsbAddress) -> tuple[int, ...]:
    return tuple(int(part) for part in (address.port or "").split(".") if part)


class Buses:
    """All USB buses of a guest."""

    def __init__(self) -> None:
        self.buses: dict[int, Hub] = {}

    def add_controller(self, controller: Any) -> None:
        ports = ports_of(controller)
        if not ports:
            return
        if controller.index in self.buses:
            raise XmlError(f"Duplicate USB controllers with index {controller.index}")
        self.buses[controller.index] = Hub(ports)

    def find(self, bus: int, way: tuple[int, ...]) -> Hub:
        """The hub that the way's last port belongs to. Raises XmlError."""
        port = ".".join(map(str, way))
        hub = self.buses.get(bus)
        if hub is None:
            raise XmlError(f"Missing USB bus {bus}")
        for step in way[:-1]:
            if step > len(hub.taken):
                raise XmlError(f"port {step} out of range in USB address bus: {bus} port: {port}")
            if step not in hub.below:
                raise XmlError(f"there is no hub at port {step} in USB address bus: {bus} port: {port}")
            hub = hub.below[step]
        if way[-1] > len(hub.taken):
            raise XmlError(f"requested USB port {port} not present on USB bus {bus}")
        return hub

    def add_hub(self, device: Any) -> None:
        way, bus = _way(device.address), device.address.bus or 0
        hub = self.find(bus, way)
        if way[-1] in hub.below:
            raise XmlError(f"Duplicate USB hub on bus {bus} port {device.address.port}")
        hub.taken[way[-1] - 1] = True
        hub.below[way[-1]] = Hub(HUB_PORTS)

    def reserve(self, address: UsbAddress) -> None:
        way, bus = _way(address), address.bus or 0
        hub = self.find(bus, way)
        if hub.taken[way[-1] - 1]:
            raise XmlError(f"Duplicate USB address bus {bus} port {address.port}")
        hub.taken[way[-1] - 1] = True

    def assign(self, device: Any) -> None:
        """Give the device the first free port (of the bus that it asks for). Raises InternalError when all are taken."""
        wish = device.address.bus if isinstance(device.address, UsbAddress) else None
        if wish is not None and wish not in self.buses:
            raise XmlError(f"USB bus {wish} requested but no controller with that index is present")
        for number in sorted(self.buses) if wish is None else [wish]:
            way = self.buses[number].free()
            if way:
                device.address = UsbAddress(type="usb", bus=number, port=".".join(map(str, way)))
                self.reserve(device.address)
                return
        raise InternalError("No free USB ports")


def is_usb(device: Any) -> bool:
    """Whether the device is plugged into a USB port."""
    if device.TAG in ("disk", "input", "redirdev"):
        return bool(device.bus == "usb")
    mark = {"hostdev": "type", "interface": "model", "controller": "type", "serial": "target_type", "sound": "model"}
    words = ("usb-net", "ccid", "usb-serial", "usb")
    word = getattr(device, mark.get(device.TAG, ""), None) if device.TAG in mark else None
    return word in words and not (device.TAG == "controller" and word == "usb")


def devices(domain: Any) -> Iterator[Any]:
    """The USB devices but the hubs, in the order in which they get their ports."""
    yield from (h for h in domain.hostdevs if h.type == "usb" and h.mode in (None, "subsystem"))
    yield from (d for d in domain.disks if d.bus == "usb")
    yield from (n for n in domain.interfaces if getattr(n, "model", None) == "usb-net")
    yield from (c for c in domain.controllers if c.type == "ccid")
    yield from (i for i in domain.inputs if i.bus == "usb")
    yield from (s for s in domain.serials if s.target_type == "usb-serial")
    yield from (s for s in domain.sounds if s.model == "usb")
    yield from (r for r in domain.redirdevs if r.bus == "usb")


def _has_port(device: Any) -> bool:
    return isinstance(device.address, UsbAddress) and bool(device.address.port)


def collect(domain: Any) -> Buses:
    """The buses with every port that the document says marked as taken."""
    buses = Buses()
    for controller in domain.controllers:
        if controller.type == "usb":
            buses.add_controller(controller)
    for hub in domain.hubs:
        if _has_port(hub):
            buses.add_hub(hub)
    for device in devices(domain):
        if _has_port(device):
            buses.reserve(device.address)
    return buses


def assign(vm: Any) -> None:
    """Complete the USB addresses of the whole document."""
    domain = vm.domain
    _add_hubs(domain)
    buses = collect(domain)
    for hub in domain.hubs:
        if not _has_port(hub):
            buses.assign(hub)
            buses.find(hub.address.bus, _way(hub.address)).below[_way(hub.address)[-1]] = Hub(HUB_PORTS)
    for device in devices(domain):
        if device.address is None or (isinstance(device.address, UsbAddress) and not device.address.port):
            buses.assign(device)


def place(vm: Any, device: Any) -> None:
    """Give one device a port (or check the one it has) for plugging it into the running guest."""
    buses = collect(vm.domain)
    if _has_port(device):
        buses.reserve(device.address)
    else:
        buses.assign(device)


def _add_hubs(domain: Any) -> None:
    count = len(list(devices(domain))) + len(domain.hubs)
    controllers = [c for c in domain.controllers if c.type == "usb"]
    if count and not any(c.model != "none" for c in controllers):
        raise ConfigUnsupported("USB is disabled for this domain, but USB devices are present in the domain XML")
    available = sum(map(ports_of, controllers)) + HUB_PORTS * len(domain.hubs)
    if count > available:
        from kvasir.devices.hub import Hub as HubDevice

        for _ in range(-(-(count - available + 1) // (HUB_PORTS - 1))):
            domain.hubs.append(HubDevice(type="usb"))
