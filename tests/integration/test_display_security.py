"""Who may look at a guest: VNC and SPICE with TLS, certificates, passwords and SASL, as a viewer meets them."""

from __future__ import annotations

import re
import shutil
import socket
import ssl
import subprocess
import time
from pathlib import Path

import pytest

from tests.conftest import DaemonHandle, KvasirDaemon, Peers
from tests.integration.viewers import NONE, SASL, VENCRYPT, VNC, X509, Refused, Viewer, spice_link, trusting
from tests.remote.pki import Authority

pytestmark = pytest.mark.skipif(not shutil.which("certtool"), reason="certtool is not installed (package gnutls-bin)")
GUEST = """\
<domain type='qemu'><name>{name}</name><memory unit='MiB'>32</memory>
<os><type arch='x86_64' machine='pc'>hvm</type></os><devices>{devices}</devices></domain>
"""
NEEDS_TLS = 5
SECRET = "11111111-2222-3333-4444-555555555555"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    made = Authority(tmp_path_factory.mktemp("authority"))
    made.server("server", "localhost", 'dns_name = "localhost"\n')
    made.client("client", "viewer1")
    return made


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    made = Authority(tmp_path_factory.mktemp("stranger"))
    made.client("client", "viewer1")
    return made


def lay(folder: Path, authority: Authority, key: Path | None = None) -> Path:
    """The folder that QEMU reads, which runs as another user."""
    folder.mkdir(parents=True)
    place = authority.folder
    for source, name in ((authority.cert, "ca-cert.pem"), (place / "servercert.pem", "server-cert.pem"),
                         (key or place / "serverkey.pem", "server-key.pem")):  # fmt: skip
        (folder / name).write_bytes(source.read_bytes())
        (folder / name).chmod(0o644)
    return folder


def configure(daemon: KvasirDaemon, text: str) -> None:
    """qemu.conf, and the daemon anew."""
    assert daemon.stop() == 0
    Path(daemon.folder, "etc/libvirt/qemu.conf").write_text(text)
    daemon.start()


def ok(daemon: KvasirDaemon, *words: str) -> str:
    done = daemon.our_virsh(*words)
    assert done.returncode == 0, f"{words}: {done.stderr}\n{daemon.log()}"
    return done.stdout


def start(daemon: KvasirDaemon, name: str, devices: str) -> dict[str, int]:
    """A guest; the ports of its display."""
    path = daemon.folder / f"{name}.xml"
    path.write_text(GUEST.format(name=name, devices=devices))
    ok(daemon, "create", str(path))
    text = ok(daemon, "dumpxml", name)
    line = re.search(r"<graphics [^>]*>", text)
    assert line is not None
    return {key: int(value) for key, value in re.findall(r"(\w+)='(\d+)'", line[0])}


def pair(authority: Authority) -> tuple[Path, Path]:
    return authority.folder / "clientcert.pem", authority.folder / "clientkey.pem"


def looks(
    port: int, context: ssl.SSLContext, kind: str = "none", name: str = "localhost", password: str = ""
) -> tuple[int, int, str]:
    """See the screen through VeNCrypt. Raises Refused or an SSLError."""
    with Viewer(port) as viewer:
        assert viewer.kinds == [VENCRYPT], "there is no way in without TLS"
        assert viewer.encrypt(context, kind, name) == [X509[kind]]
        if kind == "vnc":
            viewer.password(password, chosen=True)
        else:
            viewer.let_in()
        return viewer.screen()


def test_vnc_over_tls(kvasird: KvasirDaemon, authority: Authority, stranger: Authority) -> None:
    """vnc_tls: every viewer speaks TLS, checks the server's certificate, and its password is asked for inside."""
    folder = lay(kvasird.folder / "pki", authority)
    configure(kvasird, f'vnc_tls = 1\nvnc_tls_x509_cert_dir = "{folder}"\n')
    port = start(kvasird, "plain", "<graphics type='vnc'/>")["port"]
    width, _, name = looks(port, trusting(authority.cert))
    assert width >= 640 and name == "QEMU (plain)"
    with pytest.raises(ssl.SSLCertVerificationError):
        looks(port, trusting(stranger.cert))
    with pytest.raises(ssl.SSLCertVerificationError):
        looks(port, trusting(authority.cert), name="elsewhere")
    with Viewer(port) as viewer, pytest.raises(Refused):
        viewer.line.sendall(bytes([NONE]))
        viewer.let_in()
    port = start(kvasird, "word", "<graphics type='vnc' passwd='letmein'/>")["port"]
    assert looks(port, trusting(authority.cert), "vnc", password="letmein")[2] == "QEMU (word)"
    with pytest.raises(Refused):
        looks(port, trusting(authority.cert), "vnc", password="wrong")
    for name in ("plain", "word"):
        ok(kvasird, "destroy", name)


