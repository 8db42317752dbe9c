"""Interfaces defined, started, bridged and rolled back, for each kind of configuration, on real links of a namespace."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from kvasir.errors import Error
from kvasir.interface.backends import Backend
from kvasir.interface.backends.ifupdown import Ifupdown
from kvasir.interface.backends.keyfiles import Keyfiles
from kvasir.interface.backends.networkd import Networkd
from kvasir.interface.entries import check, flatten, fold
from kvasir.model.interface import read
from tests.virsh.cells import four

from .conftest import FOLDERS, IfaceDaemon
from .corpus import DOCUMENTS

CARD = """<interface type='ethernet' name='c0'><start mode='onboot'/><mtu size='1400'/>
<protocol family='ipv4'><ip address='10.66.0.5' prefix='24'/><route gateway='10.66.0.1'/></protocol>
<protocol family='ipv6'><ip address='2001:db8:66::5' prefix='64'/></protocol></interface>
"""
WORDS = """
iface-define {folder}/card.xml
iface-dumpxml c0 --inactive
iface-list --inactive
iface-start c0
iface-start c0
iface-mac c0
iface-destroy c0
iface-destroy c0
iface-bridge c0 br5 --no-start --delay 4
iface-dumpxml br5 --inactive
iface-dumpxml br5
iface-list --all
iface-dumpxml c0 --inactive
iface-unbridge br5 --no-start
iface-destroy br5
iface-start br5
iface-unbridge br5 --no-start
iface-dumpxml c0 --inactive
iface-bridge c0 br6 --no-stp
iface-bridge c0 br7
iface-bridge br6 br7
iface-bridge c2 br6
iface-unbridge br6
iface-list --all
iface-destroy c0
iface-define {folder}/two.xml
iface-unbridge br8
iface-define {folder}/none.xml
iface-unbridge br9
iface-define {folder}/taken.xml
iface-undefine br8
iface-undefine br9
iface-undefine c2
iface-undefine nosuch
iface-begin
iface-begin
iface-undefine c0
iface-rollback
iface-dumpxml c0 --inactive
iface-rollback
iface-commit
iface-begin
iface-undefine c0
iface-commit
iface-rollback
iface-undefine c0
iface-define {folder}/badname.xml
iface-define {folder}/broken.xml
iface-define {folder}/card.xml --validate
"""
FILES = {
    "card": CARD,
    "two": "<interface type='bridge' name='br8'><bridge><interface type='ethernet' name='c2'/>"
    "<interface type='ethernet' name='c3'/></bridge></interface>",
    "none": "<interface type='bridge' name='br9'><bridge stp='off'/></interface>",
    "taken": "<interface type='ethernet' name='c2'/>",
    "badname": "<interface type='ethernet' name='../../x'/>",
    "broken": "<interface type='ethernet'",
}


def prepared(ifd: IfaceDaemon, kind: str) -> None:
    ifd.reset(kind)
    for name, text in FILES.items():
        ifd.write(f"{name}.xml", text)


@pytest.mark.guide("virsh-iface-define", "virsh-iface-undefine", "error-iface-begin-twice",
                   "error-iface-commit-without-begin", "error-iface-rollback-without-begin", "virsh-iface-begin",
                   "virsh-iface-commit", "virsh-iface-rollback")  # fmt: skip
@pytest.mark.parametrize("kind", FOLDERS)
def test_both_virsh_say_the_same(ifd: IfaceDaemon, kind: str) -> None:
    """The real virsh and ours, on our daemon, for each kind of configuration."""
    told = four([("kvasird", ifd)], WORDS, prepare=lambda daemon: prepared(ifd, kind))
    said: dict[str, str] = {}
    for line, text in told:
        said[line] = said.get(line, "") + text
    assert said["iface-define FOLDER/card.xml"] == "Interface c0 defined from FOLDER/card.xml\n\n"
    assert "interface is already running" in said["iface-start c0"]
    assert "interface is not running" in said["iface-destroy c0"]
    assert "there is another transaction running" in said["iface-begin"]
    assert "nothing to be committed" in said["iface-commit"] and "committed\n" in said["iface-commit"]
    assert "nothing to rollback" in said["iface-rollback"]
    assert "Multiple interfaces attached" in said["iface-unbridge br8"]
    assert "belongs to 'br8'" in said["iface-define FOLDER/taken.xml"]
    assert "invalid interface name" in said["iface-define FOLDER/badname.xml"]


@pytest.mark.parametrize("kind", (Ifupdown, Keyfiles, Networkd))
def test_files_keep_every_document(tmp_path: Path, kind: type[Backend]) -> None:
    """What is written is read back the same, alone and beside the others, and goes without a trace."""
    backend = kind(str(tmp_path))  # type: ignore[call-arg]  # a protocol has no constructor
    (tmp_path / FOLDERS[backend.title]).mkdir(parents=True)
    kept = 0
    for text in DOCUMENTS:
        try:
            document = read(text)
            check(document)
        except Error:
            continue
        document.link_speed = document.link_state = None
        document.protocols = [one for one in document.protocols if one.dhcp or one.autoconf or one.ips or one.gateway]
        document.protocols.sort(key=lambda one: str(one.family))
        above = document.bridge or document.bond
        for port in above.interfaces if above is not None else ():
            port.link_speed = port.link_state = None
        entries = flatten(document)
        for entry in entries:
            backend.save(entry, [one.name for one in entries if one.controller == entry.name])
        found = fold(backend.load())
        assert list(found) == [document.name]
        found[str(document.name)].protocols.sort(key=lambda one: str(one.family))
        assert found[str(document.name)].xml() == document.xml()
        for entry in reversed(entries):
            backend.remove(entry.name)
        assert backend.load() == []
        kept += 1
    assert kept >= 20


def test_others_lines_stay(ifd: IfaceDaemon) -> None:
    """A hand-written file of ifupdown: its own stanzas and comments outlive ours; a redefined card moves out of it."""
    ifd.reset("ifupdown")
    main = ifd.folder / "etc/network/interfaces"
    main.write_text("# mine\nauto lo c0\niface lo inet loopback\n\nallow-hotplug c2\niface c2 inet static\n"
                    "\taddress 10.5.5.5\n\tnetmask 255.255.0.0\n\tup echo hello\n# end\n"
                    "iface c0 inet dhcp\n  mtu 1300\n")  # fmt: skip
    shown = ifd.say("iface-dumpxml", "c2", "--inactive")
    assert "<start mode='hotplug'/>" in shown and "<ip address='10.5.5.5' prefix='16'/>" in shown
    assert "<dhcp/>" in ifd.say("iface-dumpxml", "c0", "--inactive")
    ifd.say("iface-define", ifd.write("card.xml", CARD))
    text = main.read_text()
    assert "up echo hello" in text and "# mine" in text and "auto lo\n" in text and "iface c0" not in text
    assert "source /etc/network/interfaces.d/*" in text
    assert "auto c0" in ifd.files()["etc/network/interfaces.d/c0"]


@pytest.mark.guide("virsh-iface-start", "virsh-iface-destroy")
@pytest.mark.parametrize("kind", FOLDERS)
def test_start_and_destroy(ifd: IfaceDaemon, kind: str) -> None:
    prepared(ifd, kind)
    assert ifd.do("iface-define", str(ifd.folder / "card.xml")).stdout.startswith("Interface c0 defined from")
    assert ifd.addresses("c0") == [] and "state DOWN" in ifd.shown("c0")
    ifd.inside("ip", "link", "set", "c1", "up")
    assert ifd.do("iface-start", "c0").stdout == "Interface c0 started\n\n"
    assert ifd.addresses("c0") == ["10.66.0.5/24", "2001:db8:66::5/64"]
    assert "mtu 1400" in ifd.shown("c0") and "default via 10.66.0.1" in ifd.inside("ip", "route")
    ifd.until_active("c0")
    live = ifd.say("iface-dumpxml", "c0")
    assert "<mtu size='1400'/>" in live and "state='up'" in live and "<ip address='10.66.0.5' prefix='24'/>" in live
    assert "<mac address='52:54:00:77:00:01'/>" in live
    assert ifd.do("iface-destroy", "c0").stdout == "Interface c0 destroyed\n\n"
    assert ifd.addresses("c0") == [] and "state DOWN" in ifd.shown("c0")
    assert "10.66.0.5" in ifd.say("iface-dumpxml", "c0", "--inactive")
    assert ifd.do("iface-undefine", "c0").stdout == "Interface c0 undefined\n\n"
    assert not any("c0" in name for name in ifd.files())
    if kind == "ifupdown":
        assert "c0" in ifd.say("iface-list", "--all")  # the card itself is there


@pytest.mark.guide("virsh-iface-edit")
def test_edit(ifd: IfaceDaemon, monkeypatch: pytest.MonkeyPatch) -> None:
    prepared(ifd, "ifupdown")
    ifd.say("iface-define", str(ifd.folder / "card.xml"))
    for virsh, before, after in ((ifd.virsh, 1400, 1300), (ifd.our_virsh, 1300, 1280)):
        monkeypatch.setenv("EDITOR", f"sed -i s/size=.{before}./size=\\'{after}\\'/")
        assert virsh("iface-edit", "c0").stdout == "Interface c0 XML configuration edited.\n\n"
        assert f"mtu {after}" in ifd.files()["etc/network/interfaces.d/c0"]
        monkeypatch.setenv("EDITOR", "true")
        assert virsh("iface-edit", "c0").stdout == "Interface c0 XML configuration not changed.\n\n"
        monkeypatch.setenv("EDITOR", "sed -i s/ipv4/ipx/")
        virsh("iface-edit", "c0", stdin="n\n")  # the real one says that it failed, and ends well
    assert "mtu 1280" in ifd.files()["etc/network/interfaces.d/c0"]


@pytest.mark.guide("proc-iface-snapshot", "iface-external-changes-undefined")
@pytest.mark.parametrize("kind", FOLDERS)
def test_rollback_restores_files_and_links(ifd: IfaceDaemon, kind: str) -> None:
    prepared(ifd, kind)
    ifd.say("iface-define", str(ifd.folder / "card.xml"))
    ifd.say("iface-start", "c0")
    before = ifd.files()
    assert ifd.do("iface-begin").stdout == "Network config change transaction started\n\n"
    ifd.say("iface-bridge", "c0", "br4")
    ifd.say("iface-define", str(ifd.folder / "two.xml"))
    stranger = ifd.folder / FOLDERS[kind] / "stranger"
    stranger.write_text("# by hand, meanwhile\n")
    assert ifd.files() != before and "br4" in ifd.links()
    assert "Other programs are not to change" in ifd.do("help", "iface-begin").stdout
    assert ifd.do("iface-rollback").stdout == "Network config change transaction rolled back\n\n"
    assert ifd.files() == before
    assert "br4" not in ifd.links() and "10.66.0.5/24" in ifd.addresses("c0")
    ifd.say("iface-begin")
    ifd.say("iface-undefine", "c0")
    ifd.say("iface-commit")
    assert not any("c0" in name for name in ifd.files())
    assert ifd.do("iface-rollback").returncode == 1


@pytest.mark.guide("iface-rollback-on-reboot")
def test_rollback_after_a_boot(ifd: IfaceDaemon) -> None:
    """What lies below /run is gone after a boot: then a change that was begun is undone. A mere restart undoes nothing."""
    prepared(ifd, "ifupdown")
    ifd.say("iface-define", str(ifd.folder / "card.xml"))
    before = ifd.files()
    ifd.say("iface-begin")
    ifd.say("iface-define", ifd.write("bad.xml", CARD.replace("10.66.0.5", "10.66.0.250")))
    ifd.say("iface-start", "c0")
    ifd.kill()
    ifd.start()
    ifd.say("iface-list")
    assert "10.66.0.250" in ifd.files()["etc/network/interfaces.d/c0"]
    ifd.kill()
    shutil.rmtree(ifd.folder / "run/libvirt")
    ifd.start()
    ifd.say("iface-list")  # it serves when its drivers have started
    assert ifd.files() == before
    assert "10.66.0.5/24" in ifd.addresses("c0") and "10.66.0.250/24" not in ifd.addresses("c0")
    done = ifd.do("iface-commit")
    assert done.returncode == 1 and "no transaction running" in done.stderr


@pytest.mark.guide("iface-networkmanager-warning", "behaviour-libvirt-bridge-networkmanager")
def test_not_beside_network_manager(ifd: IfaceDaemon, tmp_path: Path) -> None:
    prepared(ifd, "ifupdown")
    shutil.copy("/bin/sleep", tmp_path / "NetworkManager")
    child = subprocess.Popen([tmp_path / "NetworkManager", "600"])
    folder = ifd.folder / "run/NetworkManager"
    folder.mkdir(parents=True)
    try:
        (folder / "NetworkManager.pid").write_text(f"{child.pid}\n")
        for words in (("iface-define", str(ifd.folder / "card.xml")), ("iface-start", "c0"), ("iface-begin",),
                      ("iface-bridge", "c0", "br1")):  # fmt: skip
            done = ifd.do(*words)
            assert done.returncode == 1 and "NetworkManager is active" in done.stderr
        assert ifd.files() == {}
        prepared(ifd, "NetworkManager")
        ifd.say("iface-define", str(ifd.folder / "card.xml"))
        assert "NetworkManager is active" in ifd.log()
        mode = os.stat(ifd.folder / FOLDERS["NetworkManager"] / "c0.nmconnection").st_mode & 0o777
        assert mode == 0o600
    finally:
        child.kill()
        child.wait()
        shutil.rmtree(folder)
    prepared(ifd, "ifupdown")
    ifd.say("iface-bridge", "c0", "br1")
    assert "master br1" in ifd.shown("c0")


def test_what_fails_leaves_nothing(ifd: IfaceDaemon) -> None:
    """Kinds of links that this kernel lacks, and cards that are not there: up to the kernel's door, nothing is left."""
    ifd.reset("ifupdown")
    ifd.inside("ip", "address", "add", "10.5.0.1/24", "dev", "c2")
    documents = {
        "bond7": "<interface type='bond' name='bond7'><bond mode='active-backup'><miimon freq='100'/>"
        "<interface type='ethernet' name='c2'/></bond></interface>",
        "c2.5": "<interface type='vlan' name='c2.5'><vlan tag='5'><interface name='c2'/></vlan></interface>",
        "br7": "<interface type='bridge' name='br7'><bridge><interface type='ethernet' name='c2'/>"
        "<interface type='ethernet' name='absent'/></bridge></interface>",
        "br6": "<interface type='bridge' name='br6'><bridge><interface type='ethernet' name='c2'/>"
        "<interface type='vlan' name='c0.9'><vlan tag='9'><interface name='c0'/></vlan></interface></bridge></interface>",
    }
    for name, text in documents.items():
        ifd.say("iface-define", ifd.write("x.xml", text))
        done = ifd.do("iface-start", name)
        if done.returncode == 0:  # a kernel that has it
            assert name in ifd.links()
            ifd.say("iface-destroy", name)
        else:
            assert name in done.stderr
        assert name not in ifd.links() and "master" not in ifd.shown("c2")
        assert ifd.addresses("c2") == ["10.5.0.1/24"]
        ifd.say("iface-undefine", name)


