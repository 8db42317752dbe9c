"""Two daemons that listen on the network, each in a namespace of its own, and the same client on each way in."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.daemons import DRIVE, PEER, Ours, Real, Subject

SETTINGS = """listen_tls = 1
listen_tcp = 1
auth_tcp = "none"
listen_addr = "127.0.0.1"
ca_file = "{pki}/cacert.pem"
cert_file = "{pki}/servercert.pem"
key_file = "{pki}/serverkey.pem"
"""
WAYS = ("unix", "tcp", "tls")


def certificates(folder: Path) -> Path:
    """An authority, the daemons' certificate and the client's, in one folder."""
    from tests.remote.pki import Authority

    made = Authority(folder)
    made.server("server", "localhost", 'dns_name = "localhost"\nip_address = "127.0.0.1"\n')
    made.client("client", "bench")
    return folder


class Listening:
    """What both have: URIs of the three ways."""

    uri: str
    pki: Path

    def way(self, name: str) -> str:
        if name == "unix":
            return self.uri
        return f"qemu+{name}://127.0.0.1/system" + (f"?pkipath={self.pki}" if name == "tls" else "")


class OursListening(Listening, Ours):
    """kvasird with ``--listen``."""

    def __init__(self, folder: Path, pki: Path) -> None:
        self.pki = pki
        super().__init__(folder, False)

    def start(self) -> None:
        (self.folder / "etc/libvirt").mkdir()
        (self.folder / "etc/libvirt/libvirtd.conf").write_text(
            SETTINGS.format(pki=self.pki) + 'auth_unix_rw = "none"\n'
        )
        command = [sys.executable, "-m", "kvasir.daemon", "--root", str(self.folder), "--listen"]
        inside = ["unshare", "--net", "sh", "-c", 'ip link set lo up; exec "$@"', "sh", *command]
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen(
                inside, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )

    def command(self, phase: str, number: int) -> list[str]:
        words = [DRIVE, self.uri, phase, str(number), str(self.folder / "images")]
        return ["nsenter", "-n", "-t", str(self.pid()), "--", PEER, "run", "--", "python3", *words]


class RealListening(Listening, Real):
    """libvirtd with ``--listen``."""

    def __init__(self, folder: Path, pki: Path) -> None:
        self.pki = pki
        os.environ["KVASIR_PEER_CONF"] = SETTINGS.format(pki=pki)
        try:
            super().__init__(folder, True)
        finally:
            del os.environ["KVASIR_PEER_CONF"]

    def command(self, phase: str, number: int) -> list[str]:
        words = [DRIVE, self.uri, phase, str(number), str(self.folder / "images")]
        return [PEER, "exec", "--dir", str(self.folder), "--", "python3", *words]


def drive(subject: Subject, way: str, phase: str, number: int) -> list[float]:
    """Milliseconds of a phase over one way in."""
    assert isinstance(subject, Listening)
    plain = subject.uri
    subject.uri = subject.way(way)
    try:
        return [1000 * value for value in subject.drive(phase, number)]
    finally:
        subject.uri = plain


@contextlib.contextmanager
def pair(top: Path) -> Iterator[list[Subject]]:
    """Both daemons, with 100 guests each."""
    pki = certificates(top / "pki")
    subjects: list[Subject] = []
    try:
        subjects.append(OursListening(top / "ours-net", pki))
        subjects.append(RealListening(top / "real-net", pki))
        time.sleep(1)
        for subject in subjects:
            subject.drive("define", 100)
        yield subjects
    finally:
        for subject in subjects:
            subject.stop()
