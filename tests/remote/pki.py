"""Certificates for tests, made with certtool as the guide's procedures 18.1 to 18.3 do it."""

from __future__ import annotations

import subprocess
from pathlib import Path

USUAL = "encryption_key\nsigning_key\n"
LONG_AGO = 'activation_date = "2020-01-01 00:00:00"\nexpiration_date = "2020-02-01 00:00:00"\n'


def certtool(*options: str) -> str:
    done = subprocess.run(["certtool", *options], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def private_key(path: Path) -> Path:
    path.write_text(certtool("--generate-privkey", "--key-type", "rsa", "--bits", "2048"))
    path.chmod(0o600)
    return path


class Authority:
    """A certificate authority in a folder: ``cacert.pem``, ``cakey.pem``."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.cert = folder, folder / "cacert.pem"
        folder.mkdir(parents=True, exist_ok=True)
        self.key = private_key(folder / "cakey.pem")
        info = folder / "ca.info"
        info.write_text("cn = Name of your organization\nca\ncert_signing_key\ncrl_signing_key\n")
        self._make("--generate-self-signed", "--load-privkey", str(self.key), "--template", str(info), out=self.cert)

    def _make(self, *options: str, out: Path) -> None:
        certtool(*options, "--outfile", str(out))

    def issue(self, stem: str, template: str) -> tuple[Path, Path]:
        """A certificate by a template of certtool, and its key."""
        key = private_key(self.folder / f"{stem}key.pem")
        info, cert = self.folder / f"{stem}.info", self.folder / f"{stem}cert.pem"
        info.write_text(template + USUAL)
        self._make(
            *("--generate-certificate", "--load-privkey", str(key), "--load-ca-certificate", str(self.cert)),
            *("--load-ca-privkey", str(self.key), "--template", str(info)),
            out=cert,
        )
        return cert, key

    def server(self, stem: str, name: str, more: str = "") -> tuple[Path, Path]:
        return self.issue(stem, f'organization = Kvasir\ncn = "{name}"\ntls_www_server\n{more}')

    def client(self, stem: str, name: str, more: str = "") -> tuple[Path, Path]:
        words = f'country = US\nstate = North Carolina\nlocality = Raleigh\norganization = Red Hat\ncn = "{name}"\n'
        return self.issue(stem, f"{words}tls_www_client\n{more}")

    def revoke(self, *certs: Path) -> Path:
        """The list of certificates that were taken back."""
        crl, info, all_of_them = self.folder / "cacrl.pem", self.folder / "crl.info", self.folder / "revoked.pem"
        info.write_text("crl_next_update = 30\ncrl_number = 1\n")
        all_of_them.write_text("".join(cert.read_text() for cert in certs))
        self._make(
            *("--generate-crl", "--load-ca-privkey", str(self.key), "--load-ca-certificate", str(self.cert)),
            *("--load-certificate", str(all_of_them), "--template", str(info)),
            out=crl,
        )
        return crl


def install(etc: Path, authority: Authority, pair: tuple[Path, Path] | None, side: str) -> None:
    """Put certificates where the guide says (18.3); ``side`` is server or client."""
    places = [(authority.cert, etc / "pki/CA/cacert.pem")]
    if pair is not None:
        places.append((pair[0], etc / f"pki/libvirt/{side}cert.pem"))
        places.append((pair[1], etc / f"pki/libvirt/private/{side}key.pem"))
    for source, target in places:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(source.read_bytes())
        target.chmod(0o600 if "key" in target.name else 0o644)
