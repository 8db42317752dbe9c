"""TROUBLESHOOTING.md: an entry for each of the guide's problems, in the words that the program says."""

from __future__ import annotations

import re

import pytest

from tests.conftest import PROJECT

TEXT = (PROJECT / "TROUBLESHOOTING.md").read_text()
TABLE_A1 = (
    "Cannot read CA certificate", "does not start", "unable to connect to server at", "gets no address", "on macvtap",
    "fixup DHCP response checksums", "Unable to add bridge", "Unable to resolve address", "Cannot access storage file",
    "no guests are shown", "no XML",
)  # fmt: skip
STATED = {
    "trouble-tool-vmstat": ("`vmstat`",),
    "trouble-tool-iostat": ("`iostat`",),
    "trouble-tool-strace": ("`strace -f -p PID`",),
    "trouble-tool-vncserver": ("`vncserver` (tigervnc)",),
    "trouble-bios-enable": ("BIOS menu", "Intel Virtualization Technology", "VT-d", "AMD-V has no"),
    "trouble-keymap-error-text": ("atkbd.c: Unknown key pressed (translated set 2, code 0x0 on isa0060/serio0).",),
    "trouble-smartd": ("systemctl disable --now smartd",),
}


@pytest.mark.guide("trouble-intro", "trouble-a19-intro")
def test_an_entry_for_each_problem() -> None:
    """The first column quotes messages; each is what some code of ours says (migration's comes from the resolver)."""
    rows = re.findall(r"^\| (.+?) \| (.+?) \|$", TEXT, re.M)[2:]
    assert all(any(words in cell for row in rows for cell in row) for words in TABLE_A1)
    sources = "".join(path.read_text() for path in (PROJECT / "src/kvasir").rglob("*.py")).replace("virReportError", "")
    for seen, _ in rows:
        for message in re.findall(r"^`(.+)`$", seen):
            assert message in sources or message in ("Unable to resolve address", "Cannot read CA certificate"), message
    for tool in set(re.findall(r"`((?:kvasir|virt-)[a-z-]*(?: doctor| host)?)", TEXT)):
        program = tool.split()[0]
        assert re.search(rf"^{program}d? = ", (PROJECT / "pyproject.toml").read_text(), re.M), tool


@pytest.mark.parametrize("row", [pytest.param(row, marks=pytest.mark.guide(row)) for row in STATED])
def test_stated(row: str) -> None:
    assert all(words in TEXT for words in STATED[row])
