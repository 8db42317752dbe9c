"""Every procedure and event of the four programs is known: served, or listed with a reason and answered "not supported"."""

from __future__ import annotations

import fnmatch
from pathlib import Path

import pytest
import yaml

from kvasir.daemon.dispatch import load
from kvasir.daemon.hub import BY_NUMBER
from kvasir.errors import Code, Error
from kvasir.rpc import frames, programs
from kvasir.rpc.errors import decode_error
from tests.conftest import KvasirDaemon
from tests.wire import harness

PROJECT = Path(__file__).resolve().parents[2]
SHARED = PROJECT.parent / "shared/protocol/programs.txt"
PROGRAMS = (programs.REMOTE, programs.QEMU, programs.ADMIN, programs.LXC)
REASONS: dict[str, dict[str, str]] = yaml.safe_load((PROJECT / "conformance/unserved.yaml").read_text())


def rows() -> list[tuple[programs.Program, programs.Procedure]]:
    """All rows of our table."""
    return [(one, found) for one in PROGRAMS for number in range(1, 600) if (found := one.number(number)) is not None]


def unserved(program: programs.Program) -> list[programs.Procedure]:
    served = load(program)
    return [row for owner, row in rows() if owner is program and not row.event and row.number not in served]


@pytest.mark.skipif(not SHARED.exists(), reason="the list of facts is beside the project only where it is developed")
def test_the_table_is_whole() -> None:
    """Number and name of each row of the facts stand in our table."""
    wanted, current = set(), ""
    for line in SHARED.read_text().splitlines():
        words = line.split()
        if not words or words[0][0] == "#" or words[0] == "struct":
            continue
        if words[0] == "prog":
            current = words[1]
        elif words[0] == "!":
            wanted.add((current, int(words[1]), words[2]))
        elif words[0][0] == "!":
            wanted.add((current, int(words[0][1:]), words[1]))
        elif words[0].rstrip("HRW").isdigit():
            wanted.add((current, int(words[0].rstrip("HRW")), words[1]))
    ours = {(owner.name, row.number, row.name) for owner, row in rows()}
    assert len(wanted) >= 470
    assert wanted - ours == set()


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda one: one.name)
def test_what_is_not_served_has_a_reason(program: programs.Program) -> None:
    reasons = REASONS.get(program.name, {})
    bare = [row.name for row in unserved(program) if not any(fnmatch.fnmatch(row.name, pattern) for pattern in reasons)]
    assert bare == []


def test_every_event_can_be_registered_for() -> None:
    """Messages 1:1: each event of the remote program is one that the hub sends."""
    messages = {kind.MESSAGE for kind in BY_NUMBER.values()} | {
        kind.LEGACY for kind in BY_NUMBER.values() if kind.LEGACY
    }
    own = {"connect_event_connection_closed"}
    assert {row.name for owner, row in rows() if row.event} - messages - own == set()


def test_answers(kvasird: KvasirDaemon) -> None:
    """Whatever is called with an empty body: no procedure is unknown, and the unserved ones say what they are."""
    raw = harness.Raw(kvasird.socket).open()
    wrong = []
    for program in (programs.REMOTE, programs.QEMU):
        for row in unserved(program):
            problem = _error(raw, program.id, row.number)
            if problem.code != Code.NO_SUPPORT or "not supported by the connection driver" not in problem.message:
                wrong.append((row.name, problem.code, problem.message))
    for number in (0, 999, 107):  # what is none, and an event
        problem = _error(raw, programs.REMOTE.id, number)
        if problem.code != Code.RPC or not problem.message.startswith("unknown procedure"):
            wrong.append((str(number), problem.code, problem.message))
    raw.close()
    assert wrong == []


def _error(raw: harness.Raw, program: int, number: int) -> Error:
    raw.send(program, number)
    frame = raw.receive()
    assert frame is not None and frame.status == frames.ERROR
    return decode_error(frame.payload)
