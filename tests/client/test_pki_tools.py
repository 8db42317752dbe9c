"""virt-pki-query-dn beside the real one; virt-pki-validate finds each thing that can be wrong."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import PROJECT, Peers

pytestmark = pytest.mark.skipif(not shutil.which("openssl"), reason="openssl is not installed")
ENV = {**os.environ, "PYTHONPATH": str(PROJECT / "src"), "LC_ALL": "C.UTF-8"}
SUBJECT = '/C=DE/ST=S/L=Here/O=Red+Hat; Co/OU=U/CN=client, "x"'


def make(folder: Path, name: str, subject: str, ca: str | None = None, days: int = 30) -> None:
    """A key and a certificate, of an authority or of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    key, cert = folder / f"{name}.key", folder / f"{name}.pem"
    new = ["openssl", "req", "-newkey", "rsa:2048", "-nodes", "-keyout", str(key), "-subj", subject]
    if ca is None:
        command = [*new, "-x509", "-days", str(days), "-out", str(cert)]
        subprocess.run(command, check=True, capture_output=True)
        return
    request = subprocess.run(new, check=True, capture_output=True).stdout
    sign = ["openssl", "x509", "-req", "-CA", f"{folder}/{ca}.pem", "-CAkey", f"{folder}/{ca}.key", "-CAcreateserial"]
    subprocess.run([*sign, "-days", str(days), "-out", str(cert)], input=request, check=True, capture_output=True)


def tool(name: str, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", f"kvasir.cli.{name}", *words]
    return subprocess.run(command, env=ENV, capture_output=True, text=True, timeout=60)


def test_names_beside_the_real_one(peers: Peers, tmp_path: Path) -> None:
    make(tmp_path, "ca", "/CN=My CA")
    make(tmp_path, "client", SUBJECT, "ca")
    libraries = ":".join(str(path.parent) for path in (peers.root / "usr/lib").glob("*/libvirt.so.0"))
    env = {**ENV, "LD_LIBRARY_PATH": libraries}
    for path in ("ca.pem", "client.pem", "nosuch"):
        command = [str(peers.root / "usr/bin/virt-pki-query-dn"), str(tmp_path / path)]
        real = subprocess.run(command, env=env, capture_output=True, text=True)
        ours = tool("virt_pki_query_dn", str(tmp_path / path))
        assert (ours.stdout, ours.stderr, ours.returncode) == (real.stdout, real.stderr, real.returncode)
    assert tool("virt_pki_query_dn", "--version").stdout == "9.0.0\n"
    assert tool("virt_pki_query_dn").returncode == 1


def install(tmp_path: Path, root: Path) -> None:
    for name, place in (
        ("ca.pem", "CA/cacert.pem"), ("server.pem", "libvirt/servercert.pem"), ("client.pem", "libvirt/clientcert.pem"),
        ("server.key", "libvirt/private/serverkey.pem"), ("client.key", "libvirt/private/clientkey.pem"),
    ):  # fmt: skip
        path = root / "etc/pki" / place
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(tmp_path / name, path)
        path.chmod(0o600 if "private" in place else 0o644)


def test_validate(tmp_path: Path) -> None:
    make(tmp_path, "ca", "/CN=My CA")
    make(tmp_path, "server", "/CN=host", "ca")
    make(tmp_path, "client", "/CN=user", "ca")
    root = tmp_path / "host"
    assert "No such file" in tool("virt_pki_validate", "--root", str(root)).stdout
    install(tmp_path, root)
    good = tool("virt_pki_validate", "--root", str(root))
    assert good.returncode == 0 and "trust each other" in good.stdout and "CN=host" in good.stdout, good.stdout
    key = root / "etc/pki/libvirt/private/serverkey.pem"
    key.chmod(0o644)
    assert "others may read the key" in tool("virt_pki_validate", "--root", str(root)).stdout
    shutil.copy(tmp_path / "client.key", key)
    key.chmod(0o600)
    wrong = tool("virt_pki_validate", "--root", str(root))
    assert wrong.returncode == 1 and "do not belong together" in wrong.stdout
    make(tmp_path, "other", "/CN=other CA")
    make(tmp_path, "client", "/CN=user", "other")
    install(tmp_path, root)
    wrong = tool("virt_pki_validate", "--root", str(root))
    assert wrong.returncode == 1 and "does not trust" in wrong.stdout, wrong.stdout
    (root / "etc/pki/libvirt/servercert.pem").write_text("x")
    assert "no certificate in PEM format" in tool("virt_pki_validate", "--root", str(root)).stdout


@pytest.mark.parametrize("word", ["nosuch", "--nosuch", "-V", "--version"])
def test_validate_words(peers: Peers, word: str) -> None:
    """What both say to words beside the point; each begins with the name it was called by."""
    real, ours = peers.run("virt-pki-validate", word), tool("virt_pki_validate", word)
    assert ours.returncode == real.returncode
    said = [re.sub(r"^\S*virt.pki.validate(\.py)?", "X", one.stdout + one.stderr) for one in (ours, real)]
    assert said[0] == said[1]
