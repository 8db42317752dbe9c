"""Small things of domains in which libvirt has its own way: inactive documents, limits, lists of CPUs, which error comes first."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import PROJECT, short_folder
from tests.hotplug.harness import Pair
from tests.hotplug.test_plug import same

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="namespaces and tap devices need root"),
    pytest.mark.timeout(400),
]
CHANNEL = "<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>"
GUEST = """<domain type='qemu'><name>w</name><uuid>12121212-1111-2222-3333-444444444444</uuid>
<maxMemory slots='4' unit='MiB'>1024</maxMemory><memory unit='MiB'>96</memory><vcpu current='1'>4</vcpu><features><acpi/></features>
<os><type arch='x86_64' machine='pc-q35-7.2'>hvm</type></os>
<cpu mode='MODE'><numa><cell id='0' cpus='0-3' memory='64' unit='MiB'/></numa></cpu>
<devices><disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='{images}/f.raw'/><target dev='vda' bus='virtio'/></disk>
<disk type='file' device='cdrom'><target dev='sda' bus='sata'/></disk>
<interface type='bridge'><mac address='52:54:00:00:00:03'/><source bridge='kvbr0'/><model type='virtio'/></interface>
<serial type='pty'/><console type='pty'><target type='virtio'/></console>{channel}
<input type='tablet' bus='usb'><alias name='ua-tablet'/></input><graphics type='vnc' port='-1' websocket='-1' passwd='abc'/>
<graphics type='spice' autoport='yes'/><video><model type='qxl'/></video>
<memory model='dimm'><target><size unit='MiB'>32</size><node>0</node></target></memory>
<memballoon model='virtio'><stats period='5'/></memballoon></devices></domain>"""
DOCUMENTS = ("dumpxml w", "dumpxml w --inactive", "dumpxml w --inactive --security-info", "dumpxml w --migratable",
             "dumpxml w --inactive --migratable")  # fmt: skip


@pytest.fixture(scope="module")
def folder(pair: Pair) -> Iterator[Path]:
    """For documents. SPICE listens only where the host has an address besides the loopback's."""
    address = ("ip", "addr", "add", "10.99.0.1/24", "dev", "kvbr0")
    pair.ours.inside(*address)
    peer = [str(PROJECT / "scripts/peer"), "exec", "--dir", str(pair.theirs.folder), "--", *address]
    subprocess.run(peer, check=True)
    with short_folder("kv-w-") as path:
        yield path


def document(pair: Pair, folder: Path, name: str = "w", *changes: tuple[str, str], channel: str = CHANNEL) -> str:
    """The guest's document in a file."""
    text = GUEST.format(images=pair.images, channel=channel)
    for old, new in (*changes, ("MODE", "host-model")):
        text = text.replace(old, new)
    (folder / f"{name}.xml").write_text(text)
    return str(folder / f"{name}.xml")


def test_the_inactive_document_of_a_guest_that_runs(pair: Pair, folder: Path) -> None:
    """A guest without a definition shows the live one, with its names; undefined, it shows the definition that it had."""
    path = document(
        pair, folder, "w", ("mode='host-model'", "mode='custom'"), ("<numa>", "<model>Nehalem</model><numa>")
    )
    said = same(pair, [f"create {path} --paused", *DOCUMENTS, "destroy w"])
    assert "<alias name='virtio-disk0'/>" in said[2] and "index='" in said[2] and "<imagelabel>" in said[2]
    assert "<seclabel" not in said[4] and "<alias name='ua-tablet'/>" in said[4] and "virtio-disk0" not in said[4]
    path = document(pair, folder)
    said = same(pair, [f"define {path}", "start w --paused", *DOCUMENTS, "undefine w", *DOCUMENTS, f"define {path}",
                       *DOCUMENTS, "destroy w", "dumpxml w", "undefine w"])  # fmt: skip
    assert said[3] == said[9] and "host-model" in said[9] and "virtio-disk0" not in said[9]
    assert said[-2] == said[15], "ports and names of the start do not stay in the definition"


