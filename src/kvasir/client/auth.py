"""User name and password for a login: from the caller, from ``auth.conf``, or asked at the terminal."""

from __future__ import annotations

import os
import sys

from kvasir.errors import AuthFailed, Code, Error, Origin

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from kvasir.client.uri import Uri

CRED_USERNAME, CRED_AUTHNAME, CRED_LANGUAGE, CRED_CNONCE, CRED_PASSPHRASE, CRED_ECHOPROMPT, CRED_NOECHOPROMPT = range(
    1, 8
)
_KINDS = {
    0x4001: CRED_USERNAME,
    0x4002: CRED_AUTHNAME,
    0x4004: CRED_PASSPHRASE,
    0x4005: CRED_ECHOPROMPT,
    0x4006: CRED_NOECHOPROMPT,
}
_KEYS = {CRED_AUTHNAME: "authname", CRED_USERNAME: "username", CRED_PASSPHRASE: "password"}


def config_path(uri: Uri) -> str | None:
    """The file of credentials: LIBVIRT_AUTH_FILE, ``authfile=`` of the URI, the user's, the system's; None when there is none."""
    from kvasir.client.uri import root

    named = os.environ.get("LIBVIRT_AUTH_FILE") or uri.parameter("authfile")
    if named:
        return named
    home = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
    for path in (home + "/libvirt/auth.conf", root() + "/etc/libvirt/auth.conf"):
        if os.path.exists(path):
            return path
    return None


def stored(uri: Uri, service: str = "libvirt") -> dict[str, str]:
    """What the file has for the host: keys authname, username, password. Raises CONF_SYNTAX for a broken file."""
    path = config_path(uri)
    if path is None:
        return {}
    import configparser

    reader = configparser.RawConfigParser(strict=False)
    try:
        with open(path, encoding="utf-8") as file:
            reader.read_file(file)
    except (OSError, configparser.Error, UnicodeDecodeError) as problem:
        text = f"{path}: {str(problem).splitlines()[0]}"
        raise Error(text, code=Code.CONF_SYNTAX, origin=Origin.CONF) from None
    for host in (uri.host or "localhost", "default"):
        section = f"auth-{service}-{host}"
        if not reader.has_section(section):
            continue
        name = reader.get(section, "credentials", fallback=None)
        if name is None:
            raise Error(
                f"{path}: Missing item 'credentials' in group '{section}'", code=Code.CONF_SYNTAX, origin=Origin.CONF
            )
        if not reader.has_section(f"credentials-{name}"):
            raise Error(
                f"{path}: Missing group 'credentials-{name}' referenced from group '{section}'",
                code=Code.CONF_SYNTAX,
                origin=Origin.CONF,
            )
        return dict(reader.items(f"credentials-{name}"))
    return {}


class Answers:
    """Answers what a SASL mechanism asks; ``ask`` is libvirt-python's callback, or None for the terminal."""

    def __init__(self, uri: Uri, ask: Callable[[list[list[Any]], Any], int] | None) -> None:
        self._stored, self._ask = stored(uri), ask
        self._user = uri.user

    def __call__(self, wanted: list[tuple[int, str]]) -> dict[int, bytes]:
        found: dict[int, bytes] = {}
        open_questions: list[list[Any]] = []
        numbers: list[int] = []
        for number, prompt in wanted:
            kind = _KINDS.get(number)
            value = self._stored.get(_KEYS.get(kind or 0, ""))
            if value is None and kind == CRED_USERNAME:
                value = self._stored.get("authname", "")
            if value is None and kind == CRED_AUTHNAME and self._user:
                value = self._user
            if value is not None or kind is None:
                found[number] = (value or "").encode()
            else:
                numbers.append(number)
                open_questions.append([kind, prompt, "", "", None])
        if open_questions:
            ask = self._ask or at_terminal
            if ask(open_questions, None) != 0:
                raise AuthFailed("Failed to collect auth credentials", origin=Origin.RPC)
            for number, question in zip(numbers, open_questions, strict=True):
                found[number] = str(question[4] or "").encode()
        return found


def at_terminal(questions: list[list[Any]], opaque: Any) -> int:
    """Ask for each of them: 0, or -1 where nobody can be asked."""
    for question in questions:
        hidden = question[0] in (CRED_PASSPHRASE, CRED_NOECHOPROMPT)
        try:
            if hidden and sys.stdin.isatty():
                import getpass

                question[4] = getpass.getpass(f"{question[1]}: ")
            else:
                print(f"{question[1]}: ", end="", flush=True)
                line = sys.stdin.readline()
                if not line:
                    return -1
                question[4] = line.rstrip("\n")
        except (EOFError, OSError):
            return -1
    return 0
