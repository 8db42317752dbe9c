"""Help: the same commands in the same groups and order, the same synopsis and option forms; the words are ours."""

from __future__ import annotations

import re

import pytest

from kvasir.cli.virsh import about, names
from tests.virsh.conftest import Both

BUILT = [name for group in names.groups() for name, file in group.commands if file]


def test_every_command_of_the_real_one_is_known(both: Both) -> None:
    """Group by group, in the order of the real help."""
    real = re.findall(r"^ (\w[^\n]*) \(help keyword '(\w+)'\):|^    (\S+)", both.real("help").stdout, re.M)
    shown = [name or keyword for _, keyword, name in real]
    ours = [word for group in names.groups() for word in (group.keyword, *(name for name, _ in group.commands))]
    assert ours == shown


@pytest.mark.guide("virsh-list-help", "virsh-term-domain")
def test_synopsis_and_options(both: Both) -> None:
    """Line by line of every command built, but for the wording."""
    script = "; ".join(f"echo @@{name}; help {name}" for name in BUILT)
    real = {part.split("\n", 1)[0]: part.split("\n", 1)[1] for part in both.real(script).stdout.split("@@")[1:]}
    for name in BUILT:
        command = names.find(name)
        assert command is not None
        theirs, ours = shape(real[name]), shape(about.command_help(command))
        assert ours == theirs, name


def shape(text: str) -> tuple[str, list[str]]:
    """The synopsis and the first column of the options."""
    synopsis = re.search(r"SYNOPSIS\n    (.*)\n", text)
    assert synopsis
    options = text.partition("  OPTIONS\n")[2].rstrip("\n").splitlines()
    heads = [
        match.group(0) for line in options if (match := re.match(r"    (\[?--?[\w-]+\]?|<\w+>)( <\w+>)? {2,}", line))
    ]
    return synopsis.group(1), heads


def test_help_of_a_command_and_its_option_agree(both: Both) -> None:
    assert both.ours("help", "list").stdout == both.ours("list", "--help").stdout
    assert both.ours("help", "domstats").stdout.startswith("  NAME\n    domstats - ")


def test_usage_names_options_and_commands(both: Both) -> None:
    text = both.ours("--help").stdout
    for word in (
        "--connect=URI",
        "--keepalive-interval=NUM",
        "-e | --escape <char>",
        "dominfo",
        "(help keyword 'monitor')",
    ):
        assert word in text


def test_what_is_not_built_says_so(both: Both) -> None:
    done = both.ours("migrate", "run", "qemu+tcp://nosuch/system")
    assert done.returncode == 1 and "migration is not supported yet" in done.stderr
    for name in [name for group in names.groups() for name, file in group.commands if not file][:2]:
        done = both.ours(name, "a", "b")
        assert done.returncode == 1 and "is not built yet" in done.stderr
