"""Viewers of our own writing: RFB (VNC) with VeNCrypt and SASL, and the first words of SPICE, as their documents have them."""

from __future__ import annotations

import socket
import ssl
import struct
import subprocess
from typing import Any

NONE, VNC, SASL, VENCRYPT = 1, 2, 20, 19
X509 = {"none": 260, "vnc": 261, "plain": 262, "sasl": 263}
TICKET = 128


def trusting(cacert: Any, client: Any = None) -> ssl.SSLContext:
    """TLS that takes only servers of the authority, by their name; ``client`` is (certificate, key)."""
    context = ssl.create_default_context(cafile=str(cacert))
    if client is not None:
        context.load_cert_chain(*map(str, client))
    return context


def cipher(password: str, challenge: bytes) -> bytes:
    """The answer of VNC authentication: DES under the password with the bits of each byte turned round."""
    key = bytes(int(f"{byte:08b}"[::-1], 2) for byte in password.encode().ljust(8, b"\0")[:8])
    command = ["openssl", "enc", "-des-ecb", "-nopad", "-provider", "legacy", "-provider", "default", "-K", key.hex()]
    return subprocess.run(command, input=challenge, capture_output=True, check=True).stdout


class Refused(Exception):
    """The server does not let this viewer in."""


class Viewer:
    """A VNC client: ``kinds`` are the security types that the server offers."""

    def __init__(self, place: int | str) -> None:
        if isinstance(place, int):
            self.line: socket.socket = socket.create_connection(("127.0.0.1", place), timeout=60)
        else:
            self.line = socket.socket(socket.AF_UNIX)
            self.line.connect(place)
        self.version = self.read(12)
        self.line.sendall(b"RFB 003.008\n")
        self.kinds = list(self.read(self.read(1)[0]))

    def __enter__(self) -> Viewer:
        return self

    def __exit__(self, *_: object) -> None:
        self.line.close()

    def read(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            piece = self.line.recv(count - len(data))
            if not piece:
                raise Refused("the server hung up")
            data += piece
        return data

    def number(self) -> int:
        return int(struct.unpack(">I", self.read(4))[0])

    def encrypt(self, context: ssl.SSLContext, kind: str, name: str = "localhost") -> list[int]:
        """VeNCrypt 0.2: choose the kind, then TLS; gives the kinds that were offered."""
        self.line.sendall(bytes([VENCRYPT]))
        assert self.read(2) == b"\0\2", "VeNCrypt 0.2"
        self.line.sendall(b"\0\2")
        assert self.read(1) == b"\0"
        offered = [self.number() for _ in range(self.read(1)[0])]
        self.line.sendall(struct.pack(">I", X509[kind]))
        if self.read(1) != b"\1":
            raise Refused("this kind is not to be had")
        self.line = context.wrap_socket(self.line, server_hostname=name)
        return offered

    def let_in(self) -> None:
        """Read the server's decision. Raises Refused with its reason."""
        if self.number() != 0:
            raise Refused(self.read(self.number()).decode())

    def password(self, word: str, *, chosen: bool = False) -> None:
        """VNC authentication; ``chosen`` where VeNCrypt has agreed on it already."""
        if not chosen:
            self.line.sendall(bytes([VNC]))
        self.line.sendall(cipher(word, self.read(16)))
        self.let_in()

    def sasl_plain(self, user: str, word: str) -> list[str]:
        """A SASL login by PLAIN; gives the mechanisms that were offered."""
        offered = self.read(self.number()).decode().split(",")
        if "PLAIN" not in offered:
            raise Refused(f"only {offered}")
        first = f"\0{user}\0{word}".encode() + b"\0"
        self.line.sendall(struct.pack(">I", 5) + b"PLAIN" + struct.pack(">I", len(first)) + first)
        self.read(self.number())
        assert self.read(1) == b"\1", "PLAIN is one step"
        self.let_in()
        return offered

    def screen(self) -> tuple[int, int, str]:
        """ClientInit, ServerInit: width, height and name of the screen."""
        self.line.sendall(b"\1")
        width, height = struct.unpack(">HH", self.read(4))
        self.read(16)
        return width, height, self.read(self.number()).decode()


def spice_link(line: Any, password: str) -> int:
    """SPICE's first exchange on the main channel: the ticket under the server's key; 0 is in, 7 is permission denied."""

    def read(count: int) -> bytes:
        data = b""
        while len(data) < count:
            piece = line.recv(count - len(data))
            if not piece:
                raise Refused("the server hung up")
            data += piece
        return data

    message = struct.pack("<IBBIII", 0, 1, 0, 0, 0, 18)
    line.sendall(struct.pack("<4sIII", b"REDQ", 2, 2, len(message)) + message)
    magic, major, _minor, size = struct.unpack("<4sIII", read(16))
    assert (magic, major) == (b"REDQ", 2)
    reply = read(size)
    error, key = struct.unpack("<I", reply[:4])[0], reply[4:166]
    if error:
        return int(error)
    command = ["openssl", "pkeyutl", "-encrypt", "-pubin", "-keyform", "DER", "-inkey", "/dev/stdin"]
    import tempfile

    with tempfile.NamedTemporaryFile() as file:
        file.write(password.encode() + b"\0")
        file.flush()
        options = ["-in", file.name, "-pkeyopt", "rsa_padding_mode:oaep"]
        ticket = subprocess.run([*command, *options], input=key, capture_output=True, check=True).stdout
    assert len(ticket) == TICKET
    line.sendall(ticket)
    return int(struct.unpack("<I", read(4))[0])
