"""The QEMU guest agent: JSON over the guest's channel. Whoever answers is the guest, so nothing of it is trusted.

Each conversation begins with a synchronisation, answers are bounded in size and time, and a guest that floods, stays silent
or talks nonsense costs its own caller an error and nobody else anything.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import random
from typing import Any

from kvasir.errors import (
    AgentUnresponsive,
    ArgumentUnsupported,
    Code,
    Error,
    InternalError,
    InvalidArg,
    OperationInvalid,
    OperationUnsupported,
)

from . import live
from .guest import Guest
from .jobs import Kind

log = logging.getLogger(__name__)

MAX_REPLY = 10 << 20
SYNC_WAIT = 5.0
"""Seconds for the synchronisation, as libvirt's default."""


class Unsynced(Error):
    """Guest agent replied with wrong id"""

    code, prefix = Code.AGENT_UNSYNCED, "guest agent replied with wrong id to guest-sync command"


class Disappeared(AgentUnresponsive):
    """The channel was closed while a command ran."""

    def __init__(self) -> None:
        super().__init__("Guest agent disappeared while executing command")


class Agent:
    """The connection to one guest's agent. ``connected`` follows the channel's state."""

    def __init__(self, guest: Guest, path: str) -> None:
        self.guest, self.path = guest, path
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._lock = asyncio.Lock()
        self.connected = False
        self._awaited = ""
        self._happened = asyncio.Event()

    async def _open(self) -> None:
        if self._writer is not None and not self._writer.is_closing():
            return
        try:
            async with asyncio.timeout(SYNC_WAIT):
                self._reader, self._writer = await asyncio.open_unix_connection(self.path, limit=MAX_REPLY)
        except (OSError, TimeoutError) as error:
            raise AgentUnresponsive("QEMU guest agent is not connected") from error

    def close(self) -> None:
        """Hang up; whoever waits gets an error."""
        if self._writer is not None:
            self._writer.close()
        self._reader = self._writer = None
        self.connected = False

    def guest_event(self, name: str) -> None:
        """The guest shut down, reset or suspended: a command that waits for that has succeeded."""
        if name == self._awaited:
            self._happened.set()

    async def _line(self, wait: float | None) -> Any:
        reader = self._reader
        if reader is None:
            raise AgentUnresponsive("QEMU guest agent is not connected")
        try:
            async with asyncio.timeout(wait):
                while True:
                    line = await reader.readuntil(b"\n")
                    line = line.rsplit(b"\xff", 1)[-1].strip()
                    if line:
                        break
        except TimeoutError:
            raise AgentUnresponsive("Guest agent not available for now") from None
        except (asyncio.IncompleteReadError, ConnectionError):
            self.close()
            raise Disappeared() from None
        except asyncio.LimitOverrunError:
            self.close()
            raise InternalError(f"QEMU guest agent reply exceeds buffer limit {MAX_REPLY}") from None
        try:
            return json.loads(line)
        except ValueError:
            raise InternalError(f"cannot parse json {line[:80]!r}") from None

    async def _send(self, message: Any) -> None:
        assert self._writer is not None
        try:
            self._writer.write(json.dumps(message).encode() + b"\n")
            await self._writer.drain()
        except (ConnectionError, OSError):
            self.close()
            raise Disappeared() from None

    async def _sync(self, wait: float | None) -> None:
        """Agree on where the conversation stands: everything before the echo of our number is old."""
        number = random.randrange(1, 1 << 31)
        assert self._writer is not None
        try:
            self._writer.write(b"\xff")
        except (ConnectionError, OSError):
            self.close()
            raise Disappeared() from None
        await self._send({"execute": "guest-sync-delimited", "arguments": {"id": number}})
        for _ in range(100):
            answer = await self._line(wait)
            if isinstance(answer, dict) and answer.get("return") == number:
                return
        raise Unsynced()

    async def command(self, message: dict[str, Any], wait: float | None, ends: str = "") -> dict[str, Any]:
        """Send a whole message and give the whole answer. ``ends``: the event of the guest that counts as success."""
        async with self._lock:
            await self._open()
            await self._sync(SYNC_WAIT if wait is None or wait > SYNC_WAIT else wait)
            self._awaited, self._happened = ends, asyncio.Event()
            await self._send(message)
            answering = asyncio.ensure_future(self._line(wait))
            happening = asyncio.ensure_future(self._happened.wait())
            try:
                waits = {answering, happening} if ends else {answering}
                await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
                if ends and happening.done() and not answering.done():
                    return {"return": {}}
                try:
                    answer = answering.result()
                except Disappeared:
                    if ends:  # a guest that goes down takes its agent along
                        return {"return": {}}
                    raise
            finally:
                self._awaited = ""
                for task in (answering, happening):
                    task.cancel()
                    with contextlib.suppress(asyncio.CancelledError, Exception):
                        await task
            if not isinstance(answer, dict) or not ("return" in answer or "error" in answer):
                raise InternalError(f"guest agent answered {str(answer)[:80]!r}")
            return answer


