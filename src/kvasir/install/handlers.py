"""What sub-options of ``virt-install`` do that are more than a value at a path."""

from __future__ import annotations

from collections.abc import Callable

from . import tree

Handler = Callable[[tree.Node, str, str | None, tree.Node], None]


def on(value: str | None) -> bool:
    return value is None or value.lower() in ("yes", "on", "true", "1", "y")


def note(node: tree.Node, key: str, value: str | None, domain: tree.Node) -> None:
    """Remember a word for the installer; such attributes are taken off before the document is used."""
    node.set(f"_{key.replace('.', '_')}", value if value is not None else "yes")


def put(path: str) -> Handler:
    def handler(node: tree.Node, key: str, value: str | None, domain: tree.Node) -> None:
        tree.put(node, path, value)

    return handler


def feature_prefix(node: tree.Node, key: str, value: str | None, domain: tree.Node) -> None:
    sign, name = key[0], key[1:]
    cpu_feature(node, "force" if sign == "+" else "disable", name)


def cpu_feature(node: tree.Node, policy: str, name: str) -> None:
    if node.find("model") is not None and node.get("mode") is None:
        node.set("mode", "custom")
    tree.ET.SubElement(node, "feature", {"policy": policy, "name": name})


def cpu_policy(node: tree.Node, key: str, value: str | None, domain: tree.Node) -> None:
    cpu_feature(node, key, value or "")


def cpu_model(node: tree.Node, key: str, value: str | None, domain: tree.Node) -> None:
    if value in ("host", "host-passthrough", "host-model", "maximum"):
        node.set("mode", "host-passthrough" if value == "host" else value)
        return
    if value in ("none", "hv-default", "clear", "default"):
        node.set("_special", value)
        return
    node.set("mode", "custom")
    node.set("match", node.get("match") or "exact")
    tree.put(node, "model", value)


def boot_device(node: tree.Node, key: str, value: str | None, domain: tree.Node) -> None:
    os = tree.find(domain, "os", make=True)
    assert os is not None
    for word in (value or key).split(","):
        tree.ET.SubElement(os, "boot", {"dev": word})


def boot_uefi(node: tree.Node, key: str, value: str | None, domain: tree.Node) -> None:
    if on(value):
        node.set("firmware", "efi")


def network_type(node: tree.Node, key: str, value: str | None, domain: tree.Node) -> None:
    if value == "default":
        node.set("type", "network")
        tree.put(node, "source/@network", "default")
    elif value:
        node.set("type", value)


def network_source(kind: str, attribute: str) -> Handler:
    def handler(node: tree.Node, key: str, value: str | None, domain: tree.Node) -> None:
        node.set("type", kind)
        tree.put(node, f"source/@{attribute}", value)

    return handler


def network_plain_source(node: tree.Node, key: str, value: str | None, domain: tree.Node) -> None:
    name = {"network": "network", "bridge": "bridge", "direct": "dev"}.get(node.get("type") or "", "dev")
    tree.put(node, f"source/@{name}", value)


def mac(node: tree.Node, key: str, value: str | None, domain: tree.Node) -> None:
    if value and value.upper() != "RANDOM":
        tree.put(node, "mac/@address", value)


def listen(node: tree.Node, key: str, value: str | None, domain: tree.Node) -> None:
    if value in ("none", "socket"):
        tree.ET.SubElement(node, "listen", {"type": value})
    elif value:
        node.set("listen", {"any": "0.0.0.0", "localhost": "127.0.0.1", "localhostv6": "::1"}.get(value, value))


def rng_model(node: tree.Node, key: str, value: str | None, domain: tree.Node) -> None:
    if value and value.startswith("/"):
        tree.put(node, "backend/@model", "random")
        tree.put(node, "backend", value)
    else:
        tree.put(node, "backend/@model", value)


