"""The secret driver: every secret by its UUID, with its document's file and its value."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import uuid as _uuid
from typing import Any

from kvasir.errors import Code, Error, InternalError, InvalidArg, Origin
from kvasir.events import Bus, SecretLifecycle, SecretValueChanged
from kvasir.host.files import discard, failing, make_folder, remove, write_file
from kvasir.model import secret as model
from kvasir.xml.form import INACTIVE

from .values import Values

log = logging.getLogger(__name__)

DEFINED, UNDEFINED = 0, 1


class NoSecret(Error):
    """Secret not found"""

    code, prefix = Code.NO_SECRET, "Secret not found"


def no_secret(text: str) -> NoSecret:
    return NoSecret(text, origin=Origin.SECRET)


class Secret:
    """A secret that the driver knows. ``uuid``, ``usageType`` and ``usageID`` are what the wire carries."""

    def __init__(self, document: model.Secret) -> None:
        self.document = document
        self.value: bytes | None = None

    @property
    def uuid_text(self) -> str:
        return str(self.document.uuid)

    @property
    def uuid(self) -> bytes:
        return _uuid.UUID(self.uuid_text).bytes

    @property
    def usageType(self) -> int:
        return self.document.usage_type

    @property
    def usageID(self) -> str:
        return self.document.usage_id

    @property
    def name(self) -> str:
        return self.uuid_text


class SecretDriver:
    """Secrets of one daemon: documents and values in ``etc/libvirt/secrets``."""

    def __init__(self, paths: Any, config: Any = None) -> None:
        self.folder = f"{paths.etc}/secrets"
        self.bus = Bus()
        self.drivers: dict[str, Any] = {}
        self.secrets: dict[str, Secret] = {}
        self._changing = asyncio.Lock()
        """One change at a time: its files are written beside the event loop."""
        self.values = Values(self.folder, f"{paths.etc}/secret.conf", f"{paths.lib}/secrets/secrets-encryption-key")

    async def start(self) -> None:
        """Read what is defined. A broken file is reported and left as it is."""
        with contextlib.suppress(FileNotFoundError):
            for name in sorted(os.listdir(self.folder)):
                if name.endswith(".xml"):
                    self._load(f"{self.folder}/{name}", name.removesuffix(".xml"))

    def _load(self, path: str, name: str) -> None:
        try:
            with open(path, "rb") as file:
                found = Secret(model.read(file.read()))
            if found.uuid_text != name:
                raise InternalError(f"<uuid> does not match secret file name '{name}.xml'", origin=Origin.SECRET)
            self.secrets[name] = found
            found.value = self.values.load(name)
            self.values.settle(name)
        except (Error, OSError) as problem:
            log.error("cannot load secret %s: %s", path, problem)

    async def stop(self) -> None:
        """The daemon ends; ephemeral secrets go with it."""

    # --- look-up

    def find(self, ref: Any) -> Secret:
        """The secret that a wire reference means. Raises NoSecret (66)."""
        return self.by_uuid(ref.uuid)

    def by_uuid(self, uuid: bytes | str) -> Secret:
        """By UUID, as bytes or text. Raises NoSecret."""
        text = uuid if isinstance(uuid, str) else str(_uuid.UUID(bytes=uuid))
        if text not in self.secrets:
            raise no_secret(f"no secret with matching uuid '{text}'")
        return self.secrets[text]

    def by_usage(self, kind: int | str, name: str) -> Secret:
        """By what it is used for: the usage type (number or word) and its id. Raises NoSecret."""
        number = model.USAGES.index(kind) if isinstance(kind, str) else kind
        for secret in self.secrets.values():
            if number and secret.usageType == number and secret.usageID == name:
                return secret
        raise no_secret(f"no secret with matching usage '{name}'")

    def value_for(self, uuid: str | None, usage: str | None, kind: str) -> bytes:
        """The value that a guest, pool or device refers to by UUID or by usage of that kind, private or not.

        Raises NoSecret (66) when there is no such secret or it has no value, InvalidArg where it is for another use.
        """
        secret = self.by_uuid(uuid) if uuid else self.by_usage(kind, usage or "")
        if secret.document.usage and secret.document.usage != kind:
            words = (
                f"secret with uuid {secret.uuid_text} is of type '{secret.document.usage}' not expected '{kind}' type"
            )
            raise InvalidArg(words, origin=Origin.SECRET)
        return self.value_of(secret)

    @staticmethod
    def value_of(secret: Secret) -> bytes:
        """The value. Raises NoSecret when none was set."""
        if secret.value is None:
            raise no_secret(f"secret '{secret.uuid_text}' does not have a value")
        return secret.value

    # --- changes

    async def define(self, xml: str, validate: bool = False) -> Secret:
        """Define a secret or change one. Raises InternalError where UUID or use belong to another."""
        if validate:
            from kvasir.xml.reader import read
            from kvasir.xml.validate import validate as check

            root = read(xml, "(definition_of_secret)")
            if root.tag == "secret":
                check(model.Secret, root)
        document = model.read(xml)
        document.uuid = document.uuid or str(_uuid.uuid4())
        async with self._changing:
            found = self._to_change(document)
            await asyncio.to_thread(self._write, found, document)
            found.document = document
            self.secrets[document.uuid] = found
        self.bus.publish(SecretLifecycle(found, DEFINED, 0))
        return found

    def _to_change(self, document: model.Secret) -> Secret:
        """The secret that the document changes, or a new one."""
        old = self.secrets.get(str(document.uuid))
        if old is not None:
            self._may_change(old, document)
        elif document.usage:
            with contextlib.suppress(NoSecret):
                other = self.by_usage(document.usage, document.usage_id)
                raise InternalError(
                    f"a secret with UUID {other.uuid_text} already defined for use with {document.usage_id}",
                    origin=Origin.SECRET,
                )
        return old or Secret(document)

    def _write(self, found: Secret, document: model.Secret) -> None:
        if document.ephemeral:
            self._remove_files(str(document.uuid))
        else:
            make_folder(self.folder, 0o700)
            write_file(f"{self.folder}/{document.uuid}.xml", document.xml(INACTIVE))
            if found.document.ephemeral and found.value is not None:
                try:
                    self.values.save(str(document.uuid), found.value)
                except BaseException:
                    discard(f"{self.folder}/{document.uuid}.xml")
                    raise

    @staticmethod
    def _may_change(old: Secret, document: model.Secret) -> None:
        if old.usageID != document.usage_id:
            raise InternalError(
                f"a secret with UUID {old.uuid_text} is already defined for use with {old.usageID or '(null)'}",
                origin=Origin.SECRET,
            )
        if old.document.private and not document.private:
            raise InternalError("cannot change private flag on existing secret", origin=Origin.SECRET)

    async def set_value(self, ref: Any, value: bytes) -> None:
        """Give it a value, and keep it on the disk unless the secret is ephemeral. Raises NoSecret."""
        async with self._changing:
            secret = self.find(ref)
            if not secret.document.ephemeral:
                await asyncio.to_thread(self.values.save, secret.uuid_text, value)
            secret.value = value
        self.bus.publish(SecretValueChanged(secret))

    async def undefine(self, ref: Any) -> None:
        """Forget the secret and its value. Raises NoSecret."""
        async with self._changing:
            secret = self.find(ref)
            await asyncio.to_thread(self._remove_files, secret.uuid_text)
            self.secrets.pop(secret.uuid_text, None)
        self.bus.publish(SecretLifecycle(secret, UNDEFINED, 0))

    def _remove_files(self, uuid: str) -> None:
        """Document and value, or neither."""
        path = f"{self.folder}/{uuid}.xml"
        text = b""
        with failing(f"cannot remove file '{path}'"), contextlib.suppress(FileNotFoundError), open(path, "rb") as file:
            text = file.read()
        remove(path)
        try:
            self.values.remove(uuid)
        except BaseException:
            if text:
                write_file(path, text)
            raise
