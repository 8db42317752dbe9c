"""Which daemon a URI means: ``driver[+transport]://[user@][host][:port]/path?parameters``, and the default when none is said."""

from __future__ import annotations

import os

from kvasir.errors import Code, Error, InternalError, InvalidArg, Origin

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kvasir.client.debug import Log

REMOTE_ONLY = frozenset(
    [
        "name",
        "command",
        "socket",
        "auth",
        "mode",
        "proxy",
        "netcat",
        "pkipath",
        "keyfile",
        "known_hosts",
        "known_hosts_verify",
        "sshauth",
        "libssh",
        "no_sanity",
        "no_verify",
        "no_tty",
        "tls_priority",
        "authfile",
        "sasl_min_ssf",
    ]
)
"""Parameters that the client keeps for itself; the daemon gets the others."""


MODES = ("auto", "direct", "legacy")
"""Whether a driver's own daemon is meant or the one for all."""


class Uri:
    """A connection URI, taken apart."""

    __slots__ = ("driver", "host", "path", "port", "query", "text", "transport", "user")

    def __init__(self, text: str) -> None:
        self.text = text
        scheme, colon, rest = text.partition("://")
        if not colon:
            scheme, colon, rest = text.partition(":")
            if not colon:
                raise Error(
                    code=Code.NO_CONNECT,
                    origin=Origin.NONE,
                    message=f"no connection driver available for URI '{text}' does not include a driver name",
                )
            self.host, path = "", rest
        else:
            authority, slash, path = rest.partition("/")
            if not slash:
                authority, mark, path = rest.partition("?")
                path = mark + path
            else:
                path = "/" + path
            self.host = authority
        self.driver, _, self.transport = scheme.partition("+")
        self.path, _, query = path.partition("?")
        self.user, self.port = "", 0
        if "@" in self.host:
            self.user, _, self.host = self.host.rpartition("@")
        host, colon, port = self.host.rpartition(":")
        if colon and port.isdigit() and "]" not in port:
            self.host, self.port = host, int(port)
        self.host = self.host.removeprefix("[").removesuffix("]")
        self.query: list[tuple[str, str]] = []
        for part in query.replace(";", "&").split("&"):
            if not part:
                continue
            name, _, value = part.partition("=")
            self.query.append((name, unquote(value)))

    def parameter(self, name: str) -> str | None:
        """A parameter's value."""
        for key, value in self.query:
            if key == name:
                return value
        return None

    def remote_name(self) -> str:
        """The URI as the daemon is told it: no transport, no host, no parameters of the client."""
        name = self.parameter("name")
        if name is not None:
            return name
        if self.driver == "remote":
            return ""  # the daemon chooses
        rest = "&".join(f"{key}={quote(value)}" for key, value in self.query if key not in REMOTE_ONLY)
        return f"{self.driver}://{self.path}" + (f"?{rest}" if rest else "")


def unquote(text: str) -> str:
    """``%2F`` and the like resolved."""
    if "%" not in text:
        return text
    from urllib.parse import unquote as resolve

    return resolve(text)


def quote(text: str) -> str:
    """The opposite of ``unquote``."""
    if text.isalnum():
        return text
    from urllib.parse import quote as escape

    return escape(text, safe="/")


def debug_log() -> Log | None:
    """The log that LIBVIRT_DEBUG, LIBVIRT_LOG_FILTERS or LIBVIRT_LOG_OUTPUTS ask for; None, as nearly always, where none does.
    Raises INVALID_ARG when one of them is wrong."""
    if not any(os.environ.get(name) for name in ("LIBVIRT_DEBUG", "LIBVIRT_LOG_FILTERS", "LIBVIRT_LOG_OUTPUTS")):
        return None
    from kvasir.client.debug import from_environment

    return from_environment()


def choose(text: str | None) -> str:
    """The URI to open: the one given (an alias resolved), else the environment's, else the configured one, else "" (probe)."""
    if not text:
        text = os.environ.get("LIBVIRT_DEFAULT_URI") or str(configured("uri_default") or "")
    if text and "/" not in text and ":" not in text:
        aliases = configured("uri_aliases")
        for pair in aliases if isinstance(aliases, list) else ():
            alias, mark, target = pair.partition("=")
            if not mark:
                problem = f"Malformed 'uri_aliases' config entry '{pair}', expected 'alias=uri://host/path'"
                message = f"configuration file syntax error: {problem}"
                raise Error(problem, code=Code.CONF_SYNTAX, origin=Origin.CONF, message=message)
            if alias == text:
                return str(target)
    return text


def probed() -> str:
    """The default without any configuration: the system's daemon for root, one's own for everybody else."""
    return "qemu:///system" if os.geteuid() == 0 else "qemu:///session"


def configured(key: str) -> str | list[str] | None:
    """A value of ``libvirt.conf`` (the system's for root, else the user's)."""
    if os.geteuid() == 0:
        path = root() + "/etc/libvirt/libvirt.conf"
    else:
        home = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
        path = home + "/libvirt/libvirt.conf"
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
    except OSError:
        return None
    if key not in text:
        return None
    return _config_value(text, key)


def _config_value(text: str, key: str) -> str | list[str] | None:
    import re

    clean = re.sub(r"(?m)^[ \t]*#.*$", "", text)
    found = re.search(rf"(?m)^[ \t]*{key}[ \t]*=[ \t]*(\[[^\]]*\]|\"[^\"]*\"|'[^']*'|[^\n]*)", clean)
    if not found:
        return None
    value = found.group(1).strip()
    if value.startswith("["):
        return [first or second for first, second in re.findall(r"\"([^\"]*)\"|'([^']*)'", value)]
    return value[1:-1] if value[:1] in "\"'" else value


def root() -> str:
    """The folder that all of a daemon's paths lie under (``kvasird --root``), "" for the machine itself."""
    return os.environ.get("KVASIR_ROOT", "").rstrip("/")


def check_transport(uri: Uri) -> str:
    """The transport of a URI; ``private``: a daemon of the client's own (``test:///default``)."""
    transport = uri.transport or ("unix" if not uri.host else "tls")
    if uri.driver == "qemu" and not uri.transport and uri.host in ("system", "session") and uri.path in ("", "/"):
        raise InternalError(f"invalid URI {uri.text} (maybe you want qemu:///{uri.host})", origin=Origin.NONE)
    if uri.driver == "test" and not uri.transport and not uri.host:
        return "private"
    if transport in ("tls", "ssh", "tcp", "ext", "libssh", "libssh2"):
        return transport
    if transport != "unix":
        raise InvalidArg("remote_open: transport in URL not recognised (should be tls|unix|ssh|ext|tcp|libssh2|libssh)")
    return transport
