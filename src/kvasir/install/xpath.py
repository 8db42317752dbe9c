"""``--xml`` and ``xpath.set=``: values put at, made at or taken from a path of the finished document.

A path is ``./a/b[2]/@c``: steps with a number (from 1), ``[@name='v']`` or ``[child='v']``; ``..`` goes up; a leading slash is
the document's root. What ``set`` names is made where it is not there.
"""

from __future__ import annotations

import json
import re

from . import tree
from .grammar import OptionError

_STEP = re.compile(r"([\w:*.-]+)((?:\[[^\]]*\])*)\Z")
_TEST = re.compile(r"\[(?:(\d+)|(@?)([\w:-]+)\s*=\s*(?:'([^']*)'|\"([^\"]*)\"))\]")
SPACES = {"qemu": "http://libvirt.org/schemas/domain/qemu/1.0", "libosinfo": tree.OSINFO}


def run(node: tree.Node, root: tree.Node) -> None:
    """Do what the words kept on a node say, then forget them."""
    text = node.attrib.pop("_xpath", None)
    if not text:
        return
    for _, action in sorted(json.loads(text).items(), key=lambda item: int(item[0])):
        one(node, root, action)


def one(node: tree.Node, root: tree.Node, action: dict[str, str]) -> None:
    """Do one action: ``delete``, ``create``, or ``set`` with its ``value``. Raises OptionError."""
    if action.get("delete"):
        delete(node, root, action["delete"])
    elif action.get("create"):
        walk(node, root, action["create"], make=True)
    elif action.get("set"):
        path, value = action["set"], action.get("value")
        if value is None:
            path, eq, value = path.rpartition("=")
            if not eq:
                raise OptionError(f"{value}: Setting xpath must be in the form of XPATH=VALUE")
        put(node, root, path, value)
    else:
        raise OptionError("xpath.value needs xpath.set with the path")


def put(node: tree.Node, root: tree.Node, path: str, value: str) -> None:
    """Set an attribute or text; an empty value takes it away."""
    head, attribute = _attribute(path)
    place = walk(node, root, head, make=bool(value))
    if place is None:
        return
    if attribute:
        if value:
            place.set(attribute, value)
        else:
            place.attrib.pop(attribute, None)
    else:
        place.text = value or None


def delete(node: tree.Node, root: tree.Node, path: str) -> None:
    """Take away an attribute or an element with all below it."""
    head, attribute = _attribute(path)
    place = walk(node, root, head, make=False)
    if place is None:
        return
    if attribute:
        place.attrib.pop(attribute, None)
        return
    for parent in root.iter():
        if place in list(parent):
            parent.remove(place)


def _attribute(path: str) -> tuple[str, str]:
    head, _, last = path.rpartition("/")
    if last.startswith("@"):
        return head or ".", last[1:]
    return path, ""


def walk(node: tree.Node, root: tree.Node, path: str, *, make: bool) -> tree.Node | None:
    """The element at a path. Raises OptionError for paths that are none."""
    steps = re.split(r"/(?![^\[]*\])", path)
    here: tree.Node | None = node
    if path.startswith("/"):
        here, steps = root, steps[2:] if steps[1:2] == [str(root.tag)] else steps[1:]
    for step in steps:
        if here is None:
            return None
        if step in (".", ""):
            continue
        if step == "..":
            here = next((p for p in root.iter() if here in list(p)), None)
            continue
        here = _step(here, step, path, make=make)
    return here


def _step(node: tree.Node, step: str, path: str, *, make: bool) -> tree.Node | None:
    match = _STEP.match(step)
    if match is None:
        raise OptionError(f"Invalid XPath expression: {path}")
    prefix, colon, local = match[1].partition(":")
    tag = f"{{{SPACES[prefix]}}}{local}" if colon and prefix in SPACES else match[1]
    found = node.findall(tag)
    number, fresh = 1, tree.ET.Element(tag)
    for test in _TEST.finditer(match[2]):
        if test[1]:
            number = int(test[1])
            continue
        word = test[4] if test[4] is not None else test[5]
        found = [kid for kid in found if (kid.get(test[3]) if test[2] else kid.findtext(test[3])) == word]
        if test[2]:
            fresh.set(test[3], word)
        else:
            tree.ET.SubElement(fresh, test[3]).text = word
    if len(found) >= number:
        return found[number - 1]
    if make:
        node.append(fresh)
        return fresh
    return None
