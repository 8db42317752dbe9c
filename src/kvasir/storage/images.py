"""Making image files by ``qemu-img``: the words it is given for a volume's document."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable, Iterator
from typing import Any

from kvasir.errors import ConfigUnsupported, InternalError, InvalidArg, NoSupport, Origin, SystemFailure
from kvasir.host import tools
from kvasir.model.storage import Volume

from .pools.base import PREALLOC_METADATA, REFLINK, SHRINK

QEMU_IMG = "/usr/sbin/qemu-img"
"""As libvirt's messages show it; the tool is looked for in PATH."""

SecretOf = Callable[[Any, str], bytes]


def make(volume: Volume, source: Volume | None, flags: int, secret: SecretOf, folder: str, pool: str) -> None:
    """Make an image at ``volume.path``, empty or converted from ``source``. Secrets pass by files in ``folder``."""
    if flags & REFLINK:
        text = "unsupported flags (0x2) in function storageBackendCreateQemuImg"
        raise InvalidArg(text, origin=Origin.STORAGE, message=text)
    _check(volume, flags, copied=source is not None)
    with (
        _secret(volume, secret, folder, pool) as (alias, objects),
        _secret(source, secret, folder, pool) as (below, below_objects),
    ):
        kind = "luks" if volume.encryption is not None and volume.format == "raw" else str(volume.format)
        options = _options(volume, source, flags, alias, kind)
        if source is not None and not objects and not below_objects:
            _convert(volume, source, kind, options)
            return
        words = ["create", "-f", kind]
        if source is None and volume.backing is not None:
            words += ["-b", str(volume.backing.path)]
        words += [*objects, *(["-o", ",".join(options)] if options else []), str(volume.path)]
        if volume.capacity is not None and not _inherits(volume):
            words.append(f"{-(-volume.capacity // 1024)}K")
        tools.run(QEMU_IMG, *words)
        if source is not None:
            before = _node(source, source_format(source), below)
            after = _node(volume, kind, alias)
            words = ["--image-opts", "-n", "--target-image-opts", *objects, *below_objects]
            tools.run(QEMU_IMG, "convert", *words, before, after)


def _inherits(volume: Volume) -> bool:
    return volume.backing is not None and volume.inherits


def _check(volume: Volume, flags: int, *, copied: bool) -> None:
    locked, kind = volume.encryption, str(volume.format)
    if locked is not None:
        if len(locked.secrets) != 1:
            raise InvalidArg(
                "A single <secret type='passphrase'...> element is expected in encryption description",
                origin=Origin.STORAGE,
            )
        if kind == "raw" and locked.format != "luks":
            raise InternalError("Only luks encryption is supported for raw files", origin=Origin.STORAGE)
        if kind == "qcow2" and locked.format in ("default", "qcow"):
            raise ConfigUnsupported("creation of qcow2 encrypted image is not supported", origin=Origin.STORAGE)
        if kind not in ("raw", "qcow2", "qcow"):
            raise ConfigUnsupported(f"volume encryption unsupported with format {kind}", origin=Origin.STORAGE)
    if flags & PREALLOC_METADATA and kind != "qcow2":
        where = "is not supported for raw volumes" if kind == "raw" and not copied else "only available with qcow2"
        raise ConfigUnsupported(f"metadata preallocation {where}", origin=Origin.STORAGE)
    if volume.lazy_refcounts and volume.compat == "0.10":
        raise ConfigUnsupported("lazy_refcounts not supported with compat level 0.10", origin=Origin.STORAGE)
    if volume.backing is not None:
        if kind == "raw":
            raise NoSupport("backing storage not supported for raw volumes", origin=Origin.STORAGE)
        below = str(volume.backing.path)
        if not os.path.isabs(below):
            below = os.path.join(os.path.dirname(str(volume.path)), below)
        try:
            os.stat(below)
        except OSError as error:
            raise SystemFailure(
                f"inaccessible backing store volume {volume.backing.path}", error, origin=Origin.STORAGE
            ) from None


