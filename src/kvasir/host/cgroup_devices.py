"""Which device nodes the processes of a control group of version 2 may open: a small BPF program at the group.

Version 2 has no files for this. As libvirt does, the program looks a node up in a map of its own: the key is ``major << 32 | minor``,
all ones in a half for "any"; the value is the kind of node (1 block, 2 character) and, 16 bits up, what may be done with it (1 make,
2 read, 4 write). So either daemon can go on with the other's groups. Kernel document: bpf(2), ``BPF_PROG_TYPE_CGROUP_DEVICE``.
"""

from __future__ import annotations

import contextlib
import os
import platform
import struct
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from kvasir.errors import SystemFailure

if TYPE_CHECKING:
    import ctypes

SYSCALLS = {"x86_64": 321, "aarch64": 280, "riscv64": 280, "ppc64le": 361, "s390x": 351}
MAP_CREATE, MAP_LOOKUP, MAP_UPDATE, MAP_DELETE, MAP_NEXT, PROG_LOAD, PROG_ATTACH = 0, 1, 2, 3, 4, 5, 8
PROG_BY_ID, MAP_BY_ID, INFO_BY_FD, PROG_QUERY = 13, 14, 15, 16
HASH_MAP, NO_PREALLOC, PROGRAM_TYPE, ATTACH_TYPE, ALLOW_MULTI = 1, 1, 15, 6, 2
MOST_NODES = 2048
KINDS = {"b": 1, "c": 2}
ACCESS = {"m": 1, "r": 2, "w": 4}
ANY = 0xFFFFFFFF
Node = tuple[str, int, int | str, str]
"""Kind (``c`` or ``b``), major, minor (``*`` for all), access (letters of ``rwm``)."""


class _Memory:
    """Buffers that the kernel reads and writes, alive as long as this is."""

    def __init__(self) -> None:
        self.kept: list[ctypes.Array[ctypes.c_char]] = []

    def at(self, data: bytes, size: int = 0) -> tuple[int, ctypes.Array[ctypes.c_char]]:
        """(address, buffer) of a copy of some bytes."""
        import ctypes

        buffer = ctypes.create_string_buffer(data, max(size, len(data)))
        self.kept.append(buffer)
        return ctypes.addressof(buffer), buffer


def _bpf(command: int, attributes: bytes) -> tuple[int, bytes]:
    """One call: (its answer, the attributes as the kernel left them). Raises OSError."""
    import ctypes

    number = SYSCALLS.get(platform.machine())
    if number is None:
        raise OSError(38, os.strerror(38))
    buffer = ctypes.create_string_buffer(attributes.ljust(128, b"\0"), 128)
    answer = ctypes.CDLL(None, use_errno=True).syscall(number, command, buffer, 128)
    if answer < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return answer, buffer.raw


@contextlib.contextmanager
def _open(fd: int) -> Iterator[int]:
    try:
        yield fd
    finally:
        os.close(fd)


def _folder(path: str) -> contextlib.AbstractContextManager[int]:
    return _open(os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))


# -- the program


def _step(code: int, to: int = 0, source: int = 0, offset: int = 0, value: int = 0) -> bytes:
    return struct.pack("<BBhi", code, source << 4 | to, offset, value)


def program(map_fd: int) -> bytes:
    """The instructions: allowed is what one of (node, any minor, any major, any node) in the map allows."""
    steps = [_step(0xBF, 6, 1)]  # r6 = context: u32 kind and access, u32 major, u32 minor
    for any_major, any_minor in ((False, False), (False, True), (True, False), (True, True)):
        steps += [
            _step(0xB4, 2, value=-1) if any_major else _step(0x61, 2, 6, 4),  # r2 = major
            _step(0x67, 2, value=32),  # r2 <<= 32
            _step(0xB4, 1, value=-1) if any_minor else _step(0x61, 1, 6, 8),  # r1 = minor
            _step(0x4F, 2, 1),  # r2 |= r1
            _step(0x7B, 10, 2, -8),  # the key lies on the stack
            _step(0xBF, 2, 10),
            _step(0x07, 2, value=-8),  # r2 = its address
            _step(0x18, 1, 1, 0, map_fd),
            _step(0x00),  # r1 = the map
            _step(0x85, value=1),  # r0 = look it up
            _step(0x15, 0, offset=6),  # not there: the next key
            _step(0x61, 1, 0),  # r1 = what is allowed
            _step(0x61, 2, 6),  # r2 = what is asked
            _step(0x5F, 1, 2),
            _step(0x5D, 1, 2, 2),  # not all of it: the next key
            _step(0xB7, 0, value=1),
            _step(0x95),  # allowed
        ]
    return b"".join([*steps, _step(0xB7, 0), _step(0x95)])


