"""SASL logins: over plain TCP with the library's own encryption, over TLS and over the unix socket."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kvasir.rpc import sasl
from kvasir.rpc.programs import REMOTE
from tests.remote.hosts import Host, Pair
from tests.remote.pki import Authority, install
from tests.remote.test_tls import both, in_, pairs
from tests.wire.harness import Raw

TCP = 'listen_tls = 0\nlisten_tcp = 1\nauth_tcp = "sasl"\nauth_unix_rw = "sasl"\n'
REFUSED = "error: authentication failed: authentication failed"
AUTH = """[credentials-one]
authname=fred
password=secret
[auth-libvirt-host2]
credentials=one
"""


@pytest.fixture
def site(pair: Pair, root: Path) -> Iterator[Pair]:
    """A server with the user fred, as saslpasswd2 makes one."""
    if shutil.which("saslpasswd2") is None:
        pytest.skip("no saslpasswd2 here (package sasl2-bin)")
    folder = root / "etc/sasl2"
    folder.mkdir(parents=True, exist_ok=True)
    mechanisms(root, "DIGEST-MD5 SCRAM-SHA-256 PLAIN")
    command = ["saslpasswd2", "-p", "-f", str(root / "passwd.db"), "-a", "libvirt"]
    for user, word in (("fred", b"secret"), ("barney", b"bedrock")):
        subprocess.run([*command, user], input=word, check=True)
    (pair.client.etc / "libvirt/auth.conf").write_text(AUTH)
    yield pair
    (pair.client.etc / "libvirt/auth.conf").unlink(missing_ok=True)


def mechanisms(root: Path, names: str) -> None:
    (root / "etc/sasl2/libvirt.conf").write_text(f"mech_list: {names}\nsasldb_path: {root}/passwd.db\n")


def asked(host: Host, cache: Path, uri: str, text: str) -> list[subprocess.CompletedProcess[str]]:
    return [host.real(cache, "-c", uri, "list", text=text), host.ours("-c", uri, "list", text=text)]


@pytest.mark.guide("remote-transport-tcp", "trouble-uri-auth-failed", "trouble-uri-auth-sasl")
def test_plain_tcp_with_an_encrypting_mechanism(site: Pair, root: Path, cache: Path) -> None:
    """Name and password from auth.conf or from the terminal; the wrong ones are refused; the daemon's port is 16509."""
    uri = "qemu+tcp://host2/system"
    with site.daemon(root, TCP, "--listen"):
        assert all(in_(done) for done in both(site.client, cache, "-c", uri, "list"))
        big = [done.stdout for done in both(site.client, cache, "-c", uri, "capabilities")]
        assert big[0] == big[1] and len(big[0]) > 4000, "all that follows the login goes through the layer"
        (site.client.etc / "libvirt/auth.conf").unlink()
        for done in asked(site.client, cache, uri, "fred\nsecret\n"):
            assert done.returncode == 0, done.stderr
            assert done.stdout.startswith("Please enter your authentication name: Please enter your password: ")
        for text in ("fred\nwrong\n", "wilma\nsecret\n"):
            assert [done.stderr.splitlines()[-1] for done in asked(site.client, cache, uri, text)] == [REFUSED] * 2
        done = site.client.ours("-c", "qemu+tcp://fred@host2/system", "list", text="secret\n")
        assert done.returncode == 0, "the name of the URI is the one to log in with"


def test_only_the_users_of_the_list(site: Pair, root: Path, cache: Path) -> None:
    uri = "qemu+tcp://host2/system"
    (site.client.etc / "libvirt/auth.conf").unlink()
    with site.daemon(root, TCP + 'sasl_allowed_username_list = ["fred*"]\n', "--listen"):
        assert all(done.returncode == 0 for done in asked(site.client, cache, uri, "fred\nsecret\n"))
        for done in asked(site.client, cache, uri, "barney\nbedrock\n"):
            assert done.stderr.splitlines()[-1] == REFUSED, done.stderr
        assert "not allowed by sasl_allowed_username_list" in (root / "daemon.log").read_text()


def test_mechanisms_without_encryption_need_tls(site: Pair, root: Path, authority: Authority, cache: Path) -> None:
    """SCRAM and PLAIN are not offered on plain TCP, and both work inside TLS, after the certificates."""
    server, client = pairs(authority)
    install(root / "etc", authority, server, "server")
    install(site.client.etc, authority, client, "client")
    (site.client.etc / "libvirt/auth.conf").write_text(AUTH.replace("host2", "mycommonname"))
    for names in ("SCRAM-SHA-256", "PLAIN"):
        mechanisms(root, names)
        with site.daemon(root, TCP.replace("listen_tls = 0", "listen_tls = 1") + 'auth_tls = "sasl"\n', "--listen"):
            uri = "qemu+tls://mycommonname/system"
            assert all(in_(done) for done in both(site.client, cache, "-c", uri, "list")), names
            wrong = site.client.ours("-c", uri + "?authfile=/nonexistent", "list")
            assert wrong.returncode == 1
            (site.client.etc / "libvirt/auth.conf").rename(site.client.etc / "libvirt/aside")
            refused = asked(site.client, cache, uri, "fred\nwrong\n")
            assert [done.stderr.splitlines()[-1] for done in refused] == [REFUSED] * 2
            (site.client.etc / "libvirt/aside").rename(site.client.etc / "libvirt/auth.conf")
            for done in both(site.client, cache, "-c", "qemu+tcp://mycommonname/system", "list"):
                assert done.returncode == 1 and "no mechanism available" in done.stderr, done.stderr