LIMITS = ("0", "-1", "-2", "1", "1023", "1024b", "9007199254740990", "9007199254740991", "9007199254740992", "9223372036854775807",
          "9223372036854775808", "18446744073709551615", "18446744073709551616", "unlimited", "100T", "8E", "1000000")  # fmt: skip


def test_limits_of_memory(pair: Pair, folder: Path) -> None:
    """What is more than a limit is kept as said, and in no document; a limit of 0 is one."""
    lines = [f"define {document(pair, folder)}"]
    for name in ("hard-limit", "soft-limit", "swap-hard-limit"):
        for limit in LIMITS:
            lines += [f"memtune w --{name} {limit} --config", "memtune w", "dumpxml w --xpath //memtune"]
    lines += ["memtune w --hard-limit 3000 --swap-hard-limit 2000 --config", "memtune w --hard-limit 0 --config",
              "memtune w --swap-hard-limit 0 --config", "memtune w --hard-limit 10 --config", "memtune w"]  # fmt: skip
    number = 0
    for name in ("hard_limit", "soft_limit", "min_guarantee", "swap_hard_limit"):
        for text in ("0'", "9007199254740991", "9007199254740992", "18446744073709551616", "18014398509481983"):
            number += 1
            tune = f"<memtune><{name}>{text.strip(chr(39))}</{name}></memtune><devices>"
            path = document(pair, folder, f"m{number}", ("<devices>", tune))
            lines += [f"define {path}", "memtune w", "dumpxml w --xpath //memtune"]
    for size in (
        ">9007199254740992<",
        " unit='b'>9223372036854775807<",
        " unit='b'>18446744073709551615<",
        " unit='EiB'>8<",
    ):
        number += 1
        lines += [f"define {document(pair, folder, f'm{number}', (' unit=' + repr('MiB') + '>96<', size))}"]
    said = same(pair, [*lines, "undefine w"])
    assert "hard_limit     : 0" in said[2] and ">0</hard_limit>" in said[3]


CHOICES = """setvcpu w 0 --enable --config
setvcpu w 4095 --enable --config
setvcpu w 4096 --enable --config
setvcpu w 0,9 --enable --config
setvcpu w 9,8 --enable --config
setvcpu w ^1 --enable --config
setvcpu w ^1 --enable --live
setvcpu w '1, ' --enable --config
setvcpu w ,1 --enable --config
setvcpu w '1 - 2' --disable --config
setvcpu w 1-2 --enable --config
setvcpu w +1 --enable --config
setvcpu w 3,1 --disable --config
setvcpus w 2 --maximum --config
dumpxml w --xpath //vcpu
setvcpus w 2 --config --hotpluggable
dumpxml w --xpath //vcpus
setvcpus w 0
setvcpus w 0 --config
setvcpus w 0 --maximum --config
setvcpus w 4 --maximum --config
start w --paused
setvcpu w 0 --disable
setvcpu w 0,9 --disable
setvcpu w 1,2 --enable
setvcpu w 3 --enable --live --config
setvcpu w 0 --disable --live --config
setvcpu w 0 --enable --live --config
setvcpu w 0,2 --disable --live --config
setvcpu w 0,3 --disable
setvcpu w 9 --enable --live --config
guestvcpus w --cpulist x --enable
dumpxml w --xpath //vcpus
dumpxml w --inactive --xpath //vcpus
destroy w
undefine w""".splitlines()


