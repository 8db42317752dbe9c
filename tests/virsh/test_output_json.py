"""``--output json`` of every command by one mechanism, and completion by the same table, on the test driver."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from kvasir.cli.virsh import asdata, choices, keycodes, names
from kvasir.cli.virsh.commands.event import EVENTS
from kvasir.cli.virsh.completion import candidates
from kvasir.cli.virsh.shell import Shell
from tests.conftest import PROJECT, Peers

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
    "domstats test --output json": [{"domain": "test", "state.state": "1", "state.reason": "0"}],
    "list --name --output json": ["test"],
    "net-list --all --name --output json": ["default"],
    "event --list --output json": [*EVENTS],
    "vcpucount test --output json": {"maximum": {"config": "2", "live": "2"}, "current": {"config": "2", "live": "2"}},
    "vcpucount test --live --output json": "2",
    "emulatorpin test --output json": {"emulator": "0-7"},
    "cpu-stats test --total --output json": {
        "total": {
            "cpu_time": "48.772617035 seconds",
            "user_time": "5.540000000 seconds",
            "system_time": "6.460000000 seconds",
        }
    },
    "domif-getlink test testnet0 --output json": {"interface": "testnet0", "state": "up"},
    "domblkerror test --output json": {"vda": "unspecified error"},
    "iothreadinfo test --output json": [],
    "freecell --all --output json": {"0": "2048 KiB", "1": "4096 KiB", "total": "6144 KiB"},
    "freepages 1 4 --output json": {"4kib": "19"},
    "iface-mac eth1 --output json": "aa:bb:cc:dd:ee:ff",
    "uri --output json": "test:///default",
    "desc test --output json": "No description for domain: test",
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


def test_figures_that_change() -> None:
    """Their names only: of a disk, a network card; nodes of memory; addresses without their heading."""
    names_of = {
        "domblkstat test vda": ["device", "rd_req", "rd_bytes", "wr_req", "wr_bytes", "errs"],
        "domblkstat test vda --human": ["device", "number_of_read_operations", "number_of_bytes_read"],
        "domifstat test testnet0": ["device", "rx_bytes", "rx_packets", "rx_errs", "rx_drop", "tx_bytes"],
        "nodecpustats": ["user", "system", "idle", "iowait"],
    }
    for line, wanted in names_of.items():
        found = json.loads(virsh(f"{line} --output json").stdout)
        assert list(found)[: len(wanted)] == wanted and all(found.values()), line
    assert [one["node"] for one in json.loads(virsh("freepages --all --output json").stdout)] == ["0", "1"]
    assert json.loads(virsh("domifaddr test --output json").stdout) == [
        {"name": "testnet0", "mac_address": "aa:bb:cc:dd:ee:ff", "protocol": "ipv4", "address": "192.168.122.3/24"}
    ]


def test_forms_of_guests_that_run() -> None:
    """What the test driver has not: read from what the QEMU driver's commands print."""
    assert json.loads(asdata.data("dommemstat", (), "actual 163840\nlast_update 0\nrss 337376\n\n")) == {
        **{"actual": "163840", "last_update": "0", "rss": "337376"}
    }
    assert json.loads(asdata.data("node-memory-tune", (), "Shared memory:\n\tshm_full_scans  0\n")) == {
        "shared_memory": {"shm_full_scans": "0"}
    }
    assert json.loads(asdata.data("qemu-agent-command", (), '{"return":{}}\n\n')) == {"return": {}}
    assert (
        json.loads(asdata.data("domdisplay", ("all",), "vnc://127.0.0.1:0\nspice://h\n"))
        == "vnc://127.0.0.1:0\nspice://h"
    )
    assert json.loads(asdata.data("nodedev-list", (), "computer\n")) == ["computer"]
    printed = "Domain: 'a'\n  state.state=1\n\nDomain: 'b'\n  state.state=5\n\n"
    assert [one["domain"] for one in json.loads(asdata.data("domstats", (), printed))] == ["a", "b"]


def test_events_come_as_lines() -> None:
    """One object a line, each when its event comes."""
    out = io.StringIO()
    events = asdata.Events(out)
    events.write("2026-11-30 11:28:24.153+0000: ")
    events.write("event 'lifecycle' for domain 'g1': Suspended Paused\n")
    events.flush()
    assert json.loads(out.getvalue()) == {
        **{"time": "2026-11-30 11:28:24.153+0000", "event": "lifecycle", "kind": "domain"},
        **{"object": "g1", "detail": "Suspended Paused"},
    }
    out.truncate(0)
    events.write("event 'tunable' for domain 'g1':\n\tcputune.emulatorpin: 0\n\tx: 1\n")
    events.flush()
    assert json.loads(out.getvalue().lstrip("\0"))["detail"] == "cputune.emulatorpin: 0; x: 1"


