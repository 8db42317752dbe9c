"""Network interfaces in QEMU's form: the host's side (``-netdev``) and the card (``-device``)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from kvasir.errors import ConfigUnsupported
from kvasir.qemu.args import Arg, Chardev, Dev, Netdev, Opt

from .virtio_options import SUFFIX, props, transport

TAPS = ("network", "bridge", "ethernet", "direct")
MAX_FORWARDS = 1024


def interface(net: Any, vm: Any) -> Iterator[Arg]:
    """The host's side, then the card."""
    if net.actual_type == "hostdev":
        yield from _hostdev(net)
        return
    yield from backend(net, vm)
    if not vm.is_x86:
        from kvasir.qemu.boards import legacy_nic

        if soldered := legacy_nic(vm, net):
            yield soldered
            return
    yield device(net, vm)


def _id(net: Any) -> str:
    return f"host{net.alias}"


def backend(net: Any, vm: Any) -> Iterator[Arg]:
    """The ``-netdev``, with the chardev or descriptor set that it stands on."""
    if net.type == "null":
        return
    if net.type in TAPS:
        yield _tap(net, vm)
        return
    maker = BACKENDS.get(net.type)
    if maker is None:
        raise ConfigUnsupported(f"Network device type '{net.type}' is not supported by this hypervisor")
    yield from maker(net, vm)


def fd_count(net: Any, vm: Any) -> int:
    """How many tap (and vhost) descriptors the card has: one for each queue."""
    return (net.queues or 1) if net.is_virtio else 1


def uses_vhost(net: Any, vm: Any) -> bool:
    """Whether the kernel moves the packets: KVM guests with a virtio card, unless the document says qemu."""
    return bool(net.is_virtio and vm.virt_type == "kvm" and net.driver_name != "qemu" and net.type in TAPS)


def fd_names(net: Any, count: int, prefix: str = "") -> list[str]:
    """The names under which the driver passes the descriptors (``net0``, ``net0-1``; ``vhost-net0``)."""
    return [f"{prefix}{net.alias}" + (f"-{i}" if i else "") for i in range(count)]


def _tap(net: Any, vm: Any) -> Netdev:
    names = fd_names(net, fd_count(net, vm))
    fds = [str(vm.fds[name]) for name in names if name in vm.fds] or ["24"]
    props: dict[str, Any] = {"fd": fds[0]} if len(fds) == 1 else {"fds": ":".join(fds)}
    if uses_vhost(net, vm):
        hosts = [str(vm.fds[name]) for name in fd_names(net, len(fds), "vhost-") if name in vm.fds]
        if hosts:
            props["vhost"] = True
            props |= {"vhostfd": hosts[0]} if len(hosts) == 1 else {"vhostfds": ":".join(hosts)}
    if net.sndbuf is not None:
        props["sndbuf"] = net.sndbuf
    return Netdev("tap", {**props, "id": _id(net)})


def _user(net: Any, vm: Any) -> Iterator[Arg]:
    if net.backend_type == "passt":
        path = vm.facts.get(f"passt-{net.alias}") or f"/run/libvirt/qemu/passt/{vm.name}-{net.alias}.socket"
        yield Netdev("stream", {"addr": {"type": "unix", "path": path}, "server": False, "id": _id(net)})
        return
    props: dict[str, Any] = {"hostfwd": _forwards(net) or None}
    for ip in net.ips:
        if ip.family == "ipv6":
            props |= {"ipv6-prefix": ip.address, "ipv6-prefixlen": ip.prefix or None}
        else:
            props["net"] = f"{ip.address}/{ip.prefix}" if ip.prefix else ip.address
    yield Netdev("user", {**props, "id": _id(net)})


def _forwards(net: Any) -> list[dict[str, str]]:
    """``<portForward>`` for QEMU's own network stack: one rule for each port."""
    found = []
    for forward in net.port_forwards:
        for one in forward.ranges:
            for port in range(one.start or 0, (one.end or one.start or 0) + 1):
                if one.exclude:
                    continue
                inside = (one.to or one.start) + port - one.start
                found.append({"str": f"{forward.proto or 'tcp'}:{forward.address or ''}:{port}-:{inside}"})
    return found[:MAX_FORWARDS]


