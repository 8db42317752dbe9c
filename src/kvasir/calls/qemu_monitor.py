"""The procedures of the qemu program: raw commands to monitor and agent."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from kvasir.calls.flags import check_flags
from kvasir.calls.guests import guest
from kvasir.errors import InternalError, InvalidArg
from kvasir.qemu import agent
from kvasir.qemu.jobs import Kind

if TYPE_CHECKING:
    from kvasir.daemon.session import Session
    from kvasir.qemu.guest import Guest

PROGRAM = "qemu"
HMP = 1


def _taint(found: Guest, word: str) -> None:
    if found.run is not None and word not in found.run.taints:
        found.run.taints.append(word)


async def domain_monitor_command(session: Session, dom: Any, cmd: str, flags: int) -> str:
    """Run a command of the monitor: QMP text, or with flag 1 a line of the human monitor."""
    return await _command(session, dom, cmd, None, flags)


async def domain_monitor_command_with_files(session: Session, dom: Any, cmd: str, flags: int) -> str:
    """The same with an open file that goes to QEMU with the command; QEMU gives none back."""
    if len(session.fds) > 1:
        raise InvalidArg("at most 1 fd can be passed to qemu along with a command")
    answer = await _command(session, dom, cmd, session.fds[0] if session.fds else None, flags)
    session.return_fds([])
    return answer


async def _command(session: Session, dom: Any, cmd: str, fd: int | None, flags: int) -> str:
    check_flags(flags, HMP, "qemuDomainQemuMonitorCommandWithFiles")
    found = guest(session, dom)
    found.need_active()
    _taint(found, "custom-monitor")
    async with found.jobs.normal(Kind.QUERY):
        monitor = found.monitor()
        if flags & HMP:
            return await monitor.hmp(cmd, fd=fd)
        try:
            message = json.loads(cmd)
        except ValueError as error:
            raise InternalError(f"cannot parse json {cmd}: {error}") from None
        if not isinstance(message, dict):
            raise InternalError(f"cannot parse json {cmd}: it must be an object")
        wanted = message.pop("id", None)
        answer = dict(await monitor.raw(message, fd=fd, refuse=False))
        if wanted is not None:
            answer["id"] = wanted
        else:
            answer["id"] = f"libvirt-{int(str(answer.get('id', '')).removeprefix('__qmp#') or 0)}"
        return json.dumps(answer, separators=(",", ":"))


async def domain_agent_command(session: Session, dom: Any, cmd: str, timeout: int, flags: int) -> str:
    """Run a command of the guest agent."""
    check_flags(flags, 0, "qemuDomainQemuAgentCommand")
    found = guest(session, dom)
    found.need_active()
    agent.need(found)
    _taint(found, "custom-ga-command")
    return await agent.raw(found, cmd, timeout)
