"""Checks a document against what the field tables allow, in time that grows with the document only.

libxml2's RELAX NG doubles its states with each optional attribute that stands on an element, so the exported grammar is
for other tools; this walk asks the same shapes and words its findings as libxml2 does.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

from kvasir.errors import SchemaError

from .fields import Field, clark
from .outlines import NAMES, SCHEMAS
from .reader import check_root
from .schema import Shape, shape


@cache
def _shape(cls: Any) -> Shape:
    return shape(cls)


def _fits(fields: list[Field], value: str) -> bool:
    """Whether any of the fields reads the value; an attribute without a field of its own (a unit) takes every word."""
    for field in fields:
        try:
            if field.kind == "scaled":
                int(value.strip())
            else:
                field.type.read(value)
        except (KeyError, ValueError):
            continue
        return True
    return not fields


def _problems(node: Any, allowed: Shape) -> Iterator[str]:
    attributes = {clark(name): fields for name, fields in allowed.attrs.items()}
    for name, value in node.attrib.items():
        if name not in attributes or not _fits(attributes[name], value):
            yield f"Invalid attribute {name} for element {node.tag}"
    said = (node.text or "").strip()
    if said and allowed.text:
        if not _fits(allowed.text, node.text):
            yield f"Error validating value of element {node.tag}: {said}"
    elif said and not len(node):
        yield f"Did not expect text in element {node.tag} content"
    yield from _kids(node, allowed)


def _kids(node: Any, allowed: Shape) -> Iterator[str]:
    plain = {clark(step): (step, sub) for step, sub in allowed.kids.items()}
    models = {clark(step): classes for step, classes in allowed.models.items()}
    texts = {clark(step): field for step, field in allowed.texts.items()}
    free = {clark(step) for step in allowed.open}
    seen: set[str] = set()
    for kid in node:
        if not isinstance(kid.tag, str) or kid.tag in free:
            continue
        if kid.tag in plain:
            step, sub = plain[kid.tag]
            if kid.tag in seen and step not in allowed.many:
                yield f"Extra element {kid.tag} in interleave"
            seen.add(kid.tag)
            yield from _problems(kid, sub)
        elif kid.tag in models:
            yield from _best(kid, models[kid.tag])
        elif kid.tag in texts:
            if not _fits([texts[kid.tag]], kid.text or ""):
                yield f"Error validating value of element {kid.tag}: {(kid.text or '').strip()}"
        else:
            yield f"Extra element {kid.tag} in interleave"


def _best(node: Any, classes: list[Any]) -> list[str]:
    """What is wrong with the node for the class that it fits best."""
    return min((list(_problems(node, _shape(cls))) for cls in classes), key=len)


def validate(cls: Any, root: Any) -> None:
    """Check a parsed document. Raises XmlError for another root than ``cls``, SchemaError (code 92) that names what does not fit."""
    check_root(root, cls.TAG)
    if root.tag != cls.TAG:
        raise _failure(cls, [f"Expecting no namespace for element {cls.TAG}"])
    words = list(dict.fromkeys(_problems(root, _shape(cls))))
    if words:
        raise _failure(cls, [*words, f"Element {root.tag} failed to validate content"])
    if cls.TAG == "domain" and root.get("type") is None:
        raise _failure(cls, [f"Element {root.tag} failed to validate content"])


def _failure(cls: Any, words: list[str]) -> SchemaError:
    lines = [f"Unable to validate doc against {SCHEMAS}/{NAMES.get(cls.TAG, cls.TAG)}.rng", *words]
    return SchemaError("".join(f"{line}\n" for line in lines), origin=5)
