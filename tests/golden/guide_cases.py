"""Documents for rows of the guide's chapter 23: pieces that are put into a small guest, by row.

What the real libvirt 9.0 makes of each stands in ``guide.json`` (``record_guide.py``). A piece is one or more elements; devices go
below ``<devices>``, an element that the small guest has too replaces that one, and ``@type='kvm'`` sets an attribute of the root.
"""

from __future__ import annotations

import re

from lxml import etree

BASE = """\
<domain type='qemu'>
  <name>fv0</name>
  <uuid>4dea22b3-1d52-d8f3-2516-782e98ab3fa0</uuid>
  <memory unit='KiB'>1048576</memory>
  <vcpu>2</vcpu>
  <os><type arch='x86_64' machine='pc'>hvm</type></os>
  <devices><emulator>/usr/bin/qemu-system-x86_64</emulator></devices>
</domain>
"""
DEVICES = frozenset(
    [
        "disk",
        "controller",
        "lease",
        "hostdev",
        "redirdev",
        "redirfilter",
        "smartcard",
        "interface",
        "input",
        "hub",
        "graphics",
        "video",
        "parallel",
        "serial",
        "console",
        "channel",
        "sound",
        "audio",
        "watchdog",
        "panic",
        "memballoon",
        "rng",
        "tpm",
        "filesystem",
        "vsock",
        "shmem",
        "memory-device",
        "iommu",
        "emulator",
    ]
)
Q35 = "<os><type arch='x86_64' machine='q35'>hvm</type></os>"
VNC = "<graphics type='vnc'/>"
SPICE = "<graphics type='spice' autoport='yes'/>"


def build(piece: str) -> str:
    """The whole document of a piece."""
    root = etree.fromstring(BASE)
    devices = root.find("devices")
    assert devices is not None
    for name, value in re.findall(r"@(\w+)='([^']*)'\s", piece + " "):
        if piece.lstrip().startswith("@"):
            root.set(name, value)
    body = re.sub(r"^\s*(@\w+='[^']*'\s*)+", "", piece)
    wrapped = f"<x xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>{body}</x>"
    for node in list(etree.fromstring(wrapped)):
        tag = str(node.tag)
        if tag == "no":
            gone = root.find(str(node.get("of")))
            assert gone is not None
            root.remove(gone)
        elif tag == "memory" and node.get("model"):
            devices.append(node)
        elif tag in DEVICES:
            old = devices.find(tag) if tag == "emulator" else None
            if old is not None:
                devices.remove(old)
            devices.append(node)
        else:
            old = root.find(tag)
            if old is not None and tag not in ("sysinfo", "seclabel"):
                root.remove(old)
            root.append(node)
    etree.cleanup_namespaces(root)
    return etree.tostring(root, encoding="unicode") + "\n"


def each(form: str, *words: str) -> list[str]:
    """The form with each word in the place of ``%``."""
    return [form.replace("%", word) for word in words]


def timer(rest: str) -> str:
    return f"<clock offset='utc'><timer {rest}</clock>"


