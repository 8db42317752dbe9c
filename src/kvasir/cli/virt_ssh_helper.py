"""``virt-ssh-helper [-r] [URI]``: what a client at the other end of ssh runs here. Joins its input and output to the daemon's socket."""

from __future__ import annotations

import os
import select
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kvasir.client.link import Channel

USAGE = "usage: virt-ssh-helper [-r|--readonly] [-V|--version] [-h|--help] [URI]"
CHUNK = 64 * 1024


def relay(sock: Channel, source: int = 0, target: int = 1) -> None:
    """Copy both ways until either side ends. Nothing is read that cannot be passed on at once."""
    poll = select.poll()
    poll.register(source, select.POLLIN)
    poll.register(sock.fileno(), select.POLLIN)
    while True:
        for fd, _ in poll.poll():
            if fd == source:
                data = os.read(source, CHUNK)
                if not data:
                    return
                sock.sendall(data)
            else:
                data = sock.recv(CHUNK)
                if not data:
                    return
                view = memoryview(data)
                while view:
                    view = view[os.write(target, view) :]


def main(argv: list[str] | None = None) -> int:
    """Entry point."""
    from kvasir import __version__
    from kvasir.client import transport, uri
    from kvasir.errors import Error

    words = list(sys.argv[1:] if argv is None else argv)
    readonly = False
    while words and words[0].startswith("-"):
        word = words.pop(0)
        if word in ("-r", "--readonly"):
            readonly = True
        elif word in ("-V", "--version"):
            print(f"virt-ssh-helper (kvasir) {__version__}")
            return 0
        else:
            print(USAGE, file=sys.stdout if word in ("-h", "--help") else sys.stderr)
            return 0 if word in ("-h", "--help") else 1
    if len(words) > 1:
        print(USAGE, file=sys.stderr)
        return 1
    try:
        asked = uri.Uri(uri.choose(words[0] if words else None))
        if asked.transport not in ("", "unix") or asked.host:
            print("virt-ssh-helper: unsupported URI: only a daemon of this host can be reached", file=sys.stderr)
            return 1
        relay(transport.connect(asked, readonly))
    except Error as problem:
        print(f"virt-ssh-helper: {problem.message}", file=sys.stderr)
        return 1
    except (BrokenPipeError, ConnectionResetError, KeyboardInterrupt):
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
