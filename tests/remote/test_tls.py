"""TLS (guide 18.3): who gets in, and who does not, with the C virsh and with ours, between two hosts."""

from __future__ import annotations

import shutil
import subprocess
import time
from pathlib import Path

import pytest

from tests.remote.hosts import Host, Pair
from tests.remote.pki import LONG_AGO, Authority, certtool, install
from tests.waiting import until

TLS = "listen_tls = 1\n"
NO_WELCOME = "error: Unable to read TLS confirmation: Input/output error"


def pairs(authority: Authority) -> tuple[tuple[Path, Path], tuple[Path, Path]]:
    """The server's and a client's certificate, made once."""
    folder = authority.folder
    if not (folder / "servercert.pem").exists():
        authority.server("server", "mycommonname", 'dns_name = "mycommonname"\nip_address = "10.77.0.1"\n')
        authority.client("client", "client1")
    return tuple((folder / f"{stem}cert.pem", folder / f"{stem}key.pem") for stem in ("server", "client"))  # type: ignore[return-value]


@pytest.fixture
def site(pair: Pair, authority: Authority, root: Path) -> Pair:
    """Certificates at libvirt's places on both hosts."""
    server, client = pairs(authority)
    for folder in (root / "etc/pki", pair.client.etc / "pki"):
        shutil.rmtree(folder, ignore_errors=True)
    install(root / "etc", authority, server, "server")
    install(pair.client.etc, authority, client, "client")
    return pair


def both(host: Host, cache: Path, *words: str) -> list[subprocess.CompletedProcess[str]]:
    return [host.real(cache, *words), host.ours(*words)]


def in_(done: subprocess.CompletedProcess[str]) -> bool:
    print(done.stderr)
    return done.returncode == 0 and done.stdout.split()[:3] == ["Id", "Name", "State"]


@pytest.mark.guide(
    *("remote-transport-tls", "remote-transport-default", "remote-uri-example-tls", "remote-uri-example-hostname"),
    *("tls-remote-management", "tls-server-cert", "tls-client-cert", "tls-file-locations", "tls-ca-install"),
    *("proc-tls-ca", "tls-ca-private-key", "tls-ca-info", "remote-uri-scheme-remote", "tls-gnutls-utils"),
    *("trouble-uri-not-configured", "trouble-libvirtd-start-fix-ca"),
)
def test_certificates_open_the_door(site: Pair, authority: Authority, root: Path, cache: Path) -> None:
    """Default port and places; nothing of the talk is to be read on the wire; the name in the URI counts."""
    shown = certtool("-i", "--infile", str(root / "etc/pki/libvirt/servercert.pem"))
    assert "CN=mycommonname" in shown
    with site.daemon(root, TLS, "--listen"):
        for uri in ("qemu://mycommonname/system", "qemu+tls://10.77.0.1:16514/system"):
            assert all(in_(done) for done in both(site.client, cache, "-c", uri, "list"))
            assert [done.stdout for done in both(site.client, cache, "-c", uri, "uri")] == [uri + "\n\n"] * 2
        theirs, mine = both(site.client, cache, "-c", "remote://mycommonname/", "uri")
        assert (theirs.returncode, mine.stdout.strip()) == (0, "qemu:///system"), (theirs.stderr, mine.stderr)
        for done in both(site.client, cache, "-c", "qemu://host2/system", "list"):
            assert done.returncode == 1 and "error: authentication failed: " in done.stderr, done.stderr
        shutil.rmtree(site.client.etc / "pki/libvirt")
        for done in both(site.client, cache, "-c", "qemu://mycommonname/system", "list"):
            assert done.returncode == 1 and NO_WELCOME in done.stderr.splitlines(), done.stderr
        assert "TLS handshake failed" in (root / "daemon.log").read_text()


