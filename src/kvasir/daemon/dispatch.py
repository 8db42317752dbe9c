"""From a packet to a procedure and back: programs, rights, decoding, workers, replies.

The procedures are the public functions of the modules in ``kvasir.calls.MODULES``, found by name; a module is imported when
the first of its procedures is called. A coroutine function gets a worker; a plain function never waits and runs at once.
"""

from __future__ import annotations

import contextlib
import inspect
import logging
import os
import re
from collections.abc import Callable, Iterator
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from kvasir import calls
from kvasir.daemon import arguments as rules
from kvasir.daemon import bounds
from kvasir.daemon.audit import CHANGES
from kvasir.daemon.names import api_name
from kvasir.daemon.readonly import REFUSED, read_only
from kvasir.daemon.session import Session
from kvasir.daemon.streams import Stream
from kvasir.errors import Code, Error, InvalidArg, Origin, SystemFailure
from kvasir.qemu.jobs import CALLER
from kvasir.rpc import frames, programs
from kvasir.rpc.errors import encode_error
from kvasir.rpc.xdr import Malformed

if TYPE_CHECKING:
    from kvasir.daemon.access import Access
    from kvasir.daemon.client import Client
    from kvasir.daemon.workers import Workers

log = logging.getLogger(__name__)

BEFORE_LOGIN = frozenset({"auth_list", "auth_sasl_init", "auth_sasl_start", "auth_sasl_step", "auth_polkit"})
"""What a client may call before it has said who it is."""


GUARDED = frozenset({programs.REMOTE.id, programs.QEMU.id, programs.LXC.id})
"""Programs whose calls ``access_drivers`` checks."""


class Entry:
    """A served procedure: its function, or the module that has it."""

    __slots__ = ("_function", "module", "names", "procedure", "waits")

    def __init__(
        self, procedure: programs.Procedure, function: Callable[..., Any] | None, module: str = "", waits: bool = False
    ) -> None:
        self.procedure, self._function, self.module = procedure, function, module
        self.waits = waits if function is None else inspect.iscoroutinefunction(function)
        self.names = procedure.args.names

    @property
    def function(self) -> Callable[..., Any]:
        if self._function is None:
            self._function = getattr(import_module(self.module), self.procedure.name)
        return self._function

    @property
    def caller(self) -> str:
        """How messages name who holds a guest's job."""
        return f"remoteDispatch{api_name(self.procedure).removeprefix('vir')}"


_PROGRAM: Final = re.compile(r'^PROGRAM = "(\w+)"', re.M)
_FUNCTION: Final = re.compile(r"^(async )?def ([a-z]\w*)\(", re.M)


@cache
def _texts() -> dict[str, str]:
    """Module of ``kvasir.calls`` -> its source."""
    return {name: Path(calls.__path__[0], f"{name}.py").read_text(encoding="utf-8") for name in calls.MODULES}


def load(program: programs.Program) -> dict[int, Entry]:
    """Every procedure of the program that some module of ``kvasir.calls`` serves: read from the text, not imported yet."""
    found: dict[int, Entry] = {}
    for name, text in _texts().items():
        serves = _PROGRAM.search(text)
        if (serves.group(1) if serves else "remote") != program.name:
            continue
        for function in _FUNCTION.finditer(text):
            if function.group(2) not in program:
                raise LookupError(f"kvasir.calls.{name}.{function.group(2)} is no procedure of {program.name}")
            procedure = program[function.group(2)]
            found[procedure.number] = Entry(procedure, None, f"kvasir.calls.{name}", bool(function.group(1)))
    return found


def served_by(module: Any, program: programs.Program) -> Iterator[tuple[programs.Procedure, Callable[..., Any]]]:
    """The procedures that a module serves: its public functions, and what its ``PROCEDURES`` names besides."""
    for attribute, value in {**vars(module), **getattr(module, "PROCEDURES", {})}.items():
        own = inspect.isfunction(value) and value.__module__ == module.__name__
        if not attribute.startswith("_") and (own or attribute in getattr(module, "PROCEDURES", {})):
            if attribute not in program:
                raise LookupError(f"{module.__name__}.{attribute} is no procedure of {program.name}")
            yield program[attribute], value


def rpc_error(text: str) -> Error:
    return Error(text, code=Code.RPC, origin=Origin.RPC)


