"""libvirt's words for what a QEMU binary can do, and the QMP answer that shows each one.

A table: a QOM type, a property of a type, a command, or a path through ``query-qmp-schema``.
"""

# ruff: noqa: SIM905  (a table reads better in words)
from __future__ import annotations

# QOM types whose libvirt word is the type's own name.
SAME_NAME = (
    "hda-duplex piix3-usb-uhci piix4-usb-uhci usb-ehci ich9-usb-ehci1 vt82c686b-usb-uhci pci-ohci usb-redir usb-hub "
    "ich9-ahci scsi-block hda-micro nec-usb-xhci virtio-scsi-pci qxl VGA cirrus-vga vmware-svga usb-serial rng-random "
    "rng-egd megasas tpm-passthrough tpm-tis pci-bridge vfio-pci usb-storage virtio-mmio ich9-intel-hda pvpanic usb-kbd "
    "usb-audio iothread pc-dimm pci-serial gpex-pcihost ioh3420 x3130-upstream xio3130-downstream rtl8139 e1000 "
    "mptsas1068 pxb pxb-pcie intel-iommu virtio-vga ivshmem-plain ivshmem-doorbell vhost-scsi nvdimm pcie-root-port "
    "qemu-xhci vmcoreinfo isa-serial pcie-pci-bridge tpm-crb pr-manager-helper hda-output vmgenid tpm-emulator mch "
    "memory-backend-memfd bochs-display dbus-vmstate vhost-user-gpu vhost-user-vga ramfb i8042 rng-builtin pvscsi "
    "dc390 am53c974 virtio-pmem-pci vhost-user-blk input-linux virtio-gpu-gl-pci virtio-vga-gl virtio-mem-pci "
    "virtio-iommu-pci thread-context tpm-spapr spapr-tpm-proxy spapr-pci-host-bridge spapr-vty sclplmconsole sclpconsole "
    "virtio-ccw diag288 pl011 vfio-ccw vfio-ap zpci"
).split()

# QOM types with a word of another name.
TYPES = {
    "ccid-card-emulated": "ccid-emulated",
    "ccid-card-passthru": "ccid-passthru",
    "lsi53c895a": "lsi",
    "i82801b11-bridge": "dmi-to-pci-bridge",
    "virtio-rng-pci": "virtio-rng",
    "virtio-rng-ccw": "virtio-rng",
    "virtio-rng-device": "virtio-rng",
    "virtio-net-pci": "virtio-net",
    "virtio-net-ccw": "virtio-net",
    "virtio-net-device": "virtio-net",
    "virtio-gpu-pci": "virtio-gpu",
    "virtio-gpu-ccw": "virtio-gpu",
    "virtio-gpu-device": "virtio-gpu",
    "virtio-keyboard-device": "virtio-keyboard",
    "virtio-keyboard-pci": "virtio-keyboard",
    "virtio-mouse-device": "virtio-mouse",
    "virtio-mouse-pci": "virtio-mouse",
    "virtio-tablet-device": "virtio-tablet",
    "virtio-tablet-pci": "virtio-tablet",
    "virtio-input-host-device": "virtio-input-host",
    "virtio-input-host-pci": "virtio-input-host",
    "vhost-vsock-device": "vhost-vsock",
    "vhost-user-fs-device": "vhost-user-fs",
    "virtio-blk-pci-non-transitional": "virtio-pci-non-transitional",
    "max-x86_64-cpu": "x86-max-cpu",
    "tpm-tis-device": "tpm-tis",
}

