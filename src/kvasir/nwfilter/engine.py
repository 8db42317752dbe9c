"""Rules into the kernel and out of it: one atomic change for each of ebtables, iptables and ip6tables, however many interfaces it is for.

Blocking; the driver calls it in a thread, one change at a time. When a tool refuses its part, the parts that the others took are
put back as they were.
"""

from __future__ import annotations

import itertools
import logging
import subprocess
from collections.abc import Mapping
from pathlib import Path

from kvasir.errors import InternalError, Origin
from kvasir.nwfilter import ebtables, iptables, nftables
from kvasir.nwfilter.tree import Instance

log = logging.getLogger(__name__)

PATH = "/usr/sbin:/sbin:/usr/bin:/bin"
TOOLS = ("ebtables", "nft", "iptables", "ip6tables")
TABLES = {"ebtables": "nat", "iptables": "filter", "ip6tables": "filter"}
BASE = ("libvirt-in", "libvirt-out", "libvirt-in-post", "libvirt-host-in")
BRIDGE_CALLS = {"iptables": "bridge-nf-call-iptables", "ip6tables": "bridge-nf-call-ip6tables"}
Rules = list[Instance]


class Engine:
    """What is applied to which interface."""

    def __init__(self) -> None:
        self.applied: dict[str, Rules] = {}
        self._chains: dict[str, set[str]] | None = None
        """Tool -> the chains that its table has, as far as known."""

    def change(self, wanted: Mapping[str, Rules | None]) -> None:
        """Give each interface its rules; None takes them away. Raises InternalError, and then nothing has changed."""
        texts = {tool: self._text(tool, wanted) for tool in TOOLS}
        done: list[str] = []
        for tool in TOOLS:
            if not texts[tool]:
                continue
            try:
                self._restore(tool, texts[tool])
            except InternalError:
                self._put_back(done, wanted)
                raise
            done.append(tool)
        for port, rules in wanted.items():
            if rules is None:
                self.applied.pop(port, None)
            else:
                self.applied[port] = rules

    def _put_back(self, tools: list[str], wanted: Mapping[str, Rules | None]) -> None:
        self._chains = None
        before = {port: self.applied.get(port) for port in wanted}
        for tool in tools:
            text = self._text(tool, before)
            if text:
                try:
                    self._restore(tool, text)
                except InternalError as problem:
                    log.error("cannot put the rules of %s back: %s", ", ".join(wanted), problem.message)

    # --- text for the tools

    def _known(self, tool: str) -> set[str]:
        if self._chains is None:
            self._chains = {one: _chains_of(one) for one in TOOLS}
        return self._chains[tool]

    def _text(self, tool: str, wanted: Mapping[str, Rules | None]) -> list[str]:
        lines: list[str] = []
        ports = [*wanted, *self.applied]
        for port, rules in wanted.items():
            by_nft = nftables.wanted(rules or [])
            if tool == "ebtables":
                lines += self._layer2(port, [] if by_nft else rules or [], ports)
            elif tool == "nft":
                known = {name for name in self._known("nft") if _owner(name, ports) == port}
                lines += nftables.change(port, (rules or []) if by_nft else [], known) if by_nft or known else []
            else:
                lines += self._layer3(tool, port, rules or [])
        if lines and tool == "nft":
            return nftables.base() + lines
        if lines and tool != "ebtables" and "libvirt-in" not in self._known(tool):
            lines = _base() + lines
        return lines

    def _layer2(self, port: str, rules: Rules, ports: list[str]) -> list[str]:
        known = self._known("ebtables")
        old = {name for name in known if _owner(name, ports) == port}
        declared, added, jumps = list[str](), list[str](), list[str]()
        new: set[str] = set()
        for tree, hook, way in zip(
            ebtables.trees(port, rules), ("PREROUTING", "POSTROUTING"), ("-i", "-o"), strict=True
        ):
            jump = f"{hook} {way} {port} -j {tree.root}"
            if tree.chains and tree.root not in old:
                jumps.append(f"-A {jump}")
            elif not tree.chains and tree.root in old:
                jumps.append(f"-D {jump}")
            for name, lines in tree.chains.items():
                new.add(name)
                declared.append(f":{name} ACCEPT")
                added += [f"-A {name} {line}" for line in lines]
        gone = sorted(old - new)
        return declared + added + jumps + [f"-F {name}" for name in gone] + [f"-X {name}" for name in gone]

    def _layer3(self, tool: str, port: str, rules: Rules) -> list[str]:
        there = f"FI-{port}" in self._known(tool)
        chains = iptables.chains(port, rules, tool == "ip6tables")
        if any(chains.values()):
            lines = [f":{name} - [0:0]" for name in chains]
            lines += [f"-A {name} {line}" for name, added in chains.items() for line in added]
            return lines + ([] if there else [f"-A {line}" for line in _dispatch(port)])
        if not there:
            return []
        return [
            *(f"-D {line}" for line in _dispatch(port)),
            *(f"-F {name}" for name in chains),
            *(f"-X {name}" for name in chains),
        ]

    # --- running them

    def _restore(self, tool: str, lines: list[str]) -> None:
        command, text = [f"{tool}-restore", "--noflush"], "\n".join([f"*{TABLES.get(tool, '')}", *lines, "COMMIT", ""])
        if tool == "nft":
            command, text = ["nft", "-f", "-"], "\n".join([*lines, ""])
        try:
            done = subprocess.run(
                command, input=text, capture_output=True, text=True, check=False,
                env={"PATH": PATH, "LC_ALL": "C"},
            )  # fmt: skip
        except OSError as problem:
            raise InternalError(f"cannot run {command[0]}: {problem.strerror}", origin=Origin.NWFILTER) from None
        if done.returncode:
            self._chains = None
            why = " ".join(done.stderr.split())[:600] or f"status {done.returncode}"
            raise InternalError(
                f"Failed to apply firewall rules: {tool}: {why}{_line_of(why, text)}", origin=Origin.NWFILTER
            )
        known = self._known(tool)
        for line in lines:
            if line.startswith(":"):
                known.add(line[1:].split()[0])
            elif line.startswith("-X "):
                known.discard(line[3:])
            elif line.startswith("add chain "):
                known.add(line.split()[4])
            elif line.startswith("delete chain "):
                known.discard(line.split()[4])
        if tool in BRIDGE_CALLS:
            _warn_of_bridges(tool)

    def apply_again(self) -> None:
        """All rules anew, after a flush by somebody else."""
        self._chains = None
        self.change(dict(self.applied))


