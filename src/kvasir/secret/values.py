"""Where the values of secrets lie: ``UUID.sealed`` encrypted with the host's key, or ``UUID.base64`` as libvirt 9.0 writes them.

``secret.conf`` in the configuration folder chooses: ``encrypt_data = 1`` (the default) seals with AES-256-GCM and binds the
value to its UUID; the key is a file that only the daemon reads (``secrets_encryption_key``, made on first use). With
``encrypt_data = 0`` the daemon writes plain values again at its start, so that libvirt 9.0 can take over. Plain
values that it left are read in either case.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import os

from kvasir.daemon.conf_file import parse
from kvasir.errors import Error, InternalError, Origin, SystemFailure
from kvasir.host import crypto
from kvasir.host.files import make_folder, remove, write_file

MAGIC = b"kvasir-sealed-1\n"


class Values:
    """The files of one driver."""

    def __init__(self, folder: str, config: str, key: str) -> None:
        self.folder = folder
        self.encrypt = True
        self.key_path = key
        self._key: bytes | None = None
        self._configure(config)

    def _configure(self, path: str) -> None:
        if not os.path.exists(path):
            return
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            found = parse(file.read(), path)
        self.encrypt = found.get("encrypt_data", (1, 0))[0] not in (0, "0")
        self.key_path = str(found.get("secrets_encryption_key", (self.key_path, 0))[0])

    def key(self) -> bytes:
        """The host's key; made when there is none. Raises SystemFailure, InternalError for a file that is no key."""
        if self._key is None:
            try:
                self._key = self._read_key()
            except FileNotFoundError:
                self._key = self._make_key()
            except OSError as problem:
                raise SystemFailure(
                    f"cannot read the key '{self.key_path}'", problem, origin=Origin.SECRET
                ) from problem
        return self._key

    def _read_key(self) -> bytes:
        with open(self.key_path, "rb") as file:
            key = file.read(crypto.KEY_BYTES + 1)
        if len(key) != crypto.KEY_BYTES:
            raise InternalError(
                f"'{self.key_path}' does not hold a key of {crypto.KEY_BYTES} bytes",
                origin=Origin.SECRET,
                hint="bring back the right file; without it the values of secrets are lost and must be set anew",
            )
        return key

    def _make_key(self) -> bytes:
        make_folder(os.path.dirname(self.key_path), 0o700)
        write_file(self.key_path, os.urandom(crypto.KEY_BYTES), exclusive=True)
        return self._read_key()

    def _path(self, uuid: str, kind: str) -> str:
        return f"{self.folder}/{uuid}.{kind}"

    def load(self, uuid: str) -> bytes | None:
        """The value, None when none was set. Raises Error for a file that cannot be opened."""
        with contextlib.suppress(FileNotFoundError):
            with open(self._path(uuid, "sealed"), "rb") as file:
                raw = file.read()
            try:
                return crypto.unseal(self.key(), raw.removeprefix(MAGIC), uuid.encode())
            except ValueError:
                raise InternalError(
                    f"the value of secret '{uuid}' does not open with the key '{self.key_path}'", origin=Origin.SECRET
                ) from None
        with contextlib.suppress(FileNotFoundError), open(self._path(uuid, "base64"), "rb") as file:
            try:
                return base64.b64decode(file.read())
            except binascii.Error:
                raise InternalError(f"invalid base64 in '{file.name}'", origin=Origin.SECRET) from None
        return None

    def save(self, uuid: str, value: bytes) -> None:
        """Write the value in the form that is configured, and remove the other. Raises FileFailure."""
        make_folder(self.folder, 0o700)
        if self.encrypt:
            write_file(self._path(uuid, "sealed"), MAGIC + crypto.seal(self.key(), value, uuid.encode()))
        else:
            write_file(self._path(uuid, "base64"), base64.b64encode(value))
        remove(self._path(uuid, "base64" if self.encrypt else "sealed"))

    def remove(self, uuid: str) -> None:
        """Forget the value."""
        remove(*(self._path(uuid, kind) for kind in ("sealed", "base64")))

    def settle(self, uuid: str) -> None:
        """With encryption switched off, write a sealed value plain again."""
        if not self.encrypt and os.path.exists(self._path(uuid, "sealed")):
            with contextlib.suppress(Error):
                value = self.load(uuid)
                if value is not None:
                    self.save(uuid, value)
