"""In-place patches: put the changed fields of an object back into the tree that it was read from.

Elements, attributes and comments that no field names keep their place and their text.
"""

from __future__ import annotations

from typing import Any

from lxml import etree

from .fields import Field, clark
from .form import STATUS


def patch(element: Any) -> Any:
    """Bring the tree of ``element`` up to date and return its node. Raises ValueError when it has none."""
    node = element._node
    if node is None:
        raise ValueError("the element was not read with keep=True")
    old = type(element).parse(node, True)
    _patch_fields(element, old, node)
    return node


def _patch_fields(new: Any, old: Any, node: Any) -> None:
    for field in type(new).FIELDS.values():
        if field.kind == "runtime" or field.value is not None:
            continue
        mine, theirs = getattr(new, field.name), getattr(old, field.name)
        if field.kind in ("child", "children"):
            _patch_objects(field, mine, node)
        elif field.kind == "variant":
            _patch_variant(mine, theirs, node)
        elif field.kind == "custom" or field.kind == "raw":
            if not new._same(field, old):
                _replace_lines(field, new, node)
        elif mine != theirs:
            _patch_value(field, mine, node)


def _patch_variant(mine: Any, theirs: Any, node: Any) -> None:
    if type(mine) is type(theirs):
        if mine is not None:
            _patch_fields(mine, theirs, node)
        return
    if theirs is not None:
        _patch_fields(type(theirs)(), theirs, node)
    if mine is not None:
        _patch_fields(mine, type(mine)(), node)


def _step(node: Any, step: str) -> Any:
    found = node.find(clark(step))
    return etree.SubElement(node, clark(step)) if found is None else found


def _patch_value(field: Field, value: Any, node: Any) -> None:
    *steps, last = field.path.split("/")
    gone = value in (None, False, []) and not (field.kind == "attr" and value is False)
    if field.kind in ("text", "flag", "scaled", "texts") and last != ".":
        parent = _walk(node, steps, make=not gone)
        if parent is not None:
            _patch_child_value(field, value, parent, last, gone)
        return
    place = _walk(node, steps, make=not gone)
    if place is None:
        return
    if field.kind == "attr":
        name = clark(last[1:])
        if gone:
            place.attrib.pop(name, None)
            _prune(node, place)
        else:
            place.set(name, field.type.write(value))
    else:
        place.text = None if gone else str(value) if field.kind == "scaled" else field.type.write(value)
        if field.kind == "scaled" and not gone:
            place.set("unit", field.unit)


def _walk(node: Any, steps: list[str], *, make: bool) -> Any:
    for step in steps:
        if make:
            node = _step(node, step)
        else:
            node = node.find(clark(step))
            if node is None:
                return None
    return node


def _patch_child_value(field: Field, value: Any, parent: Any, last: str, gone: bool) -> None:
    if field.kind == "texts":
        for old in parent.findall(clark(last)):
            parent.remove(old)
        for item in value:
            etree.SubElement(parent, clark(last)).text = field.type.write(item)
        return
    found = parent.find(clark(last))
    if gone:
        if found is not None and (field.kind == "flag" or not found.attrib):
            parent.remove(found)
        elif found is not None:
            found.text = None
        return
    if found is None:
        found = etree.SubElement(parent, clark(last))
    if field.kind == "scaled":
        found.text = str(value)
        found.set("unit", field.unit)
    elif field.kind == "text":
        found.text = field.type.write(value)


def _prune(root: Any, place: Any) -> None:
    """Take away an intermediate element that holds nothing any more."""
    while place is not root and not len(place) and not place.attrib and not (place.text or "").strip():
        parent = place.getparent()
        parent.remove(place)
        place = parent


def _patch_objects(field: Field, value: Any, node: Any) -> None:
    *steps, last = field.path.split("/")
    wanted = [v for v in (value if field.kind == "children" else [value]) if v is not None]
    parent = _walk(node, steps, make=bool(wanted))
    if parent is None:
        return
    standing = parent.findall(clark(last))
    if field.kind == "child":
        standing = standing[:1]
    kept = [v._node for v in wanted if v._node is not None]
    for old in standing:
        if not any(old is k for k in kept):
            parent.remove(old)
    after: Any = None
    for item in wanted:
        if item._node is not None and item._node.getparent() is parent:
            patch(item)
        else:
            item._node = _insert(parent, etree.fromstring(item.xml(STATUS, tag=last)), after)
        after = item._node


def _insert(parent: Any, new: Any, after: Any) -> Any:
    if after is None:
        same = parent.findall(new.tag)
        after = same[-1] if same else None
    if after is None:
        parent.append(new)
    else:
        after.addnext(new)
    return new


def _replace_lines(field: Field, new: Any, node: Any) -> None:
    """Write an element that has its own codec anew."""
    *steps, last = field.path.split("/")
    value = getattr(new, field.name)
    parent = _walk(node, steps, make=value is not None)
    if parent is None:
        return
    old = parent.find(clark(last))
    at = len(parent) if old is None else parent.index(old)
    if old is not None:
        parent.remove(old)
    if value is not None:
        from .compiler import copy_node

        fresh = (
            [copy_node(value)] if field.kind == "raw"
            else list(etree.fromstring(f"<x>{field.write(value, STATUS, '')}</x>"))  # type: ignore[misc]
        )  # fmt: skip
        for i, item in enumerate(fresh):
            parent.insert(at + i, item)
