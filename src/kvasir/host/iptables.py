"""The packet rules of networks through iptables, for hosts without nft: libvirt's own chains, one restore for each family."""

from __future__ import annotations

import logging
import shutil
import subprocess
from typing import Any

log = logging.getLogger(__name__)
CHAINS = {
    "input": ("filter", "LIBVIRT_INP", "INPUT"), "output": ("filter", "LIBVIRT_OUT", "OUTPUT"),
    "cross": ("filter", "LIBVIRT_FWX", "FORWARD"), "into": ("filter", "LIBVIRT_FWI", "FORWARD"),
    "out": ("filter", "LIBVIRT_FWO", "FORWARD"), "nat": ("nat", "LIBVIRT_PRT", "POSTROUTING"),
    "mangle": ("mangle", "LIBVIRT_PRT", "POSTROUTING"),
}  # fmt: skip
PATH = "/usr/sbin:/sbin:/usr/bin:/bin"


class IptablesError(OSError):
    """iptables refused."""


def available() -> bool:
    """Whether the host has the tools."""
    return shutil.which("iptables-restore", path=PATH) is not None


def _tool(family: str, suffix: str = "") -> str:
    return ("iptables" if family == "ip" else "ip6tables") + suffix


def _run(*words: str, text: str | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, input=text, capture_output=True, text=True, check=False, env={"PATH": PATH})


def words(rule: Any) -> list[str]:
    """One rule as iptables' options."""
    out: list[str] = []
    for option, value in (
        ("-i", rule.iif),
        ("-o", rule.oif),
        ("-p", rule.proto),
        ("-s", rule.saddr),
        ("-d", rule.daddr),
    ):
        if value is not None:
            out += [option, value]
    if rule.not_daddr is not None:
        out += ["!", "-d", rule.not_daddr]
    if rule.dport is not None:
        out += ["--dport", str(rule.dport)]
    if rule.established:
        out += ["-m", "conntrack", "--ctstate", "ESTABLISHED,RELATED"]
    if rule.verdict == "checksum":
        return [*out, "-j", "CHECKSUM", "--checksum-fill"]
    out += ["-j", rule.verdict.upper()]
    if rule.verdict == "snat":
        first, last = rule.addresses
        target = first if first == last else f"{first}-{last}"
        out += ["--to-source", target + (":{}-{}".format(*rule.ports) if rule.ports else "")]
    elif rule.verdict == "masquerade" and rule.ports:
        out += ["--to-ports", "{}-{}".format(*rule.ports)]
    return out


def _restore(family: str, tables: dict[str, list[str]]) -> None:
    text = "".join(
        f"*{table}\n" + "".join(f"{line}\n" for line in lines) + "COMMIT\n" for table, lines in tables.items()
    )
    done = _run(_tool(family, "-restore"), "--noflush", "-w", text=text)
    if done.returncode:
        raise IptablesError(1, (done.stderr.strip() or "no reason given").splitlines()[0])


def _prepare(family: str) -> None:
    """libvirt's chains and the jumps to them, where they are missing."""
    for table, chain, hook in CHAINS.values():
        if _run(_tool(family), "-w", "-t", table, "-n", "-L", chain).returncode:
            _run(_tool(family), "-w", "-t", table, "-N", chain)
        if _run(_tool(family), "-w", "-t", table, "-C", hook, "-j", chain).returncode:
            _run(_tool(family), "-w", "-t", table, "-A" if hook == "FORWARD" else "-I", hook, "-j", chain)


def install(bridge: str, rules: list[Any], name: str = "") -> None:
    """Enter a network's rules; those that it had go first. Raises IptablesError."""
    remove(bridge, rules)
    for family in ("ip", "ip6"):
        tables: dict[str, list[str]] = {}
        for rule in rules:
            if rule.family == family and rule.verdict != "checksum":
                table, chain, _ = CHAINS[rule.chain]
                tables.setdefault(table, []).append(f"-A {chain} {' '.join(words(rule))}")
        if tables:
            _prepare(family)
            _restore(family, tables)
    for rule in rules:
        if rule.verdict == "checksum":
            _fixup(name or bridge, rule)


def _fixup(name: str, rule: Any) -> None:
    """Checksums of DHCP answers for clients that look at them; a kernel without that target is warned of, as libvirt does."""
    table, chain, _ = CHAINS[rule.chain]
    if _run(_tool(rule.family), "-w", "-t", table, "-A", chain, *words(rule)).returncode:
        log.warning("Could not add rule to fixup DHCP response checksums on network '%s'.", name)
        log.warning("May need to update iptables package & kernel to support CHECKSUM rule.")


def remove(bridge: str, rules: list[Any]) -> None:
    """Take a network's rules out, also where some are gone already."""
    for rule in rules:
        table, chain, _ = CHAINS[rule.chain]
        _run(_tool(rule.family), "-w", "-t", table, "-D", chain, *words(rule))