class Dispatcher:
    """The programs of one service."""

    def __init__(self, served: tuple[programs.Program, ...], workers: Workers) -> None:
        self.workers = workers
        self.programs = {program.id: program for program in served}
        self.entries = {program.id: load(program) for program in served}

    def take(self, client: Client, frame: frames.Frame) -> None:
        """A packet of a client that is no keepalive."""
        if frame.type not in (frames.CALL, frames.CALL_WITH_FDS):
            self._take_stream(client, frame)
            return
        try:
            entry, session = self._find(client, frame)
            values = entry.procedure.decode_args(frame.payload)
            if client.readonly and entry.procedure.name in REFUSED.get(frame.program, ()):
                raise read_only(entry.procedure)
            arguments = dict(zip(entry.names, values, strict=True))
            _look_at(entry.procedure, arguments)
        except Exception as problem:
            _close_all(frame.fds)
            if not isinstance(problem, Error):
                log.exception("%r: procedure %d of program %#x", client, frame.procedure, frame.program)
            self._answer_error(client, frame, problem)
            return
        access = client.service.daemon.access if frame.program in GUARDED else None
        if access is not None:
            client.held()
            self.workers.submit(
                lambda: self._run_checked(access, entry, session, frame, arguments), entry.procedure.high
            )
            return
        if entry.waits:
            client.held()
            self.workers.submit(lambda: self._run(entry, session, frame, arguments), entry.procedure.high)
            return
        try:
            result = entry.function(session, **arguments)
        except Exception as problem:
            _note(client, entry, arguments, problem)
            self._failed(client, session, frame, problem)
        else:
            _note(client, entry, arguments, None)
            self._answer(client, session, frame, result)

    async def _run(self, entry: Entry, session: Session, frame: frames.Frame, arguments: dict[str, Any]) -> None:
        client = session.client
        CALLER.set(entry.caller)
        try:
            result = await entry.function(session, **arguments)
        except Exception as problem:
            _note(client, entry, arguments, problem)
            self._failed(client, session, frame, problem)
        else:
            _note(client, entry, arguments, None)
            self._answer(client, session, frame, result)
        finally:
            client.released()

    async def _run_checked(
        self, access: Access, entry: Entry, session: Session, frame: frames.Frame, arguments: dict[str, Any]
    ) -> None:
        """With fine-grained access: ask for every right of the call."""
        client = session.client
        CALLER.set(entry.caller)

        async def call(name: str, *values: Any) -> Any:
            found = self.entries[frame.program][entry.procedure.program[name].number]
            result = found.function(session, 1, *values)
            result = await result if found.waits else result
            return found.procedure.decode_result(found.procedure.encode_result(result))[0]

        try:
            later = await access.before(client, entry.procedure, arguments, call)
            result = entry.function(session, **arguments)
            if entry.waits:
                result = await result
            result = await access.after(client, entry.procedure, later, result, call)
        except Exception as problem:
            session.pump = None
            _note(client, entry, arguments, problem)
            self._failed(client, session, frame, problem)
        else:
            _note(client, entry, arguments, None)
            self._answer(client, session, frame, result)
        finally:
            client.released()

    def _take_stream(self, client: Client, frame: frames.Frame) -> None:
        _close_all(frame.fds)
        if frame.type not in (frames.STREAM, frames.STREAM_HOLE):
            log.debug("%r: dropped a packet of type %d", client, frame.type)
            return
        stream = client.streams.get(frame.serial)
        if stream is not None and stream.procedure.number == frame.procedure:
            stream.received(frame)

    def _find(self, client: Client, frame: frames.Frame) -> tuple[Entry, Session]:
        program = self.programs.get(frame.program)
        if program is None or frame.version != program.version:
            raise rpc_error(f"Cannot find program {frame.program} version {frame.version}")
        if frame.status != frames.OK:
            raise rpc_error(f"Unexpected message status {frame.status}")
        procedure = program.number(frame.procedure)
        if procedure is None or procedure.event:
            raise rpc_error(f"unknown procedure: {frame.procedure}")
        if not client.authenticated and procedure.name not in BEFORE_LOGIN:
            raise rpc_error("authentication required")
        own = getattr(client.driver, "CALLS", None)
        entry = (self.entries[frame.program] if own is None else own(frame.program)).get(frame.procedure)
        if entry is None:
            Session(client, procedure, frame.serial, []).require_open()
            if client.readonly and procedure.name in REFUSED.get(frame.program, ()):
                raise read_only(procedure)
            if procedure.name in rules.NAMES or procedure.name in bounds.NAMES:
                with contextlib.suppress(Malformed):
                    values = procedure.decode_args(frame.payload)
                    _look_at(procedure, dict(zip(procedure.args.names, values, strict=True)))
            name = api_name(procedure)
            raise Error(
                name,
                code=Code.NO_SUPPORT,
                origin=_origin(procedure.name),
                message=f"this function is not supported by the connection driver: {name}",
            )
        return entry, Session(client, procedure, frame.serial, frame.fds)

    def _answer(self, client: Client, session: Session, frame: frames.Frame, result: Any) -> None:
        _close_all(session.fds)
        procedure, fds = session.procedure, session.returned_fds
        try:
            if fds and not client.is_local:
                raise rpc_error("file descriptors pass over unix sockets only")
            payload = procedure.encode_result(result)
            kind = frames.REPLY_WITH_FDS if fds else frames.REPLY
            data = frames.pack(
                frame.program, frame.version, frame.procedure, kind, frame.serial, frames.OK, payload, len(fds)
            )
        except Error as problem:
            log.exception("%s returned what cannot be sent", procedure.name)
            _close_all(fds)
            self._answer_error(client, frame, problem)
            return
        client.send(data, fds)
        if session.pump is not None:
            stream = Stream(client, procedure, frame.serial, session.pump)
            client.streams[frame.serial] = stream
            stream.start()
            if client.closed:
                stream.gone()

    def _failed(self, client: Client, session: Session, frame: frames.Frame, problem: Exception) -> None:
        _close_all(session.fds)
        _close_all(session.returned_fds)
        if not isinstance(problem, Error):
            problem = _translated(session.procedure, problem)
        self._answer_error(client, frame, problem)

    def _answer_error(self, client: Client, frame: frames.Frame, problem: Exception) -> None:
        if isinstance(problem, Error):
            log.debug("%s: error %d: %s", frame.procedure, problem.code, problem.message)
        client.send(
            frames.pack(
                frame.program,
                frame.version,
                frame.procedure,
                frames.REPLY,
                frame.serial,
                frames.ERROR,
                encode_error(problem),
            )
        )