CASES: dict[str, list[str]] = {
    "domxml-domain-root": ["@type='kvm' ", "@type='qemu' ", "@type='bogus' ", "@type='lxc' ", "@id='7' "],
    "domxml-general-name": [*each("<name>%</name>", "fv0", "a-b.c_d", "", "a/b"), "<no of='name'/>"],
    "domxml-general-uuid": each("<uuid>%</uuid>", "4dea22b31d52d8f32516782e98ab3fa0", "xyz", "3E3FCE45-4F53-4FA7-BB32-11F34168B82B"),
    "domxml-general-uuid-from-sysinfo": [
        "<no of='uuid'/><sysinfo type='smbios'><system><entry name='uuid'>11111111-2222-3333-4444-555555555555</entry></system></sysinfo>"
    ],
    "domxml-general-title": ["<title>A short description</title>", "<title>two\nlines</title>"],
    "domxml-general-description": ["<description>first line\n  second &amp; last\n</description>"],
    "domxml-general-metadata": [
        "<metadata><a:foo xmlns:a='http://app1.org/app1/'>..</a:foo><b:bar xmlns:b='http://app1.org/app2/'><b:in x='1'/></b:bar></metadata>",
        "<metadata><a:foo xmlns:a='http://a/'>1</a:foo><a:two xmlns:a='http://a/'>2</a:two><plain/></metadata>",
    ],
    "domxml-os-boot-methods": [
        "<os><type arch='x86_64' machine='pc'>hvm</type><boot dev='cdrom'/><boot dev='hd'/></os>",
        "<os><type arch='x86_64' machine='pc'>hvm</type><kernel>/k</kernel><initrd>/i</initrd><cmdline>console=ttyS0</cmdline></os>",
        "<os><type arch='x86_64'>exe</type><init>/sbin/init</init></os>",
        "<bootloader>/usr/bin/pygrub</bootloader><bootloader_args>--x</bootloader_args>",
    ],
    "domxml-os-boot-device-sorting": [
        "<os><type arch='x86_64' machine='pc'>hvm</type><boot dev='hd'/></os>"
        + "".join(
            f"<disk type='file'><driver name='qemu' type='raw'/><source file='/{name}.img'/><target dev='{name}' bus='{bus}'/></disk>"
            for name, bus in (("vdb", "virtio"), ("sdb", "scsi"), ("vda", "virtio"), ("sda", "scsi"))
        )
    ],
    "domxml-os-dtb": [
        "<os><type arch='x86_64' machine='pc'>hvm</type><kernel>/k</kernel><dtb>/boot/x.dtb</dtb></os>",
        "<os><type arch='x86_64' machine='pc'>hvm</type><dtb>x.dtb</dtb></os>",
    ],
    "domxml-os-container-boot": [
        "<os><type arch='x86_64'>exe</type><init>/bin/systemd</init><initarg>--unit</initarg><initarg>emergency.service</initarg></os>",
        "<os><type arch='x86_64' machine='pc'>hvm</type><init>/bin/systemd</init><initarg>--unit</initarg><initarg>emergency.service</initarg></os>",
    ],
    "domxml-sysinfo-type": [
        "<sysinfo><bios><entry name='vendor'>x</entry></bios></sysinfo>",
        "<sysinfo type='bogus'/>",
        "<sysinfo type='smbios'><bios><entry name='vendor'>LENOVO</entry></bios><system><entry name='serial'>1</entry></system></sysinfo>",
        "<os><type arch='x86_64' machine='pc'>hvm</type><smbios mode='sysinfo'/></os>"
        "<sysinfo type='smbios'><bios><entry name='vendor'>LENOVO</entry></bios><system><entry name='serial'>1</entry></system></sysinfo>",
    ],
    "domxml-sysinfo-bios": [
        "<os><type arch='x86_64' machine='pc'>hvm</type><smbios mode='sysinfo'/></os><sysinfo type='smbios'><bios>"
        "<entry name='vendor'>LENOVO</entry><entry name='version'>6FET82WW</entry><entry name='date'>10/26/2009</entry>"
        "<entry name='release'>3.12</entry></bios></sysinfo>",
        "<sysinfo type='smbios'><bios><entry name='date'>foo</entry></bios></sysinfo>",
    ],
    "domxml-sysinfo-system": [
        "<os><type arch='x86_64' machine='pc'>hvm</type><smbios mode='sysinfo'/></os><sysinfo type='smbios'><system>"
        "<entry name='manufacturer'>Fedora</entry><entry name='product'>Virt-Manager</entry><entry name='version'>0.9.4</entry>"
        "<entry name='serial'>32dfcb37</entry><entry name='uuid'>4dea22b3-1d52-d8f3-2516-782e98ab3fa0</entry>"
        "<entry name='sku'>Default</entry><entry name='family'>Virt</entry></system></sysinfo>",
        "<os><type arch='x86_64' machine='pc'>hvm</type><smbios mode='sysinfo'/></os><sysinfo type='smbios'><system>"
        "<entry name='vendor'>unknown</entry></system></sysinfo>",
    ],
    "domxml-sysinfo-uuid-must-match": [
        f"<sysinfo type='smbios'><system><entry name='uuid'>{uuid}</entry></system></sysinfo>"
        for uuid in (
            "11111111-2222-3333-4444-555555555555", "4DEA22B3-1D52-D8F3-2516-782E98AB3FA0", "4dea22b31d52d8f32516782e98ab3fa0",
            "nonsense",
        )
    ],
    "domxml-vcpu": ["<vcpu placement='static' cpuset='1-4,^3,6' current='1'>2</vcpu>", "<no of='vcpu'/>"],
    "domxml-vcpu-range": each("<vcpu>%</vcpu>", "0", "1", "x", "256", "100000"),
    "domxml-vcpu-cpuset-syntax": each("<vcpu cpuset='%'>2</vcpu>", "1-4,^3,6", "0", "abc", "4-1", "1,^1", "1-"),
    "domxml-vcpu-current": each("<vcpu current='%'>2</vcpu>", "1", "2", "4", "x"),
    "domxml-vcpu-placement": [
        "<vcpu placement='static' cpuset='0-1'>2</vcpu>", "<vcpu placement='static'>2</vcpu>",
        "<vcpu placement='auto' cpuset='0'>2</vcpu>", "<vcpu placement='other'>2</vcpu>",
    ],
    "domxml-vcpu-placement-default": [
        "<vcpu>2</vcpu>", "<vcpu>2</vcpu><numatune><memory mode='strict' placement='auto'/></numatune>",
        "<vcpu cpuset='0'>2</vcpu>", "<vcpu cpuset='0'>2</vcpu><numatune><memory placement='auto'/></numatune>",
    ],
    "domxml-cputune": [
        "<vcpu>4</vcpu><cputune><vcpupin vcpu='0' cpuset='1-4,^2'/><vcpupin vcpu='1' cpuset='0,1'/><vcpupin vcpu='2' cpuset='2,3'/>"
        "<vcpupin vcpu='3' cpuset='0,4'/><emulatorpin cpuset='1-3'/><shares>2048</shares><period>1000000</period><quota>-1</quota>"
        "<emulator_period>1000000</emulator_period><emulator_quota>-1</emulator_quota></cputune>",
        "<cputune/>",
    ],
    "domxml-cputune-vcpupin": each(
        "<cputune>%</cputune>", "<vcpupin vcpu='0' cpuset='0'/>", "<vcpupin vcpu='0'/>", "<vcpupin cpuset='0'/>",
        "<vcpupin vcpu='0' cpuset='0'/><vcpupin vcpu='0' cpuset='1'/>", "<vcpupin vcpu='9' cpuset='0'/>",
        "<vcpupin vcpu='0' cpuset='x'/>",
    ),
    "domxml-cputune-emulatorpin": [
        *each("<cputune>%</cputune>", "<emulatorpin cpuset='0-1'/>", "<emulatorpin/>", "<emulatorpin cpuset=''/>"),
        "<vcpu placement='auto'>2</vcpu><cputune><emulatorpin cpuset='0-1'/></cputune>",
    ],
    "domxml-cputune-period": each("<cputune><period>%</period></cputune>", "1000", "1000000", "10", "2000000", "0", "x"),
    "domxml-cputune-quota": each(
        "<cputune><quota>%</quota></cputune>", "25000", "-1", "10", "0", "17592186044415", "18446744073709551", "x"
    ),
    "domxml-cputune-emulator-period": each("<cputune><emulator_period>%</emulator_period></cputune>", "1000", "10", "0", "x"),
    "domxml-cputune-emulator-quota": each("<cputune><emulator_quota>%</emulator_quota></cputune>", "1000", "-1", "10", "0"),
    "domxml-memorybacking-hugepages": [
        *each(
            "<memoryBacking><hugepages>%</hugepages></memoryBacking>", "<page size='2' unit='M'/>", "<page size='2048'/>", "",
            "<page size='3' unit='M'/>", "<page unit='M'/>", "<page size='2' unit='XB'/>",
        ),
        "<memoryBacking><hugepages><page size='2' unit='M' nodeset='0'/><page size='1' unit='G' nodeset='0'/></hugepages></memoryBacking>"
        "<cpu><numa><cell id='0' cpus='0-1' memory='1048576'/></numa></cpu>",
    ],
    "domxml-memtune": [
        "<memtune><hard_limit unit='G'>1</hard_limit><soft_limit unit='M'>128</soft_limit><swap_hard_limit unit='G'>2</swap_hard_limit>"
        "<min_guarantee unit='bytes'>67108864</min_guarantee></memtune>",
        "<memtune/>", "<memtune><hard_limit unit='XB'>1</hard_limit></memtune>",
    ],
    "domxml-memtune-soft-limit": each("<memtune><soft_limit%</soft_limit></memtune>", ">1000", " unit='MiB'>2", ">x"),
    "domxml-memtune-swap-hard-limit": [
        *each("<memtune><swap_hard_limit%</swap_hard_limit></memtune>", ">1000", " unit='MiB'>2", ">x"),
        "<memtune><hard_limit>2000</hard_limit><swap_hard_limit>1000</swap_hard_limit></memtune>",
    ],
    "domxml-memory-dumpcore": each("<memory dumpCore='%' unit='MiB'>64</memory>", "on", "off", "maybe"),
    "domxml-maxmemory": [
        "<maxMemory slots='16' unit='KiB'>1524288</maxMemory><memory unit='KiB' dumpCore='off'>524288</memory>"
        "<currentMemory unit='KiB'>524288</currentMemory><cpu><numa><cell id='0' cpus='0-1' memory='524288'/></numa></cpu>",
        "<maxMemory unit='KiB'>1524288</maxMemory>", "<maxMemory slots='2' unit='KiB'>1000</maxMemory>",
        "<maxMemory slots='16' unit='KiB'>1524288</maxMemory>",
    ],
    "domxml-memory": [
        *each("<memory unit='%'>1</memory>", "G", "GB", "GiB", "M", "TB", "XB"), "<memory>1048577</memory>", "<no of='memory'/>",
        "<memory unit='bytes'>1073741825</memory>", "<memory unit='b'>1024</memory>",
        "<memory unit='KiB'>7</memory><cpu><numa><cell id='0' cpus='0' memory='512000'/><cell id='1' cpus='1' memory='512000'/></numa></cpu>",
    ],
    "domxml-currentmemory": each("<currentMemory unit='%</currentMemory>", "KiB'>524288", "G'>2", "MiB'>100", "XB'>1"),
    "domxml-numatune-memory": each(
        "<numatune><memory %/></numatune>", "mode='strict' nodeset='1-4,^3'", "nodeset='0'", "mode='foo' nodeset='0'",
        "mode='interleave' nodeset='0'", "mode='preferred' nodeset='0'", "mode='strict' nodeset='x'",
    ),
    "domxml-numatune-placement": each(
        "<numatune><memory %/></numatune>", "nodeset='0'", "placement='auto' nodeset='0'", "placement='static'", "placement='x'",
    ),
    "domxml-numatune-implicit-auto": ["<vcpu placement='auto'>2</vcpu>"],
    "domxml-resource-partition": each(
        "<resource>%</resource>", "<partition>/virtualmachines/production</partition>", "<partition>relative</partition>",
    ),
    "domxml-cpu-topology-only": [
        "<cpu><topology sockets='1' cores='2' threads='1'/></cpu>", "<cpu><topology sockets='1' cores='3' threads='1'/></cpu>",
        "<cpu><topology sockets='1' cores='2'/></cpu>",
    ],
    "domxml-events-concept": [
        "<on_poweroff>destroy</on_poweroff><on_reboot>restart</on_reboot><on_crash>restart</on_crash><on_lockfailure>poweroff</on_lockfailure>",
        "",
    ],
    "domxml-events-on-lockfailure": each("<on_lockfailure>%</on_lockfailure>", "poweroff", "restart", "pause", "ignore", "bogus"),
    "domxml-features-hap": each("<features>%</features>", "<hap/>", "<hap state='off'/>", "<hap state='x'/>"),
    "domxml-features-privnet": ["<features><privnet/></features>"],
    "domxml-clock-offset-utc": each(
        "<clock offset='utc'%/>", "", " adjustment='reset'", " adjustment='3600'", " adjustment='x'"
    ),
    "domxml-timer": [
        timer("/>"), timer("name='rtc'/>"), timer("name='rtc'/><timer name='rtc' track='wall'/>"),
        timer("name='pit' tickpolicy='delay'/><timer name='hpet' present='no'/>"),
    ],
    "domxml-timer-name": [timer(f"name='{name}'/>") for name in ("kvmclock", "pit", "rtc", "hpet", "tsc", "foo", "hypervclock")],
    "domxml-timer-track": [
        *(timer(f"name='rtc' track='{track}'/>") for track in ("boot", "guest", "wall", "x")), timer("name='pit' track='guest'/>"),
    ],
    "domxml-timer-tickpolicy": [
        *(timer(f"name='rtc' tickpolicy='{word}'/>") for word in ("delay", "catchup", "merge", "discard", "foo")),
        *("@type='kvm' " + timer(f"name='pit' tickpolicy='{word}'/>") for word in ("delay", "catchup", "merge", "discard")),
    ],
    "domxml-timer-catchup": [
        timer("name='rtc' tickpolicy='catchup'><catchup threshold='123' slew='120' limit='10000'/></timer>"),
        timer("name='rtc' tickpolicy='catchup'><catchup threshold='-1'/></timer>"),
        timer("name='rtc' tickpolicy='delay'><catchup slew='1'/></timer>"),
        timer("name='rtc' tickpolicy='catchup'><catchup limit='x'/></timer>"),
    ],
    "domxml-timer-pit-default-delay": ["@type='kvm' " + timer("name='pit'/>"), timer("name='pit'/>")],
    "domxml-devices-root": ["<no of='devices'/>", "<disk-outside/><x><disk type='file'/></x>"],
    "limit-xml-virtio-vectors-32": [
        *each("<controller type='virtio-serial' index='0' vectors='%'/>", "32", "33", "x"),
        "<memballoon model='virtio' vectors='4'/>", "<memballoon model='virtio'><driver vectors='4'/></memballoon>",
    ],
    "domxml-hostdev-usb": [
        "<hostdev mode='subsystem' type='usb'><source startupPolicy='optional'><vendor id='0x1234'/><product id='0xbeef'/></source>"
        "<boot order='2'/></hostdev>",
        "<hostdev mode='foo' type='usb'><source><vendor id='1'/><product id='2'/></source></hostdev>",
        "<hostdev mode='subsystem' type='foo'><source><vendor id='1'/><product id='2'/></source></hostdev>",
    ],
    "domxml-hostdev-pci": [
        "<hostdev mode='subsystem' type='pci' managed='yes'><source><address bus='0x06' slot='0x02' function='0x0'/></source></hostdev>",
        "<hostdev mode='subsystem' type='pci'><source/></hostdev>",
    ],
    "domxml-hostdev-usb-vendor-product": [
        *(
            f"<hostdev mode='subsystem' type='usb'><source><vendor id='{number}'/><product id='{number}'/></source></hostdev>"
            for number in ("4660", "0x1234", "011064", "0", "x", "0x12345")
        ),
        "<hostdev mode='subsystem' type='usb'><source><vendor id='1'/></source></hostdev>",
        "<hostdev mode='subsystem' type='usb'><source><product id='1'/></source></hostdev>",
    ],
    "domxml-hostdev-boot": [
        f"{boot}<hostdev mode='subsystem' type='pci'><source><address bus='6' slot='2' function='0'/></source><boot order='{order}'/></hostdev>"
        for boot, order in (
            ("", "1"), ("", "0"), ("<os><type arch='x86_64' machine='pc'>hvm</type><boot dev='hd'/></os>", "1"),
            ("<hostdev mode='subsystem' type='pci'><source><address bus='7' slot='0' function='0'/></source><boot order='1'/></hostdev>", "1"),
        )
    ],
    "domxml-hostdev-rom": [
        f"<hostdev mode='subsystem' type='{kind}'><source>{source}</source><rom {rom}/></hostdev>"
        for kind, source, rom in (
            ("pci", "<address bus='6' slot='2' function='0'/>", "bar='on'"), ("pci", "<address bus='6' slot='2' function='0'/>", "bar='off'"),
            ("pci", "<address bus='6' slot='2' function='0'/>", "file='/etc/fake/boot.bin'"),
            ("pci", "<address bus='6' slot='2' function='0'/>", "bar='maybe'"),
            ("usb", "<vendor id='1'/><product id='2'/>", "bar='on'"),
        )
    ],
    "domxml-redirdev": [
        "<redirdev bus='usb' type='tcp'><source mode='connect' host='localhost' service='4000'/><boot order='1'/></redirdev>",
        SPICE + "<redirdev bus='usb' type='spicevmc'/>", "<redirdev bus='pci' type='spicevmc'/>", "<redirdev bus='usb' type='foo'/>",
    ],
    "domxml-redirdev-boot": [
        "<redirdev bus='usb' type='tcp'><source mode='connect' host='localhost' service='4000'/><boot order='1'/></redirdev>",
        "<os><type arch='x86_64' machine='pc'>hvm</type><boot dev='hd'/></os>"
        "<redirdev bus='usb' type='tcp'><source mode='connect' host='localhost' service='4000'/><boot order='1'/></redirdev>",
    ],
    "domxml-redirfilter": [
        SPICE + "<redirdev bus='usb' type='spicevmc'/><redirdev bus='usb' type='spicevmc'/><redirfilter>"
        "<usbdev class='0x08' vendor='0x1234' product='0xBEEF' version='2.00' allow='yes'/><usbdev allow='no'/></redirfilter>",
        "<redirfilter><usbdev class='0x08'/></redirfilter>", "<redirfilter><usbdev allow='no'/></redirfilter>",
        "<redirfilter><usbdev allow='no'/></redirfilter><redirfilter><usbdev allow='no'/></redirfilter>",
    ],
    "domxml-smartcard": [
        "<smartcard mode='host'/>", "<smartcard/>", "<smartcard mode='foo'/>",
        "<smartcard mode='passthrough' type='tcp'><source mode='bind' host='127.0.0.1' service='2001'/><protocol type='raw'/></smartcard>",
        "<smartcard mode='host-certificates'><certificate>cert1</certificate><certificate>cert2</certificate><certificate>cert3</certificate>"
        "<database>/etc/pki/nssdb/</database></smartcard>",
        SPICE + "<smartcard mode='passthrough' type='spicevmc'/>",
    ],
    "domxml-smartcard-host": ["<smartcard mode='host'><address type='ccid' controller='0' slot='0'/></smartcard>"],
    "domxml-smartcard-passthrough": [
        "<smartcard mode='passthrough' type='tcp'><source mode='bind' host='127.0.0.1' service='2001'/><protocol type='raw'/></smartcard>",
        "<smartcard mode='passthrough'/>", SPICE + "<smartcard mode='passthrough' type='spicevmc'/>",
    ],
    "domxml-input": each(
        "<input %/>", "type='mouse' bus='usb'", "type='tablet' bus='usb'", "type='keyboard' bus='usb'", "bus='usb'", "type='joy' bus='usb'",
        "type='tablet' bus='ps2'", "type='mouse' bus='kvm'", "type='tablet'",
    ),
    "domxml-input-implicit": [VNC, ""],
    "domxml-hub": [
        "<controller type='usb' index='0' model='piix3-uhci'/><hub type='usb'/><input type='tablet' bus='usb'><address type='usb' bus='0' port='1.1'/></input>",
        "<hub type='pci'/>", "<hub/>",
    ],
    "domxml-graphics": [*each("<graphics type='%'/>", "sdl", "vnc", "rdp", "desktop", "spice", "foo"), "<graphics/>", VNC + VNC],
    "domxml-graphics-vnc-listen-attr": [
        "<graphics type='vnc' listen='0.0.0.0'/>",
        "<graphics type='vnc' listen='1.1.1.1'><listen type='address' address='2.2.2.2'/></graphics>",
        "<graphics type='spice' listen='127.0.0.2'/>",
    ],
    "domxml-graphics-spice-image": each("<graphics type='spice'><image compression='%'/></graphics>", "auto_glz", "auto_lz", "quic", "glz", "lz", "off", "foo"),
    "domxml-graphics-spice-jpeg": each("<graphics type='spice'><jpeg compression='%'/></graphics>", "auto", "never", "always", "foo"),
    "domxml-graphics-spice-zlib": each("<graphics type='spice'><zlib compression='%'/></graphics>", "auto", "never", "always", "foo"),
    "domxml-graphics-spice-playback": each("<graphics type='spice'><playback compression='%'/></graphics>", "on", "off", "foo"),
    "domxml-graphics-spice-streaming": each("<graphics type='spice'><streaming mode='%'/></graphics>", "filter", "all", "off", "foo"),
    "domxml-graphics-spice-mouse": each("<graphics type='spice'><mouse mode='%'/></graphics>", "server", "client", "foo"),
    "domxml-graphics-rdp": each("<graphics type='rdp' %/>", "port='-1' autoport='yes' multiUser='yes' replaceUser='no'", "multiUser='x'", "port='3389'"),
    "domxml-graphics-desktop": each("<graphics type='desktop' %/>", "display=':0' fullscreen='yes'", "fullscreen='x'", ""),
    "domxml-video": [
        "<video><model type='vga' vram='16384' heads='1'><acceleration accel3d='no' accel2d='no'/></model><address type='pci' domain='0x0000' bus='0x00' slot='0x02' function='0x0'/></video>",
        "<video/>", "<video><model type='vga'/><address type='pci' slot='0x09'/></video>",
    ],
    "domxml-video-default": [VNC, "", SPICE],
    "domxml-video-model-type": [*each("<video><model type='%'/></video>", "vga", "cirrus", "vmvga", "qxl", "vbox", "foo"), "<video><model/></video>"],
    "domxml-video-model-vram-heads": each(
        "<video><model %/></video>", "type='vga' vram='8192' heads='1'", "type='qxl' ram='65536' vram='32768' vgamem='8192' heads='4'",
        "type='vga' vram='x'", "type='qxl' heads='x'", "type='qxl' ram='x'", "type='qxl' vgamem='x'", "type='vga' ram='1024'",
    ),
    "domxml-video-acceleration": each(
        "<video><model type='vga'><acceleration %/></model></video>", "accel3d='no' accel2d='no'", "accel3d='yes'", "accel3d='x'", "accel2d='x'",
    ),
    "domxml-console-sclp": each("<console type='pty'><target type='%'/></console>", "sclp", "sclplm", "foo"),
    "domxml-sound": [*each("<sound model='%'/>", "sb16", "ac97", "ich6", "foo"), "<sound/>"],
    "domxml-sound-codec": each("<sound model='ich6'>%</sound>", "<codec type='micro'/>", "<codec type='duplex'/><codec type='micro'/>", "", "<codec type='foo'/>"),
    "domxml-watchdog": each(
        "<watchdog %/>", "model='i6300esb'", "model='ib700' action='poweroff'", "model='foo'", "action='reset'", "model='i6300esb' action='foo'",
        "model='i6300esb' action='dump'",
    ),
    "domxml-panic-device": ["<panic/>", "<panic><address type='isa' iobase='0x506'/></panic>", "<panic model='foo'/>"],
    "seclabel-concept": [
        "<seclabel type='dynamic' model='dac'><baselabel>x</baselabel></seclabel>", "<seclabel type='dynamic' model='selinux'/>",
        "<seclabel type='static' model='selinux' relabel='yes'><label>system_u:system_r:svirt_t:s0:c392,c662</label></seclabel>",
        "<seclabel type='static' model='dac'><label>+1000:+1000</label></seclabel>", "<seclabel type='none'/>",
    ],
    "seclabel-type": each("<seclabel %", "type='foo'/>", "model='dac'><baselabel>x</baselabel></seclabel>", "model='dac'/>", "type='none' model='dac'/>"),
    "seclabel-relabel": each(
        "<seclabel model='dac' %", "type='dynamic'/>", "type='dynamic' relabel='no'/>", "type='static'><label>+1:+1</label></seclabel>",
        "type='static' relabel='x'><label>+1:+1</label></seclabel>", "type='none' relabel='yes'/>", "type='none' relabel='no'/>",
    ),
    "domxml-pm": [
        *each(
        "<pm>%</pm>", "<suspend-to-mem enabled='no'/><suspend-to-disk enabled='no'/>", "<suspend-to-mem enabled='yes'/><suspend-to-disk enabled='yes'/>",
        "<suspend-to-mem enabled='x'/>",
    ),
        Q35 + "<pm><suspend-to-mem enabled='no'/><suspend-to-disk enabled='no'/></pm>",
    ],
    "sample-features-vmport": each("<features><acpi/><apic/><vmport state='%'/></features>", "on", "off", "x"),
    "sample-cpu-check": each("@type='kvm' <cpu mode='host-passthrough' check='%'/>", "none", "partial", "full", "foo"),
    "sample-clock-timers": [
        f"@type='{kind}' <clock offset='utc'><timer name='rtc' tickpolicy='catchup'/><timer name='pit' tickpolicy='delay'/>"
        "<timer name='hpet' present='no'/></clock>"
        for kind in ("kvm", "qemu")
    ],
    "sample-events": ["<on_poweroff>destroy</on_poweroff><on_reboot>restart</on_reboot><on_crash>destroy</on_crash>"],
    "sample-controllers": [
        "<controller type='usb' index='0' model='ich9-ehci1'><address type='pci' slot='0x05' function='0x7'/></controller>"
        + "".join(
            f"<controller type='usb' index='0' model='ich9-uhci{n + 1}'><master startport='{2 * n}'/>"
            f"<address type='pci' slot='0x05' function='0x{n}'{' multifunction=' + chr(39) + 'on' + chr(39) if not n else ''}/></controller>"
            for n in range(3)
        )
        + "<controller type='pci' index='0' model='pci-root'/><controller type='ide' index='0'><address type='pci' slot='0x01' function='0x1'/></controller>"
        "<controller type='virtio-serial' index='0'><address type='pci' slot='0x06'/></controller>",
        Q35 + "<controller type='pci' index='0' model='pci-root'/>",
    ],
    "sample-input": [SPICE, VNC + "<input type='mouse' bus='ps2'/>"],
    "sample-sound-video": [
        SPICE + "<sound model='ich6'><address type='pci' slot='0x04'/></sound><video><model type='qxl' ram='65536' vram='65536' vgamem='16384'"
        " heads='1' primary='yes'/><address type='pci' slot='0x02'/></video>",
    ],
    "domxml-lease": [
        "<lease><lockspace>somearea</lockspace><key>somekey</key><target path='/some/lease/path' offset='1024'/></lease>",
        "<lease><lockspace>somearea</lockspace><target path='/some/lease/path'/></lease>",
        "<lease><lockspace>somearea</lockspace><key>somekey</key><target/></lease>",
    ],
    "domxml-general-name-unique": ["<name>other</name>"],
    "domxml-memtune-min-guarantee": ["<memtune><min_guarantee unit='MiB'>64</min_guarantee></memtune>", "<memtune><min_guarantee>x</min_guarantee></memtune>"],
    "domxml-cpu-basic-models": each("<cpu match='exact'><model>%</model></cpu>", "qemu32", "qemu64", "core2duo", "Haswell", "nonsense"),
    "domxml-cpu-map-file": [
        "<cpu match='exact'><model>core2duo</model><feature name='lahf_lm' policy='disable'/></cpu>",
        "<cpu match='exact'><model>core2duo</model><feature name='nonsense' policy='require'/></cpu>",
        "<cpu match='exact'><model>core2duo</model><feature name='lahf_lm' policy='enable'/></cpu>",
    ],
    "domxml-clock-offset-timezone": each("<clock offset='timezone' %/>", "timezone='Europe/Paris'", ""),
    "domxml-timer-present": [
        *(timer(f"name='{name}' present='{word}'/>") for name in ("hpet", "kvmclock") for word in ("yes", "no", "x")),
        "@type='kvm' " + timer("name='kvmclock' present='no'/>"),
    ],
    "domxml-hostdev-usb-address": [
        "<hostdev mode='subsystem' type='usb'><source><address bus='1' device='4'/></source></hostdev>",
        "<hostdev mode='subsystem' type='usb'><source><address bus='0x1' device='010'/></source></hostdev>",
        "<hostdev mode='subsystem' type='usb'><source><address bus='1'/></source></hostdev>",
    ],
    "domxml-hostdev-scsi": [
        "<hostdev mode='subsystem' type='scsi'><source><adapter name='scsi_host0'/><address type='scsi' bus='0' target='0' unit='0'/></source>"
        "<readonly/><address type='drive' controller='0' bus='0' target='0' unit='0'/></hostdev>",
        "<hostdev mode='subsystem' type='scsi'><source><adapter name='scsi_host0'/></source></hostdev>",
        "<hostdev mode='subsystem' type='scsi'><source><address bus='0' target='0' unit='0'/></source></hostdev>",
    ],
    "domxml-hostdev-capabilities-storage": ["<hostdev mode='capabilities' type='storage'><source><block>/dev/sdf1</block></source></hostdev>"],
    "domxml-hostdev-capabilities-misc": ["<hostdev mode='capabilities' type='misc'><source><char>/dev/input/event3</char></source></hostdev>"],
    "domxml-hostdev-capabilities-net": ["<hostdev mode='capabilities' type='net'><source><interface>eth0</interface></source></hostdev>"],
    "domxml-graphics-sdl": each("<graphics type='sdl' %/>", "display=':0.0' xauth='/root/.Xauthority' fullscreen='yes'", "fullscreen='x'", ""),
    "domxml-graphics-vnc-socket": each("<graphics type='vnc' %/>", "socket='/path/s'", "socket='/path/s' port='5901'", "socket='/path/s' listen='0.0.0.0'"),
    "domxml-graphics-spice": each(
        "<graphics type='spice' %/>", "port='-1' tlsPort='-1' autoport='yes'", "port='5930'", "defaultMode='foo'", "keymap='de' autoport='yes'",
        "autoport='no' port='5930' passwd='x'", "port='x'",
    ),
    "domxml-graphics-spice-clipboard": each("<graphics type='spice'><clipboard copypaste='%'/></graphics>", "no", "yes", "x"),
    "domxml-graphics-listen": each(
        "<graphics type='vnc'><listen %/></graphics>", "type='address' address='127.0.0.1'", "type='address'", "", "type='foo'",
        "type='network'", "type='none'", "type='socket' socket='/x/s'",
    ),
    "domxml-channel-spicevmc": [
        SPICE + "<channel type='spicevmc'><target type='virtio' name='com.redhat.spice.0'/></channel>",
        SPICE + "<channel type='spicevmc'><target type='virtio'/></channel>", "<channel type='spicevmc'/>",
        "<channel type='spicevmc'><target type='foo'/></channel>",
    ],
    "domxml-sound-es1370-unsupported": ["<sound model='es1370'/>"],
    "domxml-chardev-parallel-unsupported": ["<parallel type='pty'/>"],
    "domxml-smartcard-host-certificates": [
        "<smartcard mode='host-certificates'><certificate>cert1</certificate><certificate>cert2</certificate><certificate>cert3</certificate>"
        "<database>/etc/pki/nssdb/</database></smartcard>",
        "<smartcard mode='host-certificates'><certificate>cert1</certificate><certificate>cert2</certificate><certificate>cert3</certificate></smartcard>",
        "<smartcard mode='host-certificates'><certificate>cert1</certificate><certificate>cert2</certificate></smartcard>",
        "<smartcard mode='host-certificates'><certificate>cert1</certificate><certificate>cert2</certificate><certificate>cert3</certificate>"
        "<database>relative</database></smartcard>",
    ],
    "seclabel-multiple-models": [
        "<seclabel type='dynamic' model='selinux' relabel='yes'/><seclabel type='dynamic' model='dac' relabel='yes'/>",
        "<seclabel type='dynamic' model='dac' relabel='yes'/><seclabel type='dynamic' model='dac' relabel='yes'/>",
    ],
    "seclabel-baselabel": [
        "<seclabel type='dynamic' model='selinux'><baselabel>system_u:system_r:my_svirt_t:s0</baselabel></seclabel>",
        "<seclabel type='dynamic' model='dac'><baselabel>x</baselabel></seclabel>",
        "<seclabel type='static' model='dac'><baselabel>x</baselabel></seclabel>",
    ],
    "sample-general": [
        "@type='kvm' <name>Testguest1</name><memory unit='KiB'>1048576</memory><currentMemory unit='KiB'>1048576</currentMemory>"
        "<vcpu placement='static'>1</vcpu>"
    ],
    "sample-os": ["<os><type arch='x86_64' machine='pc-i440fx-2.9'>hvm</type><boot dev='hd'/></os>"],
    "sample-devices-disks": [
        "<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='/var/lib/libvirt/images/Testguest.qcow2'/>"
        "<target dev='hda' bus='ide'/><address type='drive' controller='0' bus='0' target='0' unit='0'/></disk>"
        "<disk type='file' device='cdrom'><driver name='qemu' type='raw'/><target dev='hdb' bus='ide'/><readonly/>"
        "<address type='drive' controller='0' bus='0' target='0' unit='1'/></disk>"
    ],
    "sample-redir-balloon": [
        SPICE + "<redirdev bus='usb' type='spicevmc'><address type='usb' bus='0' port='1'/></redirdev><redirdev bus='usb' type='spicevmc'>"
        "<address type='usb' bus='0' port='2'/></redirdev><memballoon model='virtio'><address type='pci' slot='0x07'/></memballoon>"
    ],
    "domxml-events-on-poweroff": [
        *each("<on_poweroff>%</on_poweroff>", "destroy", "restart", "preserve", "rename-restart", "coredump-destroy", "bogus"),
        *each("<on_reboot>%</on_reboot>", "destroy", "restart", "preserve", "rename-restart", "coredump-restart", "bogus"),
        *each("<on_poweroff>restart</on_poweroff><on_reboot>%</on_reboot>", "restart", "destroy"),
    ],
    "domxml-events-on-crash": each(
        "<on_crash>%</on_crash>", "destroy", "restart", "preserve", "rename-restart", "coredump-destroy", "coredump-restart", "bogus",
    ),
    "domxml-blkiotune-weight": each("<blkiotune><weight>%</weight></blkiotune>", "800", "99", "1001", "2000", "0", "x", "-5"),
    "domxml-blkiotune-device": each(
        "<blkiotune><weight>800</weight>%</blkiotune>",
        "<device><path>/dev/sda</path><weight>1000</weight></device><device><path>/dev/sdb</path><weight>500</weight></device>",
        "<device><weight>500</weight></device>", "<device><path>/dev/sda</path></device>", "<device><path>sda</path><weight>500</weight></device>",
        "<device><path>/dev/sda</path><weight>5000</weight></device>", "<device><path>/dev/sda</path><weight>x</weight></device>",
        *(f"<device><path>/dev/sda</path><{name}>x</{name}></device>" for name in ("read_iops_sec", "write_iops_sec", "read_bytes_sec", "write_bytes_sec")),
        "<device><path>/dev/sda</path><weight>300</weight></device><device><path>/dev/sda</path><weight>500</weight></device>", "<device/>",
    ),
    "domxml-disk-product": [
        f"<disk type='file' device='{device}'><source file='/a.img'/><target dev='{target}' bus='{bus}'/><product>{word}</product></disk>"
        for device, target, bus, word in (
            ("disk", "sda", "scsi", "ST3146707LC"), ("cdrom", "sda", "scsi", "DVD-RAM GH22NS50"), ("disk", "sda", "scsi", "ST3146707LC-12345"),
            ("disk", "sda", "scsi", "tab&#9;tab"), ("disk", "vda", "virtio", "ST3146707LC"), ("disk", "hda", "ide", "ST3146707LC"),
        )
    ],
    "domxml-disk-host-nbd": [
        f"<disk type='network'><driver name='qemu' type='raw'/><source protocol='nbd'{rest}</source><target dev='vda' bus='virtio'/></disk>"
        for rest in (
            "><host name='a.example'/>", " name='export'><host name='a.example' port='10810'/>", "><host name='a'/><host name='b'/>", ">",
            "><host transport='unix' socket='/run/nbd'/>", "><host transport='unix'/>", "><host transport='foo' name='a'/>",
        )
    ],
    "domxml-disk-host-gluster": [
        f"<disk type='network'><driver name='qemu' type='raw'/><source protocol='gluster' name='{name}'>{hosts}</source>"
        "<target dev='vda' bus='virtio'/></disk>"
        for name, hosts in (
            ("vol/a.img", "<host name='a.example'/>"), ("vol/a.img", "<host name='a.example' port='24008' transport='tcp'/>"),
            ("vol/a.img", "<host name='a.example' transport='rdma'/>"), ("vol/a.img", "<host transport='unix' socket='/run/g.sock'/>"),
            ("vol/a.img", "<host transport='unix'/>"), ("vol/a.img", "<host name='a.example' transport='udp'/>"),
            ("vol/a.img", "<host name='a'/><host name='b' port='1'/>"), ("vol", "<host name='a'/>"),
        )
    ],
    "domxml-hostdev-source-startuppolicy": [
        *each("<hostdev mode='subsystem' type='usb'><source startupPolicy='%'><vendor id='0x1234'/><product id='0xbeef'/></source></hostdev>",
              "mandatory", "requisite", "optional", "foo"),
        "<hostdev mode='subsystem' type='pci'><source startupPolicy='optional'><address bus='6' slot='2' function='0'/></source></hostdev>",
        "<hostdev mode='subsystem' type='scsi'><source startupPolicy='optional'><adapter name='scsi_host0'/>"
        "<address type='scsi' bus='0' target='0' unit='0'/></source></hostdev>",
    ],
    "domxml-graphics-connected": [
        f"<graphics type='{kind}' autoport='yes' passwd='x' connected='{word}'/>"
        for kind in ("vnc", "spice") for word in ("keep", "disconnect", "fail", "foo")
    ],
    "domxml-graphics-spice-channel": [
        *each("<graphics type='spice' autoport='yes'>%</graphics>",
              *(f"<channel name='{name}' mode='{mode}'/>" for name, mode in (
                  ("main", "any"), ("record", "insecure"), ("display", "insecure"), ("inputs", "any"), ("cursor", "any"), ("playback", "any"),
                  ("smartcard", "insecure"), ("usbredir", "insecure"), ("foo", "any"), ("main", "foo"), ("input", "any"))),
              "<channel name='main'/>", "<channel mode='any'/>", "<channel name='main' mode='any'/><channel name='record' mode='insecure'/>"),
        "<graphics type='spice' port='5901' tlsPort='5902'><channel name='main' mode='secure'/><channel name='record' mode='insecure'/></graphics>",
    ],
    "sample-interface": [
        "<interface type='network'><mac address='52:54:00:65:29:21'/><source network='default'/><model type='rtl8139'/>"
        "<address type='pci' domain='0x0000' bus='0x00' slot='0x03' function='0x0'/></interface>"
    ],
    "domxml-memorybacking": [
        *each("<memoryBacking><hugepages>%</hugepages></memoryBacking>", "<page size='2' unit='M' nodeset='0'/>", "<page size='2' unit='M' nodeset='1'/>",
              "<page size='2' unit='M'/><page size='1' unit='G'/>", "<page size='2' unit='M' nodeset='0'/><page size='1' unit='G' nodeset='0'/>"),
        *each("<cpu><numa><cell cpus='0-1' memory='1048576'/></numa></cpu><memoryBacking><hugepages>%</hugepages></memoryBacking>",
              "<page size='2' unit='M' nodeset='0'/>", "<page size='2' unit='M' nodeset='0-1'/>", "<page size='2' unit='M' nodeset='1'/>"),
    ],
    "domxml-cpu-numa-cell": each(
        "<cpu><numa>%</numa></cpu>", "<cell cpus='0-1' memory='512000'/>", "<cell cpus='0-2' memory='512000'/>", "<cell cpus='5' memory='512000'/>",
        "<cell cpus='0' memory='512000'/><cell cpus='0' memory='512000'/>", "<cell id='0' cpus='0' memory='5'/><cell id='2' cpus='1' memory='512000'/>",
    ),
    "trouble-keymap-xml": each("<graphics type='vnc' port='-1' autoport='yes' %/>", "keymap='ja'", "", "keymap='x,y'"),
    "table-guest-kernel-parameters": ["@type='kvm' " + timer("name='kvmclock' present='no'/>"), "@type='kvm' "],
}  # fmt: skip
