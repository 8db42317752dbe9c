"""Overwriting a volume: zeroes by ourselves, the other algorithms by ``scrub``. Blocks."""

from __future__ import annotations

import os
import stat

from kvasir.errors import ArgumentUnsupported, InvalidArg, Origin, SystemFailure
from kvasir.host import tools

ALGORITHMS = ("zero", "nnsa", "dod", "bsi", "gutmann", "schneier", "pfitzner7", "pfitzner33", "random", "trim")
SCRUB = {"pfitzner7": "pfitzner7", "pfitzner33": "pfitzner33"}
CHUNK = 1 << 20


def name_of(number: int) -> str:
    """The algorithm of virStorageVolWipeAlgorithm. Raises InvalidArg."""
    if not 0 <= number < len(ALGORITHMS):
        raise InvalidArg(f"wiping algorithm {number} not supported", origin=Origin.STORAGE)
    return ALGORITHMS[number]


def wipe(path: str, algorithm: str, allocation: int) -> None:
    """Overwrite a file or device. A sparse file is made empty and long again: nothing of it is left to overwrite."""
    if algorithm == "trim":
        raise ArgumentUnsupported("'trim' algorithm not supported", origin=Origin.STORAGE)
    if algorithm != "zero":
        tools.run("scrub", "-f", "-p", SCRUB.get(algorithm, algorithm), path)
        return
    try:
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except OSError as error:
        raise SystemFailure(f"Failed to open storage volume with path '{path}'", error, origin=Origin.STORAGE) from None
    try:
        status = os.fstat(fd)
        if stat.S_ISREG(status.st_mode) and status.st_blocks * 512 < status.st_size:
            os.ftruncate(fd, 0)
            os.ftruncate(fd, status.st_size)
        else:
            _zero(fd, max(allocation, status.st_size) if stat.S_ISREG(status.st_mode) else os.lseek(fd, 0, os.SEEK_END))
        os.fsync(fd)
    except OSError as error:
        raise SystemFailure(
            f"Failed to write to storage volume with path '{path}'", error, origin=Origin.STORAGE
        ) from None
    finally:
        os.close(fd)


def _zero(fd: int, size: int) -> None:
    zeroes = bytes(CHUNK)
    place = 0
    while place < size:
        place += os.pwrite(fd, zeroes[: min(CHUNK, size - place)], place)