# Device types: {property: word}. A value that is a pair asks for the property's default too.
DEVICE_PROPERTIES: dict[str, dict[str, str]] = {
    "scsi-hd": {"channel": "scsi-disk.channel", "wwn": "scsi-disk.wwn", "rotation_rate": "rotation-rate"},
    "ide-hd": {"wwn": "ide-drive.wwn"},
    "PIIX4_PM": {
        "disable_s3": "disable-s3",
        "disable_s4": "disable-s4",
        "acpi-root-pci-hotplug": "piix4.acpi-root-pci-hotplug",
    },
    "ICH9-LPC": {"disable_s3": "ich9-disable-s3", "disable_s4": "ich9-disable-s4"},
    "usb-redir": {"filter": "usb-redir.filter"},
    "usb-host": {"hostdevice": "usb-host.hostdevice", "guest-resets-all": "usb-host.guest-resets-all"},
    "usb-storage": {"removable": "usb-storage.removable"},
    "kvm-pit": {"lost_tick_policy": "kvm-pit-lost-tick-policy"},
    "VGA": {"vgamem_mb": "VGA.vgamem_mb"},
    "vmware-svga": {"vgamem_mb": "vmware-svga.vgamem_mb"},
    "qxl": {"vgamem_mb": "qxl.vgamem_mb", "vram64_size_mb": "qxl.vram64_size_mb"},
    "virtio-gpu-pci": {"virgl": "virtio-gpu.virgl", "max_outputs": "virtio-gpu.max_outputs"},
    "virtio-balloon-pci": {
        "deflate-on-oom": "virtio-balloon-pci.deflate-on-oom",
        "free-page-reporting": "virtio-balloon.free-page-reporting",
        "acpi-index": "acpi-index",
    },
    "intel-iommu": {
        "intremap": "intel-iommu.intremap",
        "caching-mode": "intel-iommu.caching-mode",
        "eim": "intel-iommu.eim",
        "device-iotlb": "intel-iommu.device-iotlb",
        "aw-bits": "intel-iommu.aw-bits",
    },
    "mch": {"extended-tseg-mbytes": "mch.extended-tseg-mbytes"},
    "vfio-pci": {"display": "vfio-pci.display"},
    "nvdimm": {"unarmed": "nvdimm.unarmed"},
    "pcie-root-port": {"hotplug": "pcie-root-port.hotplug"},
    "virtio-blk-pci": {"scsi": "virtio-blk-pci.scsi", "queue-size": "virtio-blk.queue-size"},
    "virtio-net-pci": {"rss": "virtio-net.rss"},
    "virtio-mem-pci": {"prealloc": "virtio-mem-pci.prealloc"},
    "virtio-iommu-pci": {"boot-bypass": "virtio-iommu.boot-bypass"},
    "vhost-user-fs-device": {"bootindex": "vhost-user-fs.bootindex"},
}

# Types that are no devices (or whose properties are asked with qom-list-properties).
OBJECT_PROPERTIES: dict[str, dict[str, str]] = {
    "memory-backend-file": {
        "discard-data": "memory-backend-file.discard-data",
        "align": "memory-backend-file.align",
        "pmem": "memory-backend-file.pmem",
        "x-use-canonical-path-for-ramblock-id": "memory-backend-file.x-use-canonical-path-for-ramblock-id",
        "reserve": "memory-backend-file.reserve",
        "prealloc-threads": "memory-backend-file.prealloc-threads",
    },
    "memory-backend-memfd": {"hugetlb": "memory-backend-memfd.hugetlb"},
    "iothread": {"poll-max-ns": "iothread.poll-max-ns", "thread-pool-max": "iothread.thread-pool-max"},
    "sev-guest": {"kernel-hashes": "sev-guest-kernel-hashes"},
    "none-machine": {"confidential-guest-support": "confidential-guest-support"},
    "max-x86_64-cpu": {
        "unavailable-features": "cpu-unavailable-features",
        "kvmclock": "canonical-cpu-features",
        "migratable": "cpu.migratable",
    },
    "max-arm-cpu": {"sve": "cpu.sve"},
}
UNREPORTED = {
    "memory-backend-file.discard-data",
    "memory-backend-file.align",
    "virtio-gpu.virgl",
    "virtio-gpu.max_outputs",
}
"""Words that older libvirt kept and 9.0 takes for granted."""

COMMANDS = {
    "query-hotpluggable-cpus": "query-hotpluggable-cpus",
    "query-cpu-definitions": "query-cpu-definitions",
    "query-cpu-model-baseline": "query-cpu-model-baseline",
    "query-cpu-model-comparison": "query-cpu-model-comparison",
    "query-cpu-model-expansion": "query-cpu-model-expansion",
    "query-spice": "spice",
    "query-vnc": "vnc",
    "blockdev-reopen": "blockdev-reopen",
    "set-action": "set-action",
    "query-dirty-rate": "query-dirty-rate",
    "calc-dirty-rate": "calc-dirty-rate",
    "block-export-add": "block-export-add",
    "rtc-reset-reinjection": "rtc-reset-reinjection",
    "sev-inject-launch-secret": "sev-inject-launch-secret",
    "query-stats": "query-stats",
    "query-stats-schemas": "query-stats-schemas",
}

MIGRATION = {"rdma-pin-all": "migrate-rdma"}

