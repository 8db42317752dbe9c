"""What sub-options of devices do that are more than a value at a path."""

from __future__ import annotations

from . import grammar, tree
from .grammar import OptionError
from .handlers import Handler


def rng_backend(node: tree.Node, key: str, value: str | None, domain: tree.Node) -> None:
    tree.put(node, "backend", value or None)
    if value and tree.get(node, "backend/@model") is None:
        tree.put(node, "backend/@model", "random")


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


LEAST_PORT = 5900


def port(name: str) -> Handler:
    """A display's port; whether the daemon chooses it follows from it."""

    def handler(node: tree.Node, key: str, value: str | None, domain: tree.Node) -> None:
        number = grammar.whole(key, value) if value else None
        if number is not None and number < LEAST_PORT and number != -1:
            words = "TLS Port" if name == "tlsPort" else "Port"
            raise OptionError(f"{words} must be above {LEAST_PORT}, or -1 for auto allocation")
        tree.put(node, f"@{name}", None if number is None else str(number))
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


FILESYSTEM_SOURCE = {"template": "name", "file": "file", "block": "dev", "ram": "usage", "bind": "dir", "mount": "dir"}


def filesystem_source(node: tree.Node, key: str, value: str | None, domain: tree.Node) -> None:
    tree.put(node, f"source/@{FILESYSTEM_SOURCE.get(node.get('type') or 'mount', 'dir')}", value or None)


def source_of(node: tree.Node) -> str | None:
    """The path that a disk or file system is made of."""
    source = node.find("source")
    if source is None:
        return None
    return next((v for a in ("file", "dev", "dir", "name", "volume") if (v := source.get(a))), None)


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
