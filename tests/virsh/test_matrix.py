"""{our virsh, real virsh 9.0} x {kvasird, real libvirtd}: one script of 40 commands, the same output in all four cells."""

from __future__ import annotations

import re
import shlex

import pytest

from tests.conftest import DaemonHandle, KvasirDaemon
from tests.virsh.conftest import GUEST, Both

SCRIPT = """
version
uri
hostname
nodeinfo
nodecpumap
list --all
define {folder}/m.xml
list --all
dominfo m
domstate m --reason
domid m
domuuid m
vcpucount m
domblklist m --details
domblkinfo m vda
domiflist m
domif-getlink m 52:54:00:00:00:02
desc m
desc m another text
desc m --title
metadata m http://a.b/c
dumpxml m
autostart m
list --autostart --all
start m
start m
list
domstate m --reason
domcontrol m
domdisplay m
domstats m --state --balloon
domblkerror m
suspend m
domstate m --reason
resume m
reset m
domifaddr m
dominfo nosuch
destroy m
domstate m --reason
undefine m
domstate m
list --all --name
"""


def mask(text: str, folder: str, uri: str) -> str:
    """What differs between two daemons on one host: ids, times, folders, free memory."""
    text = text.replace(uri, "URI").replace(folder, "FOLDER")
    text = re.sub(r"^Id: .*|^CPU time: .*|^ \d+ +(?=m )", "#", text, flags=re.M)
    text = re.sub(r"balloon\.(rss|last-update|swap_\w+|\w+_fault)=\d+\n", "", text)
    text = re.sub(r"Allocation: .*|Memory size: .*", "#", text)
    return re.sub(r"-{4,}", "-", re.sub(r" {2,}", " ", text))


@pytest.mark.guide("virsh-user-visibility")
def test_four_cells_agree(kvasird: KvasirDaemon, real_libvirtd: DaemonHandle) -> None:
    cells: dict[str, list[tuple[str, str, str, int]]] = {}
    for name, daemon in (("kvasird", kvasird), ("libvirtd", real_libvirtd)):
        (daemon.folder / "m.img").write_bytes(bytes(5_000_000))
        (daemon.folder / "m.img").chmod(0o666)
        document = GUEST.format(name="m", number=7, title="the matrix", folder=daemon.folder)
        (daemon.folder / "m.xml").write_text(document)
        pair = Both(daemon, daemon.folder)
        for who in ("real", "ours"):
            said = []
            for line in SCRIPT.strip().splitlines():
                done = getattr(pair, who)(*shlex.split(line.format(folder=daemon.folder)))
                texts = [mask(text, str(daemon.folder), daemon.uri) for text in (done.stdout, done.stderr)]
                said.append((line, *texts, done.returncode))
            cells[f"{who} virsh on {name}"] = said
    first = cells["real virsh on libvirtd"]
    for name, said in cells.items():
        for theirs, mine in zip(first, said, strict=True):
            assert (name, mine) == (name, theirs)