@pytest.mark.parametrize("kind", FOLDERS)
def test_files_that_cannot_be_written(ifd: IfaceDaemon, kind: str) -> None:
    """A bridge with a port is more files than one: where the last cannot be written, the others are as they were."""
    ifd.reset(kind)
    ifd.say(
        "iface-define", ifd.write("x.xml", "<interface type='ethernet' name='c2'><start mode='onboot'/></interface>")
    )
    before = ifd.files()
    bridge = ifd.write(
        "y.xml",
        "<interface type='bridge' name='br7'><start mode='onboot'/><bridge><interface type='ethernet' name='c2'/></bridge></interface>",
    )
    ifd.say("iface-define", bridge)
    (made,) = [name for name in ifd.files() if name not in before and not name.endswith(".netdev")]
    ifd.say("iface-undefine", "br7")
    ifd.say("iface-define", str(ifd.folder / "x.xml"))
    assert ifd.files() == before
    (ifd.folder / made / "kept").mkdir(parents=True)
    done = ifd.do("iface-define", bridge)
    assert done.returncode == 1 and f"{ifd.folder}/{made}" in done.stderr and "Is a directory" in done.stderr
    assert ifd.files() == before
    (ifd.folder / made / "kept").rmdir()
    (ifd.folder / made).rmdir()
    ifd.say("iface-define", bridge)


