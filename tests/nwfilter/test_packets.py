"""What passes and what does not: real frames from the guest's side of a port, for every attribute of every protocol."""

from __future__ import annotations

import uuid

import pytest

from kvasir.errors import Error
from tests.nwfilter.bridge import Wire
from tests.nwfilter.cases import CASES, Case
from tests.unpacked import libraries, unpacked


@pytest.fixture(scope="module", autouse=True)
def sets(wire: Wire) -> None:
    """The sets of addresses that rules with ipset name."""
    tool = unpacked("ipset", "libipset13")
    ipset = ["env", f"LD_LIBRARY_PATH={libraries(tool)}", str(next(tool.rglob("sbin/ipset")))]
    for name, family, member in (("good4", "inet", "10.0.0.5"), ("good6", "inet6", "fd00::5")):
        wire.place.inside(*ipset, "create", name, "hash:ip", "family", family)
        wire.place.inside(*ipset, "add", name, member)


def sends(wire: Wire, case: Case, protocol: str, name: str, expected: tuple[bool, bool]) -> tuple[bool, bool]:
    """Bind the filter and send: does the matching frame pass, does the other?"""
    binding = wire.bind(name)
    try:
        for side, what in case.before:
            assert wire.passes(protocol, what, "gst0" if side == "out" else "sink0"), what
        matching = wire.passes(protocol, case.match, expected=expected[0])
        return matching, wire.passes(protocol, case.miss, expected=expected[1])
    finally:
        binding.delete()


@pytest.mark.parametrize("case", [pytest.param(one, id=str(one), marks=pytest.mark.guide(*one.rows)) for one in CASES])
def test_attribute(wire: Wire, case: Case) -> None:
    """Dropped when it matches, passed when not; the other way round with match='no'; shown; and illegal values refused."""
    for protocol in case.protocols:
        made = wire.define("under-test", protocol, case.xml)
        try:
            shown = made.XMLDesc(0)
            for name in case.names:
                assert f" {name}='" in shown, shown
            always = case.names == ("comment",)
            wanted = (False, not always)
            assert sends(wire, case, protocol, "under-test", wanted) == wanted, protocol
        finally:
            made.undefine()
        if case.negated and protocol == case.protocols[0]:
            plain, tested = split(case)
            opposite = wire.conn.nwfilterDefineXML(
                f"<filter name='opposite'><uuid>{uuid.uuid4()}</uuid><rule action='drop' direction='out'>"
                f"<{protocol} {plain}/><{protocol} match='no' {tested}/></rule></filter>"
            )
            try:
                wanted = (True, False)
                assert sends(wire, case, protocol, "opposite", wanted) == wanted, f"{protocol} with match='no'"
            finally:
                opposite.undefine()
    for value in case.illegal:
        xml = " ".join(word for word in words(case.xml) if not word.startswith(f"{case.names[0]}="))
        with pytest.raises(Error, match=f"{case.names[0]} has illegal value"):
            wire.define("illegal", case.protocols[0], f"{xml} {case.names[0]}='{value}'")


def words(xml: str) -> list[str]:
    return [word + "'" for word in xml.replace("' ", "'\n").replace("'\n", "\n").rstrip("'").split("\n") if word]


def split(case: Case) -> tuple[str, str]:
    """The element's attributes: those beside the ones under test, and these (with the start of a range)."""
    base = [word for word in words(case.xml) if word.startswith("protocol=") and "protocol" not in case.names]
    return " ".join(base), " ".join(word for word in words(case.xml) if word not in base)
