"""Chapter 9, procedure 9.2: a guest on a bridge of the host boots from a server out there."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.conftest import PROJECT
from tests.waiting import until

from .conftest import NetDaemon


@pytest.mark.guide("proc-pxe-bridge")
def test_boots_from_a_server_behind_the_bridge(netd: NetDaemon) -> None:
    """virt-install warns of --prompt and goes on; the guest's DHCP broadcast is on the bridge; it fetches its boot file outside."""
    netd.inside("sh", "-c", "ip link add breth0 type bridge forward_delay 0 && ip link set breth0 up")
    server = netd.host("server")
    netd.wire(server, "eth0p", "eth0")
    netd.inside("ip", "link", "set", "eth0p", "master", "breth0")
    server.run("ip", "address", "add", "10.9.57.1/24", "dev", "eth0")
    root, log = netd.folder / "tftp9", netd.folder / "pxe9.log"
    root.mkdir()
    netd.folder.chmod(0o755)
    (root / "boot.ipxe").write_text("#!ipxe\necho it has come\nsleep 600\n")
    command = server.command("dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--port=0", "--interface=eth0", "--bind-dynamic",
                             "--dhcp-range=10.9.57.10,10.9.57.20", f"--dhcp-leasefile={netd.folder}/pxe9.leases", "--dhcp-boot=boot.ipxe",
                             "--enable-tftp", f"--tftp-root={root}", "--log-dhcp", f"--log-facility={log}", "--user=root")  # fmt: skip
    services = subprocess.Popen(command)
    sniff = ("import socket\ns = socket.socket(17, 3, socket.htons(3)); s.bind(('breth0', 0)); s.settimeout(240); print('ready', flush=True)\n"
             "while True:\n    f = s.recv(2048)\n    if f[:6] == b'\\xff' * 6 and f[6:12].hex() == '525400090201' and f[36:38] == b'\\0\\x43':\n"
             "        print('asked'); break")  # fmt: skip
    listener = subprocess.Popen(netd.ground.command(sys.executable, "-c", sniff), stdout=subprocess.PIPE, text=True)
    try:
        assert listener.stdout is not None and listener.stdout.readline() == "ready\n"
        install = [sys.executable, "-m", "kvasir.cli.virt_install", "--connect", netd.uri, "--name", "pxe9", "--memory", "128", "--virt-type", "qemu",
                   "--disk", "none", "--pxe", "--network", "bridge=breth0,model=virtio,mac=52:54:00:09:02:01", "--prompt", "--graphics", "none",
                   "--noautoconsole", "--osinfo", "generic"]  # fmt: skip
        env = {**os.environ, "PYTHONPATH": str(PROJECT / "src")}
        done = subprocess.run(install, env=env, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr
        assert "--prompt mode is no longer supported." in done.stderr + done.stdout
        live = netd.say("dumpxml", "pxe9")
        assert "<boot dev='network'/>" in live and "<source bridge='breth0'/>" in live
        until(lambda: log.exists() and f"sent {root}/boot.ipxe to 10.9.57." in log.read_text(), seconds=180)
        assert listener.wait(30) == 0 and listener.stdout.read() == "asked\n"
        assert "52:54:00:09:02:01" in log.read_text()
    finally:
        for name in ("destroy", "undefine"):
            netd.virsh(name, "pxe9")
        for child in (services, listener):
            child.kill()
            child.wait()
