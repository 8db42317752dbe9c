"""How to reach a daemon: unix sockets (with a daemon started on demand for a session), ssh and other commands."""

from __future__ import annotations

import _socket
import os

from kvasir.client import uri as uris
from kvasir.errors import Code, Error, InvalidArg, Origin

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kvasir.client.link import Channel

SESSION_TIMEOUT = 30
"""Seconds to wait for a daemon of our own to open its socket."""


def connect(uri: uris.Uri, readonly: bool) -> Channel:
    """A connected channel to the daemon that the URI means."""
    transport = uris.check_transport(uri)
    if transport == "private":
        return _private()
    if transport in ("tcp", "tls"):
        from kvasir.client import network

        return network.tls(uri) if transport == "tls" else network.tcp(uri)
    if transport in ("ssh", "libssh", "libssh2"):
        from kvasir.client import ssh

        return ssh.CommandChannel(ssh.command(uri, readonly))
    if transport == "ext":
        command = uri.parameter("command")
        if not command:
            raise InvalidArg("remote_open: for 'ext' transport, command is required", origin=Origin.REMOTE)
        from kvasir.client import ssh

        return ssh.CommandChannel([command])
    if uri.host:
        raise InvalidArg(f"using unix socket and remote server '{uri.host}' is not supported.", origin=Origin.REMOTE)
    path = uri.parameter("socket")
    session = uri.path == "/session"
    if path is None:
        path = socket_path(uri, session, readonly)
    channel = _try(path)
    alone = os.environ.get("LIBVIRT_AUTOSTART") == "0"
    if isinstance(channel, OSError) and session and uri.parameter("socket") is None and not alone:
        channel = _autostart(path)
    if isinstance(channel, OSError):
        raise Error(
            f"Failed to connect socket to '{path}': {channel.strerror}",
            code=Code.SYSTEM_ERROR,
            origin=Origin.RPC,
            int1=channel.errno or 0,
            hint="kvasird, as root (no daemon serves that socket)" if not session else "",
        )
    return channel


def socket_path(uri: uris.Uri, session: bool, readonly: bool) -> str:
    """The socket that serves a URI: the hypervisor's own daemon where it is there, else the common one."""
    if session:
        runtime = os.environ.get("XDG_RUNTIME_DIR") or os.path.expanduser("~/.cache")
        folder, end = runtime + "/libvirt", "-sock"
    else:
        folder, end = (
            (uris.root() + "/run" if uris.root() else "/var/run") + "/libvirt",
            "-sock-ro" if readonly else "-sock",
        )
    mode = uri.parameter("mode") or "auto"
    if mode not in uris.MODES:
        raise InvalidArg(f"Unknown remote mode '{mode}'", origin=Origin.REMOTE)
    own = f"{folder}/virt{uri.driver}d{end}"
    if mode == "direct" or (mode == "auto" and os.path.exists(own)):
        return own
    return f"{folder}/libvirt{end}"


def _try(path: str) -> Channel | OSError:
    channel = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM | _socket.SOCK_CLOEXEC)
    try:
        channel.connect(path)
    except OSError as problem:
        channel.close()
        return problem
    return channel


def daemon_command() -> list[str]:
    """The daemon that a session starts: VIRTD_PATH, LIBVIRTD_PATH, the kvasird beside this program, or the module."""
    import sys

    for name in ("VIRTD_PATH", "LIBVIRTD_PATH"):
        if os.environ.get(name):
            return [os.environ[name], "--timeout=120"]
    own = ["--session", "--timeout=120"]
    project = os.path.dirname(source_folder())
    for folder in (
        os.path.dirname(os.path.abspath(sys.argv[0])),
        os.path.dirname(sys.executable),
        project + "/.venv/bin",
    ):
        if os.access(folder + "/kvasird", os.X_OK):
            return [folder + "/kvasird", *own]
    from shutil import which

    found = which("kvasird")
    if not found:
        _daemon_is_here()
    return [found, *own] if found else [sys.executable, "-m", "kvasir.daemon", *own]


def _daemon_is_here() -> None:
    """Raises Error where only the client is installed."""
    if not os.path.exists(source_folder() + "/kvasir/daemon"):
        raise Error(
            "the daemon is not installed",
            code=Code.NO_CONNECT,
            origin=Origin.RPC,
            hint="scripts/install hypervisor, in Kvasir's sources",
        )


def source_folder() -> str:
    """The folder that ``kvasir`` is imported from."""
    return os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def _autostart(path: str) -> Channel | OSError:
    """Start a session's daemon and wait for its socket."""
    import fcntl
    from time import monotonic, sleep

    folder = os.path.dirname(path)
    os.makedirs(folder, mode=0o700, exist_ok=True)
    with open(folder + "/kvasir-start.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        channel = _try(path)
        if not isinstance(channel, OSError):
            return channel
        command = daemon_command()
        process = _spawn(command)
        end = monotonic() + SESSION_TIMEOUT
        while isinstance(channel, OSError) and monotonic() < end:
            sleep(0.02)
            done, status = os.waitpid(process, os.WNOHANG)
            channel = _try(path)
            if done and isinstance(channel, OSError):
                raise Error(
                    f"the session's daemon {command[0]} ended with status {os.waitstatus_to_exitcode(status)}",
                    code=Code.INTERNAL_ERROR,
                    origin=Origin.RPC,
                    hint=f"run it in the foreground to see why: {' '.join(command)}",
                )
        return channel


def _private() -> Channel:
    """A daemon of our own with the test driver, which goes when we do."""
    import sys

    _daemon_is_here()
    channel, other = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_STREAM | _socket.SOCK_CLOEXEC)
    try:
        actions = [(os.POSIX_SPAWN_DUP2, other.fileno(), 3)]
        null = [(os.POSIX_SPAWN_OPEN, fd, "/dev/null", os.O_RDWR, 0) for fd in (0, 1)]
        environment = {**os.environ, "PYTHONPATH": source_folder() + os.pathsep + os.environ.get("PYTHONPATH", "")}
        command = [private_python(sys.executable), "-m", "kvasir.daemon.private", "3"]
        os.posix_spawnp(command[0], command, environment, file_actions=[*null, *actions], setsid=True)
    finally:
        other.close()
    return channel


def private_python(own: str) -> str:
    """The interpreter that has the daemon's packages: the project's own environment, else the one that runs us."""
    found = os.path.dirname(source_folder()) + "/.venv/bin/python"
    return found if os.access(found, os.X_OK) else own


def _spawn(command: list[str]) -> int:
    """Start a process of its own session without our terminal."""
    null = [(os.POSIX_SPAWN_OPEN, fd, "/dev/null", os.O_RDWR, 0) for fd in (0, 1, 2)]
    environment = dict(os.environ)
    if command[1:2] == ["-m"]:
        environment["PYTHONPATH"] = source_folder() + os.pathsep + environment.get("PYTHONPATH", "")
    return os.posix_spawnp(command[0], command, environment, file_actions=null, setsid=True)