def test_viewers_show_a_certificate(kvasird: KvasirDaemon, authority: Authority, stranger: Authority) -> None:
    """vnc_tls_x509_verify, and a key behind a password that a secret holds; without the secret no guest starts."""
    locked = kvasird.folder / "locked.pem"
    command = ["openssl", "rsa", "-aes256", "-passout", "pass:open", "-in", str(authority.folder / "serverkey.pem")]
    subprocess.run([*command, "-out", str(locked)], check=True, capture_output=True)
    folder = lay(kvasird.folder / "pki", authority, locked)
    configure(kvasird, f'vnc_tls = 1\ndefault_tls_x509_cert_dir = "{folder}"\ndefault_tls_x509_verify = 1\n'
                       f'default_tls_x509_secret_uuid = "{SECRET}"\n')  # fmt: skip
    path = kvasird.folder / "checked.xml"
    path.write_text(GUEST.format(name="checked", devices="<graphics type='vnc'/>"))
    done = kvasird.our_virsh("create", str(path))
    assert f"Secret not found: no secret with matching uuid '{SECRET}'" in done.stderr
    path.with_name("secret.xml").write_text(
        f"<secret><uuid>{SECRET}</uuid><usage type='tls'><name>t</name></usage></secret>"
    )
    ok(kvasird, "secret-define", str(path.with_name("secret.xml")))
    ok(kvasird, "secret-set-value", SECRET, "--base64", "b3Blbg==")
    port = start(kvasird, "checked", "<graphics type='vnc'/>")["port"]
    assert looks(port, trusting(authority.cert, pair(authority)))[2] == "QEMU (checked)"
    for wrong in (trusting(authority.cert), trusting(authority.cert, pair(stranger))):
        with pytest.raises((Refused, OSError)):
            looks(port, wrong)
    ok(kvasird, "destroy", "checked")


@pytest.mark.skipif(not shutil.which("saslpasswd2"), reason="saslpasswd2 is not installed (package sasl2-bin)")
def test_sasl_on_vnc(kvasird: KvasirDaemon, authority: Authority) -> None:
    """vnc_sasl with vnc_sasl_dir: the library's users and passwords inside TLS; without TLS no plain password is taken."""
    place, users = kvasird.folder / "sasl", kvasird.folder / "users.db"
    place.mkdir()
    (place / "qemu.conf").write_text(f"mech_list: plain\nsasldb_path: {users}\n")
    subprocess.run(["saslpasswd2", "-p", "-c", "-f", str(users), "-a", "vnc", "fred"], input=b"secret", check=True)
    users.chmod(0o644)
    folder = lay(kvasird.folder / "pki", authority)
    sasl = f'vnc_sasl = 1\nvnc_sasl_dir = "{place}"\n'
    configure(kvasird, f'{sasl}vnc_tls = 1\nvnc_tls_x509_cert_dir = "{folder}"\n')
    port = start(kvasird, "sasl", "<graphics type='vnc'/>")["port"]
    for word, comes_in in (("secret", True), ("wrong", False)):
        with Viewer(port) as viewer:
            assert viewer.encrypt(trusting(authority.cert), "sasl") == [X509["sasl"]]
            if comes_in:
                assert viewer.sasl_plain("fred", word) == ["PLAIN"]
                assert viewer.screen()[2] == "QEMU (sasl)"
            else:
                with pytest.raises(Refused):
                    viewer.sasl_plain("fred", word)
    ok(kvasird, "destroy", "sasl")
    configure(kvasird, sasl)
    port = start(kvasird, "bare", "<graphics type='vnc'/>")["port"]
    with Viewer(port) as viewer, pytest.raises(Refused):
        assert viewer.kinds == [SASL]
        viewer.line.sendall(bytes([SASL]))
        viewer.sasl_plain("fred", "secret")
    ok(kvasird, "destroy", "bare")


