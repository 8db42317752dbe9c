"""``virt-pki-validate``: whether the certificates and keys of the host are there, readable by whom they should be, and fit.

What fits is tried, not read: a TLS handshake in memory between the host's server side and its client side.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ssl

VERSION = "9.0.0"
CA = "/etc/pki/CA/cacert.pem"
SIDES = {
    "server": ("/etc/pki/libvirt/servercert.pem", "/etc/pki/libvirt/private/serverkey.pem"),
    "client": ("/etc/pki/libvirt/clientcert.pem", "/etc/pki/libvirt/private/clientkey.pem"),
}
USAGE = """Usage:
  virt-pki-validate [ OPTION ]

Checks the certificates and keys of this host, for libvirt's TLS.

options:
  -h | --help     print this text
  -v | --version  print the version
       --root DIR look for the files below DIR (an addition of Kvasir's)
"""


class Checks:
    """The findings, printed as they come."""

    def __init__(self, root: str) -> None:
        self.root = root
        self.good = True

    def ok(self, text: str) -> None:
        sys.stdout.write(f"ok      {text}\n")

    def bad(self, text: str, repair: str = "") -> None:
        self.good = False
        sys.stdout.write(f"FAIL    {text}\n" + (f"        {repair}\n" if repair else ""))

    def path(self, name: str) -> str:
        return self.root + name

    def file(self, name: str, private: bool) -> bool:
        """There, readable, and a private one by its owner alone."""
        try:
            mode = os.stat(self.path(name)).st_mode & 0o777
            with open(self.path(name), "rb") as file:
                file.read(1)
        except OSError as problem:
            self.bad(f"{name}: {problem.strerror}")
            return False
        if private and mode & 0o077:
            self.bad(f"{name}: others may read the key (mode {mode:04o})", f"chmod 600 {name}")
            return False
        if not private and not mode & 0o004:
            self.bad(f"{name}: not everybody may read it (mode {mode:04o})", f"chmod 644 {name}")
            return False
        return True

    def certificate(self, name: str) -> bool:
        """In time, with its name."""
        import ssl
        import time

        from kvasir.rpc.tls import distinguished_name

        try:
            fields = ssl._ssl._test_decode_cert(self.path(name))  # type: ignore[attr-defined]  # the only reader there is
        except (ssl.SSLError, ValueError):
            self.bad(f"{name}: no certificate in PEM format")
            return False
        now = time.time()
        if ssl.cert_time_to_seconds(fields["notBefore"]) > now:
            self.bad(f"{name}: not valid before {fields['notBefore']}")
            return False
        if ssl.cert_time_to_seconds(fields["notAfter"]) < now:
            self.bad(f"{name}: expired on {fields['notAfter']}", "issue a new certificate")
            return False
        self.ok(f"{name}: {distinguished_name(fields.get('subject', ()))}, valid until {fields['notAfter']}")
        return True

    def context(self, side: str) -> ssl.SSLContext | None:
        """The side's certificate and key, if they belong together."""
        import ssl

        cert, key = SIDES[side]
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if side == "server" else ssl.PROTOCOL_TLS_CLIENT)
        made.check_hostname = False
        made.verify_mode = ssl.CERT_REQUIRED
        try:
            made.load_verify_locations(self.path(CA))
            made.load_cert_chain(self.path(cert), self.path(key))
        except (ssl.SSLError, OSError) as problem:
            self.bad(f"{cert} and {key} do not belong together: {getattr(problem, 'reason', None) or problem}")
            return None
        return made


def shake(server: ssl.SSLContext, client: ssl.SSLContext) -> str:
    """A handshake in memory; "" when both trust each other, else why not."""
    import ssl

    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [server.wrap_bio(to_server, to_client, server_side=True), client.wrap_bio(to_client, to_server)]
    done = [False, False]
    for _ in range(10):
        for at, end in enumerate(ends):
            try:
                end.do_handshake()
                done[at] = True
            except ssl.SSLWantReadError:
                continue
            except ssl.SSLError as problem:
                return f"the {('server', 'client')[at]} does not trust the other: {problem.reason or problem}"
        if all(done):
            return ""
    return "" if all(done) else "the handshake does not come to an end"


def validate(root: str) -> bool:
    """All checks; True when nothing is wrong."""
    checks = Checks(root)
    if not checks.file(CA, False) or not checks.certificate(CA):
        checks.bad("without the authority's certificate nothing else can be checked")
        return False
    contexts = {}
    for side, (cert, key) in SIDES.items():
        if not os.path.exists(checks.path(cert)) and not os.path.exists(checks.path(key)):
            sys.stdout.write(f"none    {side}: no certificate: this host is no {side}\n")
            continue
        if checks.file(cert, False) and checks.file(key, True) and checks.certificate(cert):
            found = checks.context(side)
            if found is not None:
                contexts[side] = found
    for side, made in contexts.items():
        peer = contexts.get("client" if side == "server" else "server", made)
        if peer is made or side == "client":
            continue
        why = shake(made, peer)
        if why:
            checks.bad(
                f"server and client of this host: {why}", "let the authority of cacert.pem issue both certificates"
            )
        else:
            checks.ok("server and client of this host trust each other")
    return checks.good


def main(words: list[str] | None = None) -> int:
    """Entry point."""
    given = sys.argv[1:] if words is None else words
    root = ""
    if given[:1] == ["--root"] and len(given) == 2:
        root = given[1].rstrip("/")
    elif given[:1] in (["-h"], ["--help"]):
        sys.stdout.write(USAGE)
        return 0
    elif given[:1] in (["-v"], ["-V"], ["--version"]):
        sys.stdout.write(f"{sys.argv[0]} (libvirt) {VERSION}\n")
        return 0
    elif given:
        kind = "option" if given[0].startswith("-") else "argument"
        sys.stderr.write(f"{sys.argv[0]}: unrecognized {kind} '{given[0]}'\n")
        return 1
    return 0 if validate(root) else 1


if __name__ == "__main__":
    sys.exit(main())
