"""Errors in documents (guide A.19.10): the same three lines, refusals and losses in all four cells."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import PROJECT, DaemonHandle, KvasirDaemon, Peers
from tests.virsh import cells

OK = """<domain type='qemu'>
  <name>x</name>
  <uuid>6f1d5a1e-2b3c-4d5e-8f90-a1b2c3d4e5f7</uuid>
  <memory>65536</memory>
  <vcpu>2</vcpu>
  <os><type arch='x86_64' machine='pc'>hvm</type></os>
  <devices/>
</domain>
"""
BROKEN = {
    "stray": "<domain type='kvm'>\n  <name>name_of_guest</name>\n  <memory>524288</memory>\n  <vcpu>2</vcpu><\n</domain>\n",
    "unterminated": "<domain type='kvm>\n  <name>name_of_guest</name>\n</domain>\n",
    "mismatch": "<domain type='kvm'>\n  <name>g</name>\n  <clock offset='utc'>\n</domain>\n",
    "features": "<domain type='kvm'>\n  <features>\n    <acpi/>\n    <pae/>\n</domain>\n",
    "endonly": "<domain type='kvm'>\n  </name>\n</domain>\n",
    "typo": "<domain ty pe='kvm'>\n  <name>g</name>\n</domain>\n",
    "equals": "<domain type 'kvm'>\n  <name>g</name>\n</domain>\n",
    "extra": "<dom#ain type='kvm'>\n  <name>g</name>\n</domain>\n",
    "root": "<volume><name>g</name></volume>\n",
    "prefixed": "<x:domain type='qemu'><name>g</name></x:domain>\n",
    "noname": "<domain type='qemu'><memory>1</memory></domain>\n",
    "badvalue": OK.replace("<vcpu>2<", "<vcpu>two<"),
    "empty": "",
    "blank": " \n\n",
    "tabs": "<domain type='kvm'>\n\t\t<name>g</name>\t<\n</domain>\n",
    "accents": "<domain type='kvm'>\n  <name>Gr\u00fc\u00df\u20ac</nam>\n</domain>\n",
    "bytes": "<domain type='kvm'>\n  <name>g\udcff\udcfe</name>\n</domain>\n",
    "encoding": "<?xml version='1.0' encoding='latin9999'?>\n<domain type='kvm'/>\n",
    "behind": "<domain type='qemu'><q:r/><name>g</name></domain>\n</domain>\n",
}
LOST = {
    "prefix": OK.replace(
        "<devices/>",
        "<metadata><a:b z:k='1'/></metadata><devices/><qemu:commandline><qemu:arg value='-x'/></qemu:commandline>",
    ),
    "declared": "<?xml version='1.0' encoding='ISO-8859-1'?>\n"
    + OK.replace("<memory>", "<title>Gr\u00fc\u00dfe</title><memory>"),
    "vanish": OK.replace("<devices/>", "<nosuchelement a='b'/>\n  <devices><nosuchdevice/></devices>"),
    "block": OK.replace(
        "<devices/>",
        "<devices><disk type='block' device='cdrom'><driver name='qemu' type='raw'/><source file='/tmp/image.iso'/>"
        "<target dev='hdc' bus='ide'/><readonly/></disk></devices>",
    ),
    "file": OK.replace(
        "<devices/>",
        "<devices><disk type='file' device='cdrom'><driver name='qemu' type='raw'/><source file='/tmp/image.iso'/>"
        "<target dev='hdc' bus='ide'/><readonly/></disk></devices>",
    ),
}
SCRIPT = "".join(f"define {{folder}}/{name}.xml\n" for name in BROKEN)
SCRIPT += "".join(f"create {{folder}}/{name}.xml\n" for name in ("stray", "typo"))
SCRIPT += "".join(f"define {{folder}}/{name}.xml\ndumpxml x\nundefine x\n" for name in LOST)
SCRIPT += "".join(f"pool-define {{folder}}/{name}.xml\n" for name in ("stray", "extra", "prefixed"))


@pytest.mark.guide(
    "xml-errors-intro", "xml-syntax-message-format", "xml-err-stray-lt", "xml-err-unterminated-attr",
    "xml-err-tag-mismatch", "xml-err-tag-mismatch-features", "xml-err-end-without-start", "xml-err-typo",
    "xml-err-typo-missing-eq", "xml-err-typo-extra-char", "xml-logic-errors-intro", "xml-vanishing-parts",
    "xml-cdrom-source-missing", "trouble-table-a1-xml",
)  # fmt: skip
def test_errors_in_documents(kvasird: KvasirDaemon, real_libvirtd: DaemonHandle) -> None:
    def prepare(daemon: DaemonHandle) -> None:
        for name, text in {**BROKEN, **LOST}.items():
            (daemon.folder / f"{name}.xml").write_text(text, "utf-8", "surrogateescape")

    said = dict(cells.four((("libvirtd", real_libvirtd), ("kvasird", kvasird)), SCRIPT, prepare=prepare))
    stray = said["define FOLDER/stray.xml"].rstrip().splitlines()
    assert "(domain_definition):4: StartTag: invalid element name" in said["define FOLDER/stray.xml"]
    assert stray[-2:] == ["  <vcpu>2</vcpu><", "-----------------^"]
    assert "Opening and ending tag mismatch: clock line 3 and domain" in said["define FOLDER/mismatch.xml"]
    assert "Opening and ending tag mismatch: features line 2 and domain" in said["define FOLDER/features.xml"]
    assert "Opening and ending tag mismatch: domain line 1 and name" in said["define FOLDER/endonly.xml"]
    for name in ("typo", "equals"):
        assert "Specification mandates value for attribute ty" in said[f"define FOLDER/{name}.xml"]
    assert "defined from" in said["define FOLDER/vanish.xml"]


@pytest.mark.guide("xml-vanishing-parts")
def test_validation_names_what_would_vanish(kvasird: KvasirDaemon) -> None:
    (kvasird.folder / "vanish.xml").write_text(LOST["vanish"])
    for virsh in (kvasird.virsh, kvasird.our_virsh):
        done = virsh("define", str(kvasird.folder / "vanish.xml"), "--validate")
        assert done.returncode == 1
        assert "XML document failed to validate against schema" in done.stderr


@pytest.mark.guide("xml-stored-documents")
def test_a_broken_stored_document_is_named_and_the_others_load(kvasird: KvasirDaemon) -> None:
    for name in ("good", "bad"):
        path = kvasird.folder / f"{name}.xml"
        uuid = "6f1d5a1e-2b3c-4d5e-8f90-a1b2c3d4e5f" + ("1" if name == "good" else "2")
        text = OK.replace("<name>x", f"<name>{name}").replace("6f1d5a1e-2b3c-4d5e-8f90-a1b2c3d4e5f7", uuid)
        path.write_text(text)
        assert kvasird.virsh("define", str(path)).returncode == 0
    assert kvasird.stop() == 0
    stored = kvasird.folder / "etc/libvirt/qemu/bad.xml"
    stored.write_text(stored.read_text().replace("</os>", "</so>"))
    kvasird.start()
    assert kvasird.virsh("list", "--all", "--name").stdout.split() == ["good"]
    assert str(stored) in kvasird.log()
    assert "Opening and ending tag mismatch" in kvasird.log()


def validator(*words: object, stdin: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "kvasir.cli.virt_xml_validate", *map(str, words)]
    env = {**os.environ, "PYTHONPATH": str(PROJECT / "src"), "LC_ALL": "C"}
    return subprocess.run(command, env=env, input=stdin, capture_output=True, text=True, timeout=60)


@pytest.mark.guide("xml-virt-xml-validate", "xml-vanishing-parts")
def test_virt_xml_validate(kvasird: KvasirDaemon) -> None:
    """What the daemon itself writes validates; what would vanish or is malformed does not, and is named."""
    folder = kvasird.folder
    for name, text in {**LOST, **BROKEN}.items():
        (folder / f"{name}.xml").write_text(text, "utf-8", "surrogateescape")
    assert kvasird.virsh("define", str(folder / "file.xml")).returncode == 0
    pool = "<pool type='dir'><name>p</name><target><path>/tmp</path></target></pool>"
    (folder / "pool.xml").write_text(pool)
    assert kvasird.virsh("pool-define", str(folder / "pool.xml")).returncode == 0
    for words in (("dumpxml", "x"), ("pool-dumpxml", "p")):
        path = folder / "dumped.xml"
        path.write_text(kvasird.virsh(*words).stdout)
        done = validator(path)
        assert (done.returncode, done.stderr.strip()) == (0, f"{path} validates")
    done = validator(folder / "vanish.xml")
    assert done.returncode == 3
    assert "nosuch" in done.stderr
    assert done.stderr.strip().endswith(f"{folder}/vanish.xml fails to validate")
    for name in BROKEN:
        if name not in ("root", "prefixed", "noname"):
            done = validator(folder / f"{name}.xml")
            assert done.returncode in (1, 3), name
            assert f"{name}.xml fails to validate" in done.stderr
    assert validator(folder / "nosuch.xml").returncode == 2
    assert validator().returncode == 1
    assert validator(folder / "pool.xml", "storagepool").returncode == 0
    assert validator(folder / "pool.xml", "domain").returncode == 3


@pytest.mark.guide("xml-xmllint")
def test_xmllint(kvasird: KvasirDaemon) -> None:
    """What the daemon writes is well-formed for libxml2's own tool; the broken documents are not."""
    if shutil.which("xmllint") is None:
        pytest.skip("xmllint (libxml2-utils) is not installed")
    path = kvasird.folder / "file.xml"
    path.write_text(LOST["file"])
    assert kvasird.virsh("define", str(path)).returncode == 0
    path.write_text(kvasird.virsh("dumpxml", "x").stdout)
    done = subprocess.run(["xmllint", "--noout", path], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    for name in ("stray", "unterminated", "mismatch", "features", "endonly", "typo", "equals", "extra"):
        path.write_text(BROKEN[name])
        assert subprocess.run(["xmllint", "--noout", path], capture_output=True).returncode != 0


DOCUMENTS = {
    "domainsnapshot": "<domainsnapshot><name>n</name>{}</domainsnapshot>",
    "domaincheckpoint": "<domaincheckpoint><name>n</name>{}</domaincheckpoint>",
    "domainbackup": "<domainbackup mode='push'>{}<disks><disk name='vda' type='file'><target file='/x'/></disk></disks></domainbackup>",
    "nwfilter": "<filter name='n' chain='root'>{}<rule action='drop' direction='in'/></filter>",
    "nwfilterbinding": "<filterbinding><owner><uuid>11111111-1111-1111-1111-111111111111</uuid><name>n</name></owner>"
    "<portdev name='p'/><mac address='52:54:00:00:00:01'/><filterref filter='allow-arp'/>{}</filterbinding>",
    "cpu": "<cpu><arch>x86_64</arch><model>qemu64</model>{}</cpu>",
    "interface": "<interface type='ethernet' name='e'>{}</interface>",
    "storagepoolcaps": "<storagepoolCapabilities>{}<pool type='dir' supported='yes'/></storagepoolCapabilities>",
}


@pytest.mark.parametrize("kind", DOCUMENTS)
def test_validates_every_kind(peers: Peers, tmp_path: Path, kind: str) -> None:
    """By the root element, as the original's schemas: what is right, and what has one element too many; from standard input too."""
    if shutil.which("xmllint") is None:
        pytest.skip("xmllint (libxml2-utils), which the original wants, is not installed")
    for more, code in (("", 0), ("<nosuch/>", 3)):
        path = tmp_path / "x.xml"
        path.write_text(DOCUMENTS[kind].format(more))
        theirs = peers.run("virt-xml-validate", str(path))
        ours = validator(path)
        assert (ours.returncode, theirs.returncode) == (code, code), (ours.stderr, theirs.stderr)
        assert ours.stderr.splitlines()[-1] == theirs.stderr.splitlines()[-1]
        if code:
            assert f"/{kind}.rng" in ours.stderr and "nosuch" in ours.stderr
    piped = validator("-", stdin=DOCUMENTS[kind].format(""))
    assert (piped.returncode, piped.stderr) == (0, "- validates\n")
    assert validator(path, "nosuch").returncode == 4


def test_validate_flags_refuse_what_the_schema_has_not(kvasird: KvasirDaemon, real_libvirtd: DaemonHandle) -> None:
    """``--validate`` of snapshots, bindings of filters and CPUs: taken and refused by both daemons."""
    lines = {
        "snapshot-create x {folder}/domainsnapshot-{how}.xml --validate --redefine": "domainsnapshot",
        "cpu-compare {folder}/cpu-{how}.xml --validate --error": "cpu",
        "nwfilter-binding-create {folder}/nwfilterbinding-{how}.xml --validate": "nwfilterbinding",
    }
    for daemon in (real_libvirtd, kvasird):
        (daemon.folder / "x.xml").write_text(OK)
        daemon.virsh("define", str(daemon.folder / "x.xml"))
        for line, kind in lines.items():
            for how, more in (("good", ""), ("bad", "<nosuch/>")):
                if (how, kind) == ("good", "nwfilterbinding"):
                    continue  # a binding that is made changes rules
                (daemon.folder / f"{kind}-{how}.xml").write_text(DOCUMENTS[kind].format(more))
                done = daemon.virsh(*line.format(folder=daemon.folder, how=how).split())
                refused = (
                    "XML document failed to validate against schema: Unable to validate doc against " in done.stderr
                )
                assert refused == (how == "bad"), (daemon.uri, line, done.stderr)
                assert not refused or (done.returncode == 1 and f"/usr/share/libvirt/schemas/{kind}.rng" in done.stderr)
        daemon.virsh("undefine", "x", "--snapshots-metadata")
