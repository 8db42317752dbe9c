"""Every sub-option that the original lists by ``--OPTION=?``, one by one, through both virt-xml --build-xml on one daemon; every option somewhere in the tests."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import kvasir.client as client
from kvasir.cli import virt_common
from tests.conftest import PROJECT, DaemonHandle
from tests.install import sides

# what stands before the sub-option, so that the element is whole
FIRST = {
    "disk": "path=/dev/null,", "filesystem": "source.dir=/a,target.dir=/b,", "network": "network=default,", "graphics": "vnc,", "serial": "pty,",
    "parallel": "pty,", "channel": "pty,target.type=virtio,", "console": "pty,", "cpu": "host-model,", "rng": "/dev/random,", "tpm": "/dev/tpm0,",
    "video": "vga,", "sound": "ich6,", "watchdog": "i6300esb,", "input": "tablet,", "controller": "scsi,", "smartcard": "host,", "redirdev": "usb,",
    "memballoon": "virtio,", "panic": "default,", "hostdev": "type=pci,", "vsock": "cid.address=5,", "shmem": "name=x,", "memdev": "dimm,target.size=1024,",
}  # fmt: skip
OTHERS = ("audio", "iommu", "iothreads", "seclabel", "keywrap", "cputune", "numatune", "memtune", "blkiotune", "memorybacking", "features", "clock",
          "pm", "events", "resource", "sysinfo", "qemu-commandline", "launchSecurity", "memory", "vcpus", "metadata", "boot", "idmap")  # fmt: skip
# where ours is meant to differ
BETTER = {
    r"disk\.rawio|disk\.source\.reservations\.managed|controller\.target\.hotplug|shmem\.msi\.ioeventfd|keywrap\.cipher1\.state": "1 is written as the yes or on that libvirt knows",
    r"tpm\.active_pcr_banks\..*": "the original puts them where libvirt does not look",
    r"rng\.backend\.source\..*": "the original repeats the device's path in each element",
    r"iothreads\..*": "the original prints a whole guest; --build-xml is for devices",
    r"filesystem\.source\.socket": "the original writes an element where libvirt has an attribute",
    r"cpu\.mode|network\.source|filesystem\.(source|target)|disk\.type": "the element's word is said twice: which one holds",
    r"controller\.num_pcie_root_ports": "makes controllers, so it stands alone",
    r"boot\.uefi": "the firmware is that of the daemon's host",
    r"smartcard\.certificate1": "the original prints an element named 1",
}


@pytest.fixture(scope="module")
def pair(real_libvirtd: DaemonHandle) -> Iterator[tuple[sides.Original, DaemonHandle]]:
    assert real_libvirtd.peers is not None
    original = sides.Original(real_libvirtd.peers.root)
    try:
        yield original, real_libvirtd
    finally:
        original.close()


def words_of(original: sides.Original, name: str) -> list[str]:
    """What the original lists; each element's address once, and not what is said of documents in general."""
    listed = [line.strip() for line in original.run("virt-install", [f"--{name}=?"])["out"].splitlines()[1:]]
    plain = [word for word in listed if word and word != "clearxml" and not word.startswith("xpath")]
    return [word for word in plain if name in ("disk", "network") or not word.startswith("address.")]


@pytest.mark.parametrize("name", [*FIRST, *OTHERS])
@pytest.mark.guide("virt-install-option-introspection")
def test_every_sub_option(
    pair: tuple[sides.Original, DaemonHandle], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    original, daemon = pair
    connection = client.open(daemon.uri)
    monkeypatch.setattr(virt_common, "connect", lambda *words: connection)
    listed = words_of(original, name)
    assert listed
    differ = {}
    for word in listed:
        spelled = word.replace("[0-9]*", "1")
        if any(re.fullmatch(pattern, f"{name}.{spelled}") for pattern in BETTER):
            continue
        for value in ("1", "yes", "/a/b"):
            argv = ["--connect", daemon.uri, "--build-xml", f"--{name}", f"{FIRST.get(name, '')}{spelled}={value}"]
            theirs, mine = original.run("virt-xml", argv), sides.ours("virt-xml", argv)
            same = theirs["rc"] == mine["rc"] and (
                theirs["rc"] or sides.canonical(theirs["out"]) == sides.canonical(mine["out"])
            )
            if not same:
                differ[f"{spelled}={value}"] = (
                    theirs["rc"],
                    theirs["out"],
                    theirs["err"],
                    mine["rc"],
                    mine["out"],
                    mine["err"],
                )
            if theirs["rc"] == 0:
                break
    assert differ == {}


NEW = "virt-install --name rare --virt-type qemu --memory 64 --osinfo generic --network none --disk none --import"
RARE = (
    f"{NEW} --graphics none --container --print-xml", f"{NEW} --graphics none --autoconsole text --dry-run",
    f"{NEW} --graphics none --autoconsole none --dry-run", f"{NEW} --graphics none --destroy-on-exit --noreboot --dry-run",
    f"{NEW} --graphics none --launchsecurity type=sev,policy=0x1 --print-xml", "virt-xml nosuch --edit --vcpus 2 --no-define",
    "virt-xml nosuch --edit --launchsecurity type=sev",
)  # fmt: skip


@pytest.mark.parametrize("line", RARE)
def test_rare_options(pair: tuple[sides.Original, DaemonHandle], line: str) -> None:
    """The same exit status, the same document."""
    tool, *argv = line.split()
    argv = ["--connect", pair[1].uri, *argv]
    theirs, mine = pair[0].run(tool, argv), sides.ours(tool, argv)
    assert theirs["rc"] == mine["rc"], (theirs, mine)
    if theirs["rc"] == 0 and "<" in theirs["out"]:
        assert sides.canonical(theirs["out"]) == sides.canonical(mine["out"])


@pytest.mark.parametrize("tool", ["virt-install", "virt-xml", "virt-clone"])
def test_every_option_is_used_somewhere(pair: tuple[sides.Original, DaemonHandle], tool: str) -> None:
    """No option of the original's help is one that no test gives."""
    shown = pair[0].run(tool, ["--help"])["out"]
    listed = set(re.findall(r"(?<![\w-])(--[a-z][\w-]*)", shown, re.IGNORECASE)) - {"--help", "--option", "--print"}
    assert len(listed) > 15
    here = Path(__file__)
    used = {word for line in RARE for word in line.split() if word.startswith("--")}
    texts = [path.read_text() for folder in ("install", "integration", "friendly", "peers") for path in (PROJECT / "tests" / folder).glob("*.py")
             if path != here]  # fmt: skip
    used |= set(re.findall(r"--[A-Za-z][\w-]*", "\n".join(texts)))
    assert sorted(listed - used) == []
