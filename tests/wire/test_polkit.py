"""Login by polkit, asked over a D-Bus of the test's own where a stand-in for polkit answers."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kvasir.daemon.access import Access
from kvasir.errors import Error
from kvasir.rpc.programs import REMOTE
from tests import bus
from tests.wire.harness import UUID, Named, Raw, Served


class Polkit:
    """Answers what ``verdict`` says and remembers what it was asked."""

    def __init__(self, address: str) -> None:
        self.verdict: tuple[bool, bool, dict[str, str]] = (True, False, {})
        self.asked: list[list[Any]] = []
        self.address = address
        ready = threading.Event()
        self.thread = threading.Thread(target=lambda: asyncio.run(self.run(ready)), daemon=True)
        self.thread.start()
        assert ready.wait(60)

    async def run(self, ready: threading.Event) -> None:
        from dbus_fast import Message
        from dbus_fast.aio import MessageBus

        bus = await MessageBus(bus_address=self.address).connect()

        def answer(message: Any) -> Any:
            if message.member == "CheckAuthorization":
                self.asked.append(message.body)
                return Message.new_method_return(message, "(bba{ss})", [list(self.verdict)])
            return None

        bus.add_message_handler(answer)
        await bus.request_name("org.freedesktop.PolicyKit1")
        self.loop, self.end = asyncio.get_running_loop(), asyncio.Event()
        ready.set()
        await self.end.wait()
        bus.disconnect()


@pytest.fixture
def polkit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Polkit]:
    with bus.running(tmp_path) as address:
        monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", address)
        made = Polkit(address)
        yield made
        made.loop.call_soon_threadsafe(made.end.set)
        made.thread.join(60)


def stranger(served: Served, name: str = "libvirt-sock") -> Raw:
    """A client that the daemon does not know for root."""
    raw = Raw(served.run / name)
    raw.call("auth_list")
    client = list(served.daemon.services["libvirtd"].clients.values())[-1]
    client.auth, client.authenticated = "polkit", False
    assert raw.call("auth_list") == [2]
    return raw


def test_allowed(served: Served, polkit: Polkit) -> None:
    for name, action in (("libvirt-sock", "org.libvirt.unix.manage"), ("libvirt-sock-ro", "org.libvirt.unix.monitor")):
        raw = stranger(served, name)
        with pytest.raises(Error, match="authentication required"):
            raw.call("connect_open", "", 0)
        assert raw.call("auth_polkit") == 1
        raw.call("connect_open", "", 0)
        subject, asked, _, flags, _ = polkit.asked[-1]
        assert (asked, flags) == (action, 1) and subject[0] == "unix-process"
        assert subject[1]["pid"].value == os.getpid() and subject[1]["start-time"].value > 0


@pytest.mark.parametrize(
    ("verdict", "code", "message"),
    [
        ((False, False, {}), 45, "authentication failed: access denied by policy"),
        (
            *((False, True, {}), 94),
            "authentication unavailable: no polkit agent available to authenticate action 'org.libvirt.unix.manage'",
        ),
        (
            *((False, False, {"polkit.dismissed": "true"}), 79),
            "authentication cancelled: user cancelled authentication process",
        ),
    ],
)
def test_refused(served: Served, polkit: Polkit, verdict: Any, code: int, message: str) -> None:
    polkit.verdict = verdict
    raw = stranger(served)
    with pytest.raises(Error) as caught:
        raw.call("auth_polkit")
    assert (caught.value.code, caught.value.message) == (code, message)
    with pytest.raises(Error, match="authentication required"):
        raw.call("connect_open", "", 0)


def test_without_a_bus_nobody_gets_in(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nonexistent/bus")
    raw = stranger(served)
    with pytest.raises(Error) as caught:
        raw.call("auth_polkit")
    assert caught.value.code == 45 and "polkit cannot be asked about 'org.libvirt.unix.manage'" in caught.value.message


class Asked(Access):
    """Writes down what would be asked of polkit."""

    def __init__(self) -> None:
        self.questions: list[tuple[str, str, dict[str, str]]] = []

    async def _require(self, client: Any, kind: str, permission: str, details: dict[str, str]) -> None:
        self.questions.append((kind, permission, details))


def test_nothing_is_done_before_it_is_allowed() -> None:
    """Whatever the arguments: only of calls that look, the object may be known from the result."""
    rows = [row for number in range(1, 600) if (row := REMOTE.number(number)) is not None and row.rights]
    assert len(rows) > 380
    for row in rows:
        later = asyncio.run(Asked().before(None, row, {}))  # type: ignore[arg-type]  # nobody is asked
        assert not later or "_lookup_" in row.name or "_get_" in row.name, row.name


POOL = Named("pool", UUID)
OBJECTS: list[tuple[str, dict[str, Any], dict[str, str]]] = [
    ("node_device_dettach", {"name": "pci_x"}, {"node_device_name": "pci_x"}),
    ("node_device_destroy", {"name": "pci_x"}, {"node_device_name": "pci_x"}),
    ("node_device_create_xml", {"xml": "<device><name>m</name></device>"}, {"node_device_name": "m"}),
    (
        "storage_vol_create_xml",
        {"pool": POOL, "xml": "<volume><name>v</name></volume>"},
        {"pool_name": "pool", "vol_name": "v"},
    ),
    (
        "secret_define_xml",
        {"xml": "<secret><usage type='tls'><name>t</name></usage></secret>"},
        {"secret_usage_name": "t"},
    ),
    ("network_port_create_xml", {"network": POOL, "xml": "<networkport/>"}, {"network_name": "pool"}),
    (
        "nwfilter_binding_create_xml",
        {"xml": "<filterbinding><portdev name='p'/><filterref filter='f'/></filterbinding>"},
        {"nwfilter_binding_portdev": "p", "nwfilter_name": "f"},
    ),
    ("domain_restore", {"from_": "/image"}, {"domain_name": "saved"}),
    ("domain_restore_flags", {"from_": "/image", "dxml": "<domain><name>d</name></domain>"}, {"domain_name": "d"}),
]


@pytest.mark.parametrize(("name", "arguments", "wanted"), OBJECTS, ids=[one[0] for one in OBJECTS])
def test_rules_see_what_is_to_be_made(name: str, arguments: dict[str, Any], wanted: dict[str, str]) -> None:
    async def call(name: str, *_: Any) -> str:
        assert name == "domain_save_image_get_xml_desc"
        return "<domain><name>saved</name></domain>"

    access = Asked()
    later = asyncio.run(access.before(None, REMOTE[name], arguments, call))  # type: ignore[arg-type]
    assert later == [] and access.questions
    for _, _, details in access.questions:
        assert wanted.items() <= details.items(), details