def _socket(key: str) -> Any:
    def make(net: Any, vm: Any) -> Iterator[Arg]:
        source = net.source
        props = {key: f"{source.address or ''}:{source.port}"}
        if key == "udp":
            props["localaddr"] = f"{source.local_address}:{source.local_port}"
        yield Netdev("socket", {**props, "id": _id(net)})

    return make


def _vhost_user(net: Any, vm: Any) -> Iterator[Arg]:
    source, name = net.source, f"char{net.alias}"
    opts: dict[str, Any] = {"path": source.path}
    if source.mode == "server":
        opts["server"] = True
    elif source.reconnect is not None:
        opts["reconnect"] = source.reconnect_timeout if source.reconnect else 0
    data = {"addr": {"type": "unix", "data": {"path": source.path}}, "server": source.mode == "server"}
    if "reconnect" in opts:
        data["reconnect"] = opts["reconnect"]
    yield Chardev("socket", name, opts, {"type": "socket", "data": data})
    queues = net.queues if net.queues and net.queues > 1 else None
    yield Netdev("vhost-user", {"chardev": name, "queues": queues, "id": _id(net)})


def _vdpa(net: Any, vm: Any) -> Iterator[Arg]:
    name = f"vdpa-{net.alias}"
    if name in vm.fds:
        number = sorted(key for key in vm.fds if key.startswith("vdpa-")).index(name)
        yield Opt("-add-fd", f"set={number},fd={vm.fd(name)},opaque={net.source.dev}")
        yield Netdev("vhost-vdpa", {"vhostdev": f"/dev/fdset/{number}", "id": _id(net)})
    else:
        yield Netdev("vhost-vdpa", {"vhostdev": net.source.dev, "id": _id(net)})


BACKENDS: dict[str, Any] = {
    "user": _user, "server": _socket("listen"), "client": _socket("connect"), "mcast": _socket("mcast"),
    "udp": _socket("udp"), "vhostuser": _vhost_user, "vdpa": _vdpa,
}  # fmt: skip


def device(net: Any, vm: Any) -> Dev:
    """The card. Bus, slot, boot index and ROM are added by ``args_of``."""
    props: dict[str, Any] = {}
    driver = net.model
    if net.is_virtio:
        driver = f"virtio-net-{transport(net)}{SUFFIX.get(net.model, '')}"
        props = _virtio(net, vm)
    props |= {"netdev": None if net.type == "null" else _id(net), "id": net.alias, "mac": net.mac}
    return Dev(driver, props)


def _virtio(net: Any, vm: Any) -> dict[str, Any]:
    count = fd_count(net, vm)
    many = count > 1 and (net.type in ("vhostuser", "vdpa") or uses_vhost(net, vm))
    return {
        **props(net),
        "tx": {"iothread": "bh", "timer": "timer"}.get(net.txmode or ""),
        "ioeventfd": net.ioeventfd,
        "event_idx": net.event_idx,
        "csum": net.host_csum,
        "gso": net.host_gso,
        "host_tso4": net.host_tso4,
        "host_tso6": net.host_tso6,
        "host_ecn": net.host_ecn,
        "host_ufo": net.host_ufo,
        "mrg_rxbuf": net.host_mrg_rxbuf,
        "guest_csum": net.guest_csum,
        "guest_tso4": net.guest_tso4,
        "guest_tso6": net.guest_tso6,
        "guest_ecn": net.guest_ecn,
        "guest_ufo": net.guest_ufo,
        "mq": True if many else None,
        "vectors": 2 * count + 2 if many else None,
        "rx_queue_size": net.rx_queue_size,
        "tx_queue_size": net.tx_queue_size,
        "rss": net.rss,
        "hash": net.rss_hash_report,
        "host_mtu": net.mtu,
        "failover": True if net.teaming == "persistent" else None,
    }


def _hostdev(net: Any) -> Iterator[Arg]:
    address = (net.actual.source if net.actual is not None else net.source).address
    if address.type == "usb":
        yield Dev("usb-host", {"hostbus": address.bus, "hostaddr": address.device, "id": net.alias})
        return
    where = f"{address.domain:04x}:{address.bus:02x}:{address.slot:02x}.{address.function}"
    partner = net.teaming_persistent if net.teaming == "transient" else None
    yield Dev("vfio-pci", {"host": where, "id": net.alias, "failover_pair_id": partner})
