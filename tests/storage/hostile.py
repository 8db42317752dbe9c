"""Disk images that lie: several hundred heads made by rule, each with what it would lead a careless reader to."""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator

BAIT = b"/bait/secret"
"""A path that no reader may open."""


def qcow2(
    version: int = 3, backing: bytes = b"", at: int = 512, length: int | None = None, bits: int = 16, size: int = 8 << 20,
    crypt: int = 0, incompatible: int = 0, header: int = 104, extensions: bytes = b"",
) -> bytes:  # fmt: skip
    head = struct.pack(
        ">4sIQIIQIIQQIIQ", b"QFI\xfb", version, at if backing or length else 0,
        len(backing) if length is None else length, bits, size & (2**64 - 1), crypt, 1, 3 << 16, 1 << 16, 1, 0, 0,
    )  # fmt: skip
    if version >= 3:
        head += struct.pack(">QQQII", incompatible, 0, 0, 4, header)
    head += extensions
    return head.ljust(512, b"\0") + backing.ljust(4096, b"\0")


def named() -> Iterator[tuple[str, bytes]]:
    """Heads of a known evil."""
    numbers = (0, 1, 8, 9, 15, 16, 21, 22, 31, 32, 63, 64, 255, 2**31 - 1, 2**31, 2**32 - 1)
    for number in numbers:
        yield f"bits-{number}", qcow2(bits=number)
        yield f"version-{number}", qcow2(version=number)
        yield f"crypt-{number}", qcow2(crypt=number)
        yield f"header-{number}", qcow2(header=number)
        yield f"name-length-{number}", qcow2(backing=BAIT, length=number)
    for power in range(0, 65, 4):
        yield f"size-{power}", qcow2(size=(1 << power) - (power == 64))
        yield f"at-{power}", qcow2(backing=BAIT, at=((1 << power) - (power == 64)) & (2**64 - 1))
        yield f"feature-{power}", qcow2(incompatible=(1 << min(power, 63)))
    for scheme in (
        b"", b"file:", b"nbd://h/", b"http://h/", b"json:", b'json:{"file.filename":"', b"fat:rw:", b"ssh://h", b"../../../..",
        b"rbd:", b"iscsi://", b"host_device:", b"gluster://h/", b"vvfat:", b"blkdebug:", b"null-co://", b"//", b"/proc/self/fd/0",
        b"\xff\xfe", b"\n", b"\0", b"%s%n", b"$(touch /tmp/x)", b"`id`", b"a" * 1000,
    ):  # fmt: skip
        yield f"scheme-{scheme[:12]!r}", qcow2(backing=scheme + BAIT)
    for text in (
        b'json:{"a":' * 200,
        b"json:" + b"[" * 900,
        b'json:{"file":{"driver":"file","filename":"/bait/secret"}}',
    ):
        yield f"json-{len(text)}", qcow2(backing=text)
    for kind in (0, 0xE2792ACA, 0x6803F857, 0x0537BE77, 0x44415441, 0xFFFFFFFF):
        for length in (0, 1, 7, 64, 65, 2**31, 2**32 - 1):
            extension = struct.pack(">II", kind, length) + b"raw\0\0\0\0\0"
            yield f"extension-{kind:x}-{length}", qcow2(backing=BAIT, extensions=extension)
    for end in (4, 8, 20, 40, 71, 72, 73, 100, 103, 104, 105, 511):
        yield f"cut-{end}", qcow2(backing=BAIT)[:end]


def others() -> Iterator[tuple[str, bytes]]:
    """Heads of the other formats."""
    most = 2**64 - 1
    for number in (0, 1, 2, 3, 4, 2**31, 2**32 - 1):
        yield f"qcow1-{number}", struct.pack(">4sIQIIQ", b"QFI\xfb", 1, 48, number, 0, most) + BAIT.ljust(4096, b"\0")
        yield f"qed-{number}", struct.pack("<4sIIIQQQQQII", b"QED\0", 0, 0, 0, number, 0, 0, 0, most, 72, number) + BAIT
        yield (
            f"vmdk-{number}",
            struct.pack("<4sIIQ", b"KDMV", number, 0, most).ljust(512, b"\0")
            + (b'parentFileNameHint="/bait/secret"\nparentFileNameHint=\n' * 20),
        )
        yield f"luks-{number}", (b"LUKS\xba\xbe" + struct.pack(">H", number & 0xFFFF)).ljust(104, b"\0") + b"\xff" * 4
        yield f"vpc-{number}", b"conectix" + struct.pack(">II", 0, number) + b"\xff" * 496
        yield f"cow-{number}", struct.pack(">4sI", b"OOOM", number) + BAIT.ljust(1024, b"\xff") + b"\xff" * 16
        yield f"vdi-{number}", b"\0" * 64 + struct.pack("<I", 0xBEDA107F) + struct.pack("<I", number) * 100
        yield f"parallels-{number}", b"WithoutFreeSpace" + struct.pack("<I", number) * 20
    yield "vmdk-lines", b"KDMV" + b"\n" * 60000
    yield "vmdk-quote", b"KDMV".ljust(512, b"\0") + b"parentFileNameHint=\n"
    yield "iso", b"\0" * 32769 + b"CD001"


def noise() -> Iterator[tuple[str, bytes]]:
    """Right heads with wrong bytes."""
    dice = random.Random(20261130)
    for number in range(120):
        data = bytearray(qcow2(backing=BAIT))
        for _ in range(dice.randrange(1, 12)):
            data[dice.randrange(4, 120)] = dice.randrange(256)
        yield f"noise-{number}", bytes(data)


def images() -> list[tuple[str, bytes]]:
    """All of them."""
    return [*named(), *others(), *noise()]
