"""iSCSI targets without the kernel, by libiscsi's tools. Passwords pass by the environment, never on a command line."""

from __future__ import annotations

import os
import re
import subprocess

from kvasir.errors import InternalError, Origin

from . import tools

PORT = 3260
MOST, GAP = 256, 8
"""Units are looked for up to the first number, and to this many behind the last found."""


def _run(name: str, *words: str, user: str = "", password: str = "") -> str:
    tool = tools.need(name)
    env = {**os.environ, "LC_ALL": "C"}
    if user:
        env |= {"LIBISCSI_CHAP_USERNAME": user, "LIBISCSI_CHAP_PASSWORD": password}
    done = subprocess.run([tool, *words], env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
    if done.returncode:
        problem = (done.stdout + done.stderr).strip().splitlines()
        raise InternalError(
            f"Failed to connect to iSCSI target: {problem[-1] if problem else f'{name} ended with {done.returncode}'}",
            origin=Origin.STORAGE,
        )
    return done.stdout


def _url(host: str, port: int | None, rest: str = "") -> str:
    shown = f"[{host}]" if ":" in host else host
    return f"iscsi://{shown}:{port or PORT}{rest}"


def targets(host: str, port: int | None, initiator: str) -> list[str]:
    """Names of the portal's targets."""
    out = _run("iscsi-ls", "-i", initiator, _url(host, port))
    return re.findall(r"^Target:(\S+) ", out, re.M)


def units(host: str, port: int | None, initiator: str, target: str, user: str = "", password: str = "") -> list[int]:
    """Numbers of a target's disks.

    iscsi-ls looks at every target of the portal and ends at the first that refuses; the units are then tried one by one.
    """
    try:
        out = _run("iscsi-ls", "-s", "-i", initiator, _url(host, port), user=user, password=password)
    except InternalError:
        return _tried(host, port, initiator, target, user, password)
    found: list[int] = []
    here = False
    for line in out.splitlines():
        if line.startswith("Target:"):
            here = line.split()[0] == f"Target:{target}"
        match = re.match(r"Lun:(\d+)\s+Type:DIRECT_ACCESS", line)
        if match and here:
            found.append(int(match[1]))
    return found


def _tried(host: str, port: int | None, initiator: str, target: str, user: str, password: str) -> list[int]:
    found: list[int] = []
    problem: InternalError | None = None
    for lun in range(MOST):
        try:
            size(host, port, initiator, target, lun, user, password)
        except InternalError as error:
            problem = error
            if lun >= (found[-1] if found else 0) + GAP:
                break
            continue
        found.append(lun)
    if not found and problem is not None:
        raise problem
    return found


def size(host: str, port: int | None, initiator: str, target: str, lun: int, user: str = "", password: str = "") -> int:
    """Bytes of a disk."""
    words = ("-i", initiator, _url(host, port, f"/{target}/{lun}"))
    out = _run("iscsi-readcapacity16", *words, user=user, password=password)
    match = re.search(r"^Total size:(\d+)", out, re.M)
    if match is None:
        raise InternalError(f"malformed output of iscsi-readcapacity16 for LUN {lun}", origin=Origin.STORAGE)
    return int(match[1])
