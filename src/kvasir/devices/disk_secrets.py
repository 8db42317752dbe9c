"""The secrets of a disk's source in QEMU's form: of its server (auth) and of its encryption."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from kvasir.errors import ConfigUnsupported
from kvasir.qemu.args import Arg
from kvasir.qemu.secrets import secret

USAGES = {"rbd": "ceph", "iscsi": "iscsi"}


def of(
    vm: Any, disk: Any, source: Any, index: int, props: dict[str, Any]
) -> Generator[Arg, None, tuple[str, str] | None]:
    """Yields the objects that the source needs and completes its protocol node.

    Gives kind and secret of the encryption that the format node is to open, None where it has none to open.
    """
    top = (
        disk if source is (getattr(disk.source, "actual", None) or disk.source) else None
    )  # the older place of both, beside the source
    auth = source.auth or getattr(top, "auth", None)
    if auth is not None and getattr(source, "protocol", None) in USAGES:
        name = f"libvirt-{index}-storage-auth-secret0"
        yield secret(vm, name, auth.secret.uuid, auth.secret.usage, USAGES[source.protocol])
        props["user"] = auth.username
        if source.protocol == "rbd":
            props |= {"auth-client-required": ["cephx", "none"], "key-secret": name}
        else:
            props["password-secret"] = name
    encryption = source.encryption or getattr(top, "encryption", None)
    if encryption is None or not encryption.secrets:
        return None
    if encryption.format in ("qcow", "default"):
        raise ConfigUnsupported("old qcow/qcow2 encryption is not supported")
    name = f"libvirt-{index}-format-encryption-secret0"
    said = encryption.secrets[0]
    yield secret(vm, name, said.uuid, said.usage, "volume")
    if encryption.engine == "librbd":
        props["encrypt"] = {"format": encryption.format, "key-secret": name}
        return None
    return str(encryption.format), name


def add(driver: str, node: dict[str, Any], found: tuple[str, str]) -> str:
    """Complete the format node; gives its driver."""
    kind, name = found
    if driver == "raw":
        node["key-secret"] = name
        return "luks"
    if driver == "luks":
        node["key-secret"] = name
    else:
        node["encrypt"] = {"format": kind, "key-secret": name}
    return driver
