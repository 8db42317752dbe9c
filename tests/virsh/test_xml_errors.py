"""Errors in documents (guide A.19.10): the same three lines, refusals and losses in all four cells."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest

from tests.conftest import PROJECT, DaemonHandle, KvasirDaemon
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
SCRIPT += "".join(f"pool-define {{folder}}/{name}.xml\n" for name in ("stray", "extra"))


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


def validator(*words: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "kvasir.cli.virt_xml_validate", *map(str, words)]
    env = {**os.environ, "PYTHONPATH": str(PROJECT / "src"), "LC_ALL": "C"}
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=60)


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
        if name not in ("root", "noname"):
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