def test_scram_on_plain_tcp_where_the_administrator_wants_it(site: Pair, root: Path) -> None:
    """``tcp_min_ssf = 0`` on the daemon and ``sasl_min_ssf=0`` in the URI: ours only, for networks that are safe otherwise."""
    mechanisms(root, "SCRAM-SHA-256")
    with site.daemon(root, TCP + "tcp_min_ssf = 0\n", "--listen"):
        assert in_(site.client.ours("-c", "qemu+tcp://host2/system?sasl_min_ssf=0", "list"))
        done = site.client.ours("-c", "qemu+tcp://host2/system", "list")
        assert done.returncode == 1 and "no mechanism available" in done.stderr


def test_unix_socket(site: Pair, root: Path, cache: Path) -> None:
    uri = f"qemu+unix:///system?socket={root}/run/libvirt/libvirt-sock"
    with site.daemon(root, TCP, "--listen"):
        done = site.server.real(cache, "-c", uri, "list", text="fred\nsecret\n")
        assert done.returncode == 0, done.stderr
        done = site.server.ours("-c", uri, "list", text="fred\nsecret\n")
        assert done.returncode == 0, done.stderr
        done = site.server.ours("-c", uri + "&auth=sasl.SCRAM-SHA-256", "list", text="fred\nsecret\n")
        assert done.returncode == 0, done.stderr
        done = site.server.ours("-c", uri + "&auth=sasl.GSSAPI", "list", text="fred\nsecret\n")
        assert (
            done.stderr.splitlines()[-1]
            == "error: authentication failed: SASL mechanism GSSAPI not supported by server"
        )


def scram(raw: Raw, replay: bytes | None = None) -> bytes:
    """Log in with SCRAM by hand; gives the last word of the client. ``replay`` is said in its place."""
    me = sasl.Client("localhost", sasl.Security(True), None, None)

    def answers(wanted: list[tuple[int, str]]) -> dict[int, bytes]:
        return {number: {sasl.PASS: b"secret"}.get(number, b"fred") for number, _ in wanted}

    raw.call("auth_sasl_init")
    data = me.start("SCRAM-SHA-256", answers)
    _, _, theirs = raw.call("auth_sasl_start", me.mechanism, 0, data)
    last = me.step(theirs, answers) or b""
    complete, _, theirs = raw.call("auth_sasl_step", 0, replay or last)
    assert complete
    return last


def test_broken_logins(site: Pair, root: Path, tmp_path: Path) -> None:
    """A replayed step, steps without a start, a mechanism that was not offered, garbage, calls before the end of the login: each
    gets an error, and nothing is served before it."""
    os.environ.pop("SASL_CONF_PATH", None)
    path = root / "run/libvirt/libvirt-sock"
    with site.daemon(root, TCP, "--listen"):
        first = Raw(path)
        last = scram(first)
        assert first.call("connect_open", "qemu:///system", 0) is None
        attempts: list[list[tuple[Any, ...]]] = [
            [
                ("auth_sasl_init",),
                ("auth_sasl_start", "SCRAM-SHA-256", 0, b"n,,n=fred,r=abc"),
                ("auth_sasl_step", 0, last),
            ],
            [("auth_sasl_step", 0, last)],
            [("auth_sasl_start", "SCRAM-SHA-256", 0, b"n,,n=fred,r=abc")],
            [("auth_sasl_init",), ("auth_sasl_init",)],
            [("auth_sasl_init",), ("auth_sasl_start", "ANONYMOUS", 0, b"me")],
            [("auth_sasl_init",), ("auth_sasl_start", "PLAIN", 0, b"\0fred\0wrong")],
            [("auth_sasl_init",), ("auth_sasl_start", "SCRAM-SHA-256", 0, b"\xff" * 5000)],
            [("auth_sasl_init",), ("connect_open", "qemu:///system", 0)],
            [("auth_polkit",)],
        ]
        for steps in attempts:
            raw = Raw(path)
            for step in steps[:-1]:
                raw.call(*step)
            with pytest.raises(Exception, match=r"authentication (failed|required)"):
                raw.call(*steps[-1])
            with pytest.raises(Exception, match="authentication required"):
                raw.call("connect_get_hostname")
            raw.close()
        assert first.call("connect_get_hostname"), "who is in stays in"
        raw = Raw(path)
        with pytest.raises(Exception, match="authentication failed"):
            scram(raw, replay=last)
        assert REMOTE["auth_sasl_step"].number == 69