def test_every_command_takes_it() -> None:
    """The grammar gives the option to each: none says that it does not know it."""
    built = [name for group in names.groups() for name, file in group.commands if file and name != "help"]
    assert len(built) > 250
    lines = "\n".join(f"{name} --output json --nosuchoption" for name in built)
    command = [sys.executable, str(PROJECT / "bin/virsh"), "-c", "test:///default"]
    done = subprocess.run(command, env=ENV, input=lines, capture_output=True, text=True, timeout=60)
    refused = [f"command '{name}' doesn't support option --nosuchoption" for name in built]
    assert [line for line in refused if line not in done.stderr] == []
    assert "--output" not in done.stderr


COMPLETED = {
    ("dominf",): ["dominfo"],
    ("dominfo", ""): ["test"],
    ("domblkstat", "test", ""): ["vda"],
    ("domif-getlink", "test", "testn"): ["testnet0"],
    ("net-info", ""): ["default"],
    ("net-start", "--network", "de"): [],  # it runs
    ("vol-list", "--pool", ""): ["default-pool"],
    ("nodedev-dumpxml", "scsi"): ["scsi_host1", "scsi_host11", "scsi_host2"],
    ("list", "--ina"): ["--inactive"],
    ("start", "--domain", ""): [],  # what runs already is no candidate
    ("destroy", ""): ["test"],
    ("domname", ""): ["6695eb01-f6a4-8304-79aa-97f2502e193f"],
    ("dominfo", "test", "--"): [],
    ("shutdown", "test", "--mode", ""): ["acpi", "agent", "initctl", "signal", "paravirt"],
    ("shutdown", "test", "--mode", "acpi,a"): ["acpi,agent"],
    ("domcapabilities", "--machine", ""): [],
    ("vcpupin", "test", "--vcpu", ""): ["0", "1"],
    ("vcpupin", "test", "0", "2"): ["2"],
    ("attach-disk", "test", "/x", "vdb", "--iothread", ""): [],
    ("blockcommit", "test", "vda", "--base", ""): ["vda"],
    ("domblkthreshold", "test", ""): ["vda"],
    ("detach-interface", "test", "network", "--mac", ""): ["aa:bb:cc:dd:ee:ff"],
    ("iface-name", ""): ["aa:bb:cc:dd:ee:ff"],
    ("iface-start", "--interface", ""): [],
    ("freepages", "--cellno", ""): ["0", "1"],
    ("send-key", "test", "--codeset", "win32", "VK_ESC"): ["VK_ESCAPE"],
    ("send-key", "test", "KEY_LEFTC"): ["KEY_LEFTCTRL"],
    ("nosuch", ""): [],
}


def test_complete() -> None:
    """The names of live objects, of their parts and of what fits there; all words once by the command itself."""
    shell = Shell()
    shell.uri = "test:///default"
    try:
        for (*words, text), wanted in COMPLETED.items():
            assert candidates(shell, words, text) == wanted, (words, text)
    finally:
        shell.disconnect()
    for words in (["dominfo", ""], ["nodedev-dumpxml", "scsi"], ["vcpupin", "test", "--vcpu", ""]):
        assert virsh("-q", "complete", "--", *words).stdout.split() == COMPLETED[tuple(words)]


@pytest.mark.parametrize(("command", "option"), choices.WORDS)
def test_fixed_words(peers: Peers, command: str, option: str) -> None:
    """Those that the C tool offers."""
    theirs = peers.virsh("test:///default", "complete", "--", command, f"--{option}", "")
    assert sorted(choices.words(command, option)) == sorted(theirs.stdout.split())


@pytest.mark.parametrize("codeset", ["linux", "win32", "os_x"])
def test_keys(peers: Peers, codeset: str) -> None:
    """Names of keys as the C tool knows them."""
    words = ("complete", "--", "send-key", "--codeset", codeset, "--keycode", "")
    assert sorted(keycodes.names(codeset)) == sorted(set(peers.virsh("test:///default", *words).stdout.split()))


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
