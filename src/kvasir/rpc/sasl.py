"""SASL by the system's Cyrus library, for the daemon and for clients: the same mechanisms, plugins and user files as libvirt's.

    login = Client("libvirt", "host.example", security)
    data = login.start("SCRAM-SHA-256,PLAIN", answers)     # answers(wanted) -> {AUTHNAME: b"fred", PASS: b"..."}
    data = login.step(data, answers)                        # until login.complete

The library is loaded on first use. Everything that goes wrong raises AUTH_FAILED.
"""

from __future__ import annotations

import ctypes
import ctypes.util

from kvasir.errors import Code, Error, Origin

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Answers = Callable[[list[tuple[int, str]]], dict[int, bytes]]

OK, CONTINUE, INTERACT = 0, 1, 2
NOMECH = -4
USER, AUTHNAME, PASS, ECHO, NOECHO, REALM = 0x4001, 0x4002, 0x4004, 0x4005, 0x4006, 0x4008
CONFIG_PATH = 5
"""SASL_CB_GETCONFPATH: the folder of libvirt.conf."""
_LIST_END = 0
_USERNAME, _SSF, _MAXOUT, _SSF_EXTERNAL, _SEC_PROPS = 0, 1, 2, 100, 101
_SUCCESS_DATA = 4
NO_PLAIN, NO_ANONYMOUS = 1, 0x10
ENCRYPTED = 56
"""The least strength (bits) that counts as encryption on plain TCP."""
_CHUNK = 16 * 1024

_c_bytes = ctypes.POINTER(ctypes.c_char)


class _Callback(ctypes.Structure):
    _fields_ = (("id", ctypes.c_ulong), ("proc", ctypes.c_void_p), ("context", ctypes.c_void_p))


class _Interaction(ctypes.Structure):
    _fields_ = (
        ("id", ctypes.c_ulong),
        ("challenge", ctypes.c_char_p),
        ("prompt", ctypes.c_char_p),
        ("default", ctypes.c_char_p),
        ("result", ctypes.c_char_p),
        ("length", ctypes.c_uint),
    )


class _Properties(ctypes.Structure):
    _fields_ = (
        ("min_ssf", ctypes.c_uint),
        ("max_ssf", ctypes.c_uint),
        ("max_buffer", ctypes.c_uint),
        ("flags", ctypes.c_uint),
        ("names", ctypes.c_void_p),
        ("values", ctypes.c_void_p),
    )


class Security:
    """What a login must give: ``protected`` says that the bytes are safe already (unix socket, TLS), ``ssf`` how strongly."""

    def __init__(self, protected: bool, minimum: int = ENCRYPTED, ssf: int = 0) -> None:
        self.protected, self.minimum, self.ssf = protected, minimum, ssf

    def properties(self) -> _Properties:
        if self.protected:
            return _Properties(0, 0, 65536, NO_ANONYMOUS, None, None)
        flags = NO_ANONYMOUS | (NO_PLAIN if self.minimum > 0 else 0)
        return _Properties(self.minimum, 100000 if self.minimum else 0, 65536, flags, None, None)


def failed(text: str) -> Error:
    return Error(text, code=Code.AUTH_FAILED, origin=Origin.AUTH, message=f"authentication failed: {text}")


_library: Any = None
_ready: set[str] = set()
_keep: list[Any] = []
"""Callbacks that the library goes on using."""


def library() -> Any:
    """libsasl2. Raises AUTH_FAILED with the package's name where it is not installed."""
    global _library
    if _library is None:
        name = ctypes.util.find_library("sasl2") or "libsasl2.so.2"
        try:
            found = ctypes.CDLL(name)
        except OSError:
            raise failed("SASL needs the library libsasl2 (Debian: libsasl2-2, libsasl2-modules)") from None
        found.sasl_errdetail.restype = ctypes.c_char_p
        found.sasl_errstring.restype = ctypes.c_char_p
        _library = found
    return _library