def attach(guest: Guest) -> None:
    """Take up the agent of a guest that has its channel."""
    run = guest.run
    if run is None:
        return
    path = live.agent_path(guest.live)
    if not path:
        return
    run.agent = Agent(guest, path)
    channel = live.agent_channel(guest.live)
    state = getattr(channel, "target_state", None) or getattr(channel, "state", None)
    run.agent.connected = state == "connected"


def channel_changed(guest: Guest, connected: bool) -> None:
    """The guest opened or closed the agent's channel."""
    run = guest.run
    if run is None:
        return
    if run.agent is None and connected:
        attach(guest)
    if run.agent is not None:
        if not connected:
            run.agent.close()
        run.agent.connected = connected


def need(guest: Guest) -> Agent:
    """The guest's agent, if it can be asked. Raises OperationInvalid, ArgumentUnsupported, AgentUnresponsive."""
    run = guest.need_active()
    if guest.state.name != "RUNNING":
        raise OperationInvalid("domain is not running")
    if not live.has_agent(guest.live):
        raise ArgumentUnsupported("QEMU guest agent is not configured")
    if run.agent is None or not run.agent.connected:
        raise AgentUnresponsive("QEMU guest agent is not connected")
    return run.agent


def _wait(guest: Guest, timeout: int | None) -> float | None:
    """Seconds to wait: -2 for ever, -1 the default (5), 0 no wait, else as said."""
    value = guest.run.agent_timeout if timeout is None and guest.run is not None else timeout
    if value is None or value == -2:
        return None
    if value == -1:
        return SYNC_WAIT
    return float(value) if value else 0.05


async def raw(guest: Guest, text: str, timeout: int) -> str:
    """Pass a message of the user's to the agent and the answer back (``qemu-agent-command``)."""
    need(guest)
    try:
        message = json.loads(text)
    except ValueError as error:
        raise InternalError(f"cannot parse json {text}: {error}") from None
    if not isinstance(message, dict):
        raise InvalidArg("command must be a JSON object")
    async with guest.jobs.agent_slot():
        answer = await need(guest).command(message, _wait(guest, timeout))
    return json.dumps(_refuse(answer, message), separators=(",", ":"))


def _refuse(answer: dict[str, Any], message: dict[str, Any]) -> dict[str, Any]:
    if "error" in answer:
        error = answer["error"] if isinstance(answer["error"], dict) else {}
        text = f"unable to execute QEMU agent command '{message.get('execute')}': {str(error.get('desc', ''))[:1024]}"
        if error.get("class") == "CommandNotFound":
            raise OperationUnsupported(text, code=Code.INTERNAL_ERROR, message=f"internal error: {text}")
        raise InternalError(text)
    return answer


async def call(guest: Guest, name: str, arguments: dict[str, Any] | None = None, *, ends: str = "") -> Any:
    """Run one command of the agent and give its return value."""
    need(guest)
    message: dict[str, Any] = {"execute": name}
    if arguments:
        message["arguments"] = arguments
    async with guest.jobs.agent_slot(Kind.MODIFY):
        answer = await need(guest).command(message, _wait(guest, None), ends)
    return _refuse(answer, message)["return"]


async def shutdown(guest: Guest, mode: str, fake: bool) -> None:
    """Let the agent power down or reboot the guest; it may be gone before it can answer."""
    from . import lifecycle

    need(guest)
    lifecycle.set_fake_reboot(guest, False)
    message = {"execute": "guest-shutdown", "arguments": {"mode": mode}}
    async with guest.jobs.agent_slot(Kind.MODIFY):
        answer = await need(guest).command(message, _wait(guest, None), "reset" if mode == "reboot" else "shutdown")
    _refuse(answer, message)
