"""Emulated TPMs: swtpm's state under the guest's uuid, its making by swtpm_setup, and the process beside each guest.

The process ends by itself when QEMU closes the connection (``--terminate``); what is left of one is ended by pid file.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import pwd
import shutil
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from kvasir.errors import InternalError, OperationUnsupported, SystemFailure

from . import guestlog, process
from .identity import group_id, user_id
from .secrets import value
from .virtiofs import end

WAIT = 10.0
"""Seconds that swtpm has to open its socket."""
SETUP = 60.0
"""Seconds that swtpm_setup has to make keys and certificates."""


def find(program: str) -> str:
    """The path of a program of swtpm. Raises OperationUnsupported."""
    found = shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/bin:/usr/sbin:/usr/local/bin")
    if found is None:
        raise OperationUnsupported(f"Unable to find '{program}' binary in $PATH", hint="apt install swtpm swtpm-tools")
    return found


def owner(host: Any) -> tuple[int | None, int | None]:
    """User and group that swtpm runs as: qemu.conf's, else tss; None where the daemon is no root."""
    if host.identity.uid is None:
        return None, None
    config = host.config
    named = getattr(config, "swtpm_user", None)
    uid = user_id(named) if named else None
    if uid is None:
        uid = 0
        with contextlib.suppress(KeyError):
            uid = pwd.getpwnam("tss").pw_uid
    group = getattr(config, "swtpm_group", None)
    gid = group_id(group) if group else None
    if gid is None:
        gid = 0
        with contextlib.suppress(KeyError):
            gid = pwd.getpwuid(uid).pw_gid
    return uid, gid


@dataclass(slots=True)
class Place:
    """Where one guest's TPM keeps what."""

    state: str
    socket: str
    pid: str
    log: str

    @classmethod
    def of(cls, driver: Any, guest: Any, version: str | None) -> Place:
        p = driver.paths.qemu
        name = guest.name[:20]
        leaf = f"{guest.id}-{name}-swtpm"
        kind = "tpm2" if version == "2.0" else "tpm1.2"
        return cls(
            f"{p.swtpm}/{guest.uuid_text}/{kind}",
            f"{p.swtpm_run}/{leaf}.sock",
            f"{p.swtpm_run}/{name}-swtpm.pid",
            f"{p.swtpm_log}/{guest.name}-swtpm.log",
        )


async def start(device: Any, host: Any) -> None:
    """Start swtpm for the guest, its state made on first use; the end is pushed on the undo stack."""
    source = device.backend.source
    password = value(host.vm, source.secret, None, "vtpm") if source.secret else None
    place = Place.of(host.driver, host.guest, source.version)
    user = owner(host)
    program = find("swtpm")
    _folders(place, user)
    await end(place.pid)
    fresh = not os.path.isdir(place.state) or not os.listdir(place.state)
    if fresh:
        await _create(source, host, place, user, password)
    if source.version == "2.0" and source.banks():
        await _setup(["--tpm2", "--tpm-state", place.state, "--logfile", place.log,
                      "--pcr-banks", ",".join(source.banks()), "--reconfigure"], place, user, password)  # fmt: skip
    await _run(program, source, host, place, user, password)
    host.vm.facts[f"tpm_socket_{device.alias}"] = place.socket


def _folders(place: Place, user: tuple[int | None, int | None]) -> None:
    """The folders of state, socket and log, each with the rights that its users need."""
    uid, gid = user
    for path, mode, own in (
        (os.path.dirname(os.path.dirname(place.state)), 0o711, False),
        (os.path.dirname(place.state), 0o711, False),
        (os.path.dirname(place.socket), 0o711, True),
        (os.path.dirname(place.log), 0o711, True),
    ):
        try:
            if not os.path.isdir(path):
                os.makedirs(path, 0o755)
                os.chmod(path, mode)
            if own and uid is not None and gid is not None:
                os.chown(path, uid, gid)
        except OSError as error:
            raise SystemFailure(f"Could not create TPM directory {path}", error) from error
    with contextlib.suppress(FileNotFoundError):
        os.unlink(place.socket)


async def _create(
    source: Any, host: Any, place: Place, user: tuple[int | None, int | None], password: bytes | None
) -> None:
    """Make the TPM's state: keys and certificates. A failure leaves no half-made state."""
    uid, gid = user
    os.makedirs(place.state, 0o700, exist_ok=True)
    if uid is not None and gid is not None:
        os.chown(place.state, uid, gid)
    words = ["--tpm2"] if source.version == "2.0" else []
    words += [
        "--tpm-state", place.state, "--vmid", f"{host.guest.name}:{host.guest.uuid_text}", "--logfile", place.log,
        "--createek", "--create-ek-cert", "--create-platform-cert", "--lock-nvram", "--not-overwrite",
    ]  # fmt: skip
    try:
        await _setup(words, place, user, password)
    except BaseException:
        shutil.rmtree(place.state, ignore_errors=True)
        with contextlib.suppress(OSError):
            os.rmdir(os.path.dirname(place.state))
        raise