def test_lists_of_cpus(pair: Pair, folder: Path) -> None:
    numa = ("<numa><cell id='0' cpus='0-3' memory='64' unit='MiB'/></numa>", "")
    plain = document(pair, folder, "w", numa, ("<maxMemory slots='4' unit='MiB'>1024</maxMemory>", ""),
                     ("<memory model='dimm'><target><size unit='MiB'>32</size><node>0</node></target></memory>", ""))  # fmt: skip
    same(pair, [f"define {plain}", *CHOICES])
    lines = []
    for number, tune in enumerate((
        "<vcpupin vcpu='0' cpuset='0, '/>", "<vcpupin vcpu='0' cpuset='0 - 1'/>", "<emulatorpin cpuset='0,^0'/>",
        "<vcpusched vcpus='0,^0' scheduler='batch'/>", "<vcpusched vcpus='9' scheduler='batch'/>",
        "<vcpusched vcpus='0-1' scheduler='batch'/><vcpusched vcpus='1' scheduler='idle'/>",
        "<iothreadsched iothreads='9' scheduler='batch'/>", "<iothreadpin iothread='9' cpuset='0'/>",
    )):  # fmt: skip
        path = document(pair, folder, f"c{number}", ("<devices>", f"<cputune>{tune}</cputune><devices>"))
        lines += [f"define {path}", "dumpxml w --xpath //cputune"]
    same(pair, [*lines, "undefine w"])


AGENT = """domtime w
domtime w --now
domtime w --sync
domtime w --time 5
domtime w --time -5
dompmsuspend w mem --duration 5
guestvcpus w --cpulist x --enable
guestvcpus w --cpulist 1 --enable
domhostname w --source agent
guestinfo w
set-user-password w a b
shutdown w --mode agent""".splitlines()


def test_what_only_the_agent_can_do(pair: Pair, folder: Path) -> None:
    """Of a guest that is off, that has no agent, whose agent is not there. The clock of one that is off: libvirt blames QEMU."""
    lines = [f"define {document(pair, folder)}", *AGENT, "start w --paused", *AGENT, "destroy w"]
    lines += [f"define {document(pair, folder, 'n', channel='')}", "start w --paused", *AGENT, "resume w", *AGENT]
    said = same(pair, [*lines, "destroy w", "undefine w"])
    assert "qemu doesn't support rtc-reset-reinjection command" in said[2] and "domain is not running" in said[1]


DISK = "<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='/dev/null/img'/>{}</disk>"
PLACES = (
    "<target dev='vda' bus='virtio'/>", "<target dev='sda' bus='sata'/>", "<target dev='vdk' bus='ide'/>",
    "<target dev='sdk' bus='scsi'/><address type='drive' controller='0' bus='0' target='0' unit='1'/>",
    "<target dev='vdk' bus='virtio'/><address type='pci' bus='0' slot='0x1f' function='2'/>",
)  # fmt: skip


def test_disks_that_cannot_be_attached(pair: Pair, folder: Path) -> None:
    """A missing file is said before a taken target or place; a failure leaves no number of a block node behind."""
    lines = [f"define {pair.document}", "start hp --paused"]
    for number, place in enumerate(PLACES):
        path = folder / f"d{number}.xml"
        path.write_text(DISK.format(place))
        lines += [f"attach-device hp {path} {option}" for option in ("--live", "--config", "--live --config")]
    for line in (
        "/dev/null/img vda",
        "/dev/null/img vdb",
        "{images}/a.raw vda",
        "/dev/null/img vda --config",
        "{images}/a.raw vdc",
    ):
        lines += [f"attach-disk hp {line.replace('{images}', str(pair.images))}"]
    said = same(pair, [*lines, "dumpxml hp --xpath //disk", "dumpxml hp --inactive --xpath //disk", "destroy hp"])
    assert "Cannot access storage file" in said[2] and "attached" in said[-4]


COMMITS = """blockcommit hp vda
blockcommit hp vda --active
blockcommit hp nosuch --base x --shallow
blockcommit hp vda --top x
blockcommit hp vda --base x --shallow
blockcommit hp vda --base vda[9]
blockcommit hp sda
blockcommit hp {images}/f.raw
blockcommit hp vda --base {images}/f.raw --top {images}/f.raw --active
blockcommit hp vda --shallow
blockcommit hp vda --shallow --active
backup-begin hp""".splitlines()


