"""Which host cells a guest's memory comes from, where its document is strict about it or leaves it to numad."""

from __future__ import annotations

from typing import Any

from kvasir.host import numad, topology


async def ask_numad(guest: Any, domain: Any, vm: Any) -> None:
    """Where the document leaves the placement to numad: which nodes, and which processors with them."""
    memory = domain.numatune.memory if domain.numatune is not None else None
    if domain.vcpu_placement == "auto" or (memory is not None and memory.placement == "auto"):
        nodes = await numad.advice(domain.vcpu, -(-domain.current_memory // 1024))
        guest.run.auto_nodes = vm.facts["numad"] = nodes
        if domain.vcpu_placement == "auto":
            cells = {cell.id: cell for cell in topology.cells()}
            guest.run.auto_cpus = frozenset(cpu.id for node in nodes if node in cells for cpu in cells[node].cpus)


def strict_nodes(guest: Any, domain: Any) -> frozenset[int] | None:
    """The host cells that memory must come from, where the document is strict about it."""
    memory = domain.numatune.memory if domain.numatune is not None else None
    if memory is None or memory.mode not in (None, "strict", "restrictive"):
        return None
    return guest.run.auto_nodes if memory.placement == "auto" else memory.nodeset or None
