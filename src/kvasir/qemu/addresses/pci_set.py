"""Which PCI slots of a guest are taken, which buses accept what, and how the set of buses grows.

The rules are those that libvirt 9.0 follows, so that a document without addresses gets the same ones.
"""

from __future__ import annotations

from typing import NamedTuple

from kvasir.errors import Error, InternalError, Origin, XmlError


class Connect:
    """What a device needs of a bus, or what a bus offers: bits of an int (enum flags are five times slower)."""

    AUTO = 1 << 0
    HOTPLUG = 1 << 1
    PCI_DEVICE = 1 << 2
    PCIE_DEVICE = 1 << 3
    ROOT_PORT = 1 << 4
    UPSTREAM_PORT = 1 << 5
    DOWNSTREAM_PORT = 1 << 6
    DMI_BRIDGE = 1 << 7
    PCI_EXPANDER = 1 << 8
    PCIE_EXPANDER = 1 << 9
    PCI_BRIDGE = 1 << 10
    PCIE_TO_PCI = 1 << 11
    AGGREGATE = 1 << 12
    INTEGRATED = 1 << 13


ENDPOINT = Connect.PCI_DEVICE | Connect.PCIE_DEVICE
KINDS = {
    "standard PCI device": Connect.PCI_DEVICE,
    "PCI Express device": Connect.PCIE_DEVICE,
    "pcie-root-port": Connect.ROOT_PORT,
    "pcie-switch-upstream-port": Connect.UPSTREAM_PORT,
    "pcie-switch-downstream-port": Connect.DOWNSTREAM_PORT,
    "dmi-to-pci-bridge": Connect.DMI_BRIDGE,
    "pcie-to-pci-bridge": Connect.PCIE_TO_PCI,
    "pci-expander-bus": Connect.PCI_EXPANDER,
    "pcie-expander-bus": Connect.PCIE_EXPANDER,
    "pci-bridge": Connect.PCI_BRIDGE,
}
TYPES = 0
for _kind in KINDS.values():
    TYPES |= _kind

PCI = Connect.PCI_DEVICE | Connect.AUTO
PCIE = Connect.PCIE_DEVICE | Connect.AUTO

CONTROLLERS = {
    "pci-bridge": Connect.PCI_BRIDGE,
    "pci-expander-bus": Connect.PCI_EXPANDER,
    "pcie-expander-bus": Connect.PCIE_EXPANDER,
    "dmi-to-pci-bridge": Connect.DMI_BRIDGE,
    "pcie-to-pci-bridge": Connect.PCIE_TO_PCI,
    "pcie-root-port": Connect.ROOT_PORT | Connect.AGGREGATE,
    "pcie-switch-upstream-port": Connect.UPSTREAM_PORT,
    "pcie-switch-downstream-port": Connect.DOWNSTREAM_PORT,
}
"""What a PCI controller of each model needs of the bus that it is plugged into."""

_PCI_BUS = Connect.AUTO | Connect.PCI_DEVICE | Connect.PCI_BRIDGE
_PORT = Connect.AUTO | Connect.PCIE_DEVICE | Connect.UPSTREAM_PORT | Connect.PCIE_TO_PCI
_PCIE_ROOT = Connect.PCIE_DEVICE | Connect.ROOT_PORT | Connect.DMI_BRIDGE | Connect.PCIE_EXPANDER
BUSES: dict[str, tuple[int, int, int, bool]] = {
    "pci-root": (_PCI_BUS | Connect.PCI_EXPANDER, 1, 31, True),
    "pci-bridge": (_PCI_BUS, 1, 31, True),
    "pci-expander-bus": (_PCI_BUS, 0, 31, True),
    "pcie-root": (_PCIE_ROOT, 1, 31, False),
    "dmi-to-pci-bridge": (Connect.PCI_DEVICE | Connect.PCI_BRIDGE, 0, 31, False),
    "pcie-to-pci-bridge": (_PCI_BUS, 1, 31, True),
    "pcie-root-port": (_PORT, 0, 0, True),
    "pcie-switch-downstream-port": (_PORT, 0, 0, True),
    "pcie-switch-upstream-port": (Connect.DOWNSTREAM_PORT, 0, 31, False),
    "pcie-expander-bus": (Connect.ROOT_PORT | Connect.DMI_BRIDGE, 0, 31, False),
}
"""What the bus below a controller of each model offers, its first and last slot, and whether it can be hot-plugged."""


