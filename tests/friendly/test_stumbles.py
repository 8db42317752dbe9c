"""What a new user types wrong, and what ``kvasir`` says to it: one sentence that names the thing, and what repairs it."""

from __future__ import annotations

import argparse
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

import kvasir.client as client
from kvasir.cli import kvasir as front
from kvasir.cli.friendly import base, network
from tests.conftest import PROJECT, Done

TEST = ("-c", "test:///default")


def run(*words: str, program: str = "kvasir.cli.kvasir", shell: str = '"$@"', **more: str) -> Done:
    env = {**os.environ, "PYTHONPATH": str(PROJECT / "src"), "LC_ALL": "C.UTF-8", **more}
    command = ["bash", "-c", f"set -o pipefail; {shell}", "bash", sys.executable, "-m", program, *words]
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=60)


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    with pytest.raises(SystemExit) as ended:
        front.main([*words])
    assert ended.value.code in (1, 2)
    return capsys.readouterr().err


def test_help_is_found_by_guessing(capsys: pytest.CaptureFixture[str]) -> None:
    assert front.main([]) == 2 and front.main(["help"]) == 0
    assert capsys.readouterr().out.count("make and start a guest") == 2
    with pytest.raises(SystemExit) as ended:
        front.main(["help", "clone"])
    assert ended.value.code == 0 and "usage: kvasir clone" in capsys.readouterr().out
    assert "kvasir --help names them" in refused(capsys, "frobnicate")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["start", "--", "-dash"], "no guest '-dash'; there are: test"),
        (["snapshot", "test", "--restore", "nope"], "test has no snapshot 'nope'; there are: none"),
        (["launch", "debain"], "kvasir: try: kvasir launch debian"),
        (["launch", "/no/such.qcow2"], "there is no file '/no/such.qcow2'"),
        (["launch", "--memory", "0"], "'0' is no size"),
        (["launch", "--cpus", "0"], "'0' is no number from 1 on"),
        (["resize", "test", "--memory", "lots"], "'lots' is no size: a number, or one with a unit, such as 512M or 2G"),
        (["undo"], "the trash is empty"),
        (["images", "--update", "/no/such.list"], "kvasir: /no/such.list: No such file or directory\n"),
    ],
)
def test_one_sentence(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KVASIR_HOME", str(tmp_path))
    assert said in refused(capsys, *TEST, *words)


def test_misspelled_options_of_virt_install() -> None:
    words = ["--connect", "test:///default", "--memory", "64", "--import", "--osinfo", "generic", "--dry-run"]
    done = run(*words, "--disk", "szie=1", program="kvasir.cli.virt_install")
    assert "ERROR    Unknown --disk options: ['szie']; is it size? --disk=? names all\n" in done.stderr
    done = run(*words, "--disk", "none", "--osinfo", "ubunto22.04", program="kvasir.cli.virt_install")
    assert "Is it 'ubuntu22.04'?" in done.stderr


def test_a_console_wants_a_terminal() -> None:
    done = run(*TEST, "console", "test", shell='"$@" < /dev/null')
    assert done.returncode == 1 and "kvasir: a console wants a terminal" in done.stderr


def test_an_image_that_is_not_here(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KVASIR_HOME", str(tmp_path))
    assert front.main([*TEST, "images", "--remove", "debian"]) == 0
    assert capsys.readouterr().err == "debian:12 is not here\n"


def test_sizes_with_units() -> None:
    assert [base.mebibytes(text) for text in ("512", "2G", "1.5GiB", "800mb", "1024K")] == [512, 2048, 1536, 800, 1]
    assert [base.gibibytes(text) for text in ("20", "512M", "1T")] == [20, 0.5, 1024]
    for text in ("", "G", "-1", "nan", "inf", "1X", "1e99"):
        with pytest.raises(argparse.ArgumentTypeError):
            base.gibibytes(text)


def test_ports_and_networks(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    connection = client.open("test:///default")
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = busy.getsockname()[1]
        with pytest.raises(SystemExit):
            network.user_network(connection, [f"{port}:80"])
        assert f"port {port}/tcp of this host is in use" in capsys.readouterr().err
    monkeypatch.setattr(network, "FIRST_PORT", port)
    monkeypatch.setattr(network, "LAST_PORT", 65535)
    words = network.user_network(connection, [f"{port}:80"]).split(",")
    assert f"portForward1.range0.start={port}" in words and f"portForward0.range0.start={port}" not in words
    assert network.named(connection, "default") == "default"
    with pytest.raises(SystemExit):
        network.named(connection, "nosuch")
    assert "no network 'nosuch'; there are: default" in capsys.readouterr().err
    assert network.named(connection, "bridge=br0") == "bridge=br0"


def test_wide_names_and_narrow_terminals(capsys: pytest.CaptureFixture[str]) -> None:
    """Columns stand below each other; a terminal that does not know a letter shows its number."""
    base.table([{"name": "größe-日本", "state": "running"}, {"name": "a", "state": "shut off"}], ("name", "state"))
    assert capsys.readouterr().out == "NAME        STATE\ngröße-日本  running\na           shut off\n"
    done = run("-c", "test:///default", "start", "日本", PYTHONIOENCODING="ascii")
    assert done.returncode == 1 and "no guest '\\u65e5\\u672c'; there are: test" in done.stderr


def test_readers_that_go() -> None:
    """A pipe that closes early, and a standard output that is closed from the start, give no traceback."""
    for program, words in (
        ("kvasir.cli.virt_install", ["--osinfo", "list"]),
        ("kvasir.cli.virsh.main", ["help"]),
        ("kvasir.cli.kvasir", [*TEST, "list"]),
    ):
        for shell in ('"$@" | true', '"$@" >&-'):
            done = run(*words, program=program, shell=shell)
            assert done.stderr == "", (program, shell)
