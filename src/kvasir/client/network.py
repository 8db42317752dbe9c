"""The way over the network: plain TCP, TLS with certificates of ours, and a SASL layer around either."""

from __future__ import annotations

import os
import socket

from kvasir.errors import AuthFailed, Code, Error, Origin

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from kvasir.client.link import Channel
    from kvasir.client.uri import Uri
    from kvasir.rpc.sasl import Client

TCP_PORT, TLS_PORT = 16509, 16514


def tcp(uri: Uri, port: int = TCP_PORT) -> socket.socket:
    """A connected TCP socket. Raises SYSTEM_ERROR with host and port."""
    number = uri.port or port
    try:
        found = socket.create_connection((uri.host or "localhost", number))
    except socket.gaierror as problem:
        text = f"Unable to resolve address '{uri.host or 'localhost'}' service '{number}': {problem.strerror}"
        raise Error(text, code=Code.SYSTEM_ERROR, origin=Origin.RPC) from None
    except OSError as problem:
        text = f"unable to connect to server at '{uri.host or 'localhost'}:{number}': {problem.strerror or problem}"
        hint = "does the daemon listen there? it is started with --listen, and reads listen_tls, listen_tcp"
        raise Error(text, code=Code.SYSTEM_ERROR, origin=Origin.RPC, int1=problem.errno or 0, hint=hint) from None
    found.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return found


def _files(uri: Uri) -> tuple[str, str, str, str]:
    """Authority, certificate, key, revocation list: of ``pkipath``, the user's own, or the system's."""
    from kvasir.client.uri import root

    folder = uri.parameter("pkipath")
    if folder is None and os.geteuid() != 0:
        own = os.path.expanduser("~/.pki/libvirt")
        folder = own if os.path.exists(own + "/cacert.pem") else None
    if folder is not None:
        return folder + "/cacert.pem", folder + "/clientcert.pem", folder + "/clientkey.pem", folder + "/cacrl.pem"
    pki = root() + "/etc/pki"
    ours = pki + "/libvirt"
    return pki + "/CA/cacert.pem", ours + "/clientcert.pem", ours + "/private/clientkey.pem", pki + "/CA/cacrl.pem"


def tls(uri: Uri) -> Channel:
    """A TLS channel to a daemon whose certificate is good for the host's name, and that accepted ours."""
    import ssl

    from kvasir.client.uri import configured
    from kvasir.rpc import tls as rules

    ca, cert, key, crl = _files(uri)
    mine = os.path.exists(cert) and os.path.exists(key)
    context = rules.make_context(False, ca, cert if mine else None, key if mine else None, crl)
    if mine and uri.parameter("no_sanity") != "1":
        rules.check_times(rules.read_certificate(cert, "client"), cert, "client")
    context.hostname_checks_common_name = True
    if uri.parameter("no_verify") == "1":
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    rules.apply_priority(context, uri.parameter("tls_priority") or str(configured("tls_priority") or ""))
    plain = tcp(uri, TLS_PORT)
    try:
        channel = context.wrap_socket(plain, server_hostname=uri.host or "localhost")
    except ssl.SSLCertVerificationError as problem:
        plain.close()
        raise AuthFailed(f"Failed to verify peer's certificate: {problem.verify_message}", origin=Origin.RPC) from None
    except OSError as problem:
        plain.close()
        text = f"TLS handshake failed: {getattr(problem, 'reason', None) or problem.strerror or problem}"
        raise AuthFailed(text, origin=Origin.RPC) from None
    hint = f"the daemon did not accept our certificate ({cert if mine else f'there is none: {cert}'}); its log says why"
    try:
        welcome = channel.recv(1)
    except OSError:
        welcome = b""
    if welcome != b"\x01":
        channel.close()
        if welcome:
            raise AuthFailed(
                "server verification (of our certificate or IP address) failed", origin=Origin.RPC, hint=hint
            )
        text = "Unable to read TLS confirmation: Input/output error"
        raise Error(text, code=Code.SYSTEM_ERROR, origin=Origin.RPC, int1=5, hint=hint)
    return channel


class SaslChannel:
    """A channel whose bytes pass through the layer that a SASL login made."""

    def __init__(self, channel: Channel, login: Client) -> None:
        self._channel, self._login = channel, login

    def sendall(self, data: bytes, /) -> None:
        self._channel.sendall(self._login.encode(data))

    def recv(self, size: int, /) -> bytes:
        while True:
            data = self._channel.recv(size)
            if not data:
                return b""
            clear = self._login.decode(data)
            if clear:
                return clear

    def fileno(self) -> int:
        return self._channel.fileno()

    def close(self) -> object:
        return self._channel.close()


def login(link: Any, uri: Uri, ask: Any, mechanism: str | None) -> None:
    """Log in by SASL; afterwards the link's bytes are encrypted where that was agreed."""
    from kvasir.client import auth
    from kvasir.rpc import programs, sasl

    sock = link.channel
    network = isinstance(sock, socket.socket) and sock.family != socket.AF_UNIX
    protected = not network or uri.transport == "tls"
    strength = sock.cipher()[2] if network and uri.transport == "tls" else 0
    local = _place(sock.getsockname()) if network else None
    remote = _place(sock.getpeername()) if network else None
    minimum = sasl.ENCRYPTED if uri.parameter("sasl_min_ssf") is None else int(uri.parameter("sasl_min_ssf") or 0)
    me = sasl.Client(uri.host or "localhost", sasl.Security(protected, minimum, strength), local, remote)
    offered = link.call(programs.REMOTE["auth_sasl_init"])
    if mechanism and mechanism not in offered.split(","):
        raise AuthFailed(f"SASL mechanism {mechanism} not supported by server", origin=Origin.RPC)
    answers = auth.Answers(uri, ask)
    data = me.start(mechanism or offered, answers)
    reply = link.call(programs.REMOTE["auth_sasl_start"], (me.mechanism, int(data is None), data or b""))
    while True:
        complete, nil, theirs = reply
        if not me.complete:
            data = me.step(None if nil else bytes(theirs), answers)
        if complete:
            break
        reply = link.call(programs.REMOTE["auth_sasl_step"], (int(data is None), data or b""))
    if not me.complete:
        raise AuthFailed("the daemon ended the SASL negotiation before we could check it", origin=Origin.RPC)
    if not protected:
        if me.strength < minimum:
            raise AuthFailed(f"negotiation SSF {me.strength} was not strong enough", origin=Origin.RPC)
        if me.strength:
            link.channel = SaslChannel(sock, me)


def _place(address: Sequence[Any]) -> str:
    return f"{address[0]};{address[1]}"
