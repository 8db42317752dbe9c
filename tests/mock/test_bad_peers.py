"""QMP peers and guest agents that hang, die, answer late, flood or talk garbage: each costs its caller an error, no more."""

from __future__ import annotations

import asyncio
import json
from types import SimpleNamespace

import pytest

from kvasir.errors import AgentUnresponsive, Error, InternalError
from kvasir.qemu import agent
from kvasir.qemu.jobs import Jobs
from kvasir.qemu.monitor import Monitor, MonitorError, MonitorGone

GREETING = {"QMP": {"version": {"qemu": {"major": 7, "minor": 2, "micro": 0}, "package": ""}, "capabilities": []}}


def line(value) -> bytes:
    return json.dumps(value).encode() + b"\r\n"


class Peer:
    """A unix socket whose conversation is the coroutine ``talk(reader, writer)``."""

    def __init__(self, path: str, talk) -> None:
        self.path, self.talk = path, talk

    async def __aenter__(self):
        self.server = await asyncio.start_unix_server(self._serve, self.path)
        return self

    async def _serve(self, reader, writer):
        try:
            await self.talk(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def __aexit__(self, *_):
        self.server.close()


async def take(reader):
    """The next JSON object; QMP clients need not end it with a newline."""
    text = b""
    while True:
        piece = await reader.read(4096)
        if not piece:
            raise ConnectionError
        text += piece
        try:
            return json.loads(text)
        except ValueError:
            continue


async def greet(reader, writer):
    writer.write(line(GREETING))
    asked = await take(reader)
    assert asked["execute"] == "qmp_capabilities"
    writer.write(line({"return": {}} | ({"id": asked["id"]} if "id" in asked else {})))


def monitor(events, gone):
    return Monitor("t", events.append, gone.set)


def run(work):
    asyncio.run(asyncio.wait_for(work, 20))


def test_no_greeting(tmp_path):
    async def main():
        async def talk(reader, writer):
            await asyncio.sleep(5)

        async with Peer(str(tmp_path / "s"), talk) as peer:
            with pytest.raises(InternalError, match="did not greet"):
                await monitor([], asyncio.Event()).connect(peer.path, 0.2)

    run(main())


@pytest.mark.parametrize("garbage", [b"hello\r\n", b"\xff\xfe\r\n", b"[]\r\n", b"{}\r\n", b"{" * 100_000 + b"\r\n"])
def test_garbage_for_a_greeting(tmp_path, garbage):
    async def main():
        async def talk(reader, writer):
            writer.write(garbage)
            await asyncio.sleep(2)

        async with Peer(str(tmp_path / "s"), talk) as peer:
            with pytest.raises(InternalError):
                await monitor([], asyncio.Event()).connect(peer.path, 3)

    run(main())


def test_late_answers_keep_their_order_and_events_come_first(tmp_path):
    async def main():
        async def talk(reader, writer):
            await greet(reader, writer)
            while True:
                asked = await take(reader)
                await asyncio.sleep(0.05)
                writer.write(line({"event": "STOP", "timestamp": {"seconds": 1, "microseconds": 2}}))
                writer.write(line({"return": asked["arguments"]["n"], "id": asked["id"]}))

        events, gone = [], asyncio.Event()
        async with Peer(str(tmp_path / "s"), talk) as peer:
            mon = monitor(events, gone)
            await mon.connect(peer.path)
            seen = []

            async def ask(n):
                seen.append((await mon.command("x", {"n": n}), len(events)))

            await asyncio.gather(*(ask(n) for n in range(5)))
            assert seen == [(n, n + 1) for n in range(5)], "one after the other, each event before its answer"
            cancelled = asyncio.create_task(mon.command("x", {"n": 9}))
            await asyncio.sleep(0.01)
            cancelled.cancel()
            assert await mon.command("x", {"n": 10}) == 10, "a caller that gave up does not disturb the next"
            await mon.close()
            assert not gone.is_set()

    run(main())


@pytest.mark.parametrize("last", [b"", b"garbage\r\n", b'{"return": 1, "id": "never-asked"}\r\n'])
def test_dies_or_raves_in_a_command(tmp_path, last):
    async def main():
        async def talk(reader, writer):
            await greet(reader, writer)
            await take(reader)
            writer.write(last)
            if last:
                await asyncio.sleep(0.2)

        events, gone = [], asyncio.Event()
        async with Peer(str(tmp_path / "s"), talk) as peer:
            mon = monitor(events, gone)
            await mon.connect(peer.path)
            with pytest.raises(MonitorGone):
                await mon.command("x")
            await asyncio.wait_for(gone.wait(), 5)
            with pytest.raises(MonitorGone):
                await mon.command("y")

    run(main())


def test_refusal_and_an_event_handler_that_fails(tmp_path):
    async def main():
        async def talk(reader, writer):
            await greet(reader, writer)
            asked = await take(reader)
            writer.write(line({"event": "X", "timestamp": {"seconds": 1, "microseconds": 2}}))
            writer.write(line({"error": {"class": "GenericError", "desc": "no"}, "id": asked["id"]}))
            await asyncio.sleep(2)

        def fails(event):
            raise ValueError(event)

        async with Peer(str(tmp_path / "s"), talk) as peer:
            mon = Monitor("t", fails, lambda: None)
            await mon.connect(peer.path)
            with pytest.raises(MonitorError, match="unable to execute QEMU command 'x': no"):
                await mon.command("x")
            assert mon.alive
            await mon.close()

    run(main())


# -- agents


def an_agent(path: str) -> agent.Agent:
    guest = SimpleNamespace(name="t", jobs=Jobs(), run=SimpleNamespace(agent_timeout=-2))
    return agent.Agent(guest, path)  # type: ignore[arg-type]


async def sync(reader, writer, first=b""):
    text = await reader.readline()
    asked = json.loads(text.lstrip(b"\xff"))
    writer.write(first + b"\xff" + line({"return": asked["arguments"]["id"]}))


@pytest.mark.guide("behaviour-qemu-ga-sync")
def test_agent_with_old_words_before_the_sync(tmp_path):
    async def main():
        async def talk(reader, writer):
            await sync(reader, writer, b'{"return": "old"}\n{"return": 5}\n')
            assert json.loads(await reader.readline())["execute"] == "guest-ping"
            writer.write(line({"return": {"ok": 1}}))

        async with Peer(str(tmp_path / "s"), talk) as peer:
            assert await an_agent(peer.path).command({"execute": "guest-ping"}, 2) == {"return": {"ok": 1}}

    run(main())


def test_agent_silent(tmp_path):
    async def main():
        async def talk(reader, writer):
            await asyncio.sleep(5)

        async with Peer(str(tmp_path / "s"), talk) as peer:
            with pytest.raises(AgentUnresponsive) as caught:
                await an_agent(peer.path).command({"execute": "guest-ping"}, 0.2)
            assert caught.value.code == 86

    run(main())


def test_agent_floods(tmp_path, monkeypatch):
    monkeypatch.setattr(agent, "MAX_REPLY", 1 << 16)

    async def main():
        async def talk(reader, writer):
            await sync(reader, writer)
            await reader.readline()
            for _ in range(1000):
                writer.write(b"x" * 65536)
                await writer.drain()

        async with Peer(str(tmp_path / "s"), talk) as peer:
            with pytest.raises(Error, match="exceeds buffer limit"):
                await an_agent(peer.path).command({"execute": "guest-ping"}, 5)

    run(main())


@pytest.mark.parametrize("answer", [b"not json\n", b"[1]\n", b"7\n", b"{}\n"])
def test_agent_talks_nonsense(tmp_path, answer):
    async def main():
        async def talk(reader, writer):
            await sync(reader, writer)
            await reader.readline()
            writer.write(answer)
            await asyncio.sleep(1)

        async with Peer(str(tmp_path / "s"), talk) as peer:
            with pytest.raises(InternalError):
                await an_agent(peer.path).command({"execute": "guest-ping"}, 2)

    run(main())


def test_agent_that_goes_down_as_told(tmp_path):
    async def main():
        async def talk(reader, writer):
            await sync(reader, writer)
            await reader.readline()
            await asyncio.sleep(3)

        async with Peer(str(tmp_path / "s"), talk) as peer:
            one = an_agent(peer.path)
            waiting = asyncio.create_task(one.command({"execute": "guest-shutdown"}, None, "shutdown"))
            await asyncio.sleep(0.2)
            assert not waiting.done()
            one.guest_event("shutdown")
            assert await waiting == {"return": {}}

    run(main())


@pytest.mark.parametrize("ends", ["", "shutdown"])
def test_agent_that_goes_away_in_a_command(tmp_path, ends):
    async def main():
        async def talk(reader, writer):
            await sync(reader, writer)
            await reader.readline()

        async with Peer(str(tmp_path / "s"), talk) as peer:
            asking = an_agent(peer.path).command({"execute": "guest-shutdown"}, None, ends)
            if ends:
                assert await asking == {"return": {}}, "a guest that goes down takes its agent along"
            else:
                with pytest.raises(AgentUnresponsive, match="disappeared"):
                    await asking

    run(main())