@contextlib.contextmanager
def _pipe(password: bytes | None) -> Iterator[int | None]:
    """A descriptor from which the password is read once; it shows on no command line and in no file."""
    if password is None:
        yield None
        return
    read, write = os.pipe2(os.O_CLOEXEC)
    try:
        os.set_blocking(write, False)
        os.write(write, password)
        os.close(write)
        yield read
    finally:
        os.close(read)


async def _setup(words: list[str], place: Place, user: tuple[int | None, int | None], password: bytes | None) -> None:
    with _pipe(password) as fd:
        more = [] if fd is None else ["--pwdfile-fd", str(fd), "--cipher", "aes-256-cbc"]
        await _run_setup([*words, *more], place, user, () if fd is None else (fd,))


async def _run_setup(words: list[str], place: Place, user: tuple[int | None, int | None], fds: tuple[int, ...]) -> None:
    uid, gid = user
    who: dict[str, Any] = {} if uid is None else {"user": uid, "group": gid, "extra_groups": []}
    child = await asyncio.create_subprocess_exec(
        find("swtpm_setup"), *words, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT, cwd="/", start_new_session=True, umask=0o077, pass_fds=fds, **who,
    )  # fmt: skip
    try:
        said, _ = await asyncio.wait_for(child.communicate(), SETUP)
    except BaseException:
        with contextlib.suppress(ProcessLookupError):
            child.kill()
        await child.wait()
        raise
    if child.returncode:
        last = said.decode("utf-8", "replace").strip()[-500:]
        raise InternalError(
            f"Could not run '{find('swtpm_setup')}'. exitstatus: {child.returncode}; "
            f"Check error log '{place.log}' for details.{' ' + last if last else ''}"
        )


async def _run(
    program: str, source: Any, host: Any, place: Place, user: tuple[int | None, int | None], password: bytes | None
) -> None:
    uid, gid = user
    argv = [
        program, "socket", "--ctrl", f"type=unixio,path={place.socket},mode=0600",
        "--tpmstate", f"dir={place.state},mode=0600", "--log", f"file={place.log}", "--terminate",
    ]  # fmt: skip
    if source.version == "2.0":
        argv.append("--tpm2")
    log = guestlog.GuestLog(f"{host.driver.paths.qemu.log}/{host.guest.name}-swtpm.out", host.driver.privileged)
    try:
        with _pipe(password) as fd:
            if fd is not None:
                argv += ["--key", f"pwdfd={fd},mode=aes-256-cbc"]
            pid = await process.start(
                process.Launch(
                    argv, {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}, log.fd, uid=uid, gid=gid,
                    groups=[gid] if gid is not None else [], fds=() if fd is None else (fd,),
                )
            )  # fmt: skip
        process.write_pidfile(place.pid, pid)
        host.stack.push_async_callback(end, place.pid)
        await _wait_for(place.socket, pid, log)
    finally:
        log.close()
        with contextlib.suppress(OSError):
            if os.path.getsize(log.path) == 0:
                os.unlink(log.path)
    host.own(place.socket)


async def _wait_for(path: str, pid: int, log: guestlog.GuestLog) -> None:
    watch = process.Watch(pid)
    try:
        for _ in range(int(WAIT * 50)):
            with contextlib.suppress(FileNotFoundError):
                if stat.S_ISSOCK(os.stat(path).st_mode):
                    return
            if await watch.wait(0.02):
                raise InternalError(f"swtpm died and reported: {log.words() or 'nothing'}")
    finally:
        watch.close()
    raise InternalError(f"swtpm did not open its socket {path} within {WAIT:.0f} seconds")


async def release(device: Any, host: Any) -> None:
    """End swtpm of a guest that has ended; the state of a guest that is known no longer goes, unless it is to stay."""
    source = device.backend.source
    place = Place.of(host.driver, host.guest, source.version)
    await end(place.pid)
    if not host.guest.persistent and not source.persistent_state:
        forget(host.driver, host.guest.uuid_text)


def forget(driver: Any, uuid: str) -> None:
    """Remove the TPM state of a guest; for undefine and for transient guests."""
    path = f"{driver.paths.qemu.swtpm}/{uuid}"
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path, ignore_errors=True)