def _options(volume: Volume, source: Volume | None, flags: int, alias: str, kind: str) -> list[str]:
    found = []
    if source is None and volume.backing is not None:
        found.append(f"backing_fmt={volume.backing.format or 'raw'}")
    if alias:
        found += _cipher(volume, alias, "" if kind == "luks" else "encrypt.")
    if flags & PREALLOC_METADATA:
        part = (volume.capacity or 0) > (volume.allocation or 0)
        found.append("preallocation=metadata" if part else "preallocation=falloc")
    if volume.nocow:
        found.append("nocow=on")
    if kind == "qcow2":
        found.append(f"compat={volume.compat or '0.10'}")
    if volume.cluster_size:
        found.append(f"cluster_size={volume.cluster_size}")
    if kind == "qcow2" and volume.lazy_refcounts:
        found.append("lazy_refcounts")
    if kind == "qcow2" and volume.extended_l2:
        found.append("extended_l2=on")
    return found


def _cipher(volume: Volume, alias: str, prefix: str) -> list[str]:
    found = [f"{prefix}format=luks"] if prefix else []
    found.append(f"{prefix}key-secret={alias}")
    assert volume.encryption is not None
    cipher, ivgen = volume.encryption.cipher, volume.encryption.ivgen
    if cipher is not None:
        found.append(f"{prefix}cipher-alg={cipher.name}-{cipher.size}")
        found += [f"{prefix}cipher-mode={cipher.mode}"] if cipher.mode else []
        found += [f"{prefix}hash-alg={cipher.hash}"] if cipher.hash else []
    if ivgen is not None:
        found.append(f"{prefix}ivgen-alg={ivgen.name}")
        found += [f"{prefix}ivgen-hash-alg={ivgen.hash}"] if ivgen.hash else []
    return found


@contextlib.contextmanager
def _secret(volume: Volume | None, secret: SecretOf, folder: str, pool: str) -> Iterator[tuple[str, list[str]]]:
    """(alias, words) of the volume's own secret, in a file that only root reads and that is gone afterwards."""
    if volume is None or volume.encryption is None or not volume.encryption.secrets:
        yield "", []
        return
    value = secret(volume.encryption.secrets[0], "volume")
    with secret_file(value, folder, f"{pool}.{volume.name}.secret.") as path:
        alias = f"{volume.name}_encrypt0"
        yield alias, ["--object", f"secret,id={alias},file={path}"]


@contextlib.contextmanager
def secret_file(value: bytes, folder: str, prefix: str) -> Iterator[str]:
    """A file of mode 0600 that holds a secret while the block runs."""
    os.makedirs(folder, exist_ok=True)
    fd, path = tempfile.mkstemp(prefix=prefix, dir=folder)
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(value)
        yield path
    finally:
        os.unlink(path)


def _convert(volume: Volume, source: Volume, kind: str, options: list[str]) -> None:
    words = ["convert", "-f", source_format(source), "-O", kind]
    words += ["-o", ",".join(options)] if options else []
    tools.run(QEMU_IMG, *words, str(source.path), str(volume.path))


def _node(volume: Volume, kind: str, alias: str) -> str:
    """An image as QEMU's options name it, opened with a secret where it is encrypted."""
    if alias and kind == "raw":
        kind = "luks"
    key = "key-secret" if kind == "luks" else "encrypt.key-secret"
    secret = f",{key}={alias}" if alias else ""
    return f"driver={kind},file.filename={_comma(str(volume.path))}{secret}"


def resize(volume: Volume, capacity: int, flags: int, secret: SecretOf, folder: str, pool: str) -> None:
    """Change the size of an image; an encrypted one is opened with its secret."""
    shrink = ["--shrink"] if flags & SHRINK else []
    if volume.encryption is None:
        tools.run(QEMU_IMG, "resize", *shrink, str(volume.path), str(capacity))
        return
    with _secret(volume, secret, folder, pool) as (alias, objects):
        if not alias:
            raise ConfigUnsupported(
                f"volume '{volume.name}' is encrypted and its document names no secret", origin=Origin.STORAGE
            )
        kind = "luks" if volume.format == "raw" else str(volume.format)
        key = "key-secret" if kind == "luks" else "encrypt.key-secret"
        node = f"driver={kind},{key}={alias},file.filename={_comma(str(volume.path))}"
        tools.run(QEMU_IMG, "resize", *shrink, *objects, "--image-opts", node, str(capacity))


def _comma(path: str) -> str:
    return path.replace(",", ",,")


def source_format(source: Volume) -> str:
    """The format in which an existing volume's content is read; a raw one is never probed."""
    kind = source.format or "raw"
    return "raw" if kind in ("none", "unknown", "iso", "dir", "fat") else kind
