"""Option strings with a shape of their own: short forms, elements made by one word, words that change what others mean."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from . import grammar, tree
from .grammar import OptionError

Words = dict[str, str | None]


def none(tag: str) -> Callable[[Any, Words, tree.Node], Any]:
    """``--option none``: no such device, and none by default either."""

    def shape(devices: tree.Node, found: Words, domain: tree.Node) -> list[tree.Node] | None:
        if len(found) == 1 and next(iter(found.values())) == "none":
            domain.set(f"_no_{tag}", "yes")
            return []
        return None

    return shape


def append(tag: str) -> Callable[[tree.Node, Words], tree.Node]:
    def place(domain: tree.Node, found: Words) -> tree.Node:
        return tree.ET.SubElement(domain, tag)

    return place


def network(found: Words) -> Words:
    """``network=NAME`` and ``bridge=NAME`` say type and source at once; where a type is said they say nothing."""
    kinds = [k for k in ("network", "bridge") if k in found]
    values = {k: found.pop(k) for k in kinds}
    if kinds and "type" not in found:
        return {"type": kinds[0], "source": values[kinds[0]], **found}
    return found


def rng(found: Words) -> Words:
    for short, full in (("type", "backend.model"), ("device", "backend")):
        if short in found:
            found[full] = found.pop(short)
    model = found.get("backend.model") or ""
    if model.startswith("/"):
        found["backend"], found["backend.model"] = model, "random"
    return found


def tpm(found: Words) -> Words:
    kind = found.get("type") or ""
    if kind.startswith("/"):
        found["path"] = found.pop("type")
    elif kind == "default":
        del found["type"]
    return found


def panic(found: Words) -> Words:
    model = found.get("model") or ""
    if len(found) == 1 and model.startswith("0x"):
        return {"address.iobase": model, "model": "isa"}
    return found


def memory(found: Words) -> Words:
    """``memory`` is what the guest has now and ``maxmemory`` its most, unless ``currentMemory`` says the document's words."""
    most = found.pop("maxmemory", None)
    if "currentMemory" in found:
        return {**found, "memory": most} if most is not None else found
    now = found.pop("memory", None)
    if now is not None:
        found["currentMemory"] = now
    if most is not None:
        found["memory"] = most
    return found


def vcpus(found: Words) -> Words:
    for short, full in (("cpuset", "vcpu.cpuset"), ("vcpus", "vcpu")):
        if short in found:
            found[full] = found.pop(short)
    most = found.pop("maxvcpus", None)
    if most is not None:
        if "vcpu.current" not in found and "vcpu" in found:
            found["vcpu.current"] = found["vcpu"]
        found["vcpu"] = most
    return found


POLICIES = ("force", "require", "optional", "disable", "forbid")


def cpu(value: str) -> Words:
    """``MODEL,+feature,-feature,force=f,force=g``: policies may come many times."""
    from .options import known
    from .spellings import OPTIONS

    about = OPTIONS["cpu"]
    policies: dict[str, list[str]] = {}
    for key, text in grammar.split(value):
        if key in POLICIES and text is not None:
            policies.setdefault(key, []).append(text)
    found = grammar.table(value, about.first, lambda k: known(about, k), lambda k: k.endswith("cpus"))
    for key in [k for k, text in found.items() if not text and len(k) > 1 and k[0] in "+-"]:
        policies.setdefault("force" if key[0] == "+" else "disable", []).append(key[1:])
        del found[key]
    for key in POLICIES:
        found.pop(key, None)
        if key in policies:
            found[key] = "\n".join(policies[key])
    return found


def boot(value: str) -> Words:
    """Boot devices by name are an order; ``uefi`` needs no value."""
    from .options import known
    from .spellings import OPTIONS

    about = OPTIONS["boot"]
    found = grammar.table(value, (), lambda k: known(about, k), lambda k: k in about.commas)
    order = [k for k in found if k in ("hd", "cdrom", "fd", "network")]
    for key in order:
        del found[key]
    if "uefi" in found:
        found["uefi"] = "yes"
    return {"_order": ",".join(order), **found} if order else found


def sysinfo(value: str) -> Words:
    from .options import known
    from .spellings import OPTIONS

    about = OPTIONS["sysinfo"]
    found = grammar.table(value, about.first, lambda k: known(about, k), lambda k: "ntry" in k or k == "type")
    return found if "type" in found else {"type": "smbios", **found}


def sysinfo_place(domain: tree.Node, found: Words) -> tree.Node:
    kind = found.get("type")
    if kind in ("host", "emulate"):
        tree.put(domain, "os/smbios/@mode", kind)
        return tree.ET.Element("sysinfo")
    if kind == "smbios":
        tree.put(domain, "os/smbios/@mode", "sysinfo")
    for node in domain.findall("sysinfo"):
        if node.get("type") == kind:
            return node
    node = tree.ET.SubElement(domain, "sysinfo")
    if kind:
        node.set("type", kind)
    return node


def qemu(value: str) -> Words:
    key, _, rest = value.partition("=")
    return {key: rest} if key in ("args", "env", "clearxml") else {"args": value}


QEMU = "{http://libvirt.org/schemas/domain/qemu/1.0}commandline"


def qemu_place(domain: tree.Node, found: Words) -> tree.Node:
    node = domain.find(QEMU)
    return node if node is not None else tree.ET.SubElement(domain, QEMU)


def controllers(devices: tree.Node, found: Words, domain: tree.Node) -> list[tree.Node] | None:
    """``usb2`` and ``usb3`` are whole sets; ``num_pcie_root_ports`` is a count, not a device."""
    if "num_pcie_root_ports" in found:
        if len(found) > 1:
            raise OptionError("num_pcie_root_ports stands alone")
        text = found["num_pcie_root_ports"] or ""
        domain.set("_root_ports", str(grammar.whole("num_pcie_root_ports", text)))
        return []
    if found == {"type": "usb2"}:
        return usb2(devices)
    if found == {"type": "usb3"}:
        return [usb3(devices)]
    return None


def usb2(devices: tree.Node) -> list[tree.Node]:
    made = [tree.ET.SubElement(devices, "controller", {"type": "usb", "model": "ich9-ehci1"})]
    for i, port in enumerate((0, 2, 4), 1):
        node = tree.ET.SubElement(devices, "controller", {"type": "usb", "model": f"ich9-uhci{i}"})
        tree.put(node, "master/@startport", str(port))
        made.append(node)
    return made


def usb3(devices: tree.Node) -> tree.Node:
    return tree.ET.SubElement(devices, "controller", {"type": "usb", "model": "qemu-xhci", "ports": "15"})


__all__ = ["OptionError"]
