"""Chapter 20 of the guide command by command: each has its help, with each option that a row of the chapter names."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from kvasir.cli.virsh import about, names
from kvasir.cli.virsh.grammar import Command

ROWS = Path(__file__).resolve().parents[2] / "conformance/19-20-virt-manager-virsh.yaml"
GONE = {"nodedev": "nodedev-detach"}  # the book's row name leaves the command out
HIDDEN = {("setmem", "--kilobytes")}  # another name of SIZE, which libvirt's help does not show


@pytest.mark.guide("virsh-help-completeness")
def test_help_of_the_chapter() -> None:
    rows = yaml.safe_load(ROWS.read_text())
    listed = next(row["says"] for row in rows if row["id"] == "virsh-help-completeness")
    commands = re.findall(r"(?<=\s)([a-z][a-z-]+)(?= \(|,|;|\.)", listed)
    assert len(commands) >= 150
    for word in commands:
        assert about.command_help(_find(word)).startswith(f"  NAME\n    {word} - ")
    for row in rows:
        if match := re.match(r"virsh-([a-z-]+?)-opt-", row["id"]):
            name = GONE.get(match[1], match[1])
            text = about.command_help(_find(name))
            missing = {word for word in re.findall(r"--[\w-]+", row["item"]) if word not in text}
            assert {one for one in missing if (name, one) not in HIDDEN} == set(), row["id"]


def test_every_command_is_built() -> None:
    """None is left that only says that it is not built."""
    assert [name for group in names.groups() for name, file in group.commands if not file] == []


def _find(name: str) -> Command:
    found = names.find(name)
    assert found is not None, name
    return found
