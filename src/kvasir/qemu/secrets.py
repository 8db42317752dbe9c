"""Secrets on their way to QEMU: encrypted with the guest's own master key, which only QEMU and the daemon can read."""

from __future__ import annotations

import base64
import os
from typing import Any

from kvasir.errors import Code, Error, Origin, SystemFailure
from kvasir.host import crypto

from .args import Obj


def value(vm: Any, uuid: str | None, usage: str | None, kind: str) -> bytes:
    """The bytes of a secret by UUID or by usage of that kind. Raises Error (66) where there is none."""
    driver = vm.secrets
    if driver is None:
        text = "the daemon has no secret driver"
        raise Error(text, code=Code.NO_SECRET, origin=Origin.SECRET, message=f"Secret not found: {text}")
    found: bytes = driver.value_for(uuid, usage, kind)
    return found


def secret(vm: Any, alias: str, uuid: str | None, usage: str | None, kind: str) -> Obj:
    """The ``-object`` that hands a secret to QEMU under that id."""
    return encrypted(vm, alias, value(vm, uuid, usage, kind))


def encrypted(vm: Any, alias: str, data: bytes) -> Obj:
    """The ``-object`` that hands any bytes to QEMU under that id."""
    iv = os.urandom(16)
    return Obj(
        "secret",
        {
            "id": alias,
            "data": base64.b64encode(crypto.cbc(master_key(vm), iv, data)).decode(),
            "keyid": "masterKey0",
            "iv": base64.b64encode(iv).decode(),
            "format": "base64",
        },
    )


def master_key(vm: Any) -> bytes:
    """The guest's key, from its own folder where it runs already. Raises SystemFailure."""
    key: bytes | None = vm.facts.get("master_key")
    if key is None:
        path = f"{vm.facts.get('lib', '')}/master-key.aes"
        try:
            with open(path, "rb") as file:
                key = file.read()
        except OSError as error:
            raise SystemFailure("failed to read domain master key file", error) from error
        vm.facts["master_key"] = key
    return key