def test_which_check_of_a_commit_comes_first(pair: Pair) -> None:
    """libvirt looks for the layers before it looks whether the guest runs."""
    lines = [line.replace("{images}", str(pair.images)) for line in COMMITS]
    said = same(pair, [f"define {pair.document}", *lines, "start hp --paused", *lines[:-1], "destroy hp"])
    assert "could not find base image" in said[1] and "inactive domain" in said[len(lines)]


ROOTS = (
    "<foo/>", "<network><name>x</name></network>", "<domainsnapshot><domain type='qemu'/></domainsnapshot>", "<a xmlns='http://x'/>",
    "<x:domain xmlns:x='http://y' type='qemu'/>", "<Domain type='qemu'/>", "<domain/>",
)  # fmt: skip


def test_documents_with_another_root(pair: Pair, folder: Path) -> None:
    """The root is looked at before the schema; its namespace counts for the schema only."""
    lines = []
    for number, text in enumerate(ROOTS):
        (folder / f"r{number}.xml").write_text(text)
        for command in ("define", "create", "net-define", "pool-define", "secret-define", "nwfilter-define"):
            lines.append(f"{command} {folder}/r{number}.xml")
        lines.append(f"define {folder}/r{number}.xml --validate")
    same(pair, [line for line in lines if "net-define" not in line or "r1.xml" not in line])


COOKIE = "<cookie name='{}'>{}</cookie>"
COOKIES = (
    COOKIE.format("a", "b"), COOKIE.format("", "b"), COOKIE.format("a", ""), COOKIE.format("a", "x y"), COOKIE.format("a", "&quot;x&quot;"),
    COOKIE.format("a", "&quot;"), COOKIE.format("a", "x;y"), COOKIE.format("a b", "x"), COOKIE.format("a", "x=y"),
    COOKIE.format("a", "1") + COOKIE.format("a;", "1") + COOKIE.format("a", "2"), "<cookie>b</cookie>",
)  # fmt: skip
WEB = "<disk type='network' device='cdrom'><source protocol='{}' name='x'><host name='h'/>{}<timeout seconds='0'/></source><target dev='sdb' bus='sata'/></disk><interface"
IPS = (
    "<ip family='ipv6' address='fd00::1' prefix='64'><tftp/></ip>", "<ip address='10.9.8.1'><tftp root=''/></ip>",
    "<ip family='ipv6' address='fd00::1' prefix='64'><tftp root='/x'/><dhcp><range start='fd00::10' end='fd00::20'/></dhcp></ip>",
    "<ip family='ipv6' address='fd00::1' prefix='64'><dhcp><bootp file='x'/></dhcp></ip>",
)  # fmt: skip


def test_small_parts_of_documents(pair: Pair, folder: Path) -> None:
    """Cookies with their secrets, a video device of type none, what serves guests that boot over IPv6."""
    lines = []
    for number, cookies in enumerate(COOKIES):
        for protocol in ("https", "ftp"):
            disk = WEB.format(protocol, f"<cookies>{cookies}</cookies>")
            path = document(pair, folder, f"k{number}{protocol}", ("<interface", disk), ("MODE", "custom"))
            lines += [f"define {path}", "dumpxml w --security-info", "dumpxml w"]
    for more in ("", " heads='1'", " vram='1'", " primary='yes'"):
        path = document(pair, folder, "v", ("<model type='qxl'/>", f"<model type='none'{more}/>"))
        lines += [f"define {path}", "dumpxml w --xpath //video"]
    for number, ip in enumerate(IPS):
        (folder / f"i{number}.xml").write_text(f"<network><name>w</name><bridge name='kvw'/>{ip}</network>")
        lines += [f"net-define {folder}/i{number}.xml", "net-dumpxml w --xpath //ip", "net-undefine w"]
    said = same(pair, [*lines, "undefine w"])
    assert "<cookie name='a'>b</cookie>" in said[1] and "<cookie" not in said[2]
