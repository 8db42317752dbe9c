"""The interactive shell: prompts, history, completion; edit; events; all beside the real one where it can be."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import time
from pathlib import Path

import pytest

from kvasir.cli.virsh.interactive import Completer
from kvasir.cli.virsh.shell import Shell
from tests.conftest import PROJECT
from tests.virsh.conftest import GUEST, Both, masked
from tests.waiting import listening


@pytest.mark.guide("virsh-tool")
@pytest.mark.parametrize(
    "text",
    [
        "echo a\nnosuch\npwd\nlist --all\nuri\nquit\n",
        "domstate nosuch\n\n#x\n  \necho 'a b' ; domstate run\nexit\necho never\n",
        "echo a",
        'echo "a\n',
        "cd /\npwd\ncd /nonexist\npwd\n",
        "list --all; connect --readonly\nuri\n",
    ],
)
def test_lines_from_a_pipe(both: Both, text: str) -> None:
    done = both.same(stdin=text)
    assert done.stdout.startswith("Welcome to virsh")


def test_quiet_shell(both: Both) -> None:
    both.same("-q", stdin="echo a\nlist\n")


def on_terminal(both: Both, typed: list[str], home: Path, *args: str) -> str:
    """Type into our virsh on a terminal; what it showed."""
    pid, fd = pty.fork()
    if pid == 0:
        os.environ.update(HOME=str(home), TERM="dumb", XDG_CACHE_HOME=str(home / "cache"))
        os.execv(PROJECT / "bin/virsh", ["virsh", "-c", both.daemon.uri, *args])
    shown = b""
    for text in [*typed, ""]:
        end = time.monotonic() + 90
        while not shown.rstrip(b"\x1b[?2004hl").endswith((b"virsh # ", b"virsh > ")) and time.monotonic() < end:
            try:
                shown += os.read(fd, 65536)
            except OSError:
                break
        if text:
            shown += b"<typed>"
            os.write(fd, text.encode())
    os.close(fd)
    os.waitpid(pid, 0)
    return shown.decode()


def test_terminal_history_and_completion(both: Both, tmp_path: Path) -> None:
    shown = on_terminal(both, ["domsta\te idle\n", "echo hello\n", "quit\n"], tmp_path)
    assert "shut off" in shown and "hello" in shown
    history = (tmp_path / "cache/libvirt/virsh/history").read_text().splitlines()
    assert history[-3:] == ["domstate idle", "echo hello", "quit"]


@pytest.mark.guide("virsh-connect-opt-readonly")
def test_readonly_prompt_and_refusal(both: Both, tmp_path: Path) -> None:
    assert "virsh > " in on_terminal(both, ["quit\n"], tmp_path, "-r")
    both.same("-r", "suspend", "run")
    both.same("-r", "define", str(both.folder / "run.xml"))


def test_completion_words(both: Both) -> None:
    shell = Shell()
    shell.uri = both.daemon.uri
    complete = Completer(shell).candidates
    assert complete("", "domst") == ["domstate", "domstats"]
    assert complete("domstate ", "--re") == ["--reason"]
    assert complete("list --all ", "--al") == []
    assert complete("start ", "k") == ["kept"]
    assert complete("echo a; dominfo --domain ", "i") == ["idle"]
    assert "monitor" in complete("help ", "mon")
    shell.disconnect()


@pytest.mark.parametrize("editor", ["true", "sed -i s/<title>.*</<title>edited</", "false", "sed -i s/<memory/<mem/"])
def test_edit(both: Both, editor: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing changed, changed, editor fails, broken: each says what the real one says."""
    monkeypatch.setenv("EDITOR", editor)
    monkeypatch.delenv("VISUAL", raising=False)
    said = []
    for run in (both.real, both.ours):
        assert both.real("define", str(both.folder / "idle.xml")).returncode == 0
        done = run("edit", "idle", stdin="n\n")
        title = both.real("desc", "idle", "--title").stdout
        said.append((done.returncode, done.stdout.split("Failed.")[0], title))
    assert said[0] == said[1]
    both.real("define", str(both.folder / "idle.xml"))


EVENTS = ["suspend lively", "resume lively", "desc lively new", "setmem lively 40000", "reset lively", "destroy lively"]


@pytest.mark.parametrize("options", [("--all", "--loop"), ("--all", "--loop", "--timestamp"), ("--event", "lifecycle")])
def test_events(both: Both, options: tuple[str, ...]) -> None:
    """Both listen to one guest at the same time and print the same."""
    (both.folder / "lively.img").write_bytes(bytes(1_000_000))
    path = both.folder / "lively.xml"
    path.write_text(GUEST.format(name="lively", number=8, title="t", folder=both.folder))
    assert both.daemon.virsh("create", str(path)).returncode == 0
    assert both.daemon.peers is not None
    root = both.daemon.peers.root
    libraries = ":".join(str(found.parent) for found in (root / "usr/lib").glob("*/libvirt.so.0"))
    watchers = []
    for program in (root / "usr/bin/virsh", PROJECT / "bin/virsh"):
        command = [str(program), "-c", both.daemon.uri, "event", "--domain", "lively", "--timeout", "6", *options]
        env = {**os.environ, "LD_LIBRARY_PATH": libraries, "LC_ALL": "C.UTF-8"}
        watchers.append(subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
    listening(*(watcher.pid for watcher in watchers))
    for line in EVENTS:
        both.daemon.virsh(*line.split())
    said = [
        (masked(out), err, watcher.returncode) for watcher in watchers for out, err in [watcher.communicate(timeout=30)]
    ]
    assert said[0] == said[1]
    assert "event 'lifecycle' for domain 'lively': Suspended Paused\n" in said[1][0]
    if "--loop" in options:
        assert re.search(r"events received: \d+", said[1][0]) and "event loop timed out" in said[1][0]
