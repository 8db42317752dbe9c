"""The commands that let an editor change a document (guide 20.7.5, 20.22): who edits, what is said, what is kept."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.conftest import PROJECT, DaemonHandle, KvasirDaemon
from tests.virsh.test_console import Terminal
from tests.virsh.test_save import GUEST

EDITORS = {
    "vi": 'sed -i "s#<name>b</name>#<name>b</name><title>by vi</title>#" "$1"',
    "visual": 'sed -i "s#<name>b</name>#<name>b</name><title>by visual</title>#" "$1"',
    "editor": 'sed -i "s#<name>b</name>#<name>b</name><title>by vi</title>#" "$1"',  # Debian's libvirt calls this for vi
    "changer": 'sed -i "s#<name>b</name>#<name>b</name><title>by changer</title>#" "$1"',
    "same": "true",
    "break": 'sed -i "s#</os>#</so>#" "$1"',
    "memory": 'sed -i "s#32768#65536#g" "$1"',
    "rename": 'sed -i "s#<name>b</name>#<name>c</name>#" "$1"',
    "fails": "exit 3",
    "once": 'if [ -e "$0.done" ]; then sed -i "s#</so>#</os>#; s#<name>b</name>#<name>b</name><title>by once</title>#" "$1"; '
    'else touch "$0.done"; sed -i "s#</os>#</so>#" "$1"; fi',
}


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    """Editors: scripts that change one thing."""
    folder = tmp_path / "tools"
    folder.mkdir()
    for name, line in EDITORS.items():
        (folder / name).write_text(f"#!/bin/sh\n{line}\n")
        (folder / name).chmod(0o755)
    return folder


def edit(
    daemon: DaemonHandle, who: str, tools: Path, env: dict[str, str], *words: str
) -> subprocess.CompletedProcess[str]:
    """Run an editing command of one virsh with these editors."""
    assert daemon.peers is not None
    root = daemon.peers.root
    libraries = ":".join(str(path.parent) for path in (root / "usr/lib").glob("*/libvirt.so.0"))
    program = str(root / "usr/bin/virsh") if who == "real" else str(PROJECT / "bin/virsh")
    kept = {key: value for key, value in os.environ.items() if key not in ("EDITOR", "VISUAL")}
    whole = {**kept, "LC_ALL": "C.UTF-8", "PATH": f"{tools}:{os.environ['PATH']}", **env}
    if who == "real":
        whole["LD_LIBRARY_PATH"] = libraries
    return subprocess.run(
        [program, "-c", daemon.uri, *words], env=whole, input="", capture_output=True, text=True, timeout=60
    )


def title(daemon: DaemonHandle) -> str:
    return daemon.virsh("desc", "b", "--title", "--config").stdout.strip()


@pytest.mark.guide("virsh-edit", "xml-edit-guest", "virsh-editor-selection")
def test_edit(kvasird: KvasirDaemon, tools: Path) -> None:
    """VISUAL before EDITOR before vi; an edit that is broken or refused changes nothing; both virsh say the same."""
    path = kvasird.folder / "b.xml"
    path.write_text(GUEST)
    cases = (
        ({}, "by vi"),
        ({"EDITOR": "changer"}, "by changer"),
        ({"EDITOR": "changer", "VISUAL": "visual"}, "by visual"),
        ({"EDITOR": f"{tools}/changer"}, "by changer"),
        ({"EDITOR": "same"}, ""),
        ({"EDITOR": "break"}, ""),
        ({"EDITOR": "rename"}, ""),
        ({"EDITOR": "fails"}, ""),
        ({"EDITOR": "nosuchprogram"}, ""),
    )
    for env, wanted in cases:
        said = []
        for who in ("real", "ours"):
            kvasird.virsh("undefine", "b")
            assert kvasird.virsh("define", str(path)).returncode == 0
            done = edit(kvasird, who, tools, env, "edit", "b")
            said.append((done.stdout, _mask(done.stderr), done.returncode))
            assert title(kvasird) == (wanted or "No title for domain: b"), (who, env, done.stderr)
        if env.get("EDITOR") not in ("break", "rename"):
            assert said[0] == said[1], env
        if wanted:
            assert said[0][0].strip() == "Domain 'b' XML configuration edited."
    done = edit(kvasird, "ours", tools, {"EDITOR": "same"}, "edit", "b")
    assert done.stdout.strip() == "Domain 'b' XML configuration not changed."


def _mask(text: str) -> str:
    """The copy that the editor gets has another name each time."""
    import re

    return re.sub(r"virsh\w+\.xml", "COPY", text)


@pytest.mark.guide("virsh-edit", "xml-edit-guest")
def test_a_broken_edit_can_be_tried_again(kvasird: KvasirDaemon, tools: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = kvasird.folder / "b.xml"
    path.write_text(GUEST)
    assert kvasird.virsh("define", str(path)).returncode == 0
    monkeypatch.setenv("EDITOR", str(tools / "once"))
    monkeypatch.delenv("VISUAL", raising=False)
    terminal = Terminal(str(PROJECT / "bin/virsh"), "-c", kvasird.uri, "edit", "b")
    terminal.until(b"Failed. Try again? [y,n,i,f,?]:")
    terminal.type(b"?\r")
    terminal.until(b"Failed. Try again? [y,n,i,f,?]:")
    terminal.type(b"y\r")
    terminal.until(b"Domain 'b' XML configuration edited.")
    assert terminal.end() == 0
    assert title(kvasird) == "by once"


@pytest.mark.guide(
    "virsh-save-image-edit", "virsh-save-image-edit-running", "virsh-save-image-edit-opt-running", "virsh-save-image-edit-opt-paused",
    "virsh-editor-selection",
)  # fmt: skip
def test_saved_images_are_edited(kvasird: KvasirDaemon, real_libvirtd: DaemonHandle, tools: Path) -> None:
    for daemon in (kvasird, real_libvirtd):
        image, path = daemon.folder / "b.save", daemon.folder / "b.xml"
        path.write_text(GUEST)
        for line in (("define", path), ("start", "b"), ("save", "b", image)):
            assert daemon.virsh(*map(str, line)).returncode == 0
    cases = (("changer",), ("same",), ("same", "--paused"), ("changer", "--running"), ("memory",), ("break",))
    refused = (
        "memory",
        "break",
    )  # without a terminal the C virsh says "Failed." and then that it edited: ours says why
    for editor, *options in cases:
        said = []
        for daemon in (kvasird, real_libvirtd):
            for who in ("real", "ours"):
                image = daemon.folder / "b.save"
                same = daemon.folder / "same.xml"
                text = daemon.virsh("save-image-dumpxml", str(image), "--security-info").stdout
                same.write_text(text.replace("  <title>by changer</title>\n", ""))
                daemon.virsh("save-image-define", str(image), str(same))
                done = edit(daemon, who, tools, {"EDITOR": editor}, "save-image-edit", str(image), *options)
                out = _mask(f"{done.stdout}|{done.stderr}|{done.returncode}").replace(str(daemon.folder), "FOLDER")
                said.append(out)
                now = daemon.virsh("save-image-dumpxml", str(image)).stdout
                assert ("by changer" in now) == (editor == "changer"), (who, out)
                assert "<memory unit='KiB'>32768</memory>" in now
                running = image.read_bytes()[24] == 1
                if options and editor == "changer":
                    assert running == ("--running" in options)
        assert len(set(said)) == 1 or editor in refused, "\n".join(said)
    assert kvasird.virsh("restore", str(kvasird.folder / "b.save"), "--paused").returncode == 0
    for who in ("real", "ours"):
        image = str(kvasird.folder / "paused.save")
        assert kvasird.virsh("save", "b", image, "--paused").returncode == 0
        done = edit(kvasird, who, tools, {"EDITOR": "changer"}, "save-image-edit", image, "--running")
        assert done.returncode == 0 and "by changer" in kvasird.virsh("save-image-dumpxml", image).stdout, done.stderr
        assert kvasird.virsh("restore", image).returncode == 0
        assert kvasird.virsh("domstate", "b").stdout.strip() == "running", "it was saved paused"
        for words in (("desc", "b", "--title", "--live", "--", ""), ("suspend", "b")):
            kvasird.virsh(*words)
    for who in ("real", "ours"):
        assert kvasird.virsh("managedsave", "b").returncode == 0
        done = edit(kvasird, who, tools, {"EDITOR": "changer"}, "managedsave-edit", "b", "--running")
        assert "XML configuration edited." in done.stdout, done.stderr
        assert "by changer" in kvasird.virsh("managedsave-dumpxml", "b").stdout
        assert kvasird.virsh("start", "b").returncode == 0
        assert kvasird.virsh("domstate", "b", "--reason").stdout.strip() == "running (restored)"
        kvasird.virsh("desc", "b", "--title", "--live", "--", "")
    assert kvasird.virsh("destroy", "b").returncode == 0
    real_libvirtd.virsh("undefine", "b")
