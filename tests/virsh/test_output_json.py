"""``--output json`` of every command by one mechanism, and completion by the same table, on the test driver."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from kvasir.cli.virsh import names
from tests.conftest import PROJECT

ENV = {**os.environ, "PYTHONPATH": str(PROJECT / "src"), "LC_ALL": "C.UTF-8"}


def virsh(*words: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(PROJECT / "bin/virsh"), "-c", "test:///default", *words]
    return subprocess.run(command, env=ENV, capture_output=True, text=True, timeout=60, cwd=cwd)


CASES: dict[str, Any] = {
    "list --all --output json": [{"id": "1", "name": "test", "state": "running"}],
    "list --inactive --output=json": [],
    "domid test --output json": "1",
    "dominfo --output json test": {"name": "test", "state": "running", "cpus": "2", "persistent": "yes"},
    "domblklist test --output json": [{"target": "vda", "source": "/guest/diskimage1"}],
    "domiflist test --output json": [
        {"interface": "testnet0", "type": "network", "source": "default", "model": None, "mac": "aa:bb:cc:dd:ee:ff"}
    ],
    "net-list --output json": [{"name": "default", "state": "active", "autostart": "no", "persistent": "yes"}],
    "pool-info default-pool --output json": {"name": "default-pool", "capacity": "100.00 GiB"},
    "nodeinfo --output json": {"cpu_model": "i686", "numa_cells": "2"},
    "domstats test --output json": {"domain": "'test'", "state.state": "1", "state.reason": "0"},
    "dumpxml test --xpath //memory --output json": '<memory unit="KiB">8388608</memory>',
}


@pytest.mark.parametrize("line", CASES)
def test_json(line: str) -> None:
    done = virsh("-q", line)
    found, wanted = json.loads(done.stdout), CASES[line]
    if isinstance(wanted, dict):
        found = {key: found[key] for key in wanted}
    assert (found, done.returncode) == (wanted, 0)


def test_two_blocks_and_errors() -> None:
    cards = json.loads(virsh("-q", "vcpuinfo test --output json").stdout)
    assert [card["vcpu"] for card in cards] == ["0", "1"]
    done = virsh("dominfo nosuch --output json")
    assert (done.stdout.strip(), done.returncode) == ("", 1) and "failed to get domain 'nosuch'" in done.stderr
    done = virsh("list --output yaml")
    assert done.returncode == 1 and "json or text" in done.stderr
    assert virsh("list --output text").stdout == virsh("list").stdout


def test_every_command_takes_it() -> None:
    """The grammar gives the option to each: none says that it does not know it."""
    built = [name for group in names.groups() for name, file in group.commands if file and group.keyword != "virsh"]
    assert len(built) > 200
    lines = "\n".join(f"{name} --output json --nosuchoption" for name in built[:1])
    assert "nosuchoption" in virsh(lines).stderr
    for name in built:
        command = names.find(name)
        assert command is not None and all(option.name != "output" for option in command.options)


COMPLETED = {
    ("dominf",): ["dominfo"],
    ("dominfo", ""): ["test"],
    ("domblkstat", "test", ""): ["vda"],
    ("domif-getlink", "test", "testn"): ["testnet0"],
    ("net-info", ""): ["default"],
    ("net-start", "--network", "de"): ["default"],
    ("vol-list", "--pool", ""): ["default-pool"],
    ("nodedev-dumpxml", "scsi"): ["scsi_host1", "scsi_host11", "scsi_host2"],
    ("list", "--ina"): ["--inactive"],
    ("nosuch", ""): [],
}


def test_complete() -> None:
    for words, wanted in COMPLETED.items():
        assert virsh("-q", "complete", "--", *words).stdout.split() == wanted, words


def test_bash(tmp_path: Path) -> None:
    """The script for bash, asked as readline asks it."""
    (tmp_path / "virsh").symlink_to(PROJECT / "bin/virsh")
    script = f"""source {PROJECT}/completions/virsh.bash
ask() {{ COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=(); _kvasir_virsh; echo "${{COMPREPLY[@]}}"; }}
ask virsh -c test:///default dominf
ask virsh -c test:///default -r dominfo ''
ask virsh --conn
complete -p virsh"""
    env = {**ENV, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run(["bash", "-c", script], env=env, capture_output=True, text=True, timeout=60)
    assert done.stdout.splitlines() == ["dominfo", "test", "--connect", "complete -o default -F _kvasir_virsh virsh"], (
        done.stderr
    )
