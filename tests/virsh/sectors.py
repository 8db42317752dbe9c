"""Boot sectors of a few bytes: guests that do one thing, at once."""

from __future__ import annotations

from pathlib import Path

KEYBOARD = "fa e464 a801 74fa e460 baf803 ee ebf2"
"""Sends each byte of the keyboard controller to the first serial port."""
TWO_PORTS = "baf803 b041 ee baf802 b042 ee b9ffff e2fe ebed"
"""Writes A to the first serial port and B to the second, for ever."""
PANIC = "ba0505 b001 ee f4 ebfd"
"""Tells the pvpanic device that the kernel crashed."""
POWEROFF = "ba0406 b80020 ef f4 ebfd"
"""Switches the machine off through ACPI (machine pc, port 0x604)."""
BUTTON = f"baf803 b052 ee ba0206 b80001 ef ba0006 ed a90001 74fa fb b94800 f4 e2fd {POWEROFF}"
"""Writes R to the first serial port, waits for the power button, and switches the machine off four seconds (72 ticks) after it."""
SLEEP = "ba0406 b80024 ef f4 ebfd"
"""Goes to sleep (S3) in the same way."""


def disk(path: Path, code: str) -> str:
    """A disk that boots the code: its element."""
    path.write_bytes((bytes.fromhex(code).ljust(510, b"\0") + b"\x55\xaa").ljust(1 << 20, b"\0"))
    path.chmod(0o666)
    return (
        f"<disk type='file'><driver name='qemu' type='raw'/><source file='{path}'/><target dev='hda' bus='ide'/></disk>"
    )


def guest(name: str, number: int, parts: str, more: str = "") -> str:
    """A small guest with these devices."""
    return (
        f"<domain type='qemu'><name>{name}</name><uuid>{number:08d}-1111-1111-1111-1111111111aa</uuid>"
        f"<memory unit='MiB'>32</memory><vcpu>1</vcpu><os><type arch='x86_64' machine='pc'>hvm</type></os>"
        f"<features><acpi/></features>{more}<devices>{parts}<memballoon model='none'/></devices></domain>"
    )
