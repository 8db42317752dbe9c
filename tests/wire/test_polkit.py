"""Login by polkit, asked over a D-Bus of the test's own where a stand-in for polkit answers."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kvasir.errors import Error
from tests import bus
from tests.wire.harness import Raw, Served


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