def tpm_type(node: tree.Node, key: str, value: str | None, domain: tree.Node) -> None:
    if value == "default":
        return
    if value and value.startswith("/"):
        tree.put(node, "backend/@type", "passthrough")
        tree.put(node, "backend/device/@path", value)
    else:
        tree.put(node, "backend/@type", value)


def hostdev(node: tree.Node, key: str, value: str | None, domain: tree.Node) -> None:
    from .hostdev import fill

    fill(node, value or "")


def controller_type(node: tree.Node, key: str, value: str | None, domain: tree.Node) -> None:
    if value in ("usb2", "usb3"):
        node.set("type", "usb")
        node.set("model", {"usb2": "ich9-ehci1", "usb3": "qemu-xhci"}[value])
        if value == "usb2":
            devices = tree.find(domain, "devices")
            assert devices is not None
            for i, port in enumerate((0, 2, 4), 1):
                more = tree.ET.SubElement(devices, "controller", {"type": "usb", "model": f"ich9-uhci{i}"})
                tree.put(more, "master/@startport", str(port))
        else:
            node.set("ports", "15")
    elif value:
        node.set("type", value)


def sizes(node: tree.Node, key: str, value: str | None, domain: tree.Node) -> None:
    """Memory in MiB as the option has it, in KiB as the document has it."""
    try:
        kib = str(int(float(value or "") * 1024))
    except ValueError:
        from .options import OptionError

        raise OptionError(f"Error: --memory {key}={value}: {key} must be a number of MiB") from None
    name = {"memory": "_memory", "currentMemory": "_currentMemory", "maxmemory": "_maxmemory"}.get(key)
    if name:
        domain.set(name, kib)
    elif key == "hotplugmemorymax":
        tree.put(domain, "maxMemory", kib)
    else:
        tree.put(domain, "maxMemory/@slots", value)


def slots(node: tree.Node, key: str, value: str | None, domain: tree.Node) -> None:
    tree.put(domain, "maxMemory/@slots", value)


def timer(node: tree.Node, key: str, value: str | None, domain: tree.Node) -> None:
    name, _, what = key.partition("_")
    found = next((t for t in node.findall("timer") if t.get("name") == name), None)
    timer = found if found is not None else tree.ET.SubElement(node, "timer", {"name": name})
    timer.set(what, ("yes" if on(value) else "no") if what == "present" else value or "")


def sysinfo(node: tree.Node, key: str, value: str | None, domain: tree.Node) -> None:
    """``bios.vendor`` is ``<bios><entry name='vendor'>``; baseBoard may be numbered."""
    group, _, name = key.replace("_", ".", 1).partition(".")
    place = tree.find(node, group.rstrip("0123456789"), make=True)
    assert place is not None
    tree.ET.SubElement(place, "entry", {"name": name}).text = value or ""


def filesystem_source(node: tree.Node, key: str, value: str | None, domain: tree.Node) -> None:
    kind = node.get("type") or "mount"
    tree.put(
        node,
        f"source/@{ {'template': 'name', 'file': 'file', 'block': 'dev', 'ram': 'usage'}.get(kind, 'dir') }",
        value,
    )


def qemu(node: tree.Node, key: str, value: str | None, domain: tree.Node) -> None:
    import shlex

    node.tag = "{http://libvirt.org/schemas/domain/qemu/1.0}commandline"
    for word in shlex.split(key if value is None else f"{key}={value}"):
        tree.ET.SubElement(node, "{http://libvirt.org/schemas/domain/qemu/1.0}arg", {"value": word})


def char_host(node: tree.Node, key: str, value: str | None, domain: tree.Node) -> None:
    host, _, port = (value or "").rpartition(":") if ":" in (value or "") else (value or "", "", "")
    tree.put(node, "source/@host", host or "0.0.0.0")
    if port:
        tree.put(node, "source/@service", port)
    if node.find("source") is not None and tree.get(node, "source/@mode") is None:
        tree.put(node, "source/@mode", "connect")
