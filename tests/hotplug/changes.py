"""Changes of devices, in the order in which they are made: name, document, option of update-device."""

CHANGES: list[tuple[str, str, str]] = [
    (
        "cd-swap",
        """<disk type='file' device='cdrom'><driver name='qemu' type='raw'/><source file='{images}/d.raw'/><target dev='sda' bus='sata'/><readonly/></disk>""",
        "",
    ),
    (
        "cd-eject",
        """<disk type='file' device='cdrom'><driver name='qemu' type='raw'/><target dev='sda' bus='sata'/><readonly/></disk>""",
        "",
    ),
    (
        "cd-insert",
        """<disk type='file' device='cdrom'><driver name='qemu' type='raw'/><source file='{images}/e.raw'/><target dev='sda' bus='sata'/><readonly/></disk>""",
        "",
    ),
    (
        "cd-insert-scsi",
        """<disk type='file' device='cdrom'><driver name='qemu' type='raw'/><source file='{images}/d.raw'/><target dev='sdb' bus='scsi'/><readonly/></disk>""",
        "",
    ),
    (
        "cd-eject-force",
        """<disk type='file' device='cdrom'><driver name='qemu' type='raw'/><target dev='sdb' bus='scsi'/><readonly/></disk>""",
        "--force",
    ),
    (
        "cd-nofile",
        """<disk type='file' device='cdrom'><driver name='qemu' type='raw'/><source file='{images}/nosuch.raw'/><target dev='sdb' bus='scsi'/><readonly/></disk>""",
        "",
    ),
    (
        "cd-attach-sem",
        """<disk type='file' device='cdrom'><driver name='qemu' type='raw'/><source file='{images}/c.raw'/><target dev='sdb' bus='scsi'/><readonly/></disk>""",
        "ATTACH",
    ),
    (
        "cd-wrongbus",
        """<disk type='file' device='cdrom'><driver name='qemu' type='raw'/><source file='{images}/c.raw'/><target dev='sdb' bus='sata'/><readonly/></disk>""",
        "",
    ),
    (
        "cd-wrongtarget",
        """<disk type='file' device='cdrom'><driver name='qemu' type='raw'/><source file='{images}/c.raw'/><target dev='sdz' bus='sata'/><readonly/></disk>""",
        "",
    ),
    (
        "cd-serial",
        """<disk type='file' device='cdrom'><driver name='qemu' type='raw'/><source file='{images}/c.raw'/><target dev='sda' bus='sata'/><readonly/><serial>x</serial></disk>""",
        "",
    ),
    (
        "cd-boot",
        """<disk type='file' device='cdrom'><driver name='qemu' type='raw'/><source file='{images}/c.raw'/><target dev='sda' bus='sata'/><readonly/><boot order="3"/></disk>""",
        "",
    ),
    (
        "cd-startup",
        """<disk type='file' device='cdrom'><driver name='qemu' type='raw'/><source file='{images}/e.raw' startupPolicy="optional"/><target dev='sda' bus='sata'/><readonly/></disk>""",
        "",
    ),
    (
        "disk-src",
        """<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='{images}/a.raw'/><target dev='vda' bus='virtio'/></disk>""",
        "",
    ),
    (
        "disk-cache",
        """<disk type='file' device='disk'><driver name='qemu' type='raw' cache='none'/><source file='{images}/f.raw'/><target dev='vda' bus='virtio'/></disk>""",
        "",
    ),
    (
        "disk-same",
        """<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='{images}/f.raw'/><target dev='vda' bus='virtio'/></disk>""",
        "",
    ),
    (
        "disk-iotune",
        """<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='{images}/f.raw'/><target dev='vda' bus='virtio'/><iotune><total_iops_sec>100</total_iops_sec></iotune></disk>""",
        "",
    ),
    (
        "disk-readonly",
        """<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='{images}/f.raw'/><target dev='vda' bus='virtio'/><readonly/></disk>""",
        "",
    ),
    (
        "nic-link-down",
        """<interface type='bridge'><mac address='52:54:00:00:00:01'/><source bridge='kvbr0'/><model type='virtio'/><link state='down'/></interface>""",
        "",
    ),
    (
        "nic-link-up",
        """<interface type='bridge'><mac address='52:54:00:00:00:01'/><source bridge='kvbr0'/><model type='virtio'/><link state='up'/></interface>""",
        "",
    ),
    (
        "nic-nolink",
        """<interface type='bridge'><mac address='52:54:00:00:00:01'/><source bridge='kvbr0'/><model type='virtio'/></interface>""",
        "",
    ),
    (
        "nic-bridge",
        """<interface type='bridge'><mac address='52:54:00:00:00:01'/><source bridge='kvbr1'/><model type='virtio'/></interface>""",
        "",
    ),
    (
        "nic-bridge-no",
        """<interface type='bridge'><mac address='52:54:00:00:00:01'/><source bridge='nosuch'/><model type='virtio'/></interface>""",
        "",
    ),
    (
        "nic-bridge-back",
        """<interface type='bridge'><mac address='52:54:00:00:00:01'/><source bridge='kvbr0'/><model type='virtio'/></interface>""",
        "",
    ),
    (
        "nic-bw",
        """<interface type='bridge'><mac address='52:54:00:00:00:01'/><source bridge='kvbr0'/><model type='virtio'/><bandwidth><inbound average='1000' peak='2000' burst='1024'/><outbound average='500'/></bandwidth></interface>""",
        "",
    ),
    (
        "nic-bw-off",
        """<interface type='bridge'><mac address='52:54:00:00:00:01'/><source bridge='kvbr0'/><model type='virtio'/></interface>""",
        "",
    ),
    (
        "nic-filter",
        """<interface type='bridge'><mac address='52:54:00:00:00:01'/><source bridge='kvbr0'/><model type='virtio'/><filterref filter='nosuch'/></interface>""",
        "",
    ),
    ("nic-model", """<interface type='user'><mac address='52:54:00:00:00:02'/><model type='e1000'/></interface>""", ""),
    (
        "nic-type",
        """<interface type='bridge'><mac address='52:54:00:00:00:02'/><source bridge='kvbr0'/><model type='virtio'/></interface>""",
        "",
    ),
    (
        "nic-nomac",
        """<interface type='user'><mac address='52:54:00:00:99:99'/><model type='virtio'/></interface>""",
        "",
    ),
    (
        "nic-mtu",
        """<interface type='bridge'><mac address='52:54:00:00:00:01'/><source bridge='kvbr0'/><model type='virtio'/><mtu size='1400'/></interface>""",
        "",
    ),
    (
        "nic-target",
        """<interface type='bridge'><mac address='52:54:00:00:00:01'/><source bridge='kvbr0'/><model type='virtio'/><target dev='foo0'/></interface>""",
        "",
    ),
    (
        "nic-driver",
        """<interface type='bridge'><mac address='52:54:00:00:00:01'/><source bridge='kvbr0'/><model type='virtio'/><driver queues='2'/></interface>""",
        "",
    ),
    (
        "nic-driver2",
        """<interface type='bridge'><mac address='52:54:00:00:00:01'/><source bridge='kvbr0'/><model type='virtio'/><driver name='qemu' txmode='timer'/></interface>""",
        "",
    ),
    (
        "nic-alias",
        """<interface type='bridge'><mac address='52:54:00:00:00:01'/><source bridge='kvbr0'/><model type='virtio'/><alias name='net5'/></interface>""",
        "",
    ),
    (
        "nic-addr",
        """<interface type='bridge'><mac address='52:54:00:00:00:01'/><source bridge='kvbr0'/><model type='virtio'/><address type='pci' domain='0' bus='0x0e' slot='0' function='0'/></interface>""",
        "",
    ),
    (
        "nic-rom",
        """<interface type='bridge'><mac address='52:54:00:00:00:01'/><source bridge='kvbr0'/><model type='virtio'/><rom bar='off'/></interface>""",
        "",
    ),
    (
        "nic-boot",
        """<interface type='bridge'><mac address='52:54:00:00:00:01'/><source bridge='kvbr0'/><model type='virtio'/><boot order='4'/></interface>""",
        "",
    ),
    (
        "nic-vlan",
        """<interface type='bridge'><mac address='52:54:00:00:00:01'/><source bridge='kvbr0'/><model type='virtio'/><vlan><tag id='5'/></vlan></interface>""",
        "",
    ),
    (
        "nic-isolated",
        """<interface type='bridge'><mac address='52:54:00:00:00:01'/><source bridge='kvbr0'/><model type='virtio'/><port isolated='yes'/></interface>""",
        "",
    ),
    (
        "nic-coalesce",
        """<interface type='bridge'><mac address='52:54:00:00:00:01'/><source bridge='kvbr0'/><model type='virtio'/><coalesce><rx><frames max='5'/></rx></coalesce></interface>""",
        "",
    ),
    (
        "nic-trust",
        """<interface trustGuestRxFilters='yes' type='bridge'><mac address='52:54:00:00:00:01'/><source bridge='kvbr0'/><model type='virtio'/></interface>""",
        "",
    ),
    (
        "nic-script",
        """<interface type='bridge'><mac address='52:54:00:00:00:01'/><source bridge='kvbr0'/><model type='virtio'/><script path='/x'/></interface>""",
        "",
    ),
    (
        "nic-guestip",
        """<interface type='bridge'><mac address='52:54:00:00:00:01'/><source bridge='kvbr0'/><model type='virtio'/><ip address='1.2.3.4'/></interface>""",
        "",
    ),
    ("gfx-pass", """<graphics type='vnc' port='-1' autoport='yes' listen='127.0.0.1' passwd='new'></graphics>""", ""),
    (
        "gfx-expire",
        """<graphics type='vnc' port='-1' autoport='yes' listen='127.0.0.1' passwd='new2' passwdValidTo='2040-01-01T00:00:00'></graphics>""",
        "",
    ),
    (
        "gfx-connected",
        """<graphics type='vnc' port='-1' autoport='yes' listen='127.0.0.1' passwd='new2' connected='disconnect'></graphics>""",
        "",
    ),
    (
        "gfx-keep",
        """<graphics type='vnc' port='-1' autoport='yes' listen='127.0.0.1' passwd='new3' connected='keep'></graphics>""",
        "",
    ),
    ("gfx-nopass", """<graphics type='vnc' port='-1' autoport='yes' listen='127.0.0.1' ></graphics>""", ""),
    (
        "gfx-listen",
        """<graphics type='vnc' port='-1' autoport='yes' listen='127.0.0.1' passwd='x'><listen type='address' address='0.0.0.0'/></graphics>""",
        "",
    ),
    ("gfx-port", """<graphics type='vnc' listen='127.0.0.1' port='5999' autoport='no' passwd='x'/>""", ""),
    (
        "gfx-keymap",
        """<graphics type='vnc' port='-1' autoport='yes' listen='127.0.0.1' passwd='x' keymap='de'></graphics>""",
        "",
    ),
    ("gfx-spice", """<graphics type='spice' autoport='yes' passwd='x'/>""", ""),
    (
        "gfx-sharepolicy",
        """<graphics type='vnc' port='-1' autoport='yes' listen='127.0.0.1' passwd='x' sharePolicy='force-shared'></graphics>""",
        "",
    ),
    ("balloon-period", """<memballoon model='virtio'><stats period='5'/></memballoon>""", ""),
    ("balloon-auto", """<memballoon model='virtio' autodeflate='on'/>""", ""),
    ("balloon-none", """<memballoon model='none'/>""", ""),
    (
        "mem-none",
        """<memory model='virtio-mem'><target><size unit='MiB'>256</size><node>0</node><block unit='MiB'>2</block><requested unit='MiB'>64</requested></target></memory>""",
        "",
    ),
    ("rng", """<rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>""", ""),
    ("sound", """<sound model='ich6'/>""", ""),
    ("input", """<input type='tablet' bus='usb'/>""", ""),
    ("ctrl", """<controller type='scsi' index='0' model='virtio-scsi'/>""", ""),
    ("tpm", """<tpm model='tpm-crb'><backend type='emulator' version='2.0'/></tpm>""", ""),
    ("serial", """<serial type='pty'/>""", ""),
    ("video", """<video><model type='virtio'/></video>""", ""),
    ("watchdog", """<watchdog model='i6300esb' action='reset'/>""", ""),
    (
        "hostdev",
        """<hostdev mode='subsystem' type='usb'><source><vendor id='0x1234'/><product id='0xbeef'/></source></hostdev>""",
        "",
    ),
]
