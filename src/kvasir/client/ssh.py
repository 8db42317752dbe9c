"""ssh and other commands as the way to a daemon: their command lines, and what they say when it goes wrong."""

from __future__ import annotations

import _socket
import os

from kvasir.client.uri import MODES
from kvasir.errors import Code, Error, InternalError, InvalidArg, OperationUnsupported, Origin

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kvasir.client.uri import Uri

SOCKET = "/var/run/libvirt/libvirt-sock"
_AUTH = {
    "privkey": "publickey",
    "agent": "publickey",
    "password": "password",
    "keyboard-interactive": "keyboard-interactive",
}
_HOST_KEYS = {"normal": "ask", "auto": "accept-new", "ignore": "no"}


def command(uri: Uri, readonly: bool) -> list[str]:
    """ssh's command line for a URI; the parameters of the libssh transports are given to ssh as its own options."""
    if uri.host.startswith("-"):
        raise InternalError(f"host name '{uri.host}' is not allowed", origin=Origin.REMOTE)
    words = [uri.parameter("command") or "ssh"]
    if uri.port:
        words += ["-p", str(uri.port)]
    if uri.user:
        words += ["-l", uri.user]
    if uri.parameter("keyfile"):
        words += ["-i", str(uri.parameter("keyfile"))]
    words += ["-T", "-e", "none"]
    if _set(uri, "no_tty"):
        words += ["-o", "BatchMode=yes"]
    if _set(uri, "no_verify"):
        words += ["-o", "StrictHostKeyChecking=no"]
    words += _libssh_options(uri)
    return [*words, "--", uri.host or "localhost", remote_command(uri, readonly)]


def _set(uri: Uri, name: str) -> bool:
    return (uri.parameter(name) or "0") not in ("0", "")


def _libssh_options(uri: Uri) -> list[str]:
    found = []
    if uri.parameter("known_hosts"):
        found += ["-o", f"UserKnownHostsFile={uri.parameter('known_hosts')}"]
    check = uri.parameter("known_hosts_verify")
    if check is not None:
        if check not in _HOST_KEYS:
            raise InvalidArg(f"Invalid host key verification method: '{check}'", origin=Origin.REMOTE)
        found += ["-o", f"StrictHostKeyChecking={_HOST_KEYS[check]}"]
    methods = uri.parameter("sshauth")
    if methods is not None:
        names = methods.split(",")
        unknown = [name for name in names if name not in _AUTH]
        if unknown:
            raise InvalidArg(f"Invalid authentication method: '{unknown[0]}'", origin=Origin.REMOTE)
        found += ["-o", "PreferredAuthentications=" + ",".join(dict.fromkeys(_AUTH[name] for name in names))]
    return found


def remote_command(uri: Uri, readonly: bool) -> str:
    """What runs on the other host: the helper where it is there, else netcat on the daemon's socket (``proxy`` chooses)."""
    socket = uri.parameter("socket")
    proxy = uri.parameter("proxy") or ("netcat" if socket or uri.parameter("netcat") else "auto")
    if proxy not in ("auto", "netcat", "native"):
        raise InvalidArg(f"Unnkown proxy type '{proxy}'", origin=Origin.RPC)  # libvirt's spelling
    mode = uri.parameter("mode") or "auto"
    if mode not in MODES:
        raise InvalidArg(f"Unknown remote mode '{mode}'", origin=Origin.REMOTE)
    if mode == "direct":
        raise OperationUnsupported("Cannot use direct socket mode for ssh transport", origin=Origin.REMOTE)
    if proxy == "native" and uri.parameter("netcat"):
        raise InvalidArg("netcat path not valid with native proxy mode", origin=Origin.RPC)
    helper = f"virt-ssh-helper {'-r ' if readonly else ''}{quote(uri.remote_name())}"
    if proxy == "native":
        return helper
    nc = quote(uri.parameter("netcat") or "nc")
    path = quote(socket or (SOCKET + ("-ro" if readonly else "")))
    through_netcat = f"if {nc} -q 2>&1 | grep 'requires an argument' >/dev/null 2>&1; then {nc} -q0 -U {path}; else {nc} -U {path}; fi"
    if proxy == "netcat" or uri.parameter("netcat"):
        return f"sh -c {quote(through_netcat)}"
    script = f"if command -v virt-ssh-helper >/dev/null 2>&1; then {helper}; else {through_netcat}; fi"
    return f"sh -c {quote(script)}"


def quote(text: str) -> str:
    """For a shell."""
    return "'" + text.replace("'", "'\\''") + "'"


class CommandChannel:
    """A command's standard input and output as a connection, and its last words where it fails."""

    def __init__(self, words: list[str]) -> None:
        self.words = words
        self._sock, theirs = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_STREAM)
        self._errors, errors = os.pipe()
        fd = theirs.fileno()
        actions = [
            (os.POSIX_SPAWN_DUP2, fd, 0),
            (os.POSIX_SPAWN_DUP2, fd, 1),
            (os.POSIX_SPAWN_DUP2, errors, 2),
        ]
        try:
            self.pid = os.posix_spawnp(words[0], words, os.environ, file_actions=actions)
        except OSError as problem:
            os.close(self._errors)
            raise Error(
                f"Cannot run {words[0]}: {problem.strerror}",
                code=Code.SYSTEM_ERROR,
                origin=Origin.RPC,
                int1=problem.errno or 0,
                hint="install the ssh client (Debian: openssh-client)" if words[0] == "ssh" else "",
            ) from None
        finally:
            theirs.close()
            os.close(errors)
        os.set_blocking(self._errors, False)
        self.sendall, self.recv, self.fileno = self._sock.sendall, self._sock.recv, self._sock.fileno

    def last_words(self) -> str:
        """What the command wrote to its standard error, in one line."""
        self._reap(wait=True)
        try:
            text = os.read(self._errors, 65536).decode("utf-8", "replace")
        except OSError:
            return ""
        return " ".join(line.strip() for line in text.splitlines() if line.strip())

    def _reap(self, wait: bool = False) -> None:
        from time import sleep

        for _ in range(100 if wait else 1):
            try:
                done, _ = os.waitpid(self.pid, os.WNOHANG)
            except ChildProcessError:
                return
            if done or not wait:
                return
            sleep(0.01)

    def close(self) -> None:
        self._sock.close()
        self._reap(wait=True)
        if self._errors >= 0:
            os.close(self._errors)
            self._errors = -1
