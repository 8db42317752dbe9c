"""TLS of what QEMU serves and calls, as ``qemu.conf`` has it: whose certificates, whether the other side shows one, the key's password.

Each service (vnc, spice, chardev, migrate, backup, nbd, vxhs) has keys of its own; what they leave open ``default_tls_*`` says.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from .args import Arg, Obj

DEFAULT = "/etc/pki/qemu"
SERVICES = ("vnc", "spice", "chardev", "migrate", "backup", "vxhs", "nbd")
CHECKED = {"vnc": False}
"""Whether clients must show a certificate where the configuration does not say: all but viewers must."""


def folder(config: Any, service: str) -> str:
    """Where the certificates lie: the service's folder, the usual one where it is there, the folder of all services."""
    given = getattr(config, f"{service}_tls_x509_cert_dir", None)
    usual = f"/etc/pki/libvirt-{service}"
    if given:
        return str(given)
    return usual if os.path.isdir(usual) else str(getattr(config, "default_tls_x509_cert_dir", None) or DEFAULT)


def checked(config: Any, service: str) -> bool:
    """Whether a client of the service must show a certificate."""
    for key in (f"{service}_tls_x509_verify", "default_tls_x509_verify"):
        given = getattr(config, key, None)
        if given is not None:
            return bool(given)
    return CHECKED.get(service, True)


def secret_uuid(config: Any, service: str) -> str | None:
    """The secret that opens the server's key."""
    given = getattr(config, f"{service}_tls_x509_secret_uuid", None)
    return given or getattr(config, "default_tls_x509_secret_uuid", None) or None


def credentials(
    vm: Any, name: str, service: str, *, server: bool = True, secret_name: str | None = None
) -> Iterator[Arg]:
    """The objects that an option names with ``tls-creds``. Raises Error (66) where the key's secret is not there."""
    from .secrets import secret

    config = vm.config
    options: dict[str, Any] = {
        "id": name,
        "dir": folder(config, service),
        "endpoint": "server" if server else "client",
        "verify-peer": checked(config, service) if server else True,
    }
    uuid = secret_uuid(config, service)
    if uuid is not None:
        options["passwordid"] = secret_name or f"{name}-secret0"
        yield secret(vm, options["passwordid"], uuid, None, "tls")
    yield Obj("tls-creds-x509", options)
