"""What sub-options of ``virt-install`` do that are more than a value at a path."""

from __future__ import annotations

from collections.abc import Callable

from . import grammar, tree
from .grammar import OptionError

Handler = Callable[[tree.Node, str, str | None, tree.Node], None]


def on(value: str | None) -> bool:
    return value is None or value.lower() in grammar.TRUE


def nothing(node: tree.Node, key: str, value: str | None, domain: tree.Node) -> None:
    """A word that says nothing in the document."""


def note(node: tree.Node, key: str, value: str | None, domain: tree.Node) -> None:
    """Remember a word for the installer; such attributes are taken off before the document is used."""
    node.set(f"_{key.replace('.', '_')}", value if value is not None else "yes")


def note_switch(node: tree.Node, key: str, value: str | None, domain: tree.Node) -> None:
    grammar.switch(key, value)
    note(node, key, value, domain)


def note_refresh(node: tree.Node, key: str, value: str | None, domain: tree.Node) -> None:
    if grammar.switch(key, value):
        domain.set("_refresh_machine", "yes")


def put(path: str) -> Handler:
    def handler(node: tree.Node, key: str, value: str | None, domain: tree.Node) -> None:
        tree.put(node, path, value or None)

    return handler


def path_put(path: str) -> Handler:
    """A path of the host; a relative one is meant from here."""

    def handler(node: tree.Node, key: str, value: str | None, domain: tree.Node) -> None:
        import os

        tree.put(node, path, os.path.abspath(value) if value else None)

    return handler


def domain_put(path: str) -> Handler:
    def handler(node: tree.Node, key: str, value: str | None, domain: tree.Node) -> None:
        tree.put(domain, path, value or None)

    return handler


def mebibytes(path: str) -> Handler:
    """A size in MiB as the option has it, in KiB as the document has it."""

    def handler(node: tree.Node, key: str, value: str | None, domain: tree.Node) -> None:
        if not value:
            raise OptionError(f"{key} must be a number of MiB")
        if tree.get(node, f"{path}/@unit") is not None:
            tree.put(node, f"{path}/@unit", "KiB")
        tree.put(node, path, str(int(value) * 1024 if value.isdigit() else grammar.whole(key, value) * 1024))

    return handler


def hugepages(node: tree.Node, key: str, value: str | None, domain: tree.Node) -> None:
    if grammar.switch(key, value):
        tree.find(domain, "memoryBacking/hugepages", make=True)
    else:
        tree.put(domain, "memoryBacking/hugepages", None)


def cpuset(node: tree.Node, key: str, value: str | None, domain: tree.Node) -> None:
    if value == "auto":
        tree.put(domain, "vcpu/@placement", "auto")
    else:
        tree.put(domain, "vcpu/@cpuset", value or None)


def genid(node: tree.Node, key: str, value: str | None, domain: tree.Node) -> None:
    if grammar.switch(key, value):
        tree.find(domain, "genid", make=True)
    else:
        tree.put(domain, "genid", None)


def system_name(node: tree.Node, key: str, value: str | None, domain: tree.Node) -> None:
    """Name the operating system in the document's metadata. Raises OptionError for one that is not known."""
    from . import osinfo

    system = osinfo.lookup(value or "")
    if system is None:
        raise OptionError(f"Unknown OS name '{value}'. See `--osinfo list` for valid values.")
    domain.set("_os_name", value or "")


def cpu_policy(node: tree.Node, key: str, value: str | None, domain: tree.Node) -> None:
    """Features with one policy; an earlier word on the same feature is replaced."""
    for name in (value or "").split("\n"):
        have = next((f for f in node.findall("feature") if f.get("name") == name), None)
        if have is not None:
            have.set("policy", key)
        else:
            tree.ET.SubElement(node, "feature", {"policy": key, "name": name})


CPU_MODES = ("host-passthrough", "host-model", "host-model-only", "host-copy", "hv-default", "clear", "default")


def cpu_model(node: tree.Node, key: str, value: str | None, domain: tree.Node) -> None:
    value = {"host": "host-model", "none": "clear"}.get(value or "", value)
    if value in ("host-model", "host-passthrough"):
        for gone in [*node.findall("feature"), *node.findall("model"), *node.findall("vendor")]:
            node.remove(gone)
        for name in ("migratable", "check"):
            node.attrib.pop(name, None)
        node.set("mode", value)
        node.set("_special", value)
    elif value in CPU_MODES:
        node.set("_special", value)
        if value in ("hv-default", "clear"):
            secure = node.get("_secure")
            node[:] = []
            node.attrib.clear()
            node.attrib.update({"_special": value, "_pad": "yes"} | ({"_secure": secure} if secure else {}))
    else:
        node.attrib.pop("migratable", None)
        if value:
            node.set("mode", "custom")
            node.set("match", node.get("match") or "exact")
            node.set("_secured", "yes")
        tree.put(node, "model", value or None)


def boot_order_words(node: tree.Node, key: str, value: str | None, domain: tree.Node) -> None:
    for old in node.findall("boot"):
        node.remove(old)
    for word in (value or "").split(","):
        tree.ET.SubElement(node, "boot", {"dev": word})


def boot_uefi(node: tree.Node, key: str, value: str | None, domain: tree.Node) -> None:
    domain.set("_uefi", "yes")


def initargs(node: tree.Node, key: str, value: str | None, domain: tree.Node) -> None:
    import shlex

    for old in node.findall("initarg"):
        node.remove(old)
    for word in shlex.split(value or ""):
        tree.ET.SubElement(node, "initarg").text = word


def timer(node: tree.Node, key: str, value: str | None, domain: tree.Node) -> None:
    name, _, what = key.partition("_")
    if what == "tickpolicy" and name not in ("pit", "rtc"):
        return
    found = next((t for t in node.findall("timer") if t.get("name") == name), None)
    here = found if found is not None else tree.ET.SubElement(node, "timer", {"name": name})
    if what == "present":
        said = grammar.switch(key, value)
        tree.put(here, "@present", None if said is None else "yes" if said else "no")
    else:
        tree.put(here, f"@{what}", value or None)


def feature(name: str) -> Handler:
    """A feature that stands or not; turned off, no default puts it there."""

    def handler(node: tree.Node, key: str, value: str | None, domain: tree.Node) -> None:
        said = grammar.switch(key, value)
        if said:
            tree.find(node, name, make=True)
        else:
            tree.put(node, name, None)
            if said is False:
                node.set(f"_{name}_off", "yes")

    return handler


def sysinfo(node: tree.Node, key: str, value: str | None, domain: tree.Node) -> None:
    """``bios.vendor`` is ``<bios><entry name='vendor'>``."""
    group, _, name = key.replace("_", ".", 1).partition(".")
    place = tree.find(node, group, make=True)
    assert place is not None
    entry = next((e for e in place.findall("entry") if e.get("name") == name), None)
    if entry is None:
        entry = tree.ET.SubElement(place, "entry", {"name": name})
    entry.text = value or ""
    if (group, name) == ("system", "uuid"):
        tree.put(domain, "uuid", value)


def qemu(node: tree.Node, key: str, value: str | None, domain: tree.Node) -> None:
    import shlex

    space = node.tag.partition("}")[0] + "}"
    if key == "env":
        name, eq, text = (value or "").partition("=")
        if not eq:
            raise OptionError(f"env must be NAME=VALUE, not '{value}'")
        tree.ET.SubElement(node, f"{space}env", {"name": name, "value": text})
        return
    for word in shlex.split(value or ""):
        tree.ET.SubElement(node, f"{space}arg", {"value": word})
