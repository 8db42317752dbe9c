"""Character devices in QEMU's form: the backend (``-chardev``) and the port that uses it (``-device``)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from kvasir.errors import ConfigUnsupported
from kvasir.qemu import tls
from kvasir.qemu.args import Arg, Chardev, Dev, Netdev, Opt

from .address import IsaAddress
from .chardev_host import channel_path


def chardev(device: Any, vm: Any) -> Iterator[Arg]:
    """The backend, then the port."""
    if device.TAG == "channel" and device.target_type == "xen":
        return
    name = f"char{device.alias}"
    if device.type == "tcp" and device.source.tls:
        server = device.source.mode == "bind"
        yield from tls.credentials(vm, f"obj{name}_tls0", "chardev", server=server, secret_name=f"{name}-secret0")
    made = backend(vm, device.type, device.source, name, alias=device.alias)
    if device.type == "unix" and "path" not in made.opts and "fd" not in made.opts:
        made.opts = {"path": channel_path(device, vm), "server": True, "wait": False}
    yield made
    if not vm.is_x86:
        from kvasir.qemu.boards import is_platform_port

        if is_platform_port(vm, device):
            yield Opt("-serial", f"chardev:{name}")
            return
    yield PORTS[device.TAG](device, vm)


def backend(vm: Any, kind: str, source: Any, name: str, alias: str = "") -> Chardev:
    """The ``-chardev`` of a backend; used by every device that has one. Raises ConfigUnsupported for what QEMU lacks."""
    maker = BACKENDS.get(kind)
    if maker is None:
        raise ConfigUnsupported(f"unsupported chardev '{kind}'")
    made: Chardev = maker(source, vm, name, alias)
    if source.log is not None:
        made.opts |= log_options(vm, source, name)
    return made


def log_options(vm: Any, source: Any, name: str) -> dict[str, Any]:
    """Where the backend's output is logged; through a descriptor where the driver opened one."""
    if f"log-{name}" in vm.fds:
        return {"logfile": f"/dev/fd/{vm.fd(f'log-{name}')}", "logappend": True}
    options: dict[str, Any] = {"logfile": source.log}
    if source.log_append is not None:
        options["logappend"] = source.log_append
    return options


def _qmp(kind: str, data: dict[str, Any]) -> dict[str, Any]:
    return {"type": kind, "data": {key: value for key, value in data.items() if value is not None}}


def _plain(kind: str) -> Any:
    def make(source: Any, vm: Any, name: str, alias: str) -> Chardev:
        return Chardev(kind, name, {}, _qmp(kind, {}))

    return make


def _file(source: Any, vm: Any, name: str, alias: str) -> Chardev:
    return Chardev("file", name, {"path": source.path, "append": source.append}, _qmp("file", {"out": source.path, "append": source.append}))  # fmt: skip


def _device(kind: str) -> Any:
    def make(source: Any, vm: Any, name: str, alias: str) -> Chardev:
        chosen = "parallel" if kind == "serial" and alias.startswith("parallel") else kind
        return Chardev(chosen, name, {"path": source.path}, _qmp(chosen, {"device": source.path}))

    return make


def _udp(source: Any, vm: Any, name: str, alias: str) -> Chardev:
    peer, local = source.end("connect"), source.end("bind")
    options = {
        "host": (peer.host if peer else None) or "",
        "port": peer.service if peer else None,
        "localaddr": (local.host if local else None) or "",
        "localport": (local.service if local else None) or "0",
    }
    remote = {"type": "inet", "data": {"host": options["host"], "port": options["port"]}}
    here = {"type": "inet", "data": {"host": options["localaddr"], "port": options["localport"]}}
    return Chardev("udp", name, options, _qmp("udp", {"remote": remote, "local": here}))


def _tcp(source: Any, vm: Any, name: str, alias: str) -> Chardev:
    server = source.mode == "bind"
    telnet = True if source.protocol == "telnet" else None
    options: dict[str, Any] = {"host": source.host, "port": source.service, "telnet": telnet}
    reconnect = _reconnect(source)
    if server:
        options |= {"server": True, "wait": False}
    else:
        options |= {"reconnect": reconnect}
    if source.tls:
        options["tls-creds"] = f"obj{name}_tls0"
    address = {"type": "inet", "data": {"host": source.host, "port": source.service}}
    data = {"addr": address, "telnet": bool(telnet), "server": server, "wait": False if server else None,
            "reconnect": None if server else reconnect}  # fmt: skip
    return Chardev("socket", name, options, _qmp("socket", data))


