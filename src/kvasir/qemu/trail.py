"""What the audit trail says of a guest's resources: libvirt's VIRT_RESOURCE and VIRT_MACHINE_ID records at start and change.

The daemon sets ``driver.trail`` where somebody reads the records.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import UUID

CONTROL, RESOURCE, MACHINE_ID = "control", "resource", "machine-id"


def quoted(value: Any) -> str:
    """A value as the audit trail wants it: in quotes, or in hexadecimal where it could be taken for more than one field."""
    text = str(value)
    if any(letter <= " " or letter in '"\x7f' or ord(letter) > 126 for letter in text):
        return text.encode("utf-8", "surrogateescape").hex().upper()
    return f'"{text}"'


def started(guest: Any, *, ok: bool = True) -> None:
    """All that a guest was given at its start; after a start that failed its own record too."""
    driver, domain = guest.driver, guest.live
    if driver.trail is None or domain is None:
        return
    who = _who(guest)
    label = driver.identity.label if driver.identity.uid is not None else ""
    if label:
        driver.trail(MACHINE_ID, f"virt={domain.type} {who} vm-ctx={label} img-ctx={label} model=dac", True)
    for fields in _given(domain):
        kind, _, rest = fields.partition(" ")
        driver.trail(RESOURCE, f"virt={domain.type} resrc={kind} reason=start {who} {rest}", True)
    if not ok:
        driver.trail(CONTROL, f"virt={domain.type} op=start reason=booted {who} vm-pid=0", False)


def changed(guest: Any, device: Any, reason: str, *, ok: bool = True, before: Any = None) -> None:
    """A device came (``attach``), went (``detach``), or has another medium (``update``, with the drive as it was)."""
    trail = guest.driver.trail
    told = _device(device) if trail is not None else None
    if told is None:
        return
    kind, value = told
    if kind in PAIRS:
        old = (_device(before) or (kind, None))[1] if before is not None else None
        old, new = (value, None) if reason == "detach" else (old, value)
        value = f"old-{kind}={_or_none(old)} new-{kind}={_or_none(new)}"
    trail(RESOURCE, f"virt={guest.live.type} resrc={kind} reason={reason} {_who(guest)} {value}", ok)


def count(guest: Any, kind: str, old: int, new: int, *, ok: bool = True) -> None:
    """The guest has another number of CPUs or other memory."""
    if guest.driver.trail is not None:
        text = f"virt={guest.live.type} resrc={kind} reason=update {_who(guest)} old-{kind}={old} new-{kind}={new}"
        guest.driver.trail(RESOURCE, text, ok)


PAIRS = ("disk", "fs", "net", "chardev", "rng")


def _who(guest: Any) -> str:
    return f"vm={quoted(guest.name)} uuid={UUID(bytes=bytes(guest.uuid))}"


def _or_none(value: str | None) -> str:
    return '"?"' if value is None else quoted(value)


def _given(domain: Any) -> Iterator[str]:
    from . import stats

    for name in ("disks", "filesystems", "interfaces", "hostdevs", "redirdevs", "serials", "parallels", "channels",
                 "consoles", "rngs", "tpms", "shmems"):  # fmt: skip
        for device in getattr(domain, name):
            if name == "consoles" and domain.serials and device is domain.consoles[0]:
                continue
            told = _device(device)
            if told is not None and told[0] not in PAIRS:
                yield f"{told[0]} {told[1]}"
            elif told is not None and told[1] is not None:
                yield f'{told[0]} old-{told[0]}="?" new-{told[0]}={_or_none(told[1])}'
    yield f"mem old-mem=0 new-mem={domain.current_memory or domain.memory}"
    yield f"vcpu old-vcpu=0 new-vcpu={stats.online_cpus(domain)}"
    threads = len(domain.iothreadids) or int(domain.iothreads or 0)
    if threads:
        yield f"iothread old-iothread=0 new-iothread={threads}"


def _device(device: Any) -> tuple[str, Any] | None:
    """(resource, its name) of a device; for those that are no pair of old and new, all that is said."""
    tag = device.TAG
    if tag == "disk":
        return "disk", None if device.empty else device.location()
    if tag == "filesystem":
        return "fs", device.source()
    if tag == "interface":
        return "net", device.mac
    if tag == "rng":
        return "rng", getattr(device.backend.source, "path", None)
    if tag in ("serial", "parallel", "channel", "console"):
        source = device.source
        path = getattr(source, "path", None)
        return ("chardev", path) if path and device.type in ("pty", "dev", "file", "pipe", "unix") else None
    if tag == "shmem":
        return "shmem", f"size={(device.size or 0) << 20} path={device.server_path or f'/dev/shm/{device.name}'}"
    if tag == "redirdev":
        return "dev", f"bus={device.bus} device={b'USB redirdev'.hex()}"
    return None
