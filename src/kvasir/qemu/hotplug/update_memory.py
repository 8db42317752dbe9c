"""Memory that grows and shrinks: virtio-mem's requested size."""

from __future__ import annotations

from typing import Any

from kvasir.errors import ConfigUnsupported, OperationUnsupported

MARKS = ("access", "discard", "nodemask", "pagesize", "size", "node", "block")


def find(domain: Any, wanted: Any) -> Any:
    """The memory device of that alias or address, or the only one with the same marks, or None."""
    for one in domain.memories:
        if wanted.alias and one.alias == wanted.alias:
            return one
    for one in domain.memories:
        if wanted.address is not None and one.model == wanted.model and one.address == wanted.address:
            return one
    return None


async def update(guest: Any, memory: Any) -> None:
    """Change how much of a virtio-mem device the guest is asked to use."""
    known = find(guest.live, memory)
    if known is None:
        raise ConfigUnsupported(f"memory '{memory.alias or '(null)'}' not found")
    if known.model != memory.model:
        raise OperationUnsupported(f"cannot modify memory model from '{known.model}' to '{memory.model}'")
    if known.model != "virtio-mem":
        raise ConfigUnsupported(f"cannot modify memory of model '{known.model}'")
    names = {"nodemask": "source nodes", "pagesize": "source pagesize", "size": "memory size", "node": "memory targetNode",
             "block": "memory block size"}  # fmt: skip
    for mark in MARKS:
        if getattr(known, mark) != getattr(memory, mark):
            raise OperationUnsupported(f"cannot modify {names.get(mark, f'memory {mark}')}")
    if known.requested == memory.requested:
        return
    await guest.monitor().command(
        "qom-set",
        {
            "path": f"/machine/peripheral/{known.alias}",
            "property": "requested-size",
            "value": (memory.requested or 0) * 1024,
        },
    )
    known.requested = memory.requested
