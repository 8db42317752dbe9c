"""The kernel's iSCSI initiator by ``iscsiadm``. Blocks."""

from __future__ import annotations

import os
import re
import socket

from kvasir.errors import InternalError, Origin

from . import tools

PORT = 3260


def portal(host: str, port: int | None) -> str:
    """The portal's address as iscsiadm writes it."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError:
        raise InternalError(f"Cannot lookup canonical hostname for '{host}'", origin=Origin.STORAGE) from None
    address = found[0][4][0]
    shown = f"[{address}]" if ":" in str(address) else address
    return f"{shown}:{port or PORT},1"


def session(target: str, *, probe: bool = False) -> str | None:
    """The number of the session with a target; None where there is none. Raises InternalError unless ``probe``."""
    status, out, problem = tools.attempt("iscsiadm", "--mode", "session")
    for line in out.splitlines() if not status else ():
        match = re.match(r"\s*\S+:\s+\[(\S+)\]\s+\S+\s+(\S+)(?:\s|$)", line)
        if match and match[2] == target:
            return match[1]
    if probe:
        return None
    if status:
        raise InternalError(f"cannot find iscsiadm session: {problem}", origin=Origin.STORAGE)
    raise InternalError(f"cannot find iscsiadm session for '{target}'", origin=Origin.STORAGE)


def interface(initiator: str) -> tuple[str, bool]:
    """The interface of an initiator's name, and whether it was made now."""
    found = _known(initiator)
    if found:
        return found, False
    name = f"libvirt-iface-{os.urandom(4).hex()}"
    tools.run("iscsiadm", "--mode", "iface", "--interface", name, "--op", "new")
    tools.run(
        *("iscsiadm", "--mode", "iface", "--interface", name, "--op", "update"),
        *("--name", "iface.initiatorname", "--value", initiator),
    )
    found = _known(initiator)
    if not found:
        raise InternalError(f"iSCSI interface '{name}' did not take the name '{initiator}'", origin=Origin.STORAGE)
    return found, True


def _known(initiator: str) -> str | None:
    status, out, _ = tools.attempt("iscsiadm", "--mode", "iface")
    for line in out.splitlines() if not status else ():
        name, _, rest = line.partition(" ")
        words = rest.split(",")
        if len(words) == 5 and words[4] == initiator:
            return name
    return None


def targets(where: str, initiator: str | None) -> list[str]:
    """Targets of a portal. Nothing is recorded on the host."""
    words = ["--mode", "discovery", "--type", "sendtargets", "--portal", where]
    if initiator:
        name, made = interface(initiator)
        words += [*([] if made else ["--op", "nonpersistent"]), "--interface", name]
    else:
        words += ["--op", "nonpersistent"]
    out = tools.run("iscsiadm", *words)
    found = []
    for line in out.splitlines():
        words = line.split()
        if len(words) == 2:
            found.append(words[1])
    return found


def node_new(where: str, target: str) -> None:
    tools.run("iscsiadm", "--mode", "node", "--portal", where, "--targetname", target, "--op", "new")


def node_update(where: str, target: str, name: str, value: str) -> None:
    tools.run(
        *("iscsiadm", "--mode", "node", "--portal", where, "--target", target),
        *("--op", "update", "--name", name, "--value", value),
    )


def login(where: str, target: str, initiator: str | None, *, out: bool = False) -> None:
    """Log in, or out."""
    words = ["--mode", "node", "--portal", where, "--targetname", target, "--logout" if out else "--login"]
    if initiator:
        name, made = interface(initiator)
        if made:
            tools.attempt(
                "iscsiadm", "--mode", "discovery", "--type", "sendtargets", "--portal", where, "--interface", name
            )
        words += ["--interface", name]
    tools.run("iscsiadm", *words)


def rescan(number: str) -> None:
    tools.run("iscsiadm", "--mode", "session", "-r", number, "-R")
