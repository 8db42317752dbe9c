"""Questions to ``query-qmp-schema``: does this command, argument, variant, enum value or feature exist?

A path is made of a command, ``arg-type`` or ``ret-type``, then members: ``name`` a member of an object, ``+name`` the
variant of a union, ``^value`` a value of an enum, ``$feature`` a feature flag. Arrays are looked through.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

Entity = Mapping[str, Any]


class Schema:
    """The answer of ``query-qmp-schema``, indexed by name."""

    def __init__(self, entities: Iterable[Entity]) -> None:
        self.by_name: dict[str, Entity] = {e["name"]: e for e in entities}

    def has(self, path: str) -> bool:
        """True when the path leads somewhere."""
        first, *steps = path.split("/")
        entity = self.by_name.get(first)
        for step in steps:
            if entity is None:
                return False
            if step.startswith(("$", "^")):
                return step[1:] in _words(entity, step[0])
            entity = self._step(entity, step)
        return entity is not None

    def _step(self, entity: Entity, step: str) -> Entity | None:
        while entity.get("meta-type") == "array":
            entity = self.by_name[entity["element-type"]]
        if step in ("arg-type", "ret-type"):
            return self.by_name.get(entity.get(step, ""))
        if step.startswith("+"):
            for variant in entity.get("variants", ()):
                if variant["case"] == step[1:]:
                    return self.by_name.get(variant["type"])
            return None
        for member in entity.get("members", ()):
            if isinstance(member, Mapping) and member.get("name") == step:
                return self._through_arrays(self.by_name.get(member["type"]))
        return None

    def _through_arrays(self, entity: Entity | None) -> Entity | None:
        while entity is not None and entity.get("meta-type") == "array":
            entity = self.by_name.get(entity["element-type"])
        return entity


def _words(entity: Entity, kind: str) -> list[str]:
    if kind == "$":
        return list(entity.get("features", ()))
    return list(entity.get("values", ()))