def _load(map_fd: int) -> int:
    memory = _Memory()
    code = program(map_fd)
    words = (memory.at(code)[0], memory.at(b"GPL\0")[0])
    return _bpf(PROG_LOAD, struct.pack("<IIQQIIQII", PROGRAM_TYPE, len(code) // 8, *words, 0, 0, 0, 0, 0))[0]


def _programs(group: int) -> list[int]:
    """The numbers of the programs at a group."""
    memory = _Memory()
    address, buffer = memory.at(b"", 4 * 64)
    _, answer = _bpf(PROG_QUERY, struct.pack("<IIIIQI", group, ATTACH_TYPE, 0, 0, address, 64))
    count = struct.unpack_from("<I", answer, 24)[0]
    return list(struct.unpack_from(f"<{count}I", buffer.raw))


def _map_of(program_fd: int) -> int | None:
    """The number of the map that a program looks nodes up in."""
    memory = _Memory()
    numbers, words = memory.at(b"", 4 * 8)
    info, buffer = memory.at(struct.pack("<II8sIIQQQIIQ", 0, 0, b"", 0, 0, 0, 0, 0, 0, 8, numbers), 256)
    _bpf(INFO_BY_FD, struct.pack("<IIQ", program_fd, 256, info))
    count = struct.unpack_from("<I", buffer.raw, 52)[0]
    return struct.unpack_from("<I", words.raw)[0] if count == 1 else None


def _map(folder: str) -> int | None:
    """An open descriptor of the map at a group; None where there is none."""
    with _folder(folder) as group:
        for number in _programs(group):
            with _open(_bpf(PROG_BY_ID, struct.pack("<III", number, 0, 0))[0]) as found:
                inner = _map_of(found)
            if inner is not None:
                return _bpf(MAP_BY_ID, struct.pack("<III", inner, 0, 0))[0]
    return None


# -- for groups


def available(folder: str) -> bool:
    """Whether the kernel has this for the groups at a folder, and lets us."""
    try:
        with _folder(folder) as group:
            _programs(group)
    except OSError:
        return False
    return True


def close(folder: str) -> None:
    """No device node may be opened any more by those in the group. Raises SystemFailure."""
    try:
        made = _bpf(MAP_CREATE, struct.pack("<IIIII", HASH_MAP, 8, 4, MOST_NODES, NO_PREALLOC))[0]
        with _open(made), _open(_load(made)) as code, _folder(folder) as group:
            try:
                _bpf(PROG_ATTACH, struct.pack("<IIII", group, code, ATTACH_TYPE, 0))
            except PermissionError:  # another's program is there, in a way that lets ours stand beside it
                _bpf(PROG_ATTACH, struct.pack("<IIII", group, code, ATTACH_TYPE, ALLOW_MULTI))
    except OSError as error:
        raise SystemFailure(f"failed to attach cgroup BPF prog to '{folder}'", error) from error


def allow(folder: str, nodes: Iterable[Node], *, deny: bool = False) -> None:
    """Let nodes be opened, or ``deny`` them again. Raises SystemFailure."""
    try:
        found = _map(folder)
        if found is None:
            raise OSError(2, os.strerror(2))
        with _open(found):
            for node in nodes:
                _set(found, node, deny)
    except OSError as error:
        raise SystemFailure(f"failed to change the device nodes of '{folder}'", error) from error


def _set(found: int, node: Node, deny: bool) -> None:
    kind, major, minor, access = node
    memory = _Memory()
    key = memory.at(struct.pack("<Q", major << 32 | (ANY if minor == "*" else int(minor))))[0]
    if deny:
        with contextlib.suppress(FileNotFoundError):
            _bpf(MAP_DELETE, struct.pack("<IIQ", found, 0, key))
        return
    value = memory.at(struct.pack("<I", KINDS[kind] | sum(ACCESS[letter] for letter in access) << 16))[0]
    _bpf(MAP_UPDATE, struct.pack("<IIQQQ", found, 0, key, value, 0))


def read(folder: str) -> dict[tuple[str, int, int | str], str] | None:
    """What a group may open: {(kind, major, minor): access}; None where no program is at the group. Raises OSError."""
    found = _map(folder)
    if found is None:
        return None
    nodes: dict[tuple[str, int, int | str], str] = {}
    with _open(found):
        memory = _Memory()
        key, key_buffer = memory.at(b"", 8)
        value, value_buffer = memory.at(b"", 4)
        try:
            _bpf(MAP_NEXT, struct.pack("<IIQQ", found, 0, 0, key))
            while True:
                _bpf(MAP_LOOKUP, struct.pack("<IIQQ", found, 0, key, value))
                major, minor = divmod(struct.unpack("<Q", key_buffer.raw[:8])[0], 1 << 32)
                bits = struct.unpack("<I", value_buffer.raw[:4])[0]
                kind = next(name for name, number in KINDS.items() if number == bits & 0xFFFF)
                allowed = "".join(letter for letter in "rwm" if ACCESS[letter] & bits >> 16)
                nodes[kind, major, "*" if minor == ANY else minor] = allowed
                _bpf(MAP_NEXT, struct.pack("<IIQQ", found, 0, key, key))
        except FileNotFoundError:
            return nodes
