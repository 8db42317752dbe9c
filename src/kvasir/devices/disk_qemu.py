"""Disks in QEMU's form: the block nodes of a chain (``-blockdev``) and the device that shows it to the guest."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from kvasir.errors import ConfigUnsupported, InternalError
from kvasir.qemu import tls
from kvasir.qemu.args import Arg, Blockdev, Chardev, Dev, Obj, Opt, comma

from . import disk_secrets
from .disk_source import NodeName
from .virtio_options import SUFFIX, props, transport

CACHES = {"none": (True, False), "writeback": (False, False), "writethrough": (False, False), "directsync": (True, False),
          "unsafe": (False, True)}  # fmt: skip
"""Cache mode -> (direct, no-flush) of the block nodes."""
WRITE_CACHE = {"none": "on", "writeback": "on", "unsafe": "on", "writethrough": "off", "directsync": "off"}
UNLAYERED = ("raw", "luks", "vdi", "vpc", "dmg", "bochs", "cloop")
DRIVERS = {"vhd": "vhdx", "ploop": "parallels"}
VIRTIO_SCSI = ("virtio-scsi", "virtio-transitional", "virtio-non-transitional")


def number_nodes(vm: Any) -> None:
    """Number the block nodes of the guest, last disk first, as libvirt does; numbers that are there stay."""
    known = [source.index or 0 for disk in vm.domain.disks for source in layers(disk)]
    number = max(known, default=0)
    for disk in reversed(vm.domain.disks):
        number = _number(disk, number)


def _number(disk: Any, number: int) -> int:
    if disk.type == "vhostuser":
        return number
    for layer in (disk.source, *(disk.backing_store.chain() if disk.backing_store else ())):
        if layer.index is None:
            number += 1
            layer.index = number
        _name_nodes(layer if layer is disk.source else layer.source, layer.index)
    disk.qom = f"/machine/peripheral/{disk.alias}/virtio-backend" if disk.bus == "virtio" else disk.alias
    if disk.copy_on_read and not disk.empty:
        disk.nodenames = [NodeName(type="copyOnRead", name=f"libvirt-CoR-{disk.target}")]
    return number


def _name_nodes(source: Any, index: int) -> None:
    """Name the nodes in the status document, for whichever daemon takes the guest up."""
    if source.location() is not None or getattr(source, "protocol", None) is not None:
        words = ("storage", "format")
        source.nodenames = [NodeName(type=word, name=f"libvirt-{index}-{word}") for word in words]


def layers(disk: Any) -> list[Any]:
    """The objects that carry the node numbers: the top source, then the backing stores."""
    return [disk.source, *(disk.backing_store.chain() if disk.backing_store else ())]


def node_name(disk: Any) -> str | None:
    """The node that the device uses, or None for an empty drive and vhost-user."""
    if disk.empty or disk.type == "vhostuser":
        return None
    return f"libvirt-CoR-{disk.target}" if disk.copy_on_read else f"libvirt-{disk.source.index}-format"


def disk(disk: Any, vm: Any) -> Iterator[Arg]:
    """Everything that QEMU needs for the disk."""
    if disk.type == "vhostuser":
        yield from _vhost_user(disk)
        return
    if disk.source.index is None:
        number_nodes(vm)
    if disk.source.index is None:  # a disk that is plugged in later
        _number(disk, max((s.index or 0 for d in vm.domain.disks for s in layers(d)), default=0))
    if disk.bus == "sd":
        yield _sd_drive(disk)
        return
    if disk.share_backing:  # plugged in after the start, above an overlay
        return
    if not disk.empty:
        yield from blockdevs(disk, vm)
    yield device(disk, vm)


def _sd_drive(disk: Any) -> Opt:
    from kvasir.qemu.addresses.ports import disk_index

    readonly = ",readonly=on" if disk.readonly else ""
    where = comma(disk.location() or "")
    return Opt("-drive", f"file={where},format={disk.format},if=sd,index={disk_index(disk.target)}{readonly}")


def blockdevs(disk: Any, vm: Any) -> Iterator[Arg]:
    """The nodes of the chain, deepest first, and the copy-on-read filter above them."""
    chain = disk.backing_store.chain() if disk.backing_store else []
    ends = disk.backing_store is not None
    below: str | None = None
    for number, layer in reversed(list(enumerate(chain))):
        last = number == len(chain) - 1
        closed = layer.backing_store is not None
        yield from _layer(
            vm, disk, layer.source, layer.index, layer.format, layer.metadata_cache, True, below, last and closed
        )
        below = f"libvirt-{layer.index}-format"
    yield from _layer(vm, disk, disk.source, disk.source.index, disk.format, disk.metadata_cache, disk.readonly, below,
                      ends and not chain)  # fmt: skip
    if disk.copy_on_read:
        yield Blockdev("copy-on-read", {"node-name": f"libvirt-CoR-{disk.target}",
                                        "file": f"libvirt-{disk.source.index}-format", "discard": "unmap"})  # fmt: skip


def _layer(vm: Any, disk: Any, source: Any, index: int, format: str, metadata: int | None, readonly: bool, below: str | None,
           closed: bool) -> Iterator[Arg]:  # fmt: skip
    cache = cache_props(disk)
    top, source = source, getattr(source, "actual", None) or source
    storage = f"libvirt-{index}-storage"
    tail = {"auto-read-only": True, "discard": "unmap", "cache": cache}
    props = storage_props(source, disk.io)
    if props["driver"] == "gluster" and vm.caps.has("gluster.debug"):
        props["debug"] = getattr(vm.config, "gluster_debug_level", 4)
    format_secret = yield from disk_secrets.of(vm, disk, source, index, props)
    if source.reservations is not None and index is not None:
        props["pr-manager"] = name = "pr-helper0" if source.reservations.managed else f"pr-helper-{storage}"
        where = source.reservations.path or f"{vm.facts.get('lib', '')}/pr-helper0.sock"
        yield Obj("pr-manager-helper", {"id": name, "path": where})
    if getattr(source, "tls", None):
        name = f"obj{storage}_tls0"
        yield from tls.credentials(vm, name, source.protocol, server=False)
        props["tls-creds"] = name
    yield Blockdev(props.pop("driver"), {**props, "node-name": storage, **tail})
    driver = "raw" if format in (None, "raw", "fat", "iso", "dir", "none") else DRIVERS.get(format, format)
    piece = {"offset": source.slices[0].offset, "size": source.slices[0].size} if source.slices else {}
    if piece and driver != "raw":
        below_it, storage = storage, f"libvirt-{index}-slice-sto"
        yield Blockdev("raw", {"node-name": storage, **piece, "file": below_it, **tail})
        piece = {}
    zeroes = disk.detect_zeroes
    if zeroes == "unmap" and disk.discard != "unmap":
        zeroes = "on"
    node: dict[str, Any] = {
        "node-name": f"libvirt-{index}-format", "read-only": readonly, "discard": disk.discard,
        "detect-zeroes": zeroes if top is disk.source else None, "cache": cache, **piece,
    }  # fmt: skip
    if driver == "qcow2" and metadata:
        node["cache-size"] = metadata
    if format_secret is not None:
        driver = disk_secrets.add(driver, node, format_secret)
    node["file"] = storage
    if below is not None:
        node["backing"] = below
    blockdev = Blockdev(driver, node)
    if closed and below is None and driver not in UNLAYERED:
        blockdev.props["backing"] = None
    yield blockdev


def cache_mode(disk: Any) -> str | None:
    """The cache mode in force: shared disks that are written have none."""
    if disk.cache is None and disk.shareable and not disk.readonly:
        return "none"
    return str(disk.cache) if disk.cache is not None else None


def cache_props(disk: Any) -> dict[str, bool] | None:
    """The cache settings of every node of the disk."""
    mode = cache_mode(disk)
    if mode is None:
        return None
    direct, no_flush = CACHES[mode]
    return {"direct": direct, "no-flush": no_flush}


def storage_props(source: Any, io: str | None) -> dict[str, Any]:
    """The protocol node of a source, without its name."""
    kind = type(source).__name__
    if kind == "FileSource":
        return {"driver": "file", "filename": source.file, "aio": io}
    if kind == "BlockSource":
        return {"driver": "host_device", "filename": source.dev, "aio": io}
    if kind == "DirSource":
        return {"driver": "vvfat", "dir": source.dir, "floppy": False, "rw": False}
    if kind == "NvmeSource":
        return {"driver": "nvme", "device": source.location(), "namespace": source.namespace}
    if kind == "NetworkSource":
        maker = NETWORK.get(source.protocol)
        if maker is not None:
            props: dict[str, Any] = maker(source)
            return props
        word = "VxHS" if source.protocol == "vxhs" else f"'{source.protocol}'"
        raise ConfigUnsupported(f"{word} protocol is not supported with this QEMU binary")
    raise ConfigUnsupported("a volume of a storage pool must be resolved before it can be used")


def _server(host: Any) -> dict[str, Any]:
    if host.transport == "unix":
        return {"type": "unix", "path": host.socket}
    if host.transport not in (None, "tcp"):
        raise InternalError(f"transport protocol '{host.transport}' is not yet supported")
    return {"type": "inet", "host": host.name, "port": str(host.port or 0)}


def _host(source: Any) -> Any:
    """The only server of a protocol that has one. libvirt 9.0 dies of an iSCSI source without any."""
    many = source.protocol in ("iscsi", "http", "https", "ftp", "ftps", "nfs")
    if len(source.hosts) != 1 and not (many and source.hosts):
        raise InternalError(f"{source.protocol} protocol accepts only one host")
    return source.hosts[0]


def _bracket(name: str) -> str:
    return f"[{name}]" if ":" in name else name


def _nbd(source: Any) -> dict[str, Any]:
    return {
        "driver": "nbd",
        "server": _server(_host(source)),
        "export": source.name,
        "tls-hostname": source.tls_hostname,
    }


def _rbd(source: Any) -> dict[str, Any]:
    pool, _, image = source.name.partition("/")
    space = None
    if "/" in image:
        space, _, image = image.partition("/")
    servers = [{"host": host.name, "port": str(host.port or 0)} for host in source.hosts]
    return {"driver": "rbd", "pool": pool, "namespace": space, "image": image, "snapshot": source.snapshot,
            "conf": source.config, "server": servers or None}  # fmt: skip


def _iscsi(source: Any) -> dict[str, Any]:
    target, _, lun = source.name.partition("/")
    host = _host(source)
    return {"driver": "iscsi", "portal": f"{_bracket(host.name)}:{host.port}", "target": target, "lun": int(lun or 0),
            "transport": "iser" if host.transport == "rdma" else "tcp", "initiator-name": source.initiator}  # fmt: skip


def _curl(source: Any) -> dict[str, Any]:
    host = _host(source)
    query = f"?{source.query}" if source.query else ""
    path = source.name if source.name.startswith("/") else f"/{source.name}"
    url = f"{source.protocol}://{_bracket(host.name)}:{host.port}{path}{query}"
    return {"driver": source.protocol, "url": url, "sslverify": source.ssl_verify, "timeout": source.timeout,
            "readahead": source.readahead}  # fmt: skip


def _gluster(source: Any) -> dict[str, Any]:
    volume, _, path = source.name.partition("/")
    return {"driver": "gluster", "volume": volume, "path": path, "server": [_server(host) for host in source.hosts]}


def _ssh(source: Any) -> dict[str, Any]:
    host = _host(source)
    return {"driver": "ssh", "path": source.name, "server": {"host": host.name, "port": str(host.port)}}


def _sheepdog(source: Any) -> dict[str, Any]:
    return {"driver": "sheepdog", "server": _server(_host(source)), "vdi": source.name}


def _nfs(source: Any) -> dict[str, Any]:
    def number(word: str | None) -> int | None:
        return int(word.lstrip("+")) if word is not None and word.lstrip("+").isdigit() else None

    return {"driver": "nfs", "server": {"host": _host(source).name, "type": "inet"}, "path": source.name,
            "user": number(source.user), "group": number(source.group)}  # fmt: skip


NETWORK: dict[str, Any] = {
    "nbd": _nbd, "rbd": _rbd, "iscsi": _iscsi, "http": _curl, "https": _curl, "ftp": _curl, "ftps": _curl,
    "gluster": _gluster, "ssh": _ssh, "sheepdog": _sheepdog, "nfs": _nfs,
}  # fmt: skip


def device(disk: Any, vm: Any) -> Dev:
    """The ``-device`` of the disk. Bus and slot of virtio and USB disks are added by ``args_of``."""
    driver, place = BUSES[disk.bus](disk, vm)
    write, read = error_policies(disk)
    props: dict[str, Any] = {
        **place,
        "share-rw": True if disk.shareable else None,
        "drive": node_name(disk),
        "id": disk.alias,
        "logical_block_size": disk.logical_block_size,
        "physical_block_size": disk.physical_block_size,
        "wwn": int(disk.wwn, 16) if disk.wwn else None,
        "rotation_rate": disk.rotation_rate,
        "vendor": disk.vendor,
        "product": disk.product,
        "cyls": disk.cyls, "heads": disk.heads, "secs": disk.secs, "bios-chs-trans": disk.trans,
        "write-cache": WRITE_CACHE.get(cache_mode(disk) or "") if disk.device != "lun" else None,
        "serial": disk.serial.replace(" ", "\\ ") if disk.serial and (disk.device != "lun" or disk.bus == "virtio") else None,
        "werror": write,
        "rerror": read,
    }  # fmt: skip
    if disk.bus == "usb":
        props["removable"] = disk.removable is True
    return Dev(driver, props)


def error_policies(disk: Any) -> tuple[str | None, str | None]:
    """QEMU's words for what happens on write and on read errors."""
    if disk.error_policy == "enospace":
        return "enospc", disk.rerror_policy
    return disk.error_policy, disk.rerror_policy or disk.error_policy


