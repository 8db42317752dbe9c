"""User networking by passt: a helper process with the guest's packets on a socket, and ports of the host that lead in."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from typing import Any

from kvasir.errors import InternalError


def socket_path(net: Any, folder: str, guest: str) -> str:
    """Where QEMU finds the helper."""
    return f"{folder}/{guest}-{net.alias}.socket"


def _pid_path(net: Any, folder: str, guest: str) -> str:
    return f"{folder}/{guest}-{net.alias}-passt.pid"


def command(net: Any, folder: str, guest: str) -> list[str]:
    """The helper's command line."""
    # Its --mac-addr is the host's side: the guest's own address there would leave the guest deaf.
    words = ["passt", "--one-off", "--socket", socket_path(net, folder, guest), "--pid", _pid_path(net, folder, guest)]
    if net.source.dev:
        words += ["--interface", net.source.dev]
    if net.backend_log:
        words += ["--log-file", net.backend_log]
    for ip in net.ips:
        words += ["--address", ip.address]
        if ip.prefix and ip.family != "ipv6":
            words += ["--netmask", str(ip.prefix)]
    for forward in net.port_forwards:
        words += [f"--{forward.proto or 'tcp'}-ports", ports(forward)]
    return words


def ports(forward: Any) -> str:
    """One ``<portForward>`` in passt's words: [address[%device]/]ports."""
    where = (forward.address or "") + (f"%{forward.dev}" if forward.dev else "")
    words = []
    for one in forward.ranges:
        first = f"{one.start}" + (f"-{one.end}" if one.end and one.end != one.start else "")
        if one.exclude:
            words.append(f"~{first}")
            continue
        word = first
        if one.to is not None:
            last = one.to + ((one.end or one.start) - one.start)
            word += f":{one.to}" + (f"-{last}" if last != one.to else "")
        words.append(word)
    text = ",".join(words) if words else "all"
    return f"{where}/{text}" if where else text


def _user(identity: Any) -> tuple[int, int] | None:
    """Who the helper runs as: the guests' user, or nobody where guests are root's; None for an ordinary user's daemon."""
    if os.geteuid():
        return None
    if identity.uid:
        return int(identity.uid), int(identity.gid or 0)
    import pwd

    nobody = pwd.getpwnam("nobody")
    return nobody.pw_uid, nobody.pw_gid


async def start(net: Any, host: Any) -> None:
    """Start the helper; it goes to the background by itself, and ends with QEMU. Raises InternalError with its words."""
    folder, guest = host.paths.qemu.passt, host.vm.name
    os.makedirs(folder, 0o755, exist_ok=True)
    user = _user(host.identity)
    if user is not None:
        os.chown(folder, *user)
    host.vm.facts[f"passt-{net.alias}"] = socket_path(net, folder, guest)
    try:
        child = await asyncio.create_subprocess_exec(
            *command(net, folder, guest), *(["--runas", f"{user[0]}:{user[1]}"] if user else []), stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE, start_new_session=True)  # fmt: skip
    except FileNotFoundError:
        raise InternalError(
            "Cannot find 'passt' in path: No such file or directory", hint="apt-get install passt"
        ) from None
    host.stack.callback(stop, net, folder, guest)
    _, words = await asyncio.wait_for(child.communicate(), 30)
    if child.returncode:
        raise InternalError(f"Could not start 'passt': {words.decode('utf-8', 'replace').strip()}")
    host.own(socket_path(net, folder, guest))


def stop(net: Any, folder: str, guest: str) -> None:
    """End the helper where it still runs."""
    path = _pid_path(net, folder, guest)
    with contextlib.suppress(OSError, ValueError):
        with open(path, encoding="ascii") as stream:
            pid = int(stream.read(32))
        with open(f"/proc/{pid}/comm", encoding="ascii") as stream:
            if stream.read().startswith("passt"):
                os.kill(pid, signal.SIGTERM)
    for leftover in (path, socket_path(net, folder, guest)):
        with contextlib.suppress(OSError):
            os.unlink(leftover)
