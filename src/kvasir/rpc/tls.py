"""TLS as both ends of the wire need it: priority strings, distinguished names, certificate checks.

Standard library only. Libvirt's settings are spelt for GnuTLS; what they mean is given to Python's ``ssl``.
"""

from __future__ import annotations

import os
import ssl
import time

from kvasir.errors import Code, ConfigUnsupported, Error, Origin

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

VERSIONS = {
    "VERS-TLS1.0": ssl.TLSVersion.TLSv1,
    "VERS-TLS1.1": ssl.TLSVersion.TLSv1_1,
    "VERS-TLS1.2": ssl.TLSVersion.TLSv1_2,
    "VERS-TLS1.3": ssl.TLSVersion.TLSv1_3,
}
_DEFAULT = ["VERS-TLS1.2", "VERS-TLS1.3"]
_BASES = ("NORMAL", "PERFORMANCE", "SECURE", "PFS", "SYSTEM", "@", "LIBVIRT")
CIPHERS = {
    "AES-128-GCM": "AES128-GCM",
    "AES-256-GCM": "AES256-GCM",
    "AES-128-CBC": "AES128",
    "AES-256-CBC": "AES256",
    "AES-128-CCM": "AES128-CCM",
    "AES-256-CCM": "AES256-CCM",
    "CHACHA20-POLY1305": "CHACHA20",
    "3DES-CBC": "3DES",
}
_ATTRIBUTES = {
    "commonName": "CN",
    "countryName": "C",
    "stateOrProvinceName": "ST",
    "localityName": "L",
    "organizationName": "O",
    "organizationalUnitName": "OU",
    "streetAddress": "STREET",
    "domainComponent": "DC",
    "userId": "UID",
    "emailAddress": "EMAIL",
}


def apply_priority(context: ssl.SSLContext, priority: str | None) -> None:
    """Set what a GnuTLS priority string (``tls_priority``) says of protocol versions and ciphers.

    Raises CONFIG_UNSUPPORTED with the word that has no meaning here.
    """
    versions, refused = list(_DEFAULT), []
    for word in (priority or "").split(":"):
        if not word or word.startswith("%") or word.upper().startswith(_BASES):
            continue
        sign, name = word[0], word[1:].upper()
        if sign in "-!" and name in ("VERS-ALL", "VERS-TLS-ALL"):
            versions = []
        elif sign in "-!" and name in VERSIONS:
            versions = [one for one in versions if one != name]
        elif sign == "+" and name in ("VERS-ALL", "VERS-TLS-ALL"):
            versions = list(VERSIONS)
        elif sign == "+" and name in VERSIONS:
            versions.append(name)
        elif sign in "-!" and name in CIPHERS:
            refused.append("!" + CIPHERS[name])
        elif sign != "+" or name not in CIPHERS:
            raise ConfigUnsupported(f"tls_priority: '{word}' has no meaning here", origin=Origin.RPC)
    if not versions:
        raise ConfigUnsupported("tls_priority leaves no TLS version", origin=Origin.RPC)
    wanted = sorted(VERSIONS[name] for name in versions)
    context.minimum_version, context.maximum_version = wanted[0], wanted[-1]
    if refused:
        context.set_ciphers("DEFAULT:" + ":".join(refused))


def distinguished_name(subject: tuple[tuple[tuple[str, str], ...], ...]) -> str:
    """A certificate's subject as libvirt has it of GnuTLS (escaped as RFC 4514 says, but first part first), which
    ``tls_allowed_dn_list`` is matched with."""
    return ",".join(
        "+".join(f"{_ATTRIBUTES.get(name, name)}={_escape(value)}" for name, value in part) for part in subject
    )


def _escape(value: str) -> str:
    text = "".join("\\" + letter if letter in ',+"\\<>;' else letter for letter in value)
    if text[:1] in ("#", " "):
        text = "\\" + text
    if text.endswith(" ") and not text.endswith("\\ "):
        text = text[:-1] + "\\ "
    return text


def read_certificate(path: str, what: str) -> dict[str, Any]:
    """A certificate file's fields as ``getpeercert`` gives them. Raises SYSTEM_ERROR where it cannot be read."""
    if not os.path.exists(path):
        raise cannot_read(path, what)
    try:
        fields: dict[str, Any] = ssl._ssl._test_decode_cert(path)  # type: ignore[attr-defined]  # the only reader there is
    except (ssl.SSLError, OSError, ValueError) as problem:
        text = f"Unable to import {what} certificate {path}: {problem}"
        raise Error(text, code=Code.SYSTEM_ERROR, origin=Origin.RPC) from None
    return fields


def cannot_read(path: str, what: str) -> Error:
    """Libvirt's words for a file that is missing; ``what`` is CA, server or client."""
    text = f"Cannot read {what} certificate '{path}': No such file or directory"
    return Error(text, code=Code.SYSTEM_ERROR, origin=Origin.RPC, int1=2)


def check_times(fields: dict[str, Any], path: str, what: str) -> None:
    """Refuse a certificate that is not valid now; ``what`` is CA, server or client."""
    now = time.time()
    who = "CA certificate" if what == "CA" else f"{what} certificate"
    if ssl.cert_time_to_seconds(fields["notAfter"]) < now:
        state = "has expired"
    elif ssl.cert_time_to_seconds(fields["notBefore"]) > now:
        state = "is not yet active"
    else:
        return
    raise Error(f"The {who} {path} {state}", code=Code.SYSTEM_ERROR, origin=Origin.RPC)


def make_context(server: bool, ca: str, cert: str | None, key: str | None, crl: str | None) -> ssl.SSLContext:
    """A context with our own and the authority's certificates loaded, and the revocation list where the file is there."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server else ssl.PROTOCOL_TLS_CLIENT)
    side = "server" if server else "client"
    if not os.path.exists(ca):
        raise cannot_read(ca, "CA")
    try:
        context.load_verify_locations(ca)
    except (ssl.SSLError, OSError) as problem:
        text = f"Unable to set x509 CA certificate: {ca}: {problem}"
        raise Error(text, code=Code.SYSTEM_ERROR, origin=Origin.RPC) from None
    if crl and os.path.exists(crl):
        try:
            context.load_verify_locations(crl)
        except (ssl.SSLError, OSError) as problem:
            text = f"Unable to set x509 certificate revocation list: {crl}: {problem}"
            raise Error(text, code=Code.SYSTEM_ERROR, origin=Origin.RPC) from None
        context.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF
    if cert and key:
        try:
            context.load_cert_chain(cert, key)
        except (ssl.SSLError, OSError) as problem:
            text = f"Unable to set x509 key and certificate: {key}, {cert}: {problem}"
            raise Error(text, code=Code.SYSTEM_ERROR, origin=Origin.RPC) from None
    elif server:
        raise cannot_read(cert or "", side)
    return context
