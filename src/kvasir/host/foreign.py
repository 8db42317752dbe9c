"""Other programs' policies: Docker sets that of iptables' FORWARD chain to DROP, ufw that of INPUT, and what any chain drops is lost.

Our own rules are in tables of their own (nftables), where an accept does not outweigh that. So what libvirt accepts in these chains is
accepted there as well: the services of a network's bridge, and what is forwarded, of which our own rules still decide. Blocks.
"""

from __future__ import annotations

import logging
import subprocess

log = logging.getLogger(__name__)
PATH = "/usr/sbin:/sbin:/usr/bin:/bin"
TOOLS = ("iptables", "ip6tables")
SERVICES = {"iptables": {"udp": "53,67,69", "tcp": "53,67"}, "ip6tables": {"udp": "53,547", "tcp": "53"}}


def _run(tool: str, *words: str) -> str | None:
    """What the tool prints; None where it is missing or refuses."""
    try:
        done = subprocess.run(
            [tool, "-w", *words], capture_output=True, text=True, check=False, env={"PATH": PATH, "LC_ALL": "C"}
        )
    except OSError:
        return None
    return done.stdout if done.returncode == 0 else None


def _rules(tool: str, bridge: str) -> dict[str, list[list[str]]]:
    """Chain -> the rules that it gets."""
    mark = ["-m", "comment", "--comment", "kvasir", "-j", "ACCEPT"]
    services = [
        ["-i", bridge, "-p", proto, "-m", "multiport", "--dports", ports, *mark]
        for proto, ports in SERVICES[tool].items()
    ]
    return {"INPUT": services, "FORWARD": [[way, bridge, *mark] for way in ("-i", "-o")]}


def let_through(bridge: str, *, forwards: bool) -> None:
    """Where a policy is DROP, accept what is for the bridge's services, and what is forwarded by it; rules that are there stay."""
    for tool in TOOLS:
        shown = _run(tool, "-S")
        for chain, rules in _rules(tool, bridge).items() if shown is not None else ():
            if f"-P {chain} DROP" not in str(shown).splitlines() or (chain == "FORWARD" and not forwards):
                continue
            for rule in rules:
                if _run(tool, "-C", chain, *rule) is None and _run(tool, "-I", chain, *rule) is None:
                    log.warning("the policy of %s's chain %s is DROP, and it takes no rule for %s", tool, chain, bridge)


def forget(bridge: str) -> None:
    """Take our rules out again."""
    for tool in TOOLS:
        shown = _run(tool, "-S")
        if shown is None or f" {bridge} " not in shown:
            continue
        for chain, rules in _rules(tool, bridge).items():
            for rule in rules:
                while _run(tool, "-D", chain, *rule) is not None:
                    log.debug("%s: a rule of %s for %s is taken out", tool, chain, bridge)
