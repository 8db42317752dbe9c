"""A sysfs tree of our own making: a host with what the test machines lack."""

from __future__ import annotations

import os
from pathlib import Path

EXPRESS = bytearray(4096)


def config(header: int = 0, express: bool = False, root_complex: bool = False) -> bytes:
    """A configuration space, with a PCI Express capability at 0x40 where asked for."""
    space = bytearray(4096 if express else 256)
    space[0x0E] = header
    if express:
        space[0x06], space[0x34] = 0x10, 0x40
        space[0x40:0x42] = b"\x10\x00"
        space[0x42] = 0x92 if root_complex else 0x02
        space[0x4C:0x50] = (3 | 16 << 4 | 5 << 24).to_bytes(4, "little")
        space[0x52:0x54] = (1 | 8 << 4).to_bytes(2, "little")
    return bytes(space)


def vpd(name: str, readonly: dict[str, str], readwrite: dict[str, str]) -> bytes:
    """Product data."""

    def part(tag: int, body: bytes) -> bytes:
        return bytes([tag]) + len(body).to_bytes(2, "little") + body

    def fields(values: dict[str, str]) -> bytes:
        return b"".join(key.encode() + bytes([len(value)]) + value.encode() for key, value in values.items())

    return part(0x82, name.encode()) + part(0x90, fields(readonly)) + part(0x91, fields(readwrite)) + b"\x78"


class Host:
    """Builds the tree below ``root/sys``."""

    def __init__(self, root: Path) -> None:
        self.sys = root / "sys"
        self.sys.mkdir()
        self.root = root

    def put(self, path: str, **files: str | bytes | int) -> Path:
        """A folder with attributes."""
        folder = self.sys / path
        folder.mkdir(parents=True, exist_ok=True)
        for name, value in files.items():
            data = value if isinstance(value, bytes) else f"{value}\n".encode()
            (folder / name).write_bytes(data)
        return folder

    def link(self, where: str, to: str) -> None:
        """A relative link, as sysfs has them."""
        place = self.sys / where
        place.parent.mkdir(parents=True, exist_ok=True)
        if place.is_symlink():
            place.unlink()
        place.symlink_to(os.path.relpath(self.sys / to, place.parent))

    def pci(
        self,
        address: str,
        at: str = "devices/pci0000:00",
        driver: str = "",
        group: int | None = None,
        **files: str | bytes | int,
    ) -> str:
        """A PCI function."""
        path = f"{at}/{address}"
        given: dict[str, str | bytes | int] = {
            "vendor": "0x8086",
            "device": "0x10ca",
            "class": "0x020000",
            "config": config(),
            **files,
        }
        self.put(path, **given)
        self.link(f"bus/pci/devices/{address}", path)
        if driver:
            self.put(f"bus/pci/drivers/{driver}")
            self.link(f"{path}/driver", f"bus/pci/drivers/{driver}")
        if group is not None:
            self.put(f"kernel/iommu_groups/{group}")
            self.link(f"{path}/iommu_group", f"kernel/iommu_groups/{group}")
            self.link(f"kernel/iommu_groups/{group}/devices/{address}", path)
        return path


def build(root: Path) -> Host:
    """Everything that libvirt has a capability for."""
    host = Host(root)
    host.put("class/dmi/id", product_name="Wonder 9000", sys_vendor="Nobody", product_version="2", product_serial="S1",
             product_uuid="AABBCCDD-1111-2222-3333-444455556666", bios_vendor="B", bios_version="1.0", bios_date="01/02/2020")  # fmt: skip
    host.pci("0000:00:01.0", driver="pcieport", **{"class": "0x060400", "config": config(1, True)})
    parent = "devices/pci0000:00/0000:00:01.0"
    first = host.pci("0000:03:00.0", parent, "igb", 7, sriov_totalvfs=7, numa_node=0, config=config(0, True),
                     vpd=vpd("Fast card", {"PN": "123", "SN": "S-9", "MN": "M", "EC": "A1", "V0": "x", "RV": "z"}, {"YA": "tag", "V1": "y", "Y0": "q"}))  # fmt: skip
    for number, address in enumerate(("0000:03:10.0", "0000:03:10.2")):
        virtual = host.pci(address, parent, "igbvf", 8 + number, device="0x10ca")
        host.link(f"{virtual}/physfn", first)
        host.link(f"{first}/virtfn{number}", virtual)
    host.put(
        f"{first}/net/eth9", address="52:54:00:11:22:33", operstate="up", speed=10000, type=1, features="rx tx rdma"
    )
    host.link("class/net/eth9", f"{first}/net/eth9")
    card = host.pci("0000:00:02.0", driver="i915", group=1, **{"class": "0x030000", "config": config(0, True, True)})
    host.put(
        f"{card}/mdev_supported_types/i915-GVTg_V5_4", name="GVTg_V5_4", device_api="vfio-pci", available_instances=2
    )
    host.put(f"{card}/drm/card0", dev="226:0")
    host.link("class/drm/card0", f"{card}/drm/card0")
    host.put(f"{card}/drm/renderD128", dev="226:128")
    host.link("class/drm/renderD128", f"{card}/drm/renderD128")
    uuid = "c5b7a9d0-1111-4222-8333-444455556666"
    host.put(f"{card}/{uuid}")
    host.link(f"{card}/{uuid}/mdev_type", f"{card}/mdev_supported_types/i915-GVTg_V5_4")
    host.put("kernel/iommu_groups/20")
    host.link(f"{card}/{uuid}/iommu_group", "kernel/iommu_groups/20")
    host.link(f"bus/mdev/devices/{uuid}", f"{card}/{uuid}")
    usb(host)
    scsi(host)
    mainframe(host)
    host.put("devices/vdpasim/vdpa0/vhost-vdpa-0")
    host.link("bus/vdpa/devices/vdpa0", "devices/vdpasim/vdpa0")
    return host