def _virtio(disk: Any, vm: Any) -> tuple[str, dict[str, Any]]:
    return f"virtio-blk-{transport(disk)}{SUFFIX.get(disk.model or '', '')}", {
        **props(disk),
        "iothread": f"iothread{disk.iothread}" if disk.iothread else None,
        "ioeventfd": disk.ioeventfd,
        "event_idx": disk.event_idx,
        "num-queues": disk.queues,
        "queue-size": disk.queue_size,
        "scsi": True if disk.device == "lun" else None,
    }


def _ide(disk: Any, vm: Any) -> tuple[str, dict[str, Any]]:
    place = disk.address
    name = _controller(vm, disk.bus, place.controller)
    driver = "ide-cd" if disk.device == "cdrom" else "ide-hd"
    if disk.bus == "sata":
        return driver, {"bus": f"{name}.{place.unit or 0}"}
    return driver, {"bus": f"{name}.{place.bus or 0}", "unit": place.unit or 0}


def _controller(vm: Any, kind: str, index: int | None) -> str:
    for controller in vm.domain.controllers:
        if controller.type == kind and controller.index == (index or 0):
            return str(controller.alias or controller.alias_for(vm))
    return f"{kind}{index or 0}"


def _scsi(disk: Any, vm: Any) -> tuple[str, dict[str, Any]]:
    place = disk.address
    index = place.controller or 0
    model = next((c.model for c in vm.domain.controllers if c.type == "scsi" and c.index == index), None)
    driver = {"cdrom": "scsi-cd", "lun": "scsi-block"}.get(disk.device, "scsi-hd")
    props: dict[str, Any] = {"bus": f"{_controller(vm, 'scsi', index)}.0"}
    if model in ("lsilogic", "dc390", "am53c974"):
        props["scsi-id"] = place.unit or 0
    else:
        props |= {"channel": place.bus or 0, "scsi-id": place.target or 0, "lun": place.unit or 0}
    if driver != "scsi-block":
        props["device_id"] = disk.serial or f"drive-{disk.alias}"
    return driver, props


