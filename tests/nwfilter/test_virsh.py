"""nwfilter-* in the four cells, and interfaces of a real guest that have filters."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

from tests.conftest import DaemonHandle, KvasirDaemon
from tests.nwfilter.place import Place
from tests.virsh.cells import four
from tests.waiting import until
from tests.wire.harness import PROJECT

DOCUMENTS = {
    "one": "<filter name='one' chain='arp'><uuid>6f0a7a52-1c11-4d3b-9a51-000000000101</uuid>"
    "<rule action='drop' direction='in'><arp opcode='1'/></rule></filter>",
    "two": "<filter name='two'><uuid>6f0a7a52-1c11-4d3b-9a51-000000000102</uuid><filterref filter='one'/></filter>",
    "loop": "<filter name='one'><uuid>6f0a7a52-1c11-4d3b-9a51-000000000101</uuid><filterref filter='two'/></filter>",
    "taken": "<filter name='one'><uuid>6f0a7a52-1c11-4d3b-9a51-000000000103</uuid></filter>",
    "renamed": "<filter name='uno'><uuid>6f0a7a52-1c11-4d3b-9a51-000000000101</uuid></filter>",
    "noname": "<filter/>",
    "nochain": "<filter name='x' chain='foo'/>",
    "badchain": "<filter name='x' chain='arp-x!'/>",
    "longchain": "<filter name='x' chain='arp-abcdefghijklmnopqrstuvw'/>",
    "badpriority": "<filter name='x' priority='2000'/>",
    "nopriority": "<filter name='x' priority='x'/>",
    "baduuid": "<filter name='x'><uuid>zz</uuid></filter>",
    "noaction": "<filter name='x'><rule direction='in'/></filter>",
    "badaction": "<filter name='x'><rule action='x' direction='in'/></filter>",
    "nodirection": "<filter name='x'><rule action='drop'/></filter>",
    "baddirection": "<filter name='x'><rule action='drop' direction='x'/></filter>",
    "noref": "<filter name='x'><filterref/></filter>",
    "self": "<filter name='x'><filterref filter='x'/></filter>",
    "port": "<filter name='x'><rule action='drop' direction='in'><tcp dstportstart='70000'/></rule></filter>",
    "variable": "<filter name='x'><rule action='drop' direction='in'><tcp dstportstart='$A[x]'/></rule></filter>",
    "state": "<filter name='x'><rule action='drop' direction='in'><all state='FOO'/></rule></filter>",
    "mac": "<filter name='x'><rule action='drop' direction='in'><mac srcmacaddr='02:00:00:00:zz:01'/></rule></filter>",
    "wrong": "<network name='x'/>",
    "broken": "<filter name='x'>",
    "binding": "<filterbinding><owner><name>g</name><uuid>d54df46f-1ab5-4a22-8618-4560ef5fac2c</uuid></owner><portdev name='nosuch0'/>"
    "<mac address='52:54:00:7b:35:93'/><filterref filter='nope'/></filterbinding>",
    "noport": "<filterbinding><owner><name>g</name><uuid>d54df46f-1ab5-4a22-8618-4560ef5fac2c</uuid></owner></filterbinding>",
}
SCRIPT = (
    "".join(f"nwfilter-define {{folder}}/f-{name}.xml\n" for name in DOCUMENTS if "binding" not in name)
    + """
