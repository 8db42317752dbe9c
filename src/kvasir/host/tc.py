"""Traffic control: htb for what a device sends, police for what it receives, as libvirt shapes them.

Rates are in KiB a second (tc's kbps), bursts in KiB. Where the kernel has no ``sfq``, ``fw`` or ``police`` the next best is taken,
and what cannot be had at all is an error.
"""

from __future__ import annotations

import logging
import os
import subprocess
from typing import Any

from kvasir.errors import InternalError, OperationUnsupported, Origin

log = logging.getLogger(__name__)


def tc(*words: str, check: bool = True) -> bool:
    """Run tc. Raises InternalError with its words, or is False where ``check`` is."""
    try:
        done = subprocess.run(["tc", *words], capture_output=True, text=True, check=False,
                              env={"PATH": "/usr/sbin:/sbin:/usr/bin:/bin", "LC_ALL": "C"})  # fmt: skip
    except FileNotFoundError:
        raise InternalError("Cannot find 'tc' in path: No such file or directory", origin=Origin.NONE,
                            hint="apt-get install iproute2") from None  # fmt: skip
    if done.returncode and check:
        raise InternalError(f"Child process (tc {' '.join(words)}) unexpected exit status {done.returncode}: {done.stderr}",
                            origin=Origin.NONE)  # fmt: skip
    return done.returncode == 0


def need_root() -> None:
    """Raises OperationUnsupported in an ordinary user's daemon."""
    if os.geteuid() != 0:
        raise OperationUnsupported("Network bandwidth tuning is not available in session mode", origin=Origin.NONE)


def clear(device: str) -> None:
    """Take all shaping off a device."""
    tc("qdisc", "del", "dev", device, "root", check=False)
    tc("qdisc", "del", "dev", device, "ingress", check=False)


def _rate(average: int | None, peak: int | None, burst: int | None) -> list[str]:
    words = ["rate", f"{average or 1}kbps"]
    if peak:
        words += ["ceil", f"{peak}kbps"]
    if burst:
        words += ["burst", f"{burst}kb"]
    return words


def shape(device: str, sent: tuple[int | None, int | None, int | None] | None,
          received: tuple[int | None, int | None, int | None] | None, *, tree: bool = False) -> None:  # fmt: skip
    """Limit what a device sends and receives: (average, peak, burst) each. ``tree`` leaves room for classes of guests.

    Raises InternalError.
    """
    need_root()
    clear(device)
    if sent is not None and sent[0]:
        _send(device, sent, tree)
    if received is not None and received[0]:
        _receive(device, received)


def _send(device: str, limit: tuple[int | None, int | None, int | None], tree: bool) -> None:
    leaf = "2" if tree else "1"
    tc("qdisc", "add", "dev", device, "root", "handle", "1:", "htb", "default", leaf)
    if tree:
        tc("class", "add", "dev", device, "parent", "1:", "classid", "1:1", "htb", *_rate(limit[0], limit[1], None))
    parent = "1:1" if tree else "1:"
    tc("class", "add", "dev", device, "parent", parent, "classid", f"1:{leaf}", "htb", *_rate(*limit))
    _leaf(device, f"1:{leaf}", f"{leaf}:")


def _leaf(device: str, parent: str, handle: str) -> None:
    """Fair queueing below a class where the kernel has it; the class keeps its own queue elsewhere."""
    if not tc("qdisc", "add", "dev", device, "parent", parent, "handle", handle, "sfq", "perturb", "10", check=False):
        log.info("the kernel has no sfq: class %s of %s keeps a plain queue", parent, device)


def _receive(device: str, limit: tuple[int | None, int | None, int | None]) -> None:
    average, _, burst = limit
    size = burst or average or 1
    tc("qdisc", "add", "dev", device, "ingress")
    words = ("filter", "add", "dev", device, "parent", "ffff:", "protocol", "all", "u32", "match", "u32", "0", "0", "police",
             "rate", f"{average}kbps", "burst", f"{size}kb", "mtu", "64kb", "drop", "flowid", ":1")  # fmt: skip
    if not tc(*words, check=False):
        clear(device)
        raise InternalError(f"the kernel cannot limit what {device} receives (no police action)", origin=Origin.NONE,
                            hint="modprobe act_police, or leave <outbound> out of <bandwidth>")  # fmt: skip


def guarantee(bridge: str, device_mac: str, number: int, floor: int, peak: int) -> None:
    """A class of the bridge with a rate that is always there, for the traffic to one guest. Raises InternalError."""
    tc("class", "add", "dev", bridge, "parent", "1:1", "classid", f"1:{number:x}", "htb", "rate", f"{floor}kbps", "ceil",
       f"{peak}kbps", "quantum", "12")  # fmt: skip
    _leaf(bridge, f"1:{number:x}", f"{number:x}:")
    to = bytes(int(part, 16) for part in device_mac.split(":"))
    tc("filter", "add", "dev", bridge, "protocol", "all", "prio", "2", "handle", f"800::{number:x}", "u32", "match", "u16",
       "0x0800", "0xffff", "at", "-2", "match", "u32", f"0x{to[2:].hex()}", "0xffffffff", "at", "-12", "match", "u16",
       f"0x{to[:2].hex()}", "0xffff", "at", "-14", "flowid", f"1:{number:x}")  # fmt: skip


def forget(bridge: str, number: int) -> None:
    """Take a guest's class off the bridge."""
    tc("filter", "del", "dev", bridge, "prio", "2", "handle", f"800::{number:x}", "u32", check=False)
    tc("class", "del", "dev", bridge, "classid", f"1:{number:x}", check=False)


def default_rate(bridge: str, average: int, peak: int) -> None:
    """What is left for guests without a guarantee."""
    tc("class", "change", "dev", bridge, "classid", "1:2", "htb", *_rate(max(average, 1), peak, None), check=False)


def limits(bandwidth: Any, side: str) -> tuple[int | None, int | None, int | None] | None:
    """The ``inbound`` or ``outbound`` part of a bandwidth element."""
    if bandwidth is None or getattr(bandwidth, f"{side}_average") is None:
        return None
    return tuple(getattr(bandwidth, f"{side}_{what}", None) for what in ("average", "peak", "burst"))  # type: ignore[return-value]  # three of them
