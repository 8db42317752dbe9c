"""An FTP server and a client that uses its active mode, for tests of RELATED: ``ftp.py serve ADDRESS`` and ``ftp.py get ADDRESS``.

The server opens the data connection from port 20, as the guide's filter wants it; ``ftp.py stray ADDRESS PORT`` opens one from port 20
that nobody announced.
"""

from __future__ import annotations

import ftplib
import socket
import sys

BODY = b"a file of the guest\n" * 200


def connect(source: str, to: tuple[str, int], seconds: float) -> socket.socket:
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.settimeout(seconds)
    made.bind((source, 20))
    made.connect(to)
    return made


def serve(address: str) -> None:
    listener = socket.create_server((address, 21))
    print("ready", flush=True)
    while True:
        control, _ = listener.accept()
        with control, control.makefile("rwb") as lines:
            talk(address, lines)


def talk(address: str, lines: object) -> None:
    to = ("", 0)

    def say(text: str) -> None:
        lines.write(text.encode() + b"\r\n")  # type: ignore[attr-defined]  # the file of a socket
        lines.flush()  # type: ignore[attr-defined]  # the same

    say("220 ready")
    for line in lines:  # type: ignore[attr-defined]  # the same
        word, _, rest = line.decode().strip().partition(" ")
        if word == "PORT":
            numbers = [int(part) for part in rest.split(",")]
            to = (".".join(map(str, numbers[:4])), numbers[4] * 256 + numbers[5])
            say("200 noted")
        elif word == "RETR":
            say("150 coming")
            try:
                with connect(address, to, 1.5) as data:
                    data.sendall(BODY)
            except OSError as problem:
                say(f"425 {problem}")
            else:
                say("226 done")
        elif word == "QUIT":
            say("221 bye")
            return
        else:
            say("230 fine" if word in ("USER", "PASS") else "200 fine")


def get(address: str) -> None:
    """Prints what became of it."""
    found: list[bytes] = []
    try:
        with ftplib.FTP(address, timeout=4) as ftp:
            ftp.login("a", "b")
            ftp.set_pasv(False)
            ftp.retrbinary("RETR file", found.append)
    except (ftplib.Error, OSError) as problem:
        print("failed", problem)
    else:
        print("whole" if b"".join(found) == BODY else "broken")


def stray(address: str, port: int) -> None:
    try:
        connect("0.0.0.0", (address, port), 1.5).close()
    except OSError as problem:
        print("failed", problem)
    else:
        print("connected")


if __name__ == "__main__":
    {"serve": serve, "get": get}[sys.argv[1]](sys.argv[2]) if sys.argv[1] != "stray" else stray(sys.argv[2], int(sys.argv[3]))
