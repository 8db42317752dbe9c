"""Kerberos logins (SASL GSSAPI) with a real KDC: our daemon with the C virsh and ours, the real daemon with ours, and what is refused."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import PROJECT, Peers, short_folder
from tests.remote.hosts import Pair
from tests.remote.kerberos import Realm
from tests.remote.test_tls import both, in_

TCP = 'listen_tls = 0\nlisten_tcp = 1\nauth_tcp = "sasl"\nauth_unix_rw = "sasl"\n'
URI = "qemu+tcp://host2/system"
MECHANISM = "mech_list: GSSAPI\n"
REFUSED = "error: authentication failed: authentication failed"


@pytest.fixture(scope="module")
def realm(pair: Pair, open_folder: Path, root: Path) -> Iterator[Realm]:
    made = Realm(pair, open_folder / "realm", pair.server.address)
    kdc = made.up()
    (root / "etc/sasl2").mkdir(parents=True)
    (root / "etc/sasl2/libvirt.conf").write_text(MECHANISM)
    pair.server.env.update(made.env, KRB5_KTNAME=str(made.keytab))
    pair.client.env.update(made.env)
    yield made
    kdc.terminate()
    kdc.wait(20)


@pytest.fixture
def site(pair: Pair, realm: Realm) -> Iterator[Pair]:
    realm.logout()
    yield pair
    realm.logout()


def last(done: subprocess.CompletedProcess[str]) -> str:
    return done.stderr.splitlines()[-1]


def test_a_ticket_opens_the_door(site: Pair, realm: Realm, root: Path, cache: Path) -> None:
    """No name or password is asked for; all that follows goes through the layer; without a ticket the same words of both virsh."""
    with site.daemon(root, TCP, "--listen"):
        none = [last(done) for done in both(site.client, cache, "-c", URI, "list")]
        assert none[0] == none[1] and "No Kerberos credentials available" in none[0], none
        realm.login(site.client, "fred", "secret")
        assert all(in_(done) for done in both(site.client, cache, "-c", URI, "list"))
        big = [done.stdout for done in both(site.client, cache, "-c", URI, "capabilities")]
        assert big[0] == big[1] and len(big[0]) > 4000
        assert "> is fred" in (root / "daemon.log").read_text()
        for word in ("GSSAPI", "SCRAM-SHA-256"):
            done = site.client.ours("-c", f"{URI}?auth=sasl.{word}", "list")
            assert in_(done) == (word == "GSSAPI"), done.stderr


def test_only_the_principals_of_the_list(site: Pair, realm: Realm, root: Path, cache: Path) -> None:
    with site.daemon(root, TCP + 'sasl_allowed_username_list = ["fred"]\n', "--listen"):
        realm.login(site.client, "barney", "bedrock")
        assert [last(done) for done in both(site.client, cache, "-c", URI, "list")] == [REFUSED] * 2
        assert "'barney' not allowed by sasl_allowed_username_list" in (root / "daemon.log").read_text()
        realm.login(site.client, "fred", "secret")
        assert all(in_(done) for done in both(site.client, cache, "-c", URI, "list"))


def test_wrong_tickets(site: Pair, realm: Realm, root: Path, cache: Path) -> None:
    """A ticket that has expired; a service that the realm does not know; one whose key the daemon has not; clocks that differ by more than
    five minutes: refused, and both virsh say the same."""
    with site.daemon(root, TCP, "--listen"):
        realm.login(site.client, "fred", "secret", "-l", "2s")
        time.sleep(3)
        said = [last(done) for done in both(site.client, cache, "-c", URI, "list")]
        assert said[0] == said[1] and "expired" in said[0], said
        realm.login(site.client, "fred", "secret")
        said = [last(done) for done in both(site.client, cache, "-c", URI.replace("host2", "mycommonname"), "list")]
        assert said[0] == said[1] and "not found in Kerberos database" in said[0], said
        said = [last(done) for done in both(site.client, cache, "-c", URI.replace("host2", "othername"), "list")]
        assert said == [REFUSED] * 2, said
        for cached in (False, True):
            if cached:  # now the daemon sees the difference, before it the KDC did
                assert all(in_(done) for done in both(site.client, cache, "-c", URI, "list"))
            site.client.env.update(LD_PRELOAD=str(realm.faketime), FAKETIME="+10m")
            try:
                said = [last(done) for done in both(site.client, cache, "-c", URI, "list")]
            finally:
                del site.client.env["LD_PRELOAD"], site.client.env["FAKETIME"]
            assert said[0] == said[1] and (said[0] == REFUSED if cached else "Clock skew too great" in said[0]), said
        assert "gss_accept_sec_context" in (root / "daemon.log").read_text()


def test_the_real_daemon_lets_our_client_in(site: Pair, realm: Realm, peers: Peers, open_folder: Path) -> None:
    """libvirtd with the same keytab on its socket for readers: both virsh with a ticket, neither without."""
    peer = str(PROJECT / "scripts/peer")
    env = {**os.environ, **realm.env, "KVASIR_PEERS": str(peers.root), "KRB5_KTNAME": str(realm.keytab)}
    with short_folder("kv-gss-") as folder:
        subprocess.run(
            [peer, "libvirtd", "--dir", str(folder), "--background"], env=env, check=True, capture_output=True
        )
        try:
            script = (
                "sed -i /auth_unix_ro/d /etc/libvirt/libvirtd.conf; echo 'auth_unix_ro = \"sasl\"' >> /etc/libvirt/libvirtd.conf; "
                f"mkdir -p /etc/sasl2; printf '{MECHANISM.strip()}\\nkeytab: {realm.keytab}\\n' > /etc/sasl2/libvirt.conf"
            )
            subprocess.run([peer, "exec", "--dir", str(folder), "--", "sh", "-c", script], env=env, check=True)
            subprocess.run([peer, "restart", "--dir", str(folder)], env=env, check=True, capture_output=True)
            uri = f"qemu+unix:///system?socket={folder}/libvirt-sock-ro"
            said = [last(done) for done in both(site.client, peers.root, "-c", uri, "list")]
            assert said[0] == said[1] and "No Kerberos credentials available" in said[0], said
            realm.login(site.client, "fred", "secret")
            assert all(in_(done) for done in both(site.client, peers.root, "-c", uri, "list"))
        finally:
            subprocess.run([peer, "stop", "--dir", str(folder)], env=env, check=True)