def _usb(disk: Any, vm: Any) -> tuple[str, dict[str, Any]]:
    return "usb-storage", {}


def _floppy(disk: Any, vm: Any) -> tuple[str, dict[str, Any]]:
    return "floppy", {"unit": disk.address.unit or 0}


def _sd(disk: Any, vm: Any) -> tuple[str, dict[str, Any]]:
    return "sd-card", {}


def _none(disk: Any, vm: Any) -> tuple[str, dict[str, Any]]:
    raise ConfigUnsupported(f"unsupported disk bus '{disk.bus}' with device setup")


BUSES: dict[str, Any] = {"virtio": _virtio, "ide": _ide, "sata": _ide, "scsi": _scsi, "usb": _usb, "fdc": _floppy, "sd": _sd,
                         "xen": _none, "uml": _none}  # fmt: skip


def _vhost_user(disk: Any) -> Iterator[Arg]:
    name = f"chr-vu-{disk.alias}"
    reconnect = {True: disk.source.reconnect_timeout, False: 0}.get(disk.source.reconnect)
    data: dict[str, Any] = {"addr": {"type": "unix", "data": {"path": disk.source.path}}, "server": False}
    if reconnect is not None:
        data["reconnect"] = reconnect
    opts = {"path": disk.source.path, "reconnect": reconnect}
    yield Chardev("socket", name, opts, {"type": "socket", "data": data})
    yield Dev("vhost-user-blk-pci" + SUFFIX.get(disk.model or "", ""),
              {**props(disk), "num-queues": disk.queues, "queue-size": disk.queue_size, "chardev": name,
               "id": disk.alias})  # fmt: skip
