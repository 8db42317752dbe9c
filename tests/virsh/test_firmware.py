"""Firmware that is chosen by the descriptor files: what a document may say beside it, and the file of variables, in all four cells."""

from __future__ import annotations

import glob

import pytest

from tests.conftest import DaemonHandle, KvasirDaemon
from tests.virsh import cells

GUEST = """<domain type='qemu'><name>{name}</name><uuid>6f1d5a1e-2b3c-4d5e-8f90-a1b2c3d4e5f8</uuid><memory unit='MiB'>64</memory><vcpu>1</vcpu>
<os firmware='{firmware}'><type arch='x86_64' machine='{machine}'>hvm</type>{more}</os><features><acpi/></features></domain>"""
SAID = (
    "<loader/>",
    "<loader secure='no'/>",
    "<loader secure='yes'/>",
    "<loader secure='yes' type='rom'/>",
    "<loader readonly='yes' secure='no'/>",
    "<loader>/x</loader>",
    "<loader stateless='no'/>",
    "<loader stateless='yes'/><nvram>/tmp/n</nvram>",
    "<nvram>/tmp/n</nvram>",
    "<nvram template='/x'/>",
    "<firmware><feature enabled='no' name='secure-boot'/><feature enabled='yes' name='enrolled-keys'/></firmware>",
)
CASES = {
    f"{firmware}{machine}{at}": GUEST.format(name="f", firmware=firmware, machine=machine, more=more)
    for firmware in ("efi", "bios")
    for machine in ("pc", "q35")
    for at, more in enumerate(SAID)
}


@pytest.mark.skipif(not glob.glob("/usr/share/qemu/firmware/*edk2-x86_64*"), reason="no UEFI (ovmf) is installed")
def test_firmware_by_descriptors(kvasird: KvasirDaemon, real_libvirtd: DaemonHandle) -> None:
    """Refusals; the variables of an earlier start hold up undefine, --nvram takes them along, --keep-nvram leaves them."""

    def prepare(daemon: DaemonHandle) -> None:
        for name, text in CASES.items():
            (daemon.folder / f"{name}.xml").write_text(text)
        (daemon.folder / "run.xml").write_text(GUEST.format(name="r", firmware="efi", machine="q35", more=""))

    script = "".join(f"define {{folder}}/{name}.xml\ndumpxml f --xpath //os\nundefine f --nvram\n" for name in CASES)
    run = "define {folder}/run.xml\nstart r --paused\ndestroy r\nundefine r\n"
    script += run + "undefine r --nvram\ndefine {folder}/run.xml\nundefine r\n" + run + "undefine r --keep-nvram\n"
    script += "define {folder}/run.xml\nundefine r\nundefine r --nvram\n"
    said = cells.four((("libvirtd", real_libvirtd), ("kvasird", kvasird)), script, prepare=prepare)
    texts = [text for line, text in said if line == "undefine r"]
    assert ["with nvram" in text for text in texts] == [True, False, True, True]
    assert not list((kvasird.folder / "var/lib/libvirt/qemu/nvram").iterdir())
