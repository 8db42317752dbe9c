"""Bitmaps of changed blocks in a guest's chain: adding, merging, removing, and their way through changes of the chain."""

from __future__ import annotations

from typing import Any

from kvasir.qemu.blocks import graph

LAST_WRITES = "libvirt-tmp-activewrite"
"""What the guest writes while a copy takes the place of its disk."""
Action = dict[str, Any]
Found = dict[str, dict[str, dict[str, Any]]]


async def all_of(guest: Any) -> Found:
    """The bitmaps by node, then by name."""
    found: Found = {}
    for name, row in (await graph.nodes(guest)).items():
        rows = row.get("dirty-bitmaps") or (row.get("inserted") or {}).get("dirty-bitmaps") or []
        found[name] = {str(bitmap["name"]): bitmap for bitmap in rows if "name" in bitmap}
    return found


def add(node: str, name: str, *, persistent: bool, disabled: bool = False, granularity: int | None = None) -> Action:
    """An action that makes a bitmap."""
    data: dict[str, Any] = {"node": node, "name": name, "persistent": persistent, "disabled": disabled}
    if granularity:
        data["granularity"] = granularity
    return {"type": "block-dirty-bitmap-add", "data": data}


def merge(node: str, target: str, sources: list[tuple[str, str]]) -> Action:
    """An action that puts what others have into one: (node, name) each."""
    rows = [{"node": where, "name": name} for where, name in sources]
    return {"type": "block-dirty-bitmap-merge", "data": {"node": node, "target": target, "bitmaps": rows}}


def remove(node: str, name: str) -> Action:
    return {"type": "block-dirty-bitmap-remove", "data": {"node": node, "name": name}}


async def transaction(guest: Any, actions: list[Action]) -> None:
    if actions:
        await guest.monitor().command("transaction", {"actions": actions})


def holders(found: Found, disk: Any, name: str) -> list[tuple[str, str, int]]:
    """(node, bitmap, granularity) in every layer of the disk that has a bitmap of that name."""
    rows = []
    for image in graph.of_disk(disk).images():
        bitmap = found.get(image.node, {}).get(name)
        if bitmap is not None and not bitmap.get("inconsistent"):
            rows.append((image.node, name, int(bitmap.get("granularity", 65536))))
    return rows


def for_overlay(found: Found, old: str, new: str) -> list[Action]:
    """Changes go on to be recorded in a new image above: the same bitmaps there."""
    return [
        add(new, name, persistent=True, granularity=int(bitmap.get("granularity", 65536)))
        for name, bitmap in found.get(old, {}).items()
        if bitmap.get("persistent") and bitmap.get("recording")
    ]


async def copy_down(guest: Any, tops: list[str], base: str, written: str = "") -> None:
    """Layers were committed into ``base``: it gets what their bitmaps hold (and ``written``, a bitmap of the last writes)."""
    found = await all_of(guest)
    names = {name: bitmap for node in tops for name, bitmap in found.get(node, {}).items() if bitmap.get("persistent")}
    actions: list[Action] = []
    if written not in found.get(base, {}):
        written = ""
    for name, bitmap in names.items():
        sources = [(node, name) for node in tops if name in found.get(node, {})]
        if name not in found.get(base, {}):
            actions.append(add(base, name, persistent=True, granularity=int(bitmap.get("granularity", 65536))))
        if written:
            sources.append((base, written))
        actions.append(merge(base, name, sources))
    if written:
        actions.append(remove(base, written))
    await transaction(guest, actions)
