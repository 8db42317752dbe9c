"""A bridge with a filtered port, the helper that sends frames there, and the means to define and bind filters."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kvasir import client
from kvasir.errors import Error
from tests.nwfilter import packets
from tests.nwfilter.place import Place

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

    def passes(
        self, protocol: str, what: dict[str, Any], port: str = "gst0", expected: bool = True, to: str | None = None
    ) -> bool:
        """Whether such a frame comes out at the other side of the bridge. One that is expected is waited for longer."""
        assert self.helper.stdin is not None and self.helper.stdout is not None
        self.number += 1
        frame = packets.build(protocol, self.number, **what)
        to = to or ("gst0" if port == "sink0" else "sink0")
        asked: dict[str, Any] = {"port": port, "to": to, "frame": frame.hex(), "mark": (packets.MARK % self.number).hex()}
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


FROM, TO = "gst0", "sink0"


class Bench:
    """Defines filters, binds one, and takes all away at the end."""

    def __init__(self, wire: Wire) -> None:
        self.wire, self.made = wire, list[Any]()

    def define(self, name: str, body: str, more: str = "") -> Any:
        try:
            old = self.wire.conn.nwfilterLookupByName(name).UUIDString()
        except Error:
            old = str(uuid.uuid4())
        found = self.wire.conn.nwfilterDefineXML(f"<filter name='{name}' {more}><uuid>{old}</uuid>{body}</filter>")
        if all(one.name() != name for one in self.made):
            self.made.append(found)
        return found

    def bind(self, name: str, **parameters: str | list[str]) -> Any:
        more = ""
        for key, values in parameters.items():
            for value in [values] if isinstance(values, str) else values:
                more += f"<parameter name='{key}' value='{value}'/>"
        return self.wire.bind(name, more)

    def unbind(self) -> None:
        for one in self.wire.conn.listAllNWFilterBindings(0):
            one.delete()

    def clear(self) -> None:
        """Take away what was bound and defined."""
        self.unbind()
        for one in reversed(self.made):
            one.undefine()
        self.made.clear()

    def passes(self, protocol: str, port: str = FROM, **what: Any) -> bool:
        return self.wire.passes(protocol, what, port)

    def drops(self, protocol: str, port: str = FROM, **what: Any) -> bool:
        return not self.wire.passes(protocol, what, port, expected=False)


def rule(action: str, direction: str, inner: str = "", more: str = "") -> str:
    return f"<rule action='{action}' direction='{direction}' {more}>{inner}</rule>"


def until(what: Callable[[], Any], seconds: float = 20) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if what():
            return True
        time.sleep(0.1)
    return bool(what())