@pytest.mark.guide("remote-uri-param-no-verify")
def test_no_verify_on_either_side(site: Pair, root: Path, cache: Path) -> None:
    with site.daemon(root, TLS, "--listen"):
        for done in both(site.client, cache, "-c", "qemu://othername/system", "list"):
            assert done.returncode == 1 and "error: authentication failed: " in done.stderr, done.stderr
        assert all(in_(done) for done in both(site.client, cache, "-c", "qemu://othername/system?no_verify=1", "list"))
    shutil.rmtree(site.client.etc / "pki/libvirt")
    with site.daemon(root, TLS + "tls_no_verify_certificate = 1\n", "--listen"):
        assert all(in_(done) for done in both(site.client, cache, "-c", "qemu://mycommonname/system", "list"))


def test_who_is_kept_out(site: Pair, authority: Authority, root: Path, cache: Path, tmp_path: Path) -> None:
    """Another authority's certificate, an expired one, a revoked one, a name that is not on the list."""
    stranger = Authority(tmp_path / "other")
    cases = {
        "stranger": stranger.client("stranger", "client1"),
        "expired": authority.client("expired", "client1", LONG_AGO),
        "revoked": authority.client("revoked", "client1"),
        "unlisted": authority.client("unlisted", "client2"),
    }
    (root / "etc/pki/CA/cacrl.pem").write_bytes(authority.revoke(cases["revoked"][0]).read_bytes())
    settings = TLS + 'tls_allowed_dn_list = ["C=US,*,O=Red Hat,CN=client1"]\n'
    with site.daemon(root, settings, "--listen"):
        assert all(in_(done) for done in both(site.client, cache, "-c", "qemu://mycommonname/system", "list"))
        for name, certificate in cases.items():
            folder = tmp_path / name
            folder.mkdir()
            for source, target in (
                (authority.cert, "cacert"),
                (certificate[0], "clientcert"),
                (certificate[1], "clientkey"),
            ):
                (folder / f"{target}.pem").write_bytes(source.read_bytes())
            for done in both(site.client, cache, "-c", f"qemu://mycommonname/system?pkipath={folder}", "list"):
                assert done.returncode == 1 and done.stdout.strip() == "", name
            words = both(site.client, cache, "-c", f"qemu://mycommonname/system?pkipath={folder}&no_sanity=1", "list")[
                1
            ]
            assert NO_WELCOME in words.stderr.splitlines(), (name, words.stderr)
        log = (root / "daemon.log").read_text()
        assert "certificate revoked" in log and "certificate has expired" in log and "O=Red Hat,CN=client2" in log
        assert all(in_(done) for done in both(site.client, cache, "-c", "qemu://mycommonname/system", "list"))


def test_certificates_are_read_anew(site: Pair, authority: Authority, root: Path, cache: Path) -> None:
    """``virt-admin server-update-tls`` and SIGHUP: new connections see the new files; broken files change nothing."""
    uri = "qemu://mycommonname/system"
    admin = f"libvirtd+unix:///system?socket={root}/run/libvirt/libvirt-admin-sock"
    tool = ["env", f"LD_LIBRARY_PATH={cache}/usr/lib/x86_64-linux-gnu", f"{cache}/usr/bin/virt-admin", "-c", admin]
    with site.daemon(root, TLS, "--listen"):
        assert in_(site.client.ours("-c", uri, "list"))
        crl = root / "etc/pki/CA/cacrl.pem"
        crl.write_bytes(authority.revoke(pairs(authority)[1][0]).read_bytes())
        assert in_(site.client.ours("-c", uri, "list"))
        done = site.server.run(*tool, "server-update-tls", "libvirtd")
        assert done.returncode == 0, done.stderr
        assert not in_(site.client.ours("-c", uri, "list"))
        crl.unlink()
        kept = root / "etc/pki/libvirt/servercert.pem"
        whole = kept.read_bytes()
        kept.write_bytes(b"broken")
        assert site.server.run(*tool, "server-update-tls", "libvirtd").returncode == 1
        assert not in_(site.client.ours("-c", uri, "list"))
        kept.write_bytes(whole)
        assert site.server.run(*tool, "server-update-tls", "libvirtd").returncode == 0
        assert in_(site.client.ours("-c", uri, "list"))