def usb(host: Host) -> None:
    bus = host.pci("0000:00:14.0", driver="xhci_hcd", **{"class": "0x0c0330"})
    host.put(
        f"{bus}/usb1",
        busnum=1,
        devnum=1,
        idVendor="1d6b",
        idProduct="0002",
        product="xHCI Host Controller",
        manufacturer="Linux",
    )
    stick = f"{bus}/usb1/1-4"
    host.put(
        stick, busnum=1, devnum=7, idVendor="0781", idProduct="5567", product="Cruzer Blade", manufacturer="SanDisk"
    )
    part = f"{stick}/1-4:1.0"
    host.put(
        part,
        bInterfaceNumber="00",
        bInterfaceClass="08",
        bInterfaceSubClass="06",
        bInterfaceProtocol="50",
        interface="Disk",
    )
    for path in (f"{bus}/usb1", stick, part):
        host.link(f"bus/usb/devices/{path.rpartition('/')[2]}", path)


def scsi(host: Host) -> None:
    hba = host.pci("0000:00:05.0", driver="qla2xxx", **{"class": "0x0c0400"})
    path = f"{hba}/host5"
    host.put(path)
    host.put("class/scsi_host/host5", unique_id=3)
    host.put("class/fc_host/host5", node_name="0x2001001b32a9da4e", port_name="0x2101001b32a9da4e", fabric_name="0x2001000dec9877c1",
             max_npiv_vports=164, npiv_vports_inuse=5, vport_create="", vport_delete="")  # fmt: skip
    target = f"{path}/rport-5:0-0/target5:0:0"
    unit = f"{target}/5:0:0:4"
    host.put(unit, type=0, vendor="NETAPP", model="LUN")
    host.put("class/fc_remote_ports/rport-5:0-0", port_name="0x9d73bc45f0e21a86")
    host.put(f"{unit}/block/sdb", dev="8:16", size=2048, removable=0)
    host.put(f"{unit}/block/sdb/queue", logical_block_size=512)
    host.link(f"{unit}/block/sdb/device", unit)
    host.put(f"{unit}/scsi_generic/sg1")
    for name, where in (("host5", path), ("target5:0:0", target), ("5:0:0:4", unit)):
        host.link(f"bus/scsi/devices/{name}", where)
    host.link("class/block/sdb", f"{unit}/block/sdb")
    host.link("class/scsi_generic/sg1", f"{unit}/scsi_generic/sg1")
    cd = f"{hba}/cd/6:0:0:0"
    host.put(cd, type=5, vendor="ACME", model="DVD")
    host.put(f"{cd}/block/sr0", dev="11:0", size=4096, removable=1)
    host.put(f"{cd}/block/sr0/queue", logical_block_size=2048)
    host.link(f"{cd}/block/sr0/device", cd)
    host.link("class/block/sr0", f"{cd}/block/sr0")
    host.put(f"{unit}/block/sdb/sdb1", partition=1)
    host.link("class/block/sdb1", f"{unit}/block/sdb/sdb1")
    database = host.root / "run/udev/data"
    database.mkdir(parents=True)
    (database / "b8:16").write_text("S:disk/by-id/wwn-0x1\nE:ID_BUS=scsi\nE:ID_SERIAL=3600a0b80\nE:ID_TYPE=disk\n")
    (database / "b11:0").write_text(
        "E:ID_TYPE=cd\nE:ID_CDROM_MEDIA=1\nE:ID_FS_LABEL=ISO\nE:ID_BUS=ata\nE:ID_SERIAL=DVD_1\n"
    )


def mainframe(host: Host) -> None:
    for name, driver in (("0.0.0033", "io_subchannel"), ("0.0.0070", "chsc_subchannel")):
        path = f"devices/css0/{name}"
        host.put(path, dev_busid="0.0.10ac")
        host.put("bus/css")
        host.link(f"{path}/subsystem", "bus/css")
        host.put(f"bus/css/drivers/{driver}")
        host.link(f"{path}/driver", f"bus/css/drivers/{driver}")
        host.link(f"bus/css/devices/{name}", path)
    path = "devices/css0/0.0.0033/0.0.10ac"
    host.put(path)
    host.put("bus/ccw/drivers/dasd-eckd")
    host.link(f"{path}/driver", "bus/ccw/drivers/dasd-eckd")
    host.link("bus/ccw/devices/0.0.10ac", path)
    for name, path in (("card07", "devices/ap/card07"), ("07.0038", "devices/ap/card07/07.0038")):
        host.put(path)
        host.link(f"bus/ap/devices/{name}", path)
    host.put(
        "devices/vfio_ap/matrix/mdev_supported_types/vfio_ap-passthrough",
        name="VFIO AP",
        device_api="vfio-ap",
        available_instances=65536,
    )
    host.link("bus/matrix/devices/matrix", "devices/vfio_ap/matrix")