def _chains_of(tool: str) -> set[str]:
    """The chains of the tool's table; none where the tool is missing."""
    if tool == "nft":
        return _chains_of_nft()
    try:
        done = subprocess.run(
            [f"{tool}-save", "-t", TABLES[tool]] if tool != "ebtables" else ["ebtables-save"],
            capture_output=True, text=True, check=False, env={"PATH": PATH, "LC_ALL": "C"},
        )  # fmt: skip
    except OSError:
        return set()
    found, table = set(), ""
    for line in done.stdout.splitlines():
        if line.startswith("*"):
            table = line[1:].strip()
        elif line.startswith(":") and table == TABLES[tool]:
            found.add(line[1:].split()[0])
    return found


def _chains_of_nft() -> set[str]:
    try:
        done = subprocess.run(
            ["nft", "list", "table", *nftables.TABLE.split()],
            capture_output=True,
            text=True,
            check=False,
            env={"PATH": PATH, "LC_ALL": "C"},
        )
    except OSError:
        return set()
    return {line.split()[1] for line in done.stdout.splitlines() if line.strip().startswith("chain ")}


def _owner(chain: str, ports: list[str]) -> str | None:
    """The interface that a chain of ebtables belongs to: the longest name that fits."""
    for side in ("I", "O"):
        for root in (f"libvirt-{side}-", f"{side}-"):
            if chain.startswith(root):
                rest = chain[len(root) :]
                fits = [port for port in ports if rest == port or (root == f"{side}-" and rest.startswith(port + "-"))]
                return max(fits, key=len, default=None)
    return None


def _base() -> list[str]:
    lines = [f":{name} - [0:0]" for name in BASE]
    lines += [f"-I FORWARD {place} -j {name}" for place, name in enumerate(BASE[:3], 1)]
    return [*lines, "-I INPUT 1 -j libvirt-host-in"]


def _dispatch(port: str) -> list[str]:
    return [
        f"libvirt-in -m physdev --physdev-in {port} -g FI-{port}",
        f"libvirt-out -m physdev --physdev-is-bridged --physdev-out {port} -g FO-{port}",
        f"libvirt-host-in -m physdev --physdev-in {port} -g HI-{port}",
        f"libvirt-in-post -m physdev --physdev-in {port} -j ACCEPT",
    ]


def _line_of(why: str, text: str) -> str:
    """The line that the tool complains of, where it gives a number."""
    words = why.replace(":", " ").split()
    for before, number in itertools.pairwise(words):
        if before == "line" and number.isdigit() and int(number) <= text.count("\n"):
            return f" ({text.splitlines()[int(number) - 1]})"
    return ""


def _warn_of_bridges(tool: str) -> None:
    path = Path("/proc/sys/net/bridge") / BRIDGE_CALLS[tool]
    try:
        if path.read_text().strip() != "1":
            log.warning("%s does not see bridged packets: echo 1 > %s", tool, path)
    except OSError:
        log.warning("%s does not see bridged packets: modprobe br_netfilter", tool)
