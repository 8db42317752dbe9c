"""One small document of each class, of which calls are made and mutated."""

from __future__ import annotations

from typing import Final

UUIDS: Final = {
    "domain": "11111111-1111-4111-8111-111111111111",
    "network": "22222222-2222-4222-8222-222222222222",
    "pool": "33333333-3333-4333-8333-333333333333",
    "nwfilter": "44444444-4444-4444-8444-444444444444",
    "secret": "55555555-5555-4555-8555-555555555555",
}

DOMAIN: Final = f"""<domain type='{{kind}}'><name>fuzz</name><uuid>{UUIDS["domain"]}</uuid><memory>32768</memory>
  <vcpu placement='static'>2</vcpu><iothreads>1</iothreads><os><type arch='x86_64' machine='pc'>hvm</type><boot dev='hd'/></os>
  <features><acpi/><apic/></features><cputune><shares>512</shares></cputune>
  <metadata><a:b xmlns:a='urn:a'>text</a:b></metadata>
  <devices>
    <disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='{{folder}}/disk'/><target dev='vda' bus='virtio'/></disk>
    <disk type='file' device='cdrom'><target dev='hdc' bus='ide'/><readonly/></disk>
    <controller type='usb' model='none'/><controller type='virtio-serial'/>
    <interface type='user'><mac address='52:54:00:00:00:01'/><model type='virtio'/></interface>
    <serial type='pty'/><console type='pty'/>
    <channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>
    <input type='tablet' bus='virtio'/><graphics type='vnc' port='-1' passwd='x'/><video><model type='vga'/></video>
    <rng model='virtio'><backend model='random'>/dev/urandom</backend></rng><memballoon model='virtio'/>
  </devices></domain>"""
NETWORK: Final = f"""<network><name>fuzz</name><uuid>{UUIDS["network"]}</uuid><bridge name='fuzzbr0' stp='off'/><forward mode='nat'/>
  <domain name='fuzz.test'/><dns><host ip='10.99.0.2'><hostname>a</hostname></host></dns>
  <ip address='10.99.0.1' netmask='255.255.255.0'><dhcp><range start='10.99.0.2' end='10.99.0.9'/>
  <host mac='52:54:00:00:00:01' name='a' ip='10.99.0.3'/></dhcp></ip><portgroup name='p' default='yes'/></network>"""
POOL: Final = f"""<pool type='dir'><name>fuzz</name><uuid>{UUIDS["pool"]}</uuid>
  <target><path>{{folder}}/pool</path><permissions><mode>0755</mode></permissions></target></pool>"""
VOLUME: Final = """<volume><name>fuzz</name><capacity unit='KiB'>64</capacity><allocation>0</allocation>
  <target><format type='raw'/><permissions><mode>0600</mode></permissions></target></volume>"""
NWFILTER: Final = f"""<filter name='fuzz' chain='ipv4' priority='-700'><uuid>{UUIDS["nwfilter"]}</uuid>
  <rule action='accept' direction='in' priority='100'><ip srcipaddr='10.99.0.0' srcipmask='24' protocol='tcp' dstportstart='22'/></rule>
  <rule action='drop' direction='inout' priority='500'><all state='NEW'/></rule></filter>"""
BINDING: Final = f"""<filterbinding><owner><name>fuzz</name><uuid>{UUIDS["domain"]}</uuid></owner><portdev name='fuzz0'/>
  <mac address='52:54:00:00:00:01'/><filterref filter='fuzz'><parameter name='IP' value='10.99.0.3'/></filterref></filterbinding>"""
SECRET: Final = f"""<secret ephemeral='no' private='no'><description>x</description><uuid>{UUIDS["secret"]}</uuid>
  <usage type='volume'><volume>{{folder}}/disk</volume></usage></secret>"""
NODEDEV: Final = """<device><name>fuzz</name><parent>computer</parent><capability type='mdev'><type id='i915-GVTg_V5_4'/>
  <uuid>66666666-6666-4666-8666-666666666666</uuid><attr name='a' value='1'/></capability></device>"""
INTERFACE: Final = """<interface type='bridge' name='fuzzif0'><start mode='none'/><mtu size='1500'/><protocol family='ipv4'>
  <ip address='10.98.0.1' prefix='24'/><route gateway='10.98.0.2'/></protocol><bridge stp='off' delay='0.01'>
  <interface type='ethernet' name='fuzzif1'/></bridge></interface>"""
SNAPSHOT: Final = """<domainsnapshot><name>fuzz</name><description>x</description><memory snapshot='no'/>
  <disks><disk name='vda' snapshot='external' type='file'><driver type='qcow2'/><source file='{folder}/snap'/></disk></disks></domainsnapshot>"""
CHECKPOINT: Final = """<domaincheckpoint><name>fuzz</name><description>x</description>
  <disks><disk name='vda' checkpoint='bitmap' bitmap='fuzz'/></disks></domaincheckpoint>"""
BACKUP: Final = """<domainbackup mode='push'><disks><disk name='vda' type='file' backupmode='full'><driver type='qcow2'/>
  <target file='{folder}/backup'/></disk></disks></domainbackup>"""
PORT: Final = """<networkport><uuid>77777777-7777-4777-8777-777777777777</uuid><owner><name>fuzz</name>
  <uuid>11111111-1111-4111-8111-111111111111</uuid></owner><mac address='52:54:00:00:00:01'/><group>p</group>
  <plug type='network' bridge='fuzzbr0'/></networkport>"""
CPU: Final = "<cpu><arch>x86_64</arch><model>qemu64</model><topology sockets='1' cores='2' threads='1'/><feature name='svm'/></cpu>"
DEVICES: Final = (
    "<disk type='file' device='disk'><source file='{folder}/disk2'/><target dev='vdb' bus='virtio'/></disk>",
    "<disk type='file' device='cdrom'><source file='{folder}/disk2'/><target dev='hdc' bus='ide'/></disk>",
    "<interface type='user'><mac address='52:54:00:00:00:02'/><model type='virtio'/></interface>",
    "<rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>",
    "<serial type='null'/>",
    "<hostdev mode='subsystem' type='pci'><source><address domain='0' bus='0' slot='1' function='0'/></source></hostdev>",
    "<memory model='dimm'><target><size>65536</size></target></memory>",
    "<graphics type='vnc' port='-1' passwd='y'/>",
    "<watchdog model='i6300esb' action='reset'/>",
)

CLASSES: Final = {
    "domain": DOMAIN,
    "network": NETWORK,
    "pool": POOL,
    "volume": VOLUME,
    "nwfilter": NWFILTER,
    "secret": SECRET,
    "nodedev": NODEDEV,
    "interface": INTERFACE,
    "snapshot": SNAPSHOT,
    "checkpoint": CHECKPOINT,
    "backup": BACKUP,
}
"""The classes of documents that a client may send whole."""