def init_server(folder: str | None) -> None:
    """Read ``libvirt.conf`` of the folder (none: /etc/sasl2 and the library's other places)."""
    if "server" in _ready:
        return
    found = library()
    callbacks = None
    if folder:
        kind = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.POINTER(ctypes.c_char_p))
        malloc = ctypes.CDLL(None).strdup
        malloc.restype = ctypes.c_void_p

        def path(_: Any, out: Any) -> int:
            ctypes.cast(out, ctypes.POINTER(ctypes.c_void_p))[0] = malloc(folder.encode())
            return OK

        function = kind(path)
        first = _Callback(CONFIG_PATH, ctypes.cast(function, ctypes.c_void_p), None)
        callbacks = (_Callback * 2)(*(first, _Callback(_LIST_END, None, None)))
        _keep.extend((function, callbacks))
    _check(found.sasl_server_init(callbacks, b"libvirt"), None, "cannot initialize SASL library")
    _ready.add("server")


def _check(status: int, connection: Any, what: str) -> int:
    if status in (OK, CONTINUE, INTERACT):
        return status
    found = library()
    detail = found.sasl_errdetail(connection) if connection is not None else b""
    detail = detail or found.sasl_errstring(status, None, None)
    raise failed(f"{what}: {status} ({(detail or b'').decode('utf-8', 'replace').strip()})")


class _Login:
    """One connection of the library."""

    def __init__(self) -> None:
        self._lib = library()
        self._conn: Any = ctypes.c_void_p()
        self.complete = False

    def _secure(self, security: Security) -> None:
        if security.ssf:
            strength = ctypes.c_uint(security.ssf)
            status = self._lib.sasl_setprop(self._conn, _SSF_EXTERNAL, ctypes.byref(strength))
            _check(status, self._conn, "cannot set external SSF")
        properties = security.properties()
        status = self._lib.sasl_setprop(self._conn, _SEC_PROPS, ctypes.byref(properties))
        _check(status, self._conn, "cannot set security props")

    def _number(self, what: int) -> int:
        value = ctypes.c_void_p()
        status = self._lib.sasl_getprop(self._conn, what, ctypes.byref(value))
        if status != OK or not value:
            return 0
        return int(ctypes.cast(value, ctypes.POINTER(ctypes.c_uint))[0])

    @property
    def strength(self) -> int:
        """Bits of the negotiated layer; 0 for none."""
        return self._number(_SSF)

    @property
    def user(self) -> str:
        """Who logged in."""
        value = ctypes.c_char_p()
        _check(
            self._lib.sasl_getprop(self._conn, _USERNAME, ctypes.byref(value)), self._conn, "cannot query SASL username"
        )
        return (value.value or b"").decode("utf-8", "replace")

    def encode(self, data: bytes) -> bytes:
        """Bytes as they go over the wire once the layer stands."""
        most = min(self._number(_MAXOUT) or _CHUNK, _CHUNK)
        return b"".join(self._pass("sasl_encode", data[at : at + most]) for at in range(0, len(data), most))

    def decode(self, data: bytes) -> bytes:
        """The opposite; empty while a packet is not whole."""
        return self._pass("sasl_decode", data)

    def _pass(self, function: str, data: bytes) -> bytes:
        out, size = _c_bytes(), ctypes.c_uint()
        call = getattr(self._lib, function)
        status = call(self._conn, data, len(data), ctypes.byref(out), ctypes.byref(size))
        _check(status, self._conn, function.replace("sasl_", "cannot ") + " SASL data")
        return ctypes.string_at(out, size.value) if size.value else b""

    def __del__(self) -> None:
        if getattr(self, "_conn", None):
            self._lib.sasl_dispose(ctypes.byref(self._conn))


