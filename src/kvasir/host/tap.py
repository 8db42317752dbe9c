"""Tap devices of the kernel: made, plugged into a bridge, opened for QEMU, and taken away again."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import struct

from kvasir.errors import InternalError, Origin, SystemFailure

TUNSETIFF = 0x400454CA
SIOCGIFMTU = 0x8921
IFF_TAP, IFF_NO_PI, IFF_VNET_HDR, IFF_MULTI_QUEUE = 0x0002, 0x1000, 0x4000, 0x0100
NAME_MAX = 15


def open_tap(name: str, queues: int = 1, *, vnet: bool = False, device: str = "/dev/net/tun") -> list[int]:
    """Make (or take) the tap device of that name; one descriptor for each queue. It goes when all are closed.

    Raises SystemFailure when the kernel refuses.
    """
    if not name or len(name) > NAME_MAX or "/" in name or "%" in name:
        raise InternalError(f"Network interface name '{name}' is too long", origin=Origin.NONE)
    try:
        return open_queues(device, name, queues, vnet=vnet)
    except OSError as error:
        raise SystemFailure(
            f"Unable to create tap device {name}", error, origin=Origin.NONE,
            hint="a guest of an ordinary user has type='user' interfaces; type='bridge' needs the system's daemon",
        ) from error  # fmt: skip


def open_queues(device: str, name: str, queues: int, *, vnet: bool) -> list[int]:
    """One descriptor of a device node for each queue of a tap. Raises OSError."""
    flags = IFF_TAP | IFF_NO_PI | (IFF_VNET_HDR if vnet else 0) | (IFF_MULTI_QUEUE if queues > 1 else 0)
    fds: list[int] = []
    try:
        for _ in range(queues):
            fd = os.open(device, os.O_RDWR | os.O_CLOEXEC)
            fds.append(fd)
            fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", name.encode(), flags))
    except OSError:
        for fd in fds:
            os.close(fd)
        raise
    return fds


def free_name(prefix: str = "vnet") -> str:
    """The first free name of that prefix."""
    taken = {name for _, name in socket.if_nameindex()}
    number = 0
    while f"{prefix}{number}" in taken:
        number += 1
    return f"{prefix}{number}"


def host_mac(mac: str) -> str:
    """The tap's own MAC: the guest's, with a first byte so high that a bridge never takes it for its own."""
    return "fe" + mac[2:]


def exists(name: str) -> bool:
    """Whether the host has a network device of that name."""
    return any(name == known for _, known in socket.if_nameindex())


def is_bridge(name: str) -> bool:
    """Whether that device is a bridge."""
    from . import netlink

    try:
        return bool(netlink.info(name)["kind"] == "bridge")
    except OSError as error:
        raise SystemFailure(f"Unable to get index for interface {name}", error, origin=Origin.NONE) from None


def setup(name: str, *, mac: str | None = None, mtu: int | None = None, up: bool = True) -> None:
    """Set MAC and MTU of a device, and bring it up. Raises SystemFailure."""
    from . import netlink

    try:
        netlink.change(name, mac=mac, mtu=mtu, up=True if up else None)
    except OSError as error:
        raise SystemFailure(f"Cannot set up interface {name}", error, origin=Origin.NONE) from None


def add_to_bridge(name: str, bridge: str, *, isolated: bool | None = None) -> None:
    """Plug a device into a bridge. Raises SystemFailure where there is no such bridge."""
    if not exists(bridge):
        raise _no_bridge(bridge)
    if not is_bridge(bridge):
        wrong = OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))
        raise SystemFailure(f"Unable to add bridge {bridge} port {name}", wrong, origin=Origin.NONE)
    from . import netlink

    try:
        netlink.change(name, master=bridge)
        if isolated is not None:
            netlink.set_port(name, isolated=isolated)
    except OSError as error:
        raise SystemFailure(f"Unable to add bridge {bridge} port {name}", error, origin=Origin.NONE) from None


def mtu_of(name: str) -> int | None:
    """The MTU of a device, or None where there is none."""
    request = struct.pack("16si20x", name.encode()[:NAME_MAX], 0)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            answer = fcntl.ioctl(probe.fileno(), SIOCGIFMTU, request)
        except OSError:
            return None
    return int(struct.unpack("16si20x", answer)[1])


def bridge_mtu(bridge: str) -> int:
    """The MTU of a bridge, which a port of it takes. Raises SystemFailure where there is no such bridge."""
    found = mtu_of(bridge)
    if found is None:
        raise _no_bridge(bridge)
    return found


def _no_bridge(bridge: str) -> SystemFailure:
    missing = OSError(errno.ENODEV, os.strerror(errno.ENODEV))
    return SystemFailure(f"Cannot get interface MTU on '{bridge}'", missing, origin=Origin.NONE,
                         hint=f"ip link add {bridge} type bridge && ip link set {bridge} up")  # fmt: skip


ETHTOOL, GET_COALESCE, SET_COALESCE = 0x8946, 0x0E, 0x0F


def set_coalesce(name: str, frames: int | None) -> None:
    """How many received frames the device may gather before it wakes the guest; None is none. Raises SystemFailure."""
    import array

    data = array.array("I", [GET_COALESCE] + [0] * 22)
    request = struct.pack("16sP16x", name.encode()[:NAME_MAX], data.buffer_info()[0])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            fcntl.ioctl(probe.fileno(), ETHTOOL, request)
            data[0], data[2] = SET_COALESCE, frames or 0
            fcntl.ioctl(probe.fileno(), ETHTOOL, request)
        except OSError as error:
            raise SystemFailure(f"Cannot set coalesce info on '{name}'", error, origin=Origin.NONE) from error