class Slot(NamedTuple):
    """A place on the guest's PCI buses (domain 0)."""

    bus: int
    slot: int
    function: int = 0

    def __str__(self) -> str:
        return f"0000:{self.bus:02x}:{self.slot:02x}.{self.function}"


class Bus:
    """The slots below one PCI controller."""

    def __init__(self, model: str, hotplug: bool = True) -> None:
        self.model = model
        offers, self.first, self.last, can_hotplug = BUSES[model]
        self.offers = offers | Connect.HOTPLUG if hotplug and can_hotplug else offers
        self.used: dict[int, int] = {}
        self.aggregate: set[int] = set()

    @property
    def full(self) -> bool:
        return all(self.used.get(slot) for slot in range(self.first, self.last + 1))

    def free(self, function: int, needs: int) -> tuple[int, int] | None:
        """The first free (slot, function) for such a device."""
        wanted = max(function, 0)
        for slot in range(self.first, self.last + 1):
            used = self.used.get(slot, 0)
            if not used:
                return slot, wanted
            if needs & Connect.AGGREGATE and slot in self.aggregate:
                if not used & (1 << wanted):
                    return slot, wanted
                if function < 0:
                    for number in range(wanted, 8):
                        if not used & (1 << number):
                            return slot, number
        return None

    def take(self, place: Slot, needs: int) -> None:
        """Mark a place of this bus as used."""
        used = self.used.get(place.slot, 0)
        if not used and needs & Connect.AGGREGATE:
            self.aggregate.add(place.slot)
        self.used[place.slot] = used | (1 << place.function)


def mismatch(bus_number: int, offers: int, needs: int, from_config: bool) -> str | None:
    """Why a device that needs this cannot sit on a bus that offers that; the text follows "The device at PCI address X"."""
    if needs & Connect.INTEGRATED:
        if bus_number != 0:
            return "needs to be an integrated device (bus=0)"
        offers |= Connect.AUTO
    if from_config:
        if offers & ENDPOINT:
            offers |= ENDPOINT
        if needs & Connect.PCI_BRIDGE:
            needs |= Connect.PCI_DEVICE
    elif needs & Connect.AUTO and not offers & Connect.AUTO:
        why = f"but the PCI controller with index='{bus_number}' doesn't allow auto-assignment"
        return f"was auto-assigned this address, {why}"
    if needs & Connect.HOTPLUG and not offers & Connect.HOTPLUG:
        return f"requires hotplug capability, but the PCI controller with index='{bus_number}' doesn't support hotplug"
    if not needs & offers & TYPES:
        word = next((name for name, kind in KINDS.items() if needs & kind), "standard PCI device")
        where = f"cannot be plugged into the PCI controller with index='{bus_number}'"
        return f"{where}. It requires a controller that accepts a {word}."
    return None


def _text(place: Slot, domain: int) -> str:
    return f"{domain:04x}:{place.bus:02x}:{place.slot:02x}.{place.function}"


