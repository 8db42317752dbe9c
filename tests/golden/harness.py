"""Compares what we make of a document with what the real libvirt 9.0 makes of it.

``ours(path)`` gives the completed document and the command line; ``argv_difference`` compares command lines as sets of
options, with JSON parsed and with what changes from run to run taken out. Goldens are recorded by ``record.py``.
"""

from __future__ import annotations

import asyncio
import difflib
import json
import re
import shlex
from functools import cache
from pathlib import Path
from typing import Any

from kvasir.qemu.capabilities import Capabilities, Store

HERE = Path(__file__).parent
CACHE = HERE.parents[1] / "build/capabilities"
UNORDERED = ("-machine", "-cpu", "-rtc", "-boot", "-smbios")


@cache
def caps(binary: str = "/usr/bin/qemu-system-x86_64") -> Capabilities:
    """The abilities of the installed QEMU, kept in ``build/``."""
    return asyncio.run(Store(CACHE).get(binary))


def complete(text: str) -> Any:
    """Our ``vm`` with the completed document."""
    from kvasir.model.domain import Domain
    from kvasir.qemu import define
    from kvasir.qemu.context import Vm

    domain = Domain.from_xml(text)
    vm = Vm(domain, caps(domain.emulator or "/usr/bin/qemu-system-x86_64"))
    define.complete(domain, vm)
    return vm


def ours_xml(text: str) -> str:
    """The completed document, as ``dumpxml --inactive --security-info`` writes it."""
    from kvasir.xml import Form

    document: str = complete(text).domain.xml(Form(live=False, secure=True))
    return document


def ours_argv(text: str) -> list[str]:
    """The command line, as ``domxml-to-native`` writes it."""
    from kvasir.qemu import commandline, define

    vm = complete(text)
    asyncio.run(define.prepare_live(vm.domain, vm))
    return commandline.build(vm)


def options(words: list[str]) -> list[tuple[str, Any]]:
    """(option, value) pairs without environment and binary; JSON values are parsed."""
    words = list(words)
    while words and not words[0].startswith("-"):
        words.pop(0)
    found: list[tuple[str, Any]] = []
    while words:
        option = words.pop(0)
        value: Any = words.pop(0) if words and not words[0].startswith("-") else None
        if value is not None and value.startswith("{"):
            value = json.loads(value)
        found.append((option, _plain(option, value)))
    return found


def _plain(option: str, value: Any) -> Any:
    if isinstance(value, str):
        value = re.sub(r"\bfd=\d+", "fd=N", value)
        value = re.sub(r"base=\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", "base=TIME", value)
        if option in UNORDERED:
            head, *rest = value.split(",")
            value = ",".join([head, *sorted(rest)])
    if option == "-netdev" and isinstance(value, dict):
        # domxml-to-native turns every network card's backend into a tap device.
        value = {"id": value.get("id")}
    if option == "-device" and isinstance(value, dict) and "netdev" in value:
        # ... and re-places cards that had an address; their places are compared in the document.
        value = {k: v for k, v in value.items() if k not in ("bus", "addr", "reg", "devno", "multifunction", "bootindex")}
    return value


def _text(option: str, value: Any) -> str:
    return f"{option} {json.dumps(value, sort_keys=True) if isinstance(value, (dict, list)) else value or ''}".rstrip()


def argv_difference(mine: list[str], theirs: str | list[str]) -> str:
    """The options that only one side has, as text; empty when both have the same."""
    real = shlex.split(theirs) if isinstance(theirs, str) else theirs
    left = sorted(_text(*pair) for pair in options(real))
    right = sorted(_text(*pair) for pair in options(mine))
    return "\n".join(line for line in difflib.unified_diff(left, right, "libvirt", "kvasir", lineterm="", n=0))


def xml_difference(mine: str, theirs: str) -> str:
    """A diff of the two documents; empty when they are the same bytes."""
    return "".join(difflib.unified_diff(theirs.splitlines(True), mine.splitlines(True), "libvirt", "kvasir", n=2))
