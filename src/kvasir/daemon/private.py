"""A daemon of one client's own with the test driver alone, on a socket that the client hands over: ``test:///default``.

    python -m kvasir.daemon.private FD

It has no files, and goes with its client.
"""

from __future__ import annotations

import asyncio
import socket
import sys

from kvasir.daemon import config
from kvasir.daemon.app import Daemon
from kvasir.daemon.channel import PlainChannel
from kvasir.daemon.paths import Paths
from kvasir.daemon.service import Limits, Listener, Service
from kvasir.daemon.workers import Workers
from kvasir.rpc import programs
from kvasir.testdriver.worlds import TestWorlds


class Private(Daemon):
    """Ends when its client leaves."""

    def client_went(self) -> None:
        self.end()


async def serve(fd: int) -> None:
    """Serve the client until it leaves."""
    settings = config.load_daemon("/nonexistent/libvirtd.conf", False)
    daemon = Private(Paths.system(), settings, config.load_qemu("/nonexistent/qemu.conf", False))
    daemon.drivers = {"test": TestWorlds()}
    served = (programs.REMOTE, programs.QEMU, programs.LXC)
    limits = Limits(1, 0, settings.max_client_requests, settings.keepalive_interval, settings.keepalive_count, False)
    service = Service("libvirtd", daemon, served, [], limits, Workers(2, 1, 1))
    daemon.services["libvirtd"] = service
    service.start()
    sock = socket.socket(fileno=fd)
    service.adopt(PlainChannel(sock), Listener(sock, "", ours=False))
    await daemon.wait()
    service.stop()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
