"""Ours beside the original virt-install, virt-xml and virt-clone 4.1, on the same real daemon: 620 command lines.

What the original answered is recorded in ``golden/answers.json`` (``record.py`` makes it anew); a sample is asked live.
"""

from __future__ import annotations

import difflib
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kvasir.cli import virt_common
from kvasir.install import options as parsing
from kvasir.install.spellings import OPTIONS
from tests.conftest import DaemonHandle
from tests.install import lines, record, sides

ANSWERS: dict[str, Any] = json.loads((record.GOLDEN / "answers.json").read_text())
NAMES: dict[str, Any] = json.loads((record.GOLDEN / "suboptions.json").read_text())

# Where ours is meant to be better than the original, and how.
BETTER = {
    "sharePolicy=force-shared": "every field of the element is a sub-option",
    "--controller virtio-serial,ports=8": "every field of the element is a sub-option",
    "--edit --iothreads 3": "what is not there yet can be set",
    "--osinfo rhel5.4": "its installer has no graphical mode on QXL: it gets cirrus",
    "--edit --disk clearxml=yes,path=": "the type that the source has is said",
}


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("media")
    record.media(folder)
    return folder


@pytest.fixture(scope="module")
def daemon(real_libvirtd: DaemonHandle, media: Path) -> DaemonHandle:
    record.prepare(lambda *a: real_libvirtd.virsh(*a), media)
    return real_libvirtd


@pytest.fixture(scope="module", autouse=True)
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        if not Path("/usr/share/osinfo").exists():
            pytest.skip("osinfo-db is not installed")
        yield


def _bases() -> dict[str, list[str]]:
    plain = sides.canonical((record.GOLDEN / "base.xml").read_text()).replace("@D@", "{d}").splitlines()
    return {"virt-install": ANSWERS["base"], "virt-xml": plain, "virt-clone": plain}


def _lines(tool: str) -> list[str]:
    return [line for line in dict.fromkeys(record.every_line()) if line.startswith(tool)]


def _different(tool: str, uri: str, folder: Path) -> dict[str, Any]:
    base = _bases()[tool]
    wrong = {}
    for line in _lines(tool):
        if any(words in line for words in BETTER):
            continue
        _, argv, stdin = record.request(line, folder)
        answer = sides.ours(tool, ["--connect", uri, *argv], stdin)
        mine = record.compact(answer, folder, base)
        if mine != ANSWERS[line]:
            wrong[line] = (ANSWERS[line], mine, answer["err"])
        assert "Traceback" not in answer["err"]
    return wrong


INSTALL_ROWS = (
    "virt-install-minimum-options", "virt-install-nodisks", "virt-install-pxe", "virt-install-cdrom", "virt-install-boot",
    "virt-install-vcpus", "virt-install-os-variant", "virt-install-network-none", "virt-install-graphics",
    "virt-install-filesystem", "virt-install-memory",
)  # fmt: skip


@pytest.mark.guide(*INSTALL_ROWS)
def test_virt_install_prints_the_same_documents(daemon: DaemonHandle, media: Path) -> None:
    assert len(_lines("virt-install")) > 400
    assert _different("virt-install", daemon.uri, media) == {}
    assert sorted(p.name for p in media.iterdir()) == sorted(record.KEPT), "--print-xml must make nothing"


def test_virt_xml_makes_the_same_documents(daemon: DaemonHandle, media: Path) -> None:
    assert _different("virt-xml", daemon.uri, media) == {}


def test_virt_clone_makes_the_same_documents(daemon: DaemonHandle, media: Path) -> None:
    assert _different("virt-clone", daemon.uri, media) == {}


def test_a_sample_asked_live(daemon: DaemonHandle, media: Path) -> None:
    """The recorded answers are still what the original says."""
    assert daemon.peers is not None
    original = sides.Original(daemon.peers.root)
    chosen = random.Random(7).sample(record.every_line(), 40)
    try:
        for line in chosen:
            tool, argv, stdin = record.request(line, media)
            answer = original.run(tool, ["--connect", daemon.uri, *argv], stdin)
            record.sweep(media)
            assert record.compact(answer, media, _bases()[tool]) == ANSWERS[line], line
    finally:
        original.close()


@pytest.mark.parametrize("option", sorted(NAMES["names"]))
def test_every_sub_option_of_the_original_is_known(option: str) -> None:
    about = OPTIONS[option]
    unknown = [n for n in NAMES["names"][option] if not parsing.known(about, n.replace("[0-9]*", "1"))]
    assert unknown == []


def test_every_option_is_in_the_lines() -> None:
    text = " ".join(record.every_line())
    missing = [n for n in OPTIONS if f"--{n.replace('_', '-')} " not in text + " "]
    assert missing == []


