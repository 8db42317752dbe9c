"""TLS records: what a client says in the handshake and after it, changed on its way. The daemon closes that connection and serves on."""

from __future__ import annotations

import random
import socket
import ssl
import subprocess
import time
from pathlib import Path

from kvasir.rpc import frames
from kvasir.rpc.programs import REMOTE
from tests.fuzz import mutate
from tests.fuzz.found import Found, resident, wait_of
from tests.fuzz.outside import LIMIT, Watcher, daemon
from tests.remote.pki import Authority

PORT = 16514


class Wire:
    """A client whose bytes pass through our hands."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_hostname="localhost")
        self.sock = socket.create_connection(("127.0.0.1", PORT))
        self.sock.settimeout(30)

    def step(self) -> bool:
        """One step of the handshake; true when it is done."""
        try:
            self.tls.do_handshake()
        except ssl.SSLWantReadError:
            return False
        return True

    def hear(self) -> bool:
        data = self.sock.recv(65536)
        self.incoming.write(data)
        return bool(data)


def attempt(chance: random.Random, context: ssl.SSLContext) -> bytes:
    """A connection that goes wrong in its first, second or third flight; what was sent last."""
    wire, flight = Wire(context), chance.randrange(3)
    try:
        for turn in range(3):
            done = wire.step()
            data = wire.outgoing.read()
            if turn == 2 or done:
                call = frames.pack(REMOTE.id, 1, REMOTE["auth_list"].number, frames.CALL, 0, frames.OK)
                wire.tls.write(call)
                data += wire.outgoing.read()
            if turn == flight:
                data = mutate.payload(chance, data)
                wire.sock.sendall(data)
                wire.sock.shutdown(socket.SHUT_WR)
                while wire.sock.recv(65536):
                    pass
                return data
            wire.sock.sendall(data)
            if not wire.hear():
                return data
        return data
    except (OSError, ssl.SSLError):
        return b""
    finally:
        wire.sock.close()


def run(root: Path, packets: int, seed: int = 1) -> Found:
    """A daemon with certificates, so many connections."""
    authority = Authority(root / "ca")
    pki = root / "etc/pki"
    server = authority.server("server", "localhost", 'dns_name = "localhost"\n')
    client = authority.client("client", "client1")
    (pki / "CA").mkdir(parents=True)
    (pki / "libvirt/private").mkdir(parents=True)
    for source, target in (
        (authority.cert, "CA/cacert.pem"),
        (server[0], "libvirt/servercert.pem"),
        (server[1], "libvirt/private/serverkey.pem"),
    ):
        (pki / target).write_bytes(source.read_bytes())
    context = ssl.create_default_context(cafile=str(authority.cert))
    context.load_cert_chain(client[0], client[1])
    chance, found = random.Random(seed), Found()
    with daemon(root, 'listen_addr = "127.0.0.1"\nmax_anonymous_clients = 20\n', "--listen") as child:
        watcher = Watcher(root / "run/libvirt/libvirt-sock", child.pid)
        watcher.start()
        warm = 0.0
        for number in range(packets):
            began, waited = time.monotonic(), wait_of(child.pid)
            data = attempt(chance, context)
            took = time.monotonic() - began - (wait_of(child.pid) - waited)
            found.packets += 1
            if took > LIMIT + 1:
                found.took("a handshake", took)
            if child.poll() is not None or "Traceback" in (root / "log").read_text():
                found.problem(f"handshake: {(root / 'log').read_text()[-1500:]}", data)
                return found
            if number in (packets // 3, packets - 1):
                time.sleep(0.5)
                found.growth, warm = (resident(child.pid) - warm if warm else 0.0), resident(child.pid)
        descriptors = subprocess.run(
            ["ls", f"/proc/{child.pid}/fd"], capture_output=True, text=True, check=True
        ).stdout.split()
        if len(descriptors) > 60:
            found.problem(f"{len(descriptors)} descriptors are open", b"")
        watcher.ends = True
        watcher.join(30)
        if watcher.worst > LIMIT or watcher.failed:
            found.problem(f"others waited {watcher.worst:.1f} s {watcher.failed}", b"")
    return found