def _reconnect(source: Any) -> int | None:
    if source.reconnect is None:
        return None
    return int(source.reconnect_timeout or 0) if source.reconnect else 0


def _unix(source: Any, vm: Any, name: str, alias: str) -> Chardev:
    server = source.mode == "bind"
    options: dict[str, Any] = {}
    if name in vm.fds:
        options["fd"] = vm.fd(name)
    else:
        options["path"] = source.path
    if server:
        options |= {"server": True, "wait": False}
    else:
        options["reconnect"] = _reconnect(source)
    where = {"type": "unix", "data": {"path": source.path}}
    if name in vm.fds:
        where = {"type": "fd", "data": {"str": str(vm.fd(name))}}
    data = {"addr": where, "server": server, "wait": False if server else None,
            "reconnect": options.get("reconnect")}  # fmt: skip
    return Chardev("socket", name, options, _qmp("socket", data))


def _spicevmc(source: Any, vm: Any, name: str, alias: str) -> Chardev:
    _needs_spice(vm, "spicevmc")
    kind = "usbredir" if alias.startswith("redir") else "smartcard" if alias.startswith("smartcard") else "vdagent"
    return Chardev("spicevmc", name, {"name": kind}, _qmp("spicevmc", {"type": kind}))


def _spiceport(source: Any, vm: Any, name: str, alias: str) -> Chardev:
    _needs_spice(vm, "spiceport")
    return Chardev("spiceport", name, {"name": source.channel}, _qmp("spiceport", {"fqdn": source.channel}))


def _needs_spice(vm: Any, kind: str) -> None:
    if not any(graphics.type == "spice" for graphics in getattr(vm.domain, "graphics", [])):
        raise ConfigUnsupported(f"chardev '{kind}' not supported without spice graphics")


def _vdagent(source: Any, vm: Any, name: str, alias: str) -> Chardev:
    mouse = None if source.mouse is None else source.mouse == "client"
    return Chardev("qemu-vdagent", name, {"name": "vdagent", "clipboard": source.clipboard, "mouse": mouse},
                   _qmp("qemu-vdagent", {"clipboard": source.clipboard, "mouse": mouse}))  # fmt: skip


def _dbus(source: Any, vm: Any, name: str, alias: str) -> Chardev:
    return Chardev("dbus", name, {"name": source.channel}, _qmp("dbus", {"name": source.channel}))


BACKENDS: dict[str, Any] = {
    "null": _plain("null"), "vc": _plain("vc"), "pty": _plain("pty"), "stdio": _plain("stdio"), "file": _file,
    "dev": _device("serial"), "pipe": _device("pipe"), "udp": _udp, "tcp": _tcp, "unix": _unix, "spicevmc": _spicevmc,
    "spiceport": _spiceport, "qemu-vdagent": _vdagent, "dbus": _dbus,
}  # fmt: skip


def _serial(device: Any, vm: Any) -> Dev:
    name = device.model or "isa-serial"
    props: dict[str, Any] = {"chardev": f"char{device.alias}", "id": device.alias}
    if name == "isa-serial":
        props["index"] = device.port
    if isinstance(device.address, IsaAddress):
        props |= {"iobase": device.address.iobase, "irq": device.address.irq}
    return Dev(name, props)


def _parallel(device: Any, vm: Any) -> Dev:
    return Dev("isa-parallel", {"chardev": f"char{device.alias}", "id": device.alias})


def _console(device: Any, vm: Any) -> Dev:
    if device.target_type == "virtio":
        return Dev("virtconsole", {"chardev": f"char{device.alias}", "id": device.alias})
    if device.target_type in ("sclp", "sclplm"):
        return Dev(f"{device.target_type}console", {"chardev": f"char{device.alias}", "id": device.alias})
    raise ConfigUnsupported(f"unsupported console target type {device.target_type}")


def _channel(device: Any, vm: Any) -> Arg:
    if device.target_type == "guestfwd":
        rule = f"tcp:{_bracket(device.target_address)}:{device.target_port}-chardev:char{device.alias}"
        return Netdev("user", {"guestfwd": [{"str": rule}], "id": device.alias})
    name = device.name
    if name is None and device.type in ("spicevmc", "qemu-vdagent"):
        name = "com.redhat.spice.0"
    return Dev("virtserialport", {"chardev": f"char{device.alias}", "id": device.alias, "name": name})


def _bracket(address: str) -> str:
    return f"[{address}]" if ":" in address else address


PORTS: dict[str, Any] = {"serial": _serial, "parallel": _parallel, "console": _console, "channel": _channel}