HOSTILE = """auto c0 c0\niface c0 inet static\n address 1.2.3.4/999999999999\n netmask rubbish\n mtu 99999999999999999999\n
iface c2 inet static\n bridge_ports c2 c2 regex .*\n bridge_fd \ud83d\niface a inet manual\n bridge-ports b\n
iface b inet manual\n bridge-ports a\niface bond9 inet manual\n bond-mode what\n bond-miimon x\n bond-slaves all\n
iface\niface x\niface x inet\nsource\nmapping\n iface in\\\nside\n\0\n""".encode("utf-8", "surrogatepass")


@pytest.mark.parametrize("kind", FOLDERS)
def test_files_of_others_never_hurt(ifd: IfaceDaemon, kind: str) -> None:
    """Whatever stands in the files: interfaces are still listed, and the file stays as it was."""
    ifd.reset(kind)
    ini = b"[connection]\ninterface-name=c0\ntype=bond\n[bond]\nmiimon=x\n[Match]\nName=c0\n[NetDev]\nName=c2\nKind=vlan\n\xff[x\n="
    for name in ("hand", "hand.nmconnection", "10-hand.network", "10-hand.netdev"):
        (ifd.folder / FOLDERS[kind] / name).write_bytes(HOSTILE + ini)
    assert "c3" in ifd.say("iface-list", "--all")
    for name in ("c0", "c2", "c3"):
        ifd.say("iface-dumpxml", name, "--inactive")
    ifd.say("iface-start", "c3")
    assert ifd.do("iface-destroy", "c3").returncode == 0  # the real virsh 9.0 ends with 1, though all is well
    for name in ("hand", "10-hand.network"):
        assert (ifd.folder / FOLDERS[kind] / name).read_bytes() == HOSTILE + ini
