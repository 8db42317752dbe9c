"""A document under construction: values put and read by path, printed with two-space indents.

Standard library only. A path is ``devices/disk[1]/source/@file``: steps are elements (``[n]`` counts from 0), a last
step ``@name`` is an attribute, none means the element's text.
"""

from __future__ import annotations

import re
from xml.etree import ElementTree

ET = ElementTree

Node = ElementTree.Element
_STEP = re.compile(r"([^\[\]]+?)(?:\[(\d+)\]|\[@(\w+)=(\w+)\])?\Z")

OSINFO = "http://libosinfo.org/xmlns/libvirt/domain/1.0"
ET.register_namespace("libosinfo", OSINFO)
ET.register_namespace("qemu", "http://libvirt.org/schemas/domain/qemu/1.0")

DOMAIN_ORDER = (
    "name", "uuid", "genid", "title", "description", "metadata", "maxMemory", "memory", "currentMemory", "memoryBacking",
    "vcpu", "vcpus", "iothreads", "iothreadids", "blkiotune", "memtune", "cputune", "numatune", "resource", "sysinfo",
    "bootloader", "os", "idmap", "features", "cpu", "clock", "on_poweroff", "on_reboot", "on_crash", "on_lockfailure",
    "pm", "perf", "devices", "seclabel", "keywrap", "launchSecurity",
)  # fmt: skip
DEVICE_ORDER = (
    "emulator", "disk", "controller", "filesystem", "interface", "smartcard", "serial", "parallel", "console", "channel",
    "input", "tpm", "graphics", "sound", "audio", "video", "hostdev", "redirdev", "watchdog", "memballoon", "rng", "panic",
    "shmem", "memory", "iommu", "vsock",
)  # fmt: skip


def _split(path: str) -> list[tuple[str, int, str, str]]:
    steps = []
    for step in path.split("/"):
        match = _STEP.match(step)
        if match is None:
            raise ValueError(f"bad path {path!r}")
        steps.append((match[1], int(match[2] or 0), match[3] or "", match[4] or ""))
    return steps


def find(node: Node, path: str, *, make: bool = False) -> Node | None:
    """The element at a path of element steps; made with those before it when ``make``.

    A step ``source[@mode=bind]`` is the one with that attribute.
    """
    for tag, index, attribute, word in _split(path):
        found = [kid for kid in node.findall(tag) if not attribute or kid.get(attribute) == word]
        while len(found) <= index:
            if not make:
                return None
            pad = {"_pad": "yes"} if len(found) < index else {}
            found.append(ET.SubElement(node, tag, {attribute: word} if attribute else pad))
        node = found[index]
    return node


def put(node: Node, path: str, value: str | None) -> None:
    """Set an attribute or text; None takes it away."""
    steps, name = _attribute(path)
    if not name:
        _put_text(node, path, value)
        return
    place = find(node, steps, make=value is not None) if steps else node
    if place is None:
        return
    if value is None:
        place.attrib.pop(name, None)
    else:
        place.set(name, value)


def _put_text(node: Node, path: str, value: str | None) -> None:
    if value is not None:
        place = find(node, path, make=True)
        assert place is not None
        place.text = value
        return
    head = path.rpartition("/")[0]
    parent = find(node, head) if head else node
    gone = find(node, path)
    if parent is not None and gone is not None:
        parent.remove(gone)


def _attribute(path: str) -> tuple[str, str]:
    """The path of the element and the attribute's name, empty when the path names an element."""
    head, _, last = path.rpartition("/")
    if not last.startswith("@"):
        return path, ""
    return head, last[1:]


def get(node: Node, path: str) -> str | None:
    """An attribute or text, or None."""
    steps, name = _attribute(path)
    if not name:
        place = find(node, path) if path else node
        return None if place is None else (place.text or "")
    place = find(node, steps) if steps else node
    return None if place is None else place.get(name)


def _sort(node: Node, order: tuple[str, ...]) -> None:
    rank = {tag: i for i, tag in enumerate(order)}
    node[:] = sorted(node, key=lambda kid: rank.get(kid.tag, len(rank)))


def text(domain: Node) -> str:
    """The document as text, elements in libvirt's order."""
    _sort(domain, DOMAIN_ORDER)
    devices = domain.find("devices")
    if devices is not None:
        _sort(devices, DEVICE_ORDER)
    ET.indent(domain, "  ")
    out = ET.tostring(domain, encoding="unicode", short_empty_elements=True).replace(" />", "/>") + "\n"
    declared = f' xmlns:libosinfo="{OSINFO}"'
    if declared in out:  # declared where it is used, as the original does
        out = out.replace(declared, "", 1).replace("<libosinfo:libosinfo", f"<libosinfo:libosinfo{declared}", 1)
    return out


# --- documents that are there already: all that is in them stays


def parse(text_: str) -> Node:
    """A document with its comments and spaces. Raises OptionError for what is no XML."""
    from .grammar import OptionError

    builder = ElementTree.TreeBuilder(insert_comments=True, insert_pis=True)
    try:
        for prefix, uri in re.findall(r"""xmlns:(\w+)=["']([^"']+)["']""", text_):
            ElementTree.register_namespace(prefix, uri)
        root = ElementTree.fromstring(text_, parser=ElementTree.XMLParser(target=builder))
    except (ElementTree.ParseError, ValueError) as error:
        raise OptionError(f"the document is no XML: {error}") from None
    root.tail = None
    return root


def dump(root: Node) -> str:
    """The document as text; new elements are put on lines of their own, the others stay as they were."""
    _layout(root, 0)
    out = ElementTree.tostring(root, encoding="unicode", short_empty_elements=True).replace(" />", "/>")
    return out + "\n"


def _layout(node: Node, depth: int) -> None:
    kids = list(node)
    if not kids:
        if node.text is not None and not node.text.strip():
            node.text = None
        return
    if not (node.text or "").strip():
        node.text = _line_before(node.text, depth + 1)
    for i, kid in enumerate(kids):
        if isinstance(kid.tag, str):
            _layout(kid, depth + 1)
        if not (kid.tail or "").strip():
            kid.tail = _line_before(kid.tail, depth + (1 if i < len(kids) - 1 else 0))


def _line_before(have: str | None, depth: int) -> str:
    lines = (have or "").count("\n") or 1
    return "\n" * lines + "  " * depth


def remove(parent: Node, kid: Node) -> None:
    """Take an element out with the line that it stands on."""
    parent.remove(kid)
    if not len(parent) and not (parent.text or "").strip():
        parent.text = None


def fragment(node: Node) -> str:
    """One element as text, from the left margin."""
    import copy

    alone = copy.deepcopy(node)
    alone.tail = None
    ElementTree.indent(alone, "  ")
    return ElementTree.tostring(alone, encoding="unicode").replace(" />", "/>")
