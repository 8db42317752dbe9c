"""What passes and what does not: real frames from the guest's side of a port, for every attribute of every protocol."""

from __future__ import annotations

import json
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kvasir import client
from kvasir.errors import Error
from tests.nwfilter import packets
from tests.nwfilter.cases import CASES, Case
from tests.nwfilter.conftest import Place
from tests.unpacked import libraries, unpacked

PORTS = ("vnet0 gst0", "out0 sink0", "mid0 side0")
FILTER = (
    "<filter name='{name}'><uuid>{uuid}</uuid><rule action='drop' direction='out'><{protocol} {xml}/></rule></filter>"
)
BINDING = """<filterbinding><owner><name>guest</name><uuid>d54df46f-1ab5-4a22-8618-4560ef5fac2c</uuid></owner>
<portdev name='vnet0'/><mac address='02:00:00:00:00:01'/><filterref filter='{name}'>{more}</filterref></filterbinding>"""


class Wire:
    """The bridge with the filtered port, and the helper that sends and listens there."""

    def __init__(self, place: Place) -> None:
        self.place, self.number = place, 0
        place.inside("sysctl", "-qw", "net.ipv6.conf.default.disable_ipv6=1")
        place.inside("ip", "link", "add", "br0", "type", "bridge")
        for pair in PORTS:
            host, guest = pair.split()
            place.inside("ip", "link", "add", host, "type", "veth", "peer", "name", guest)
            place.inside("ip", "link", "set", host, "master", "br0")
            for name in (host, guest):
                place.inside("ip", "link", "set", name, "up")
        place.inside("ip", "link", "set", "br0", "up")
        for card, port in ((packets.PEER, "out0"), (packets.ME, "vnet0")):  # one copy of each frame, not a flood
            place.inside("bridge", "fdb", "replace", card, "dev", port, "master", "static")
        self.conn = client.open(place.uri)
        command = ["ip", "netns", "exec", place.name, sys.executable, str(Path(__file__).with_name("wire.py"))]
        self.helper = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.helper.stdout is not None and self.helper.stdout.readline() == "ready\n"

    def passes(self, protocol: str, what: dict[str, Any], port: str = "gst0", expected: bool = True) -> bool:
        """Whether such a frame comes out at the other side of the bridge. One that is expected is waited for longer."""
        assert self.helper.stdin is not None and self.helper.stdout is not None
        self.number += 1
        frame = packets.build(protocol, self.number, **what)
        asked: dict[str, Any] = {"port": port, "frame": frame.hex(), "mark": (packets.MARK % self.number).hex()}
        asked["grace"] = 3.0 if expected else 0.15
        self.helper.stdin.write(json.dumps(asked) + "\n")
        self.helper.stdin.flush()
        return bool(json.loads(self.helper.stdout.readline()))

    def define(self, name: str, protocol: str, xml: str) -> Any:
        return self.conn.nwfilterDefineXML(FILTER.format(name=name, uuid=uuid.uuid4(), protocol=protocol, xml=xml))

    def bind(self, name: str, more: str = "") -> Any:
        return self.conn.nwfilterBindingCreateXML(BINDING.format(name=name, more=more), 0)

    def close(self) -> None:
        self.conn.close()
        assert self.helper.stdin is not None
        self.helper.stdin.close()
        self.helper.wait(10)


@pytest.fixture(scope="module")
def wire(place: Place) -> Iterator[Wire]:
    made = Wire(place)
    tool = unpacked("ipset", "libipset13")
    ipset = ["env", f"LD_LIBRARY_PATH={libraries(tool)}", str(next(tool.rglob("sbin/ipset")))]
    for name, family, member in (("good4", "inet", "10.0.0.5"), ("good6", "inet6", "fd00::5")):
        place.inside(*ipset, "create", name, "hash:ip", "family", family)
        place.inside(*ipset, "add", name, member)
    yield made
    made.close()


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
