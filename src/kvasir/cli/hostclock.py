"""The host's clocks: whether its counter is steady, and what keeps its time (guide, chapter 8); plain facts, no output."""

from __future__ import annotations

import ctypes
import os

from kvasir.cli.hostcheck import read

SERVICES = {
    "chronyd": ("run/chrony/chronyd.pid", "run/chronyd.pid"),
    "ntpd": ("run/ntpd.pid", "run/ntp.pid", "run/ntpd/ntpd.pid"),
    "systemd-timesyncd": ("run/systemd/timesync",),
}
TIMEX_SIZE, UNSYNCHRONIZED = 512, 5
"""Bytes that hold a struct timex; what adjtimex gives while nothing disciplines the clock."""


def counter(root: str = "") -> str:
    """What the guests' clocks rest on: a steady counter, or what to do without one."""
    flags = {
        word for line in read(f"{root}/proc/cpuinfo").splitlines() if line.startswith("flags") for word in line.split()
    }
    if "constant_tsc" in flags:
        return "constant_tsc"
    states = read(f"{root}/sys/module/processor/parameters/max_cstate").strip() or "unknown"
    governor = read(f"{root}/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor").strip() or "none"
    return (
        "no constant_tsc: clocks of guests may drift. Boot with processor.max_cstate=1 (GRUB_CMDLINE_LINUX in /etc/default/grub; "
        f"now {states}) and switch frequency scaling off (governor now: {governor})"
    )


def keeper(root: str = "") -> str:
    """The service that keeps the host's time, '' where there is none."""
    found = (name for name, paths in SERVICES.items() if any(os.path.exists(f"{root}/{path}") for path in paths))
    return next(found, "")


def synchronized(root: str = "") -> bool | None:
    """Whether the clock follows a source; None where the kernel does not say."""
    if os.path.exists(f"{root}/run/systemd/timesync/synchronized"):
        return True
    if root:
        return None
    try:
        return bool(ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(TIMEX_SIZE)) != UNSYNCHRONIZED)
    except (OSError, AttributeError):
        return None


def time(root: str = "") -> str:
    """Who keeps the time, and whether it is right."""
    name = keeper(root)
    if not name:
        return "nothing keeps the time of the host: install chrony, or switch systemd-timesyncd on"
    state = {True: "synchronized", False: "not synchronized yet", None: "state unknown"}[synchronized(root)]
    return f"{name}, {state}"