@pytest.mark.guide("domxml-graphics-spice", "domxml-graphics-spice-channel")
def test_spice_over_tls(kvasird: KvasirDaemon, authority: Authority, stranger: Authority) -> None:
    """spice_tls: the port for TLS has the server's certificate; the ticket is asked for on both ports."""
    folder = lay(kvasird.folder / "pki", authority)
    configure(kvasird, f'spice_tls = 1\nspice_tls_x509_cert_dir = "{folder}"\nspice_password = "shared"\n')
    ports = start(kvasird, "spice", "<graphics type='spice' autoport='yes' passwd='ticket'/>")

    def link(port: int, word: str, context: ssl.SSLContext | None) -> int:
        with socket.create_connection(("127.0.0.1", port), timeout=60) as line:
            if context is None:
                return spice_link(line, word)
            with context.wrap_socket(line, server_hostname="localhost") as safe:
                return spice_link(safe, word)

    safe = trusting(authority.cert)
    assert link(ports["tlsPort"], "ticket", safe) == 0
    assert link(ports["tlsPort"], "wrong", safe) == 7
    assert link(ports["port"], "ticket", None) == 0
    assert link(ports["port"], "shared", None) == 7
    with pytest.raises(ssl.SSLCertVerificationError):
        link(ports["tlsPort"], "ticket", trusting(stranger.cert))
    assert ok(kvasird, "domdisplay", "spice", "--include-password").strip() == (
        f"spice://127.0.0.1:{ports['port']}?tls-port={ports['tlsPort']}&password=ticket"
    )
    ok(kvasird, "destroy", "spice")
    ports = start(kvasird, "shared", "<graphics type='spice' autoport='yes' defaultMode='secure'/>")
    assert "port" not in ports and link(ports["tlsPort"], "shared", safe) == 0
    ok(kvasird, "destroy", "shared")
    modes = "<channel name='main' mode='secure'/><channel name='record' mode='insecure'/>"
    chosen = f"<graphics type='spice' autoport='yes'>{modes}</graphics>"
    ports = start(kvasird, "chosen", chosen)
    assert link(ports["port"], "shared", None) == NEEDS_TLS and link(ports["tlsPort"], "shared", safe) == 0
    command = (kvasird.folder / "var/log/libvirt/qemu/chosen.log").read_text()
    assert "tls-channel=main,plaintext-channel=record" in command
    ok(kvasird, "destroy", "chosen")
    path = kvasird.folder / "bad.xml"
    for word in ("name='foo' mode='secure'", "name='main' mode='foo'"):
        path.write_text(GUEST.format(name="bad", devices=chosen.replace("name='main' mode='secure'", word)))
        assert "'foo'" in kvasird.our_virsh("create", str(path)).stderr
    configure(kvasird, "")
    path.write_text(GUEST.format(name="bad", devices=chosen))
    assert "spice TLS is disabled in qemu.conf" in kvasird.our_virsh("create", str(path)).stderr


def enters(port: int, word: str) -> bool:
    with Viewer(port) as viewer:
        assert viewer.kinds == [VNC]
        try:
            viewer.password(word)
        except Refused:
            return False
        return True


@pytest.mark.guide("domxml-graphics-passwdvalidto", "domxml-graphics-connected")
def test_a_password_changes_and_ends_while_the_guest_runs(kvasird: KvasirDaemon) -> None:
    """update-device gives a new password at once, and one that ends at its second of UTC."""
    port = start(kvasird, "words", "<graphics type='vnc' passwd='one'/>")["port"]
    path = kvasird.folder / "display.xml"

    def change(more: str) -> subprocess.CompletedProcess[str]:
        path.write_text(f"<graphics type='vnc' port='{port}' autoport='yes' listen='127.0.0.1' {more}/>")
        return kvasird.our_virsh("update-device", "words", str(path), "--live")

    assert enters(port, "one")
    assert change("passwd='two' connected='keep'").returncode == 0
    assert enters(port, "two") and not enters(port, "one")
    assert "VNC supports connected='keep' only" in change("passwd='two' connected='fail'").stderr
    end = int(time.time()) + 4
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(end))
    assert change(f"passwd='three' passwdValidTo='{stamp}'").returncode == 0
    assert f"passwdValidTo='{stamp}'" in ok(kvasird, "dumpxml", "--security-info", "words")
    came_in = False
    while enters(port, "three"):
        came_in = True
        assert time.time() < end + 60, "the password never ends"
    assert time.time() >= end and (came_in or time.time() > end)
    ok(kvasird, "destroy", "words")


