"""URIs of table 18.1 that need no other host: unix sockets anywhere, ext, the default, the test driver over TCP."""

from __future__ import annotations

from pathlib import Path

import pytest

from kvasir.client.uri import Uri
from kvasir.errors import Error
from tests.remote.hosts import Pair
from tests.remote.test_tls import both, in_

OPEN = 'listen_tls = 0\nlisten_tcp = 1\ntcp_port = "5000"\nauth_tcp = "none"\nauth_unix_rw = "none"\nauth_unix_ro = "none"\n'


@pytest.mark.guide("remote-uri-syntax")
@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("qemu:///system", ("qemu", "", "", "", 0, "/system")),
        ("qemu://hostname/", ("qemu", "", "", "hostname", 0, "/")),
        ("qemu+ssh://virtuser@host2/system", ("qemu", "ssh", "virtuser", "host2", 0, "/system")),
        ("qemu+tls://[fd00::1]:17000/system?no_verify=1", ("qemu", "tls", "", "fd00::1", 17000, "/system")),
        ("test+tcp://10.1.1.10:5000/default", ("test", "tcp", "", "10.1.1.10", 5000, "/default")),
        ("qemu+unix:///system?socket=/opt/a%20b/sock", ("qemu", "unix", "", "", 0, "/system")),
        ("remote+ssh://host", ("remote", "ssh", "", "host", 0, "")),
    ],
)
def test_parts(text: str, parts: tuple[object, ...]) -> None:
    found = Uri(text)
    assert (found.driver, found.transport, found.user, found.host, found.port, found.path) == parts


@pytest.mark.guide("remote-uri-syntax")
def test_what_is_no_uri(pair: Pair, root: Path) -> None:
    with pytest.raises(Error, match="does not include a driver name"):
        Uri("system")
    with pair.daemon(root, OPEN):
        done = pair.server.ours("-c", f"qemu+unix:///?socket={root}/run/libvirt/libvirt-sock", "list")
        assert done.returncode == 1 and "unexpected qemu URI path '/', try qemu:///system" in done.stderr, done.stderr


@pytest.mark.guide(
    *("remote-transport-unix", "remote-uri-example-unix-socket", "remote-transport-ext", "remote-uri-example-test-tcp"),
    "remote-uri-null-default",
)
def test_ways_on_one_host(pair: Pair, root: Path, cache: Path) -> None:
    """Both sockets with their modes, one named by its path, a wrapper of one's own, the mock hypervisor over TCP, the default."""
    run = root / "run/libvirt"
    wrapper = root / "wrapper"
    wrapper.write_text(
        "#!/usr/bin/python3\nimport os, select, socket\ns = socket.socket(socket.AF_UNIX)\n"
        f"s.connect('{run}/libvirt-sock')\n"
        "while True:\n"
        "    for fd in select.select([0, s], [], [])[0]:\n"
        "        data = os.read(0, 65536) if fd == 0 else s.recv(65536)\n"
        "        if not data: raise SystemExit\n"
        "        s.sendall(data) if fd == 0 else os.write(1, data)\n"
    )
    wrapper.chmod(0o755)
    with pair.daemon(root, OPEN + 'unix_sock_rw_perms = "0750"\n', "--listen"):
        assert (run / "libvirt-sock").stat().st_mode & 0o777 == 0o750 and (
            run / "libvirt-sock-ro"
        ).stat().st_mode & 0o777 == 0o777
        uri = f"qemu+unix:///system?socket={run}/libvirt-sock"
        assert all(in_(done) for done in both(pair.server, cache, "-c", uri, "list"))
        for done in both(pair.server, cache, "-c", f"{uri}-ro", "-r", "net-start", "default"):
            assert done.returncode == 1 and "read only" in done.stderr, done.stderr
        assert all(
            in_(done) for done in both(pair.server, cache, "-c", f"qemu+ext:///system?command={wrapper}", "list")
        )
        done = pair.server.ours("-c", "qemu+ext:///system", "list")
        assert "command is required" in done.stderr, done.stderr
        for done in both(pair.client, cache, "-c", "test+tcp://10.77.0.1:5000/default", "list"):
            assert done.returncode == 0 and done.stdout.split()[4:7] == ["1", "test", "running"], done.stderr
    pair.server.env["KVASIR_ROOT"] = str(root)
    try:
        with pair.daemon(root, OPEN):
            assert pair.server.ours("uri").stdout.strip() == "qemu:///system"
            pair.server.env["LIBVIRT_DEFAULT_URI"] = uri
            assert pair.server.ours("uri").stdout.strip() == uri
    finally:
        del pair.server.env["KVASIR_ROOT"], pair.server.env["LIBVIRT_DEFAULT_URI"]
