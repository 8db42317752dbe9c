"""A guest of the test driver: a document, a state, and nothing that runs."""

from __future__ import annotations

import uuid as _uuid
from typing import Any

from kvasir.devices.controller import Controller
from kvasir.devices.graphics import Graphics
from kvasir.errors import OperationInvalid, Origin, XmlError
from kvasir.model.clock import Clock
from kvasir.model.domain import Domain
from kvasir.model.os import BootDevice
from kvasir.qemu.states import Running, Shutoff, State

BUSES = (("vd", "virtio"), ("hd", "ide"), ("sd", "scsi"), ("fd", "fdc"), ("xvd", "xen"), ("ubd", "uml"))
UNITS = {"ide": 4, "scsi": 7, "sata": 6, "fdc": 2}


def _letters(name: str) -> int:
    number = 0
    for letter in name:
        number = number * 26 + ord(letter) - 96
    return number - 1


def complete(domain: Any) -> None:
    """Fill in what libvirt fills in for every hypervisor, and a name for each network card."""
    domain.uuid = domain.uuid or str(_uuid.uuid4())
    os = domain.os
    if not os.type:
        raise XmlError("an os <type> must be specified", origin=Origin.DOMAIN)
    os.arch = os.arch or "i686"
    if not os.boots and not any(getattr(device, "boot", None) for device in domain.all_devices()):
        os.boots = [BootDevice(dev="hd")]
    domain.vcpu = domain.vcpu or 1
    if domain.vcpu_current == domain.vcpu:
        domain.vcpu_current = None
    domain.vcpu_placement = domain.vcpu_placement or "static"
    if not domain.current_memory or domain.current_memory > (domain.memory or 0):
        domain.current_memory = domain.memory
    domain.clock = domain.clock or Clock()
    domain.clock.offset = domain.clock.offset or "utc"
    domain.on_poweroff = domain.on_poweroff or "destroy"
    domain.on_reboot = domain.on_reboot or "restart"
    domain.on_crash = domain.on_crash or "destroy"
    for disk in domain.disks:
        _disk(domain, disk)
    for graphics in domain.graphics:
        _graphics(graphics)
    if domain.graphics and not domain.videos:
        from kvasir.devices.video import Video

        domain.videos.append(Video(type="cirrus", vram=16384, heads=1, primary=True))
    used: set[str] = set()
    for card in domain.interfaces:
        number = 0
        while f"testnet{number}" in used:
            number += 1
        name = card.target_dev
        card.target_dev = f"testnet{number}" if not name or name.startswith(("testnet", "vnet")) else name
        used.add(card.target_dev)


def _disk(domain: Domain, disk: Any) -> None:
    target = disk.target or ""
    disk.device = disk.device or "disk"
    if disk.bus is None:
        disk.bus = next((bus for prefix, bus in BUSES if target.startswith(prefix)), "ide")
    if disk.device == "cdrom":
        disk.readonly = True
    per = UNITS.get(disk.bus)
    if per is None:
        return
    index = _letters(target.lstrip("shfv")[1:])
    if disk.address is None:
        from kvasir.devices.address import DriveAddress

        bus, unit = (index % 4 // 2, index % 2) if disk.bus == "ide" else (0, index % per)
        disk.address = DriveAddress(type="drive", controller=index // per, bus=bus, target=0, unit=unit)
    controller = disk.address.controller or 0
    if not any(one.type == disk.bus and one.index == controller for one in domain.controllers):
        domain.controllers.append(Controller(type=disk.bus, index=controller))


def _graphics(graphics: Graphics) -> None:
    from kvasir.devices.graphics import Listen

    if graphics.type in ("vnc", "spice", "rdp"):
        if graphics.port is None or graphics.port == -1:
            graphics.autoport, graphics.port = True, None
        elif graphics.autoport is None:
            graphics.autoport = False
        if not graphics.listens:
            graphics.listens = [Listen(type="address")]


class Guest:
    """A guest that the driver knows; ``name``, ``uuid`` and ``id`` are what the wire carries."""

    def __init__(self, driver: Any, domain: Domain) -> None:
        self.driver = driver
        self.config: Domain = domain
        self.live: Domain | None = None
        self.id = -1
        self.persistent, self.autostart, self.updated = True, False, False
        self.state, self.reason = State.SHUTOFF, int(Shutoff.UNKNOWN)
        self.saved = False
        self.frozen: set[str] = set()
        self.checkpoints: Any = None
        self.clock = (627319920, 0)

    @property
    def name(self) -> str:
        return str(self.config.name)

    @property
    def uuid(self) -> bytes:
        return _uuid.UUID(self.config.uuid).bytes

    @property
    def uuid_text(self) -> str:
        return str(self.config.uuid)

    @property
    def active(self) -> bool:
        return self.id >= 0

    @property
    def now(self) -> Domain:
        """The definition in force."""
        return self.live if self.live is not None else self.config

    def need_active(self) -> None:
        """Raises OperationInvalid for a guest that is off."""
        if not self.active:
            raise OperationInvalid("domain is not running", origin=Origin.DOMAIN)

    def begin(self, reason: Running = Running.BOOTED) -> None:
        """Start."""
        self.driver.number += 1
        self.id = self.driver.number
        self.live = self.config.copy() if self.live is None else self.live
        self.live.id = self.id
        self.state, self.reason = State.RUNNING, int(reason)

    def end(self, reason: Shutoff) -> None:
        """Stop; one that is not defined is gone then."""
        self.id, self.live = -1, None
        self.state, self.reason = State.SHUTOFF, int(reason)
        self.frozen.clear()
        if not self.persistent:
            self.driver.forget(self)
