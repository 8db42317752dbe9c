"""The two daemons that are measured: started, killed, started again, weighed, ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
PEER = str(PROJECT / "scripts/peer")
DRIVE = str(PROJECT / "benchmarks/drive.py")


class Subject:
    """A daemon under measurement."""

    name: str
    uri: str

    def __init__(self, folder: Path, with_peers: bool) -> None:
        self.folder = folder
        self.with_peers = with_peers
        (folder / "images").mkdir(parents=True)

    def pid(self) -> int:
        raise NotImplementedError

    def memory(self) -> float:
        """Resident memory in MiB."""
        for line in Path(f"/proc/{self.pid()}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
        raise ProcessLookupError(self.name)

    def cpu(self) -> float:
        """Seconds that all threads of the daemon have worked, user and system."""
        fields = Path(f"/proc/{self.pid()}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def command(self, phase: str, number: int) -> list[str]:
        words = [DRIVE, self.uri, phase, str(number), str(self.folder / "images")]
        return [PEER, "run", "--", "python3", *words] if self.with_peers else [sys.executable, *words]

    def drive(self, phase: str, number: int) -> list[float]:
        """Seconds of each repetition of a phase."""
        done = subprocess.run(self.command(phase, number), capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"{phase} on {self.name}: {done.stderr.strip().splitlines()[-1]}")
        return [float(line) for line in done.stdout.split()]

    def restart(self) -> None:
        """Kill -9, and start again at once."""
        raise NotImplementedError

    def ready_after_restart(self, number: int) -> float:
        """Seconds from the kill until a client has the list of all guests."""
        client = subprocess.Popen(
            self.command("ready", number), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert client.stdin and client.stdout
        assert client.stdout.readline() == "waiting\n"
        began = time.monotonic()
        self.restart()
        client.stdin.write("go\n")
        client.stdin.flush()
        moment = float(client.stdout.readline())
        client.wait()
        return moment - began


class Ours(Subject):
    """kvasird under a root of its own."""

    name = "kvasird"

    def __init__(self, folder: Path, with_peers: bool) -> None:
        super().__init__(folder, with_peers)
        self.uri = f"qemu+unix:///system?socket={folder}/run/libvirt/libvirt-sock"
        self.etc = folder / "etc"
        self.etc.mkdir()
        if with_peers:  # the real one's documents lie on a tmpfs too: the disk is not what is measured
            subprocess.run(["mount", "-t", "tmpfs", "kvasir-bench", str(self.etc)], check=True)
        self.start()
        end = time.monotonic() + 60
        while not (folder / "run/libvirt/libvirt-sock").exists():
            if self.process.poll() is not None or time.monotonic() > end:
                raise RuntimeError("kvasird did not start: " + (folder / "log").read_text()[-2000:])
            time.sleep(0.01)

    def start(self) -> None:
        command = [sys.executable, "-m", "kvasir.daemon", "--root", str(self.folder)]
        if os.geteuid() == 0:  # a network of its own, as the real one has
            command = ["unshare", "--net", "sh", "-c", 'ip link set lo up; exec "$@"', "sh", *command]
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )  # the kernel shares out the CPUs by session, and the real one has its own

    def pid(self) -> int:
        return self.process.pid

    def restart(self) -> None:
        self.process.kill()
        self.process.wait()
        self.start()

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait()
        if self.with_peers:
            subprocess.run(["umount", str(self.etc)], check=False)


class Real(Subject):
    """The real libvirtd, in namespaces."""

    name = "libvirtd"

    def __init__(self, folder: Path, with_peers: bool) -> None:
        super().__init__(folder, with_peers)
        done = subprocess.run([PEER, "libvirtd", "--dir", str(folder), "--background"], capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(done.stderr)
        self.uri = done.stdout.strip()

    def init(self) -> int:
        outer = (self.folder / "peer.pid").read_text()
        return int(Path(f"/proc/{outer}/task/{outer}/children").read_text().split()[0])

    def pid(self) -> int:
        init = self.init()
        for child in Path(f"/proc/{init}/task/{init}/children").read_text().split():
            if Path(f"/proc/{child}/comm").read_text().strip() == "libvirtd":
                return int(child)
        raise ProcessLookupError("libvirtd")

    def restart(self) -> None:
        old = self.pid()
        os.kill(self.init(), signal.SIGUSR1)
        while Path(f"/proc/{old}").exists():
            time.sleep(0.001)

    def stop(self) -> None:
        subprocess.run([PEER, "stop", "--dir", str(self.folder)], check=True)
