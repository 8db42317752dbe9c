"""dnsmasq processes: started on a configuration, told to read their files anew, ended. They live longer than the daemon."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time

from kvasir.errors import InternalError, Origin

from .files import discard

PATH = "/usr/sbin:/sbin:/usr/bin:/bin:/usr/local/sbin"


def pid_of(pid_file: str) -> int | None:
    """The process of a pid file, when it runs and is dnsmasq."""
    try:
        with open(pid_file, encoding="ascii") as stream:
            pid = int(stream.read(32))
        with open(f"/proc/{pid}/cmdline", "rb") as stream:
            words = stream.read(4096).split(b"\0")
    except (OSError, ValueError):
        return None
    return pid if words and os.path.basename(words[0]) == b"dnsmasq" else None


def start(conf_file: str, helper: str, bridge: str) -> None:
    """Start one; it is in the background when this returns. Raises InternalError with its words."""
    command = ["dnsmasq", f"--conf-file={conf_file}", "--leasefile-ro", f"--dhcp-script={helper}"]
    environment = {"PATH": PATH, "VIR_BRIDGE_NAME": bridge, "LC_ALL": "C"}
    shown = f"VIR_BRIDGE_NAME={bridge} /usr/sbin/" + " ".join(command)
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60,
                              cwd="/", start_new_session=True)  # fmt: skip
    except FileNotFoundError:
        raise InternalError("Cannot find 'dnsmasq' in path: No such file or directory", origin=Origin.NONE,
                            hint="apt-get install dnsmasq-base") from None  # fmt: skip
    except subprocess.TimeoutExpired:
        raise InternalError(f"Child process ({shown}) did not end within 60 seconds", origin=Origin.NONE) from None
    if done.returncode:
        raise InternalError(
            f"Child process ({shown}) unexpected exit status {done.returncode}: {done.stderr}", origin=Origin.NONE
        )


def reload(pid_file: str) -> bool:
    """Tell it to read its hosts files anew; False when there is none."""
    pid = pid_of(pid_file)
    if pid is None:
        return False
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGHUP)
        return True
    return False


def stop(pid_file: str) -> None:
    """End it, and wait until it is gone (five seconds, then harder)."""
    pid = pid_of(pid_file)
    if pid is not None:
        for number, seconds in ((signal.SIGTERM, 5.0), (signal.SIGKILL, 2.0)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
            end = time.monotonic() + seconds
            while pid_of(pid_file) == pid and time.monotonic() < end:
                time.sleep(0.002)
            if pid_of(pid_file) != pid:
                break
    discard(pid_file)