SCRIPT = """
import libvirt, os, socket, sys
libvirt.registerErrorHandler(lambda *_: None, None)
domain = libvirt.open(sys.argv[1]).lookupByName("seen")
def greeting(line):
    line.settimeout(60)
    return line.recv(12).decode().strip()
mine, theirs = socket.socketpair()
domain.openGraphics(0, theirs.fileno(), int(sys.argv[2]))
print(greeting(mine))
print(greeting(socket.socket(fileno=domain.openGraphicsFD(0, int(sys.argv[2])))))
for call in (lambda: domain.openGraphics(5, theirs.fileno(), 0), lambda: domain.openGraphicsFD(5, 0)):
    try: call()
    except libvirt.libvirtError as error: print(error.get_error_code(), error.get_error_message())
"""


def test_a_viewer_gets_the_display_as_a_descriptor(
    kvasird: KvasirDaemon, real_libvirtd: DaemonHandle, peers: Peers
) -> None:
    """virDomainOpenGraphics and its FD form on both daemons: a connection of the display, and the same errors."""
    said = []
    for daemon in (kvasird, real_libvirtd):
        (daemon.folder / "seen.xml").write_text(GUEST.format(name="seen", devices="<graphics type='vnc' passwd='x'/>"))
        assert daemon.virsh("create", str(daemon.folder / "seen.xml")).returncode == 0
        (daemon.folder / "look.py").write_text(SCRIPT)
        done = peers.run("python3", str(daemon.folder / "look.py"), daemon.uri, "1")
        said.append((done.stdout, done.stderr))
        assert daemon.virsh("destroy", "seen").returncode == 0
    assert said[0] == said[1] and said[0][0].startswith("RFB 003.008\nRFB 003.008\n"), said


def test_ports_are_given_back_and_end(kvasird: KvasirDaemon) -> None:
    """The ports of qemu.conf's range: given to the next guest when one ends, refused when all are taken; the same of websockets."""
    held = socket.socket()
    held.bind(("127.0.0.1", 0))
    low = held.getsockname()[1]
    held.listen()
    low = low if low < 65000 else 65000
    configure(kvasird, f"remote_display_port_min = {low}\nremote_display_port_max = {low + 1}\n")
    first = start(kvasird, "one", "<graphics type='vnc'/>")["port"]
    assert first == low + 1, "somebody else has the first port"
    path = kvasird.folder / "two.xml"
    path.write_text(GUEST.format(name="two", devices="<graphics type='vnc'/>"))
    done = kvasird.our_virsh("create", str(path))
    assert f"Unable to find an unused port in range 'display' ({low}-{low + 1})" in done.stderr
    ok(kvasird, "destroy", "one")
    assert start(kvasird, "two", "<graphics type='vnc'/>")["port"] == first
    path.write_text(GUEST.format(name="three", devices=f"<graphics type='vnc' port='{first}' autoport='no'/>"))
    done = kvasird.our_virsh("create", str(path))
    assert done.returncode == 1 and f"internal error: Failed to reserve port {first}" in done.stderr
    ok(kvasird, "destroy", "two")
    ports = start(kvasird, "web", f"<graphics type='vnc' port='{first}' autoport='no' websocket='-1'/>")
    with socket.create_connection(("127.0.0.1", ports["websocket"]), timeout=60) as line:
        line.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: "
                     b"dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: binary\r\nSec-WebSocket-Version: 13\r\n\r\n")  # fmt: skip
        answer = line.recv(200)
        assert answer.startswith(b"HTTP/1.1 101") and b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in answer
    ok(kvasird, "destroy", "web")
    path.write_text(GUEST.format(name="four", devices=f"<graphics type='vnc' port='{low}' autoport='no'/>"))
    done = kvasird.our_virsh("create", str(path))
    assert done.returncode == 1 and "Address already in use" in done.stderr, "somebody else's port is QEMU's to refuse"
    held.close()