def _look_at(procedure: programs.Procedure, arguments: dict[str, Any]) -> None:
    """Refuse what libvirt refuses before any driver sees it."""
    if procedure.program is programs.QEMU:
        rules.check(procedure, arguments)
    if procedure.program is programs.REMOTE:
        if procedure.name in bounds.NAMES:
            bounds.check(procedure.name, arguments)
        if procedure.name in rules.NAMES:
            rules.check(procedure, arguments)


OWN_ERRORS = (("nwfilter", Origin.NWFILTER), ("storage_", Origin.STORAGE), ("node_device", Origin.NODEDEV), ("secret", Origin.SECRET),
               ("network", Origin.NETWORK), ("interface_", Origin.INTERFACE))  # fmt: skip
"""Whose error it is that a driver does not know a procedure, by a word in its name; else it is the guests'."""


def _origin(name: str) -> Origin:
    if name.startswith("domain_"):
        return Origin.DOMAIN
    return next((origin for word, origin in OWN_ERRORS if word in name), Origin.DOMAIN)


def _translated(procedure: programs.Procedure, problem: Exception) -> Exception:
    """What the system refused, or a string that cannot be used, as an error of libvirt's; anything else is a mistake of ours."""
    if isinstance(problem, OSError) and problem.errno:
        log.warning("%s: %s", procedure.name, problem)
        return SystemFailure(
            f"cannot use '{problem.filename}'" if problem.filename else procedure.name, problem, origin=Origin.NONE
        )
    if isinstance(problem, UnicodeError):
        return InvalidArg("a string of the call is not valid UTF-8", origin=Origin.NONE)
    log.error("%s failed", procedure.name, exc_info=problem)
    return problem


def _note(client: Client, entry: Entry, arguments: dict[str, Any], problem: Exception | None) -> None:
    """Write a call that may change something into the audit trail."""
    audit = client.service.daemon.audit
    if audit.wanted and entry.procedure.name in (CHANGES | REFUSED.get(entry.procedure.program.id, frozenset())):
        audit.call(client, entry.procedure, arguments, problem)


def _close_all(fds: list[int]) -> None:
    while fds:
        try:
            os.close(fds.pop())
        except OSError:
            log.exception("closing a descriptor")
