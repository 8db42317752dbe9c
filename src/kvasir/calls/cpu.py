"""CPU models: the names that are known, comparing a CPU with the host's, the CPU that several hosts share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvasir.calls.flags import check_flags
from kvasir.cpu import x86_tables
from kvasir.errors import InvalidArg, Origin

if TYPE_CHECKING:
    from kvasir.daemon.session import Session

POWER = ("POWER6", "POWER7", "POWER8", "POWER9", "POWER10", "POWERPC_e5500", "POWERPC_e6500")


def connect_get_cpu_model_names(session: Session, arch: str, need_results: int, flags: int) -> tuple[list[str], int]:
    """The CPU models known for an architecture; none where every model is accepted."""
    from kvasir.qemu.emulators import ARCHES

    session.require_open()
    check_flags(flags, 0, "qemuConnectGetCPUModelNames")
    if arch not in ARCHES:
        raise InvalidArg(f"cannot find architecture {arch}", origin=Origin.QEMU)
    names: list[str] = []
    if arch in ("x86_64", "i686"):
        names = list(x86_tables.models())
    elif arch in ("ppc64", "ppc64le"):
        names = list(POWER)
    return (names if need_results else []), len(names)
