"""Values that the fuzz once brought past the documents' reader: refused, or written back, as the real libvirt does."""

from __future__ import annotations

from pathlib import Path

import pytest

from kvasir.cpu import combine
from kvasir.errors import InvalidArg
from tests.conftest import DaemonHandle, KvasirDaemon

DOMAIN = """<domain type='qemu' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'><name>odd</name>
<uuid>11111111-1111-4111-8111-11111111111a</uuid><memory>32768</memory><os><type arch='x86_64' machine='pc'>hvm</type></os>
<devices><rng model='virtio'><backend model='random'>/dev/urandom</backend><alias name='ua-r'/></rng></devices>
<qemu:override><qemu:device alias='ua-r'><qemu:frontend><qemu:property {}/></qemu:frontend></qemu:device></qemu:override></domain>"""
NETWORK = """<network><name>odd</name><uuid>22222222-2222-4222-8222-22222222222a</uuid><bridge name='odd0'/><mac address='52:54:00:00:00:0a'/>
<ip address='10.77.74.1' netmask='255.255.255.0'/>{}</network>"""
POOL = """<pool type='dir'><name>odd</name><uuid>33333333-3333-4333-8333-33333333333a</uuid>
<target><path>/nonexistent/odd</path><permissions>{}</permissions></target></pool>"""
PROPERTIES = (
    "name='p' type='unsigned' value='3.5'",
    "name='p' type='unsigned' value='-1'",
    "name='p' type='unsigned' value='010'",
    "name='p' type='unsigned' value='1_0'",
    "name='p' type='unsigned' value='18446744073709551616'",
    "name='p' type='signed' value='0x10'",
    "name='p' type='signed' value=' -5'",
    "name='p' type='signed'",
    "name='p' type='bool' value='yes'",
    "name='p' type='bool' value='true'",
    "name='p' type='remove' value=''",
    "name='p' type='frob' value='1'",
    "name='p' value='1'",
    "type='signed' value='1'",
)
CARD = "<devices><interface type='user'><mac address='52:54:00:00:00:0a'/><portForward proto='tcp'><range {}/></portForward></interface>"
RANGES = ("end='5'", "start='5' end='3'", "start='0'", "start='1' to='0'", "start='1' end='x'", "")
VIDEO = """<devices><video><driver name='vhostuser'/><model type='virtio'/></video>"""
ROUTES = (
    "address='192.1.0' gateway='10.77.74.9'",
    "address='0' gateway='10.77.74.9'",
    "address='10.5' prefix='32' gateway='10.77.19081'",
    "address='10.5.0.0' netmask='255.255.0' gateway='10.77.74.9'",
    "address='10.5.0.0' netmask='x' gateway='10.77.74.9'",
    "address='10.5.0.0' netmask='::1' gateway='10.77.74.9'",
    "address='' gateway='10.77.74.9'",
)
OWNERS = ("-1", "-5", "4294967295", "4294967296", "99999999999999999999", "", " 7", "7 ", "1_0", "x")
MODES = ("0o17", "1_7", "+17", "17 ", "-1", "1777")
CASES = {
    "define": [
        *(DOMAIN.format(words) for words in PROPERTIES),
        *(DOMAIN.format(PROPERTIES[9]).replace("<devices>", CARD.format(words)) for words in RANGES),
    ],
    "net-define": [
        *(NETWORK.format(f"<route {words}/>") for words in ROUTES),
        NETWORK.replace("255.255.255.0", "::1").format(""),
    ],
    "pool-define": [
        *(POOL.format(f"<owner>{word}</owner><group>{word}</group>") for word in OWNERS),
        *(POOL.format(f"<mode>{word}</mode>") for word in MODES),
    ],
}
READ = {"define": "dumpxml", "net-define": "net-dumpxml", "pool-define": "pool-dumpxml"}
REMOVE = {"define": "undefine", "net-define": "net-undefine", "pool-define": "pool-undefine"}


@pytest.mark.parametrize("command", CASES)
def test_as_libvirt(command: str, kvasird: KvasirDaemon, real_libvirtd: DaemonHandle, tmp_path: Path) -> None:
    """The same words, and the same document where it is taken."""
    file = tmp_path / "odd.xml"
    for text in CASES[command]:
        file.write_text(text)
        said = []
        for daemon in (kvasird, real_libvirtd):
            done = daemon.virsh(command, str(file))
            shown = daemon.virsh(READ[command], "odd").stdout if done.returncode == 0 else ""
            if shown:
                assert daemon.virsh(REMOVE[command], "odd").returncode == 0
            said.append((done.stdout, done.stderr, shown))
        assert said[0] == said[1], text


def test_command_line(kvasird: KvasirDaemon, real_libvirtd: DaemonHandle, tmp_path: Path) -> None:
    """A video card whose process cannot be had: an error, the same."""
    file = tmp_path / "odd.xml"
    text = DOMAIN.format(PROPERTIES[9]).replace("<devices>", VIDEO)
    shared = "<memoryBacking><source type='memfd'/><access mode='shared'/></memoryBacking><os>"
    file.write_text(text.replace("<os>", shared))
    ours, real = (one.virsh("domxml-to-native", "qemu-argv", str(file)) for one in (kvasird, real_libvirtd))
    assert (ours.returncode, ours.stderr) == (real.returncode, real.stderr) == (1, ours.stderr)


def test_a_baseline_of_no_processors() -> None:
    with pytest.raises(InvalidArg, match="No CPUs given"):
        combine.baseline([])
