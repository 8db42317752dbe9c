"""``virt-pki-query-dn``: the distinguished name of a certificate, as ``tls_allowed_dn_list`` of libvirtd.conf wants it."""

from __future__ import annotations

import sys

VERSION = "9.0.0"
USAGE = """Usage:
  virt-pki-query-dn FILE
  virt-pki-query-dn { -v | -h }

Prints the distinguished name of a certificate (PEM), as the setting
tls_allowed_dn_list of libvirtd.conf wants it.

  FILE            the file with the certificate

options:
  -h | --help     print this text
  -v | --version  print the version
"""


def main(words: list[str] | None = None) -> int:
    """Entry point."""
    given = sys.argv[1:] if words is None else words
    if given[:1] in (["-h"], ["--help"]):
        sys.stdout.write(USAGE)
        return 0
    if given[:1] in (["-v"], ["--version"]):
        sys.stdout.write(VERSION + "\n")
        return 0
    if len(given) != 1 or given[0].startswith("-"):
        sys.stderr.write(USAGE)
        return 1
    return query(given[0])


def query(path: str) -> int:
    """Print the name."""
    import ssl

    from kvasir.rpc.tls import distinguished_name

    try:
        with open(path, "rb") as file:
            file.read(1)
    except OSError as problem:
        sys.stderr.write(f"virt-pki-query-dn: Failed to open file “{path}”: {problem.strerror}\n")
        return 1
    try:
        fields = ssl._ssl._test_decode_cert(path)  # type: ignore[attr-defined]  # the only reader there is
    except (ssl.SSLError, ValueError):
        sys.stderr.write("Unable to load certificate, make sure it is in PEM format: Base64 unexpected header error.\n")
        return 1
    sys.stdout.write(distinguished_name(fields.get("subject", ())) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