@pytest.mark.guide("virt-install-option-introspection", "virt-install-help")
@pytest.mark.parametrize("option", sorted(NAMES["names"]))
def test_introspection_lists_what_the_original_lists(option: str) -> None:
    answer = sides.ours("virt-install", [f"--{option.replace('_', '-')}=?"])
    assert answer["rc"] == 0
    head, *rows = answer["out"].splitlines()
    assert head == f"--{option.replace('_', '-')} options:"
    listed = {row.strip() for row in rows}
    wanted = {n for n in NAMES["names"][option] if not n.startswith(("xpath", "clearxml", "reservations"))}
    assert {n for n in wanted if n not in listed and "[0-9]*" not in n} == set()


# --- wrong option strings


def malformed(count: int) -> list[tuple[str, str]]:
    """Option strings that no version may take: (option, value)."""
    chance = random.Random(41)
    rows: list[tuple[str, str]] = []
    names = sorted(OPTIONS)
    while len(rows) < count:
        option = chance.choice(names)
        known = [
            n.replace("[0-9]*", str(chance.randrange(3))) for n in NAMES["names"][option] if not n.startswith("xpath")
        ]
        kinds = NAMES["kinds"][option]
        word = chance.choice(known)
        junk = "".join(chance.choice("abcxyz019._-@/:\u00e4 ") for _ in range(chance.randrange(1, 9)))
        pick = chance.randrange(6)
        if pick == 0:
            value = f"zz{junk.replace('=', '')}=1"
        elif pick == 1:
            value = f"qq{junk}=2,{word}=1"
        elif pick == 2 and kinds["switch"]:
            value = f"{chance.choice(kinds['switch']).replace('[0-9]*', '0')}=neither{junk}"
        elif pick == 3 and kinds["whole"]:
            value = f"{chance.choice(kinds['whole']).replace('[0-9]*', '0')}=x{junk}"
        elif pick == 4:
            value = f"{word}='{junk}"
        else:
            value = f"alias.zz=1,{word}=1"
        if option == "qemu_commandline" or "address.port=" in value:  # a USB port is no number (1.2)
            continue
        rows.append((option, value))
    return rows


def test_malformed_strings_are_one_line_that_names_the_option(
    daemon: DaemonHandle, monkeypatch: pytest.MonkeyPatch
) -> None:
    import kvasir.client as client

    connection = client.open(daemon.uri)
    monkeypatch.setattr(virt_common, "connect", lambda *a: connection)
    base = [
        "--name",
        "m",
        "--virt-type",
        "qemu",
        "--osinfo",
        "generic",
        "--print-xml",
        "--import",
        "--memory",
        "64",
        "--disk",
        "none",
    ]
    base += ["--network", "none", "--graphics", "none"]
    for option, value in malformed(3000):
        flag = f"--{option.replace('_', '-')}"
        if OPTIONS[option].edit:
            answer = sides.ours("virt-xml", ["--build-xml", f"{flag}={value}"])
        else:
            answer = sides.ours("virt-install", [*base, f"{flag}={value}"])
        assert answer["rc"] in (1, 2), (flag, value, answer)
        said = [row for row in answer["err"].splitlines() if not row.startswith("WARNING")]
        assert len(said) == 1 and said[0].startswith("ERROR    ") and flag in said[0], (flag, value, said)


def test_the_original_refuses_the_same(daemon: DaemonHandle) -> None:
    """A live sample of the malformed strings: the same exit status."""
    assert daemon.peers is not None
    original = sides.Original(daemon.peers.root)
    try:
        for option, value in malformed(400)[::5]:
            if not OPTIONS[option].edit or difflib.get_close_matches(option, ["disk"]):
                continue
            argv = ["--connect", daemon.uri, "--build-xml", f"--{option.replace('_', '-')}={value}"]
            answer = original.run("virt-xml", argv)
            assert answer["rc"] == 1 or "neither" in value, (argv, answer)
    finally:
        original.close()


@pytest.mark.guide("virt-install-minimum-options")
@pytest.mark.parametrize(
    ("words", "missing"),
    [
        ("--disk none --import", "--memory amount in MiB is required"),
        ("--memory 64 --import", "--disk storage must be specified (override with --disk none)"),
        ("--memory 64 --disk none", "An install method must be specified"),
    ],
)
def test_what_is_missing_is_named(daemon: DaemonHandle, words: str, missing: str) -> None:
    line = ["--connect", daemon.uri, "--name", "m", "--virt-type", "qemu", *words.split()]
    answer = sides.ours("virt-install", line)
    assert answer["rc"] == 1
    assert missing in answer["err"]


@pytest.mark.guide("virt-install-help")
def test_help_needs_no_daemon() -> None:
    for tool in sides.TOOLS:
        answer = sides.ours(tool, ["--help"])
        assert answer["rc"] == 0 and "usage:" in answer["out"]
        assert sides.ours(tool, ["--no-such-option"])["rc"] == 2


def test_lines_are_many() -> None:
    assert len(dict.fromkeys(record.every_line())) > 600
    assert len(lines.INSTALL) > 400