SCHEMA = {
    "query-display-options/ret-type/+sdl": "sdl",
    "query-display-options/ret-type/+dbus": "display-dbus",
    "query-display-options/ret-type/+egl-headless": "egl-headless",
    "query-display-options/ret-type/+egl-headless/rendernode": "egl-headless.rendernode",
    "screendump/arg-type/device": "screendump_device",
    "screendump/arg-type/format/^png": "screenshot-format-png",
    "chardev-add/arg-type/backend/+socket/data/reconnect": "chardev-reconnect",
    "chardev-add/arg-type/backend/+qemu-vdagent": "chardev.qemu-vdagent",
    "nbd-server-start/arg-type/tls-creds": "nbd-tls",
    "block-export-add/arg-type/+nbd/bitmaps": "nbd-bitmap",
    "nbd-server-add/arg-type/bitmap": "nbd-bitmap",
    "blockdev-add/arg-type/+file/drop-cache": "migration-file-drop-cache",
    "blockdev-add/arg-type/+nvme": "drive-nvme",
    "blockdev-add/arg-type/+file/aio/^io_uring": "aio.io_uring",
    "blockdev-add/arg-type/+rbd/encrypt": "rbd-encryption",
    "blockdev-add/arg-type/+nbd/tls-hostname": "blockdev.nbd.tls-hostname",
    "blockdev-backup": "incremental-backup",
    "query-named-block-nodes/arg-type/flat": "query-named-block-nodes.flat",
    "blockdev-snapshot/$allow-write-only-overlay": "blockdev-snapshot.allow-write-only-overlay",
    "migrate-set-parameters/arg-type/block-bitmap-mapping/bitmaps/transform": "migration-param.block-bitmap-mapping",
    "object-add/arg-type/qom-type": "object.qapified",
    "device_add/$json-cli-hotplug": "device.json+hotplug",
    "netdev_add/arg-type/+vhost-vdpa": "netdev.vhost-vdpa",
    "netdev_add/arg-type/type": "netdev.json",
    "netdev_add/arg-type/+stream": "netdev.stream",
    "calc-dirty-rate/arg-type/mode": "dirtyrate-param.mode",
    "query-migrate/ret-type/blocked-reasons": "migration.blocked-reasons",
    "query-hotpluggable-cpus/ret-type/props/die-id": "smp-dies",
    "set-numa-node/arg-type/+hmat-lb": "numa.hmat",
}

COMMAND_LINE = {
    ("sandbox", None): "seccomp-sandbox",
    ("spice", "gl"): "spice-gl",
    ("spice", "rendernode"): "spice-rendernode",
    ("machine", "hpet"): "machine.hpet",
    ("vnc", "power-control"): "vnc-power-control",
    ("fsdev", "multidevs"): "fsdev.multidevs",
}

X86 = ("no-hpet", "no-acpi", "cpu-cache", "cpu-max", "machine-vmport-opt")
"""What every QEMU for x86 has, known by no query."""

MACHINES = {"armv7l": "integratorcp", "aarch64": "integratorcp"}
"""The machine type that stands for a QEMU which has none by default."""

VERSION = {(6, 0, 0): ("compat-deprecated",)}
"""Words that come with a version of QEMU and can be asked no other way."""

ASSUMED = frozenset(
    (
        "blockdev virtio-net.failover usb-storage.werror blockdev-hostdev-scsi netdev.socket-fds device.json "
        "debug-threads drive-discard machine-iommu smm smp-topology kvmclock sandbox-full object-gpex chardev-fd-pass "
        "chardev-logfile name-guest msg-timestamp mlock overcommit numa numa.dist dump-completed qom-list-properties "
        "memory-backend-file memory-backend-ram memory-backend-file.discard-data memory-backend-file.align disk-write-cache "
        "disk-share-rw disk-discard disk-logical-block-size virtio-blk.num-queues virtio-blk.iothread virtio-blk-pci.event_idx "
        "virtio-net.tx_queue_size virtio-net.rx_queue_size virtio-net.host_mtu virtio-scsi.iothread virtio-pci-disable-legacy "
        "virtio-pci-iommu-platform virtio-pci-ats virtio-packed-ring virtio-gpu.max_outputs qxl.max_outputs qxl.ram_size_mb "
        "qxl.vram_size_mb vmport-opt splash-timeout boot-strict virtio-net.event_idx secret qcrypto-tls-creds-x509 "
        "gluster.debug machine.pseries.max-cpu-compat pcie-root-port.io-reserve savevm-monitor-nodes cpu-agnostic"
    ).split()
)
"""Words that libvirt 9.0 retired because its oldest QEMU (4.2) has them all."""
