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


def rng_backend(node: tree.Node, key: str, value: str | None, domain: tree.Node) -> None:
    tree.put(node, "backend", value or None)
    if value and tree.get(node, "backend/@model") is None:
        tree.put(node, "backend/@model", "random")


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


def boot_order(node: tree.Node, key: str, value: str | None, domain: tree.Node) -> None:
    """The device's place in the boot order; another that holds the same place moves on by one."""
    if not value:
        tree.put(node, "boot", None)
        return
    wanted = grammar.whole(key, value)
    os_node = domain.find("os")
    if os_node is not None:  # the two kinds of order exclude each other
        for old in os_node.findall("boot"):
            tree.remove(os_node, old)
    tree.put(node, "boot/@order", str(wanted))
    others = {tree.get(d, "boot/@order"): d for d in domain.findall("devices/*") if d is not node}
    while (other := others.pop(str(wanted), None)) is not None:
        wanted += 1
        others_next = others.get(str(wanted))
        tree.put(other, "boot/@order", str(wanted))
        if others_next is None:
            break


def network_type(node: tree.Node, key: str, value: str | None, domain: tree.Node) -> None:
    if value == "default":
        node.set("_default_source", "yes")
    elif value and value not in INTERFACE_TYPES and _is_bridge(value):
        node.set("type", "bridge")
        tree.put(node, "source/@bridge", value)
    else:
        tree.put(node, "@type", value or None)


INTERFACE_TYPES = (
    "bridge",
    "network",
    "user",
    "ethernet",
    "direct",
    "hostdev",
    "vhostuser",
    "internal",
    "mcast",
    "server",
    "client",
    "udp",
    "vdpa",
)


def _is_bridge(name: str) -> bool:
    """Whether the host has a bridge of that name: ``--network br0`` is a courtesy for ``bridge=br0``."""
    import os

    return "/" not in name and os.path.isdir(f"/sys/class/net/{name}/bridge")


NETWORK_SOURCE = {"network": "network", "bridge": "bridge", "direct": "dev", "hostdev": ""}


def network_source(node: tree.Node, key: str, value: str | None, domain: tree.Node) -> None:
    name = NETWORK_SOURCE.get(node.get("type") or "bridge", "")
    source = node.find("source")
    if source is not None:
        for other in ("network", "bridge", "dev"):
            source.attrib.pop(other, None)
    if name:
        tree.put(node, f"source/@{name}", value or None)


def network_source_of(node: tree.Node) -> str | None:
    source = node.find("source")
    if source is None:
        return None
    return next((v for a in ("network", "bridge", "dev") if (v := source.get(a))), None)


def mac(node: tree.Node, key: str, value: str | None, domain: tree.Node) -> None:
    if value != "RANDOM":
        tree.put(node, "mac/@address", value or None)


def link(node: tree.Node, key: str, value: str | None, domain: tree.Node) -> None:
    low = (value or "").lower()
    word = "up" if low in grammar.TRUE else "down" if low in grammar.FALSE else value
    tree.put(node, "link/@state", word or None)


def graphics_type(node: tree.Node, key: str, value: str | None, domain: tree.Node) -> None:
    if value != "default":
        tree.put(node, "@type", value or None)


def port(name: str) -> Handler:
    """A display's port; whether the daemon chooses it follows from it."""

    def handler(node: tree.Node, key: str, value: str | None, domain: tree.Node) -> None:
        tree.put(node, f"@{name}", str(grammar.whole(key, value)) if value else None)
        node.attrib.pop("autoport", None)
        if node.get("type") == "spice" and node.get("port") == "-1" and node.get("tlsPort") == "-1":
            node.set("autoport", "yes")

    return handler


def on_off(path: str) -> Handler:
    def handler(node: tree.Node, key: str, value: str | None, domain: tree.Node) -> None:
        said = grammar.switch(key, value)
        tree.put(node, path, None if said is None else "on" if said else "off")

    return handler


def number(path: str) -> Handler:
    """A whole number at a path."""

    def handler(node: tree.Node, key: str, value: str | None, domain: tree.Node) -> None:
        tree.put(node, path, str(grammar.whole(key, value)) if value else None)

    return handler


def listen(node: tree.Node, key: str, value: str | None, domain: tree.Node) -> None:
    for old in node.findall("listen"):
        node.remove(old)
    node.attrib.pop("listen", None)
    if value in ("none", "socket"):
        node.attrib.pop("port", None)
        node.attrib.pop("tlsPort", None)
        node.attrib.pop("autoport", None)
        tree.ET.SubElement(node, "listen", {"type": value})
    elif value:
        node.set("listen", value)


def keymap(node: tree.Node, key: str, value: str | None, domain: tree.Node) -> None:
    tree.put(node, "@keymap", None if (value or "").lower() in ("", "local", "none") else value)


def hostdev(node: tree.Node, key: str, value: str | None, domain: tree.Node) -> None:
    node.set("_name", value or "")


def pci_address(node: tree.Node, key: str, value: str | None, domain: tree.Node) -> None:
    """``[domain:]bus:slot.function``."""
    text = value or ""
    if text.count(":") not in (1, 2) or "." not in text:
        raise OptionError(f"Expected PCI format string for '{text}'")
    head, _, function = text.partition(".")
    head, _, slot = head.rpartition(":")
    words = {"type": "pci", "domain": "0", "slot": slot, "function": function}
    if ":" in head:
        words["domain"], words["bus"] = head.split(":", 1)
    for name, word in words.items():
        tree.put(node, f"address/@{name}", word)


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


FILESYSTEM_SOURCE = {"template": "name", "file": "file", "block": "dev", "ram": "usage", "bind": "dir", "mount": "dir"}


def filesystem_source(node: tree.Node, key: str, value: str | None, domain: tree.Node) -> None:
    tree.put(node, f"source/@{FILESYSTEM_SOURCE.get(node.get('type') or 'mount', 'dir')}", value or None)


def source_of(node: tree.Node) -> str | None:
    """The path that a disk or file system is made of."""
    source = node.find("source")
    if source is None:
        return None
    return next((v for a in ("file", "dev", "dir", "name", "volume") if (v := source.get(a))), None)


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


def char_host(mode: str, below: str = "") -> Handler:
    """``host[:port]`` of a character device's source, for one mode or for the only source."""

    def handler(node: tree.Node, key: str, value: str | None, domain: tree.Node) -> None:
        source = f"{below}source[@mode={mode}]" if mode else f"{below}source"
        host, port = _host(value or "")
        tree.put(node, f"{source}/@host", host)
        if port:
            tree.put(node, f"{source}/@service", port)

    return handler


def _host(text: str) -> tuple[str | None, str]:
    host, _, port = text.partition(":")
    return host or ("127.0.0.1" if port else None), port


def char_old_host(node: tree.Node, key: str, value: str | None, domain: tree.Node) -> None:
    binds = tree.get(node, "source/@mode") == "bind" and tree.get(node, "source/@host") is None
    char_host("bind" if binds else "connect")(node, key, value, domain)


def char_target(node: tree.Node, key: str, value: str | None, domain: tree.Node) -> None:
    host, port = _host(value or "")
    tree.put(node, "target/@address", host)
    if port:
        tree.put(node, "target/@port", port)
