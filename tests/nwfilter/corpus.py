"""The filters of ``filters/``, and the rules that a daemon makes of them for one interface, as the kernel's tools save them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

FILTERS = Path(__file__).parent / "filters"
PORT = "vnet0"
BINDING = """<filterbinding>
  <owner><name>guest</name><uuid>d54df46f-1ab5-4a22-8618-4560ef5fac2c</uuid></owner>
  <portdev name='vnet0'/>
  <mac address='52:54:00:7b:35:93'/>
  <filterref filter='{name}'>
    <parameter name='IP' value='10.0.0.5'/>
    <parameter name='IPV6' value='fd00::5'/>
    <parameter name='GATEWAY_MAC' value='52:54:00:00:00:01'/>
    <parameter name='DHCPSERVER' value='10.0.0.1'/>
    <parameter name='ADDRESSES' value='10.0.0.6'/>
    <parameter name='ADDRESSES' value='10.0.0.7'/>
    <parameter name='PORTS' value='80'/>
    <parameter name='PORTS' value='443'/>
  </filterref>
</filterbinding>
"""
SAVE = "ebtables-save; iptables-save; ip6tables-save"


def names() -> list[str]:
    return sorted(path.stem for path in FILTERS.glob("*.xml"))


def needed() -> list[str]:
    """Filters that others refer to come first."""
    first = ("in-arp-xyz", "in-vlan", "in-ipv6", "in-stp", "lists")
    return [*first, *(name for name in names() if name not in first)]


def normal(saved: str) -> list[str]:
    """The interface's rules in order. Jumps into chains without a rule say nothing."""
    lines, table = [], ""
    for line in saved.splitlines():
        if line.startswith("*"):
            table = {"nat": "ebtables"}.get(line[1:].strip(), "iptables" if "iptables" not in table else "ip6tables")
        elif line.startswith("-A") and PORT in line:
            lines.append(f"{table} {line}")
    full = {line.split()[2] for line in lines}
    return [line for line in lines if "libvirt-" not in line.split()[-1] or line.split()[-1] in full]


def rules(run: Callable[[str], str], save: Callable[[], str], folder: Path, name: str) -> tuple[str, list[str]]:
    """The document as shown, and the rules of a binding to it; what ``run`` says of errors stands in their place."""
    (folder / "binding.xml").write_text(BINDING.format(name=name))
    shown = run(f"nwfilter-dumpxml {name}")
    said = run(f"nwfilter-binding-create {folder}/binding.xml")
    found = [said.strip().splitlines()[-1]] if "error:" in said else normal(save())
    run(f"nwfilter-binding-delete {PORT}")
    return shown.strip() + "\n", found