class PciSet:
    """All PCI buses of a guest. While ``growing``, buses are added as they are needed: with ``roots``, more root buses."""

    def __init__(self, growing: bool, pcie_to_pci: bool = True, roots: bool = False) -> None:
        self.buses: list[Bus] = []
        self.growing = growing
        self.pcie_to_pci = pcie_to_pci
        self.roots = roots

    def in_use(self, bus: int, slot: int) -> bool:
        return bool(self.buses[bus].used.get(slot))

    def validate(self, place: Slot, needs: int, from_config: bool, domain: int = 0) -> None:
        """Raise XmlError (or InternalError for our own choice) where the place does not fit the device."""
        wrong: type[Error] = XmlError if from_config else InternalError
        if not self.buses:
            raise wrong("No PCI buses available", origin=Origin.DOMAIN)
        if domain != 0:
            problem = "Only PCI domain 0 is available"
        elif place.bus >= len(self.buses):
            problem = f"Only PCI buses up to {len(self.buses) - 1} are available"
        else:
            bus = self.buses[place.bus]
            wrong_bus = mismatch(place.bus, bus.offers, needs, from_config)
            if wrong_bus:
                raise wrong(f"The device at PCI address {_text(place, domain)} {wrong_bus}", origin=Origin.DOMAIN)
            if bus.first <= place.slot <= bus.last:
                return
            problem = f"slot must be {f'>= {bus.first}' if place.slot < bus.first else f'<= {bus.last}'}"
        raise wrong(f"Invalid PCI address {_text(place, domain)}. {problem}", origin=Origin.DOMAIN)

    def reserve(self, place: Slot, needs: int, from_config: bool = True, domain: int = 0) -> Slot:
        """Mark the place as taken; returns it, moved where a bridge had to come before its bus.

        Raises XmlError where it is taken already or does not fit.
        """
        if self.growing:
            place = self._grow(place, needs)
        self.validate(place, needs, from_config, domain)
        bus = self.buses[place.bus]
        if bus.used.get(place.slot, 0) & (1 << place.function):
            wrong: type[Error] = XmlError if from_config else InternalError
            raise wrong(f"Attempted double use of PCI Address {place}", origin=Origin.DOMAIN)
        bus.take(place, needs)
        return place

    def next(self, needs: int, function: int = -1) -> Slot:
        """Find and take the next free place for such a device. Raises InternalError when there is none."""
        if not self.buses:
            raise XmlError("No PCI buses available")
        for number, bus in enumerate(self.buses):
            if mismatch(number, bus.offers, needs, from_config=False) is None:
                found = bus.free(function, needs)
                if found:
                    place = Slot(number, *found)
                    bus.take(place, needs)
                    return place
        place = self._beyond(needs, function)
        self.reserve(place, needs, from_config=False)
        return place

    def _beyond(self, needs: int, function: int) -> Slot:
        """The first place of a bus that is added."""
        if not self.growing:
            raise InternalError("No more available PCI slots", origin=Origin.DOMAIN)
        place = self._grow(Slot(len(self.buses), 0, max(function, 0)), needs)
        return place._replace(slot=self.buses[place.bus].first)

    def _grow(self, place: Slot, needs: int) -> Slot:
        """Add buses until the place exists; it moves up by one where a bridge to conventional PCI must come first."""
        add = place.bus - len(self.buses) + 1
        if add <= 0:
            return place
        bridge = ""
        if needs & Connect.PCI_DEVICE:
            model = "pci-bridge"
            if self.roots:
                model = "pci-root"
            elif not any(bus.offers & Connect.PCI_BRIDGE for bus in self.buses):
                bridge = "pcie-to-pci-bridge" if self.pcie_to_pci else "dmi-to-pci-bridge"
                if add == 1:
                    place = place._replace(bus=place.bus + 1)
                    add += 1
        elif needs & (Connect.PCIE_DEVICE | Connect.UPSTREAM_PORT):
            model = "pcie-root-port"
        else:
            word = next((name for name, kind in CONTROLLERS.items() if kind & needs & TYPES), None)
            if word and word != "pcie-to-pci-bridge":
                raise InternalError(
                    f"a PCI slot is needed to connect a PCI controller model='{word}', "
                    "but none is available, and it cannot be automatically added",
                    origin=Origin.DOMAIN,
                )
            flags = 0x2000 if word else needs
            text = f"Cannot automatically add a new PCI bus for a device with connect flags {flags:02x}"
            raise InternalError(text, origin=Origin.DOMAIN)
        end = len(self.buses) + add
        if bridge == "pcie-to-pci-bridge":
            # The port is kept for the bridge: no other device, not even the spare one, may take it.
            port = Bus("pcie-root-port")
            port.offers = Connect.PCIE_TO_PCI
            self.buses += [port, Bus(bridge)]
        elif bridge:
            self.buses.append(Bus(bridge, hotplug=False))
        while len(self.buses) < end:
            self.buses.append(Bus(model))
        return place
