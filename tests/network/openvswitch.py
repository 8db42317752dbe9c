"""A real Open vSwitch (unpacked, not installed) with the datapath of user space: in one network namespace, with folders of its own."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from pathlib import Path

from tests.unpacked import libraries, unpacked

PACKAGES = ("openvswitch-switch", "openvswitch-common", "libxdp1", "libbpf1", "libunbound8")
WRAPPER = """#!/bin/sh
exec /usr/bin/python3 -IS {folder}/record.py "$@"
"""
RECORD = """import json, os, sys
with open({log!r}, "a") as log:
    log.write(json.dumps(sys.argv[1:]) + "\\n")
os.environ.update({env!r})
os.execv({tool!r}, ["ovs-vsctl", "--db=unix:{folder}/db.sock", *sys.argv[1:]])
"""


class Switch:
    """``prefix`` are the words that run a program in the namespace. ``tools`` holds an ``ovs-vsctl`` that writes down what it is asked
    and passes it on to the real one."""

    def __init__(self, folder: Path, prefix: list[str]) -> None:
        self.folder, self.prefix, self.root = folder, prefix, unpacked(*PACKAGES)
        self.log, self.tools = folder / "asked", folder / "bin"
        self.tools.mkdir(parents=True)
        (self.folder / "openvswitch").mkdir()
        where = {"OVS_RUNDIR": str(folder), "OVS_LOGDIR": str(folder), "OVS_DBDIR": str(folder), "OVS_SYSCONFDIR": str(folder)}
        self.env = {**where, "LD_LIBRARY_PATH": libraries(self.root)}
        tool = str(self.root / "usr/bin/ovs-vsctl")
        (folder / "record.py").write_text(RECORD.format(log=str(self.log), env=self.env, tool=tool, folder=folder))
        wrapper = self.tools / "ovs-vsctl"
        wrapper.write_text(WRAPPER.format(folder=folder))
        wrapper.chmod(0o755)
        self.children: list[subprocess.Popen[bytes]] = []
        self._start()

    def _run(self, *words: str, check: bool = True) -> str:
        done = subprocess.run([*self.prefix, "env", *(f"{key}={value}" for key, value in self.env.items()), *words],
                              capture_output=True, text=True, check=False, timeout=60)  # fmt: skip
        assert not check or done.returncode == 0, (words, done.stderr)
        return done.stdout

    def _spawn(self, *words: str) -> None:
        with open(self.folder / "log", "ab") as log:
            command = [*self.prefix, "env", *(f"{key}={value}" for key, value in self.env.items()), *words]
            self.children.append(subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log))

    def _start(self) -> None:
        usr = self.root / "usr"
        self._run(str(usr / "bin/ovsdb-tool"), "create", f"{self.folder}/conf.db", str(usr / "share/openvswitch/vswitch.ovsschema"))
        self._spawn(str(usr / "sbin/ovsdb-server"), f"{self.folder}/conf.db", f"--remote=punix:{self.folder}/db.sock",
                    f"--unixctl={self.folder}/db.ctl")  # fmt: skip
        self._wait(self.folder / "db.sock")
        self._run(*self._tool("--no-wait", "init"))
        self._spawn(str(usr / "lib/openvswitch-switch/ovs-vswitchd"), f"unix:{self.folder}/db.sock", f"--unixctl={self.folder}/switch.ctl",
                    "--disable-system")  # fmt: skip
        self._wait(self.folder / "switch.ctl")

    def _wait(self, path: Path) -> None:
        end = time.monotonic() + 60
        while not path.exists():
            assert self.children[-1].poll() is None and time.monotonic() < end, (self.folder / "log").read_text()
            time.sleep(0.05)

    def _tool(self, *words: str) -> list[str]:
        return [str(self.root / "usr/bin/ovs-vsctl"), f"--db=unix:{self.folder}/db.sock", "--timeout=30", *words]

    def ctl(self, *words: str) -> str:
        """The real tool, unrecorded."""
        return self._run(*self._tool(*words)).strip()

    def bridge(self, name: str) -> None:
        self.ctl("add-br", name, "--", "set", "bridge", name, "datapath_type=netdev")

    def row(self, table: str, name: str) -> dict[str, object]:
        """A row of the switch's database as plain values."""
        answer = json.loads(self.ctl("--format=json", "list", table, name))
        return {key: _plain(value) for key, value in zip(answer["headings"], answer["data"][0], strict=True)}

    def rows(self, table: str) -> int:
        return len(json.loads(self.ctl("--format=json", "list", table))["data"])

    def asked(self) -> list[str]:
        """What was asked since the last time, with numbers made alike."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        self.log.unlink(missing_ok=True)
        made = [" ".join(json.loads(line)) for line in lines]
        return [re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "UUID", one) for one in made]

    def end(self) -> None:
        for child in reversed(self.children):
            child.terminate()
            child.wait(20)


def _plain(value: object) -> object:
    """A value of OVSDB's JSON: maps become dicts, sets lists."""
    if isinstance(value, list) and len(value) == 2 and value[0] in ("map", "set", "uuid"):
        inner = value[1]
        if value[0] == "map":
            return {key: _plain(one) for key, one in inner}
        return [_plain(one) for one in inner] if value[0] == "set" else inner
    return value


def on_path(tools: Path) -> str:
    return f"{tools}:{os.environ['PATH']}"