nwfilter-list
nwfilter-dumpxml one
nwfilter-dumpxml 6f0a7a52-1c11-4d3b-9a51-000000000102
nwfilter-dumpxml nosuch
nwfilter-dumpxml one --xpath //arp
nwfilter-undefine one
nwfilter-undefine two
nwfilter-undefine one
nwfilter-undefine one
nwfilter-list
nwfilter-define {folder}/nosuch.xml
!nwfilter-define
!nwfilter-dumpxml
nwfilter-binding-list
nwfilter-binding-create {folder}/f-binding.xml
nwfilter-binding-create {folder}/f-noport.xml
nwfilter-binding-create {folder}/f-wrong.xml
nwfilter-binding-delete nosuch0
nwfilter-binding-dumpxml nosuch0
!nwfilter-list --foo
"""
)


def prepare(daemon: DaemonHandle) -> None:
    for name, text in DOCUMENTS.items():
        (daemon.folder / f"f-{name}.xml").write_text(text)
    if isinstance(daemon, KvasirDaemon):  # the real one begins without the filters that its package ships
        for line in daemon.virsh("nwfilter-list").stdout.splitlines()[2:]:
            if line.strip():
                daemon.virsh("nwfilter-undefine", line.split()[1])


def mask(text: str) -> str:
    return re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "UUID", text)


@pytest.mark.guide(
    "virsh-nwfilter-define",
    "virsh-nwfilter-dumpxml",
    "virsh-nwfilter-list",
    "virsh-nwfilter-undefine",
)
def test_four_cells(real_libvirtd: DaemonHandle, kvasird: KvasirDaemon) -> None:
    said = dict(four((("libvirtd", real_libvirtd), ("kvasird", kvasird)), SCRIPT, mask, prepare))
    assert "Network filter one defined" in said["nwfilter-define FOLDER/f-one.xml"]
    assert "no nwfilter with matching name 'one'" in said["nwfilter-undefine one"], "the second time"


@pytest.mark.guide("virsh-nwfilter-edit")
def test_edit(place: Place) -> None:
    """An editor adds a rule; what cannot be read leaves the old definition."""
    (place.folder / "one.xml").write_text(DOCUMENTS["one"].replace("'one'", "'edited'"))
    assert place.run(f"nwfilter-define {place.folder}/one.xml").returncode == 0

    def edit(script: str) -> subprocess.CompletedProcess[str]:
        tool = place.folder / "tool"
        tool.write_text(f"#!/bin/sh\n{script}\n")
        tool.chmod(0o755)
        virsh = [sys.executable, "-IS", str(PROJECT / "bin/virsh"), "-c", place.uri, "nwfilter-edit", "edited"]
        return subprocess.run(
            virsh, env={**os.environ, "EDITOR": str(tool)}, capture_output=True, text=True, check=False, input="n\n"
        )

    done = edit("""sed -i "s#</filter>#<rule action='accept' direction='out'/></filter>#" "$1" """)
    assert done.returncode == 0 and "Network filter edited XML configuration edited." in done.stdout, done
    assert "<rule action='accept' direction='out' priority='500'/>" in place.say("nwfilter-dumpxml edited")
    done = edit("""sed -i "s#action='drop'#action='x'#" "$1" """)
    assert "unknown rule action attribute value" in done.stderr
    assert "action='drop'" in place.say("nwfilter-dumpxml edited")
    assert "not changed" in edit("true").stdout


GUEST = """<domain type='qemu'><name>guarded</name><memory unit='MiB'>32</memory>
<os><type arch='x86_64' machine='pc'>hvm</type></os><devices>
<interface type='bridge'><mac address='52:54:00:00:00:01'/><source bridge='brg'/><target dev='tapa'/><model type='virtio'/>
  <filterref filter='clean-traffic'><parameter name='IP' value='10.0.0.5'/></filterref></interface>
<interface type='ethernet'><mac address='52:54:00:00:00:02'/><target dev='tapb'/><model type='virtio'/>
  <filterref filter='no-mac-spoofing'/></interface>
</devices></domain>"""
CARD = """<interface type='bridge'><mac address='52:54:00:00:00:01'/><source bridge='brg'/><target dev='tapa'/><model type='virtio'/>{}</interface>"""


def test_a_guest_and_its_filters(place: Place) -> None:
    """In force before the guest runs, changed by update-device, kept over kill -9 of the daemon, gone with the guest; a start with a
    filter that cannot be had leaves nothing behind."""
    place.inside("ip", "link", "add", "brg", "type", "bridge")
    place.inside("ip", "link", "set", "brg", "up")
    document = place.folder / "guest.xml"
    document.write_text(GUEST.replace("no-mac-spoofing", "nosuch"))
    done = place.run(f"create {document} --paused")
    assert "referenced filter 'nosuch' is missing" in done.stderr, done.stderr
    assert "tapa" not in place.inside("ebtables-save") and "tapa" not in place.inside("ip", "link")
    document.write_text(GUEST)
    done = place.run(f"create {document} --paused")
    assert done.returncode == 0, done.stderr
    try:
        listed = place.say("nwfilter-binding-list").split()
        assert listed == ["tapa", "clean-traffic", "tapb", "no-mac-spoofing"]
        assert "10.0.0.5" in place.inside("ebtables-save")
        card = place.folder / "card.xml"
        card.write_text(CARD.format("<filterref filter='no-arp-mac-spoofing'/>"))
        done = place.run(f"update-device guarded {card} --live")
        assert done.returncode == 0, done.stderr
        saved = place.inside("ebtables-save")
        assert "10.0.0.5" not in saved and "I-tapa-arp-mac" in saved
        card.write_text(CARD.format("<filterref filter='nosuch'/>"))
        assert "failed to add new filter rules" in place.run(f"update-device guarded {card} --live").stderr
        assert "I-tapa-arp-mac" in place.inside("ebtables-save")
        place.kill()
        place.start()
        assert place.say("nwfilter-binding-list").split()[:2] == ["tapa", "no-arp-mac-spoofing"]
        assert "<filterref filter='no-arp-mac-spoofing'/>" in place.say("dumpxml guarded")
        card.write_text(CARD.format(""))
        assert place.run(f"update-device guarded {card} --live").returncode == 0
        assert "tapa" not in place.inside("ebtables-save")
    finally:
        place.run("destroy guarded")
    until(lambda: "tapb" not in place.inside("ebtables-save"))
    assert place.say("nwfilter-binding-list").strip() == ""