class Server(_Login):
    """The daemon's side. ``init_server`` comes before it."""

    def __init__(self, security: Security, local: str | None, remote: str | None) -> None:
        super().__init__()
        status = self._lib.sasl_server_new(
            b"libvirt", None, None, _text(local), _text(remote), None, _SUCCESS_DATA, ctypes.byref(self._conn)
        )
        _check(status, None, "cannot create SASL server context")
        self._secure(security)

    def mechanisms(self) -> str:
        """The names that a client may choose from, by commas."""
        out = ctypes.c_char_p()
        status = self._lib.sasl_listmech(self._conn, None, b"", b",", b"", ctypes.byref(out), None, None)
        _check(status, self._conn, "cannot list SASL mechanisms")
        return (out.value or b"").decode()

    def start(self, mechanism: str, data: bytes | None) -> bytes | None:
        """The client's choice and first word; gives our answer."""
        return self._run(self._lib.sasl_server_start, data, mechanism.encode())

    def step(self, data: bytes | None) -> bytes | None:
        """The client's next word."""
        return self._run(self._lib.sasl_server_step, data)

    def _run(self, function: Any, data: bytes | None, *before: bytes) -> bytes | None:
        out, size = _c_bytes(), ctypes.c_uint()
        status = function(self._conn, *before, data, len(data or b""), ctypes.byref(out), ctypes.byref(size))
        self.complete = _check(status, self._conn, "SASL negotiation") == OK
        return ctypes.string_at(out, size.value) if out else None


class Client(_Login):
    """A client's side."""

    def __init__(self, host: str, security: Security, local: str | None, remote: str | None) -> None:
        super().__init__()
        if "client" not in _ready:
            _check(self._lib.sasl_client_init(None), None, "cannot initialize SASL library")
            _ready.add("client")
        kinds = (AUTHNAME, USER, PASS, ECHO, NOECHO, REALM)
        self._callbacks = (_Callback * 7)(*(_Callback(kind, None, None) for kind in (*kinds, _LIST_END)))
        status = self._lib.sasl_client_new(
            b"libvirt",
            host.encode(),
            _text(local),
            _text(remote),
            self._callbacks,
            _SUCCESS_DATA,
            ctypes.byref(self._conn),
        )
        _check(status, None, "Failed to create SASL client context")
        self.mechanism = ""
        self._answers: list[Any] = []
        self._secure(security)

    def start(self, mechanisms: str, answers: Answers) -> bytes | None:
        """The best of the mechanisms is taken; gives our first word."""
        out, size, name = _c_bytes(), ctypes.c_uint(), ctypes.c_char_p()
        asked = ctypes.POINTER(_Interaction)()
        while True:
            status = self._lib.sasl_client_start(
                self._conn,
                mechanisms.encode(),
                ctypes.byref(asked),
                ctypes.byref(out),
                ctypes.byref(size),
                ctypes.byref(name),
            )
            if status != INTERACT:
                break
            self._answer(asked, answers)
        _check(status, self._conn, "Failed to start SASL negotiation")
        self.complete = status == OK
        self.mechanism = (name.value or b"").decode()
        return ctypes.string_at(out, size.value) if out else None

    def step(self, data: bytes | None, answers: Answers) -> bytes | None:
        """The daemon's word; gives ours."""
        out, size = _c_bytes(), ctypes.c_uint()
        asked = ctypes.POINTER(_Interaction)()
        while True:
            status = self._lib.sasl_client_step(
                self._conn, data, len(data or b""), ctypes.byref(asked), ctypes.byref(out), ctypes.byref(size)
            )
            if status != INTERACT:
                break
            self._answer(asked, answers)
        self.complete = _check(status, self._conn, "Failed SASL step") == OK
        return ctypes.string_at(out, size.value) if out else None

    def _answer(self, asked: Any, answers: Answers) -> None:
        wanted, at = [], 0
        while asked[at].id != _LIST_END:
            wanted.append((int(asked[at].id), (asked[at].prompt or b"").decode("utf-8", "replace")))
            at += 1
        given = answers(wanted)
        for index, (kind, _) in enumerate(wanted):
            value = given.get(kind, b"")
            self._answers.append(value)
            asked[index].result, asked[index].length = value, len(value)


def _text(value: str | None) -> bytes | None:
    return value.encode() if value else None
