"""The performance events that a guest's document asks for: counted while it runs, and again after a restart of the daemon."""

from __future__ import annotations

import logging
import os
from typing import Any

from kvasir.errors import SystemFailure
from kvasir.host import perf

log = logging.getLogger(__name__)


def switch(run: Any, name: str, on: bool) -> None:
    """Begin or end counting an event. Raises SystemFailure."""
    if on and name not in run.perf:
        run.perf[name] = perf.open_event(name, run.pid)
    elif not on and name in run.perf:
        os.close(run.perf.pop(name))


def start(run: Any, domain: Any) -> None:
    """Before the guest's program runs. Raises SystemFailure."""
    for event in domain.perf:
        if event.enabled:
            switch(run, event.name, True)


def resume(run: Any, domain: Any) -> None:
    """After a restart of the daemon; what cannot be counted any more is noted as off."""
    for event in domain.perf:
        if event.enabled:
            try:
                switch(run, event.name, True)
            except SystemFailure as error:
                log.warning("perf event %s of process %d: %s", event.name, run.pid, error.text)
                event.enabled = False


def close(run: Any) -> None:
    """The guest is gone."""
    while run.perf:
        os.close(run.perf.popitem()[1])


def counts(run: Any) -> list[tuple[str, int]]:
    """(name, count) of what is counted, in libvirt's order."""
    return [(name, perf.read_event(run.perf[name])) for name in perf.NAMES if name in run.perf]