def test_priority_chooses_versions(site: Pair, root: Path, cache: Path) -> None:
    uri = "qemu://mycommonname/system?tls_priority="
    only_13, only_12 = "NORMAL:-VERS-ALL:%2BVERS-TLS1.3", "NORMAL:-VERS-ALL:%2BVERS-TLS1.2"
    with site.daemon(root, TLS + 'tls_priority = "NORMAL:-VERS-ALL:+VERS-TLS1.3"\n', "--listen"):
        assert all(in_(done) for done in both(site.client, cache, "-c", uri + only_13, "list"))
        for done in both(site.client, cache, "-c", uri + only_12, "list"):
            assert done.returncode == 1 and "TLS handshake failed" in done.stderr, done.stderr
        done = site.client.ours("-c", uri + "NORMAL:-NONSENSE", "list")
        assert done.returncode == 1 and "'-NONSENSE' has no meaning here" in done.stderr


KNOCK = """
import socket, sys, time
kind, count = sys.argv[1], int(sys.argv[2])
socks = []
for _ in range(count):
    s = socket.create_connection(("10.77.0.1", 16514), 20)
    if kind == "plain":
        s.sendall(b"\\0\\0\\0\\x1c\\x20\\0\\x80\\x86" + bytes(20))
        try:
            assert s.recv(100)[:1] in (b"", b"\\x15"), "an answer in clear text"
        except ConnectionResetError:
            pass
    if kind == "slow":
        s.sendall(b"\\x16\\x03")
    socks.append(s)
print("there", flush=True)
sys.stdin.read()
"""


def test_bad_manners(site: Pair, root: Path, cache: Path) -> None:
    """Clear text on the TLS port is refused; twenty that never end their handshake hold nobody up for long."""
    uri = "qemu://mycommonname/system"
    with site.daemon(root, TLS, "--listen") as child:
        done = site.client.run("python3", "-c", KNOCK, "plain", "5", text="")
        assert done.returncode == 0 and "there" in done.stdout, done.stderr
        loris = subprocess.Popen(
            site.client.command("python3", "-c", KNOCK, "slow", "40"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert loris.stdout is not None and loris.stdout.readline() == "there\n"
        local = f"qemu+unix:///system?socket={root}/run/libvirt/libvirt-sock"
        assert in_(site.server.ours("-c", local, "list")), "the unix socket waits for nobody"
        begin = time.monotonic()
        assert in_(site.client.ours("-c", uri, "list"))
        assert time.monotonic() - begin < 30
        loris.communicate("")
        fds = Path(f"/proc/{child.pid}/fd")
        until(lambda: len(_sockets(fds)) <= 12, "sockets of clients that left stay open")


def _sockets(fds: Path) -> list[str]:
    found = []
    for link in fds.iterdir():
        try:
            target = str(link.readlink())
        except FileNotFoundError:
            continue
        if target.startswith("socket:"):
            found.append(target)
    return found


@pytest.mark.parametrize("missing", ["CA/cacert.pem", "libvirt/servercert.pem"])
def test_a_missing_file_is_named(site: Pair, root: Path, missing: str) -> None:
    (root / "etc/pki" / missing).unlink()
    with pytest.raises(AssertionError, match=f"Cannot read .* certificate '{root}/etc/pki/{missing}'"):
        site.daemon(root, TLS, "--listen").__enter__()


def test_an_expired_certificate_of_the_server_stops_the_start(site: Pair, authority: Authority, root: Path) -> None:
    cert, key = authority.server("old", "mycommonname", LONG_AGO)
    settings = TLS + f'cert_file = "{cert}"\nkey_file = "{key}"\n'
    with pytest.raises(AssertionError, match=f"The server certificate {cert} has expired"):
        site.daemon(root, settings, "--listen").__enter__()


def test_the_port_is_the_kernels(site: Pair, root: Path) -> None:
    """``listen_addr`` and ``tls_port`` are obeyed."""
    with site.daemon(root, TLS + 'listen_addr = "127.0.0.1"\ntls_port = "17000"\n', "--listen"):
        code = "import socket; socket.create_connection(('{}', 17000), 5)"
        assert site.server.run("python3", "-c", code.format("127.0.0.1")).returncode == 0
        assert site.client.run("python3", "-c", code.format("10.77.0.1")).returncode == 1
