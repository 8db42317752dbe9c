"""``python -m kvasir.cli.lock_failure URI|FOLDER UUID poweroff|pause``: run by the sanlock daemon when a guest's leases are lost.

FOLDER is that of the daemon's sockets.
"""

from __future__ import annotations

import sys

USAGE = "usage: lock_failure URI|FOLDER UUID poweroff|pause"


def main(argv: list[str]) -> int:
    """End or pause the guest; 1 where that fails, and sanlock ends it by force."""
    if len(argv) != 3 or argv[2] not in ("poweroff", "pause"):
        print(USAGE, file=sys.stderr)
        return 2
    from kvasir.client.connection import open as connect
    from kvasir.errors import Error

    uri = f"qemu+unix:///system?socket={argv[0]}/libvirt-sock" if argv[0].startswith("/") else argv[0]
    try:
        with connect(uri) as connection:
            guest = connection.lookupByUUIDString(argv[1])
            if guest.isActive():
                guest.destroy() if argv[2] == "poweroff" else guest.suspend()
    except Error as error:
        print(error.message, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
