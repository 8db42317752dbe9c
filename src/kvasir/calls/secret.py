"""Secrets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kvasir.calls.filters import passes
from kvasir.calls.flags import bad, check_flags
from kvasir.errors import Code, Error, Origin

if TYPE_CHECKING:
    from kvasir.daemon.session import Session
    from kvasir.secret.driver import Secret, SecretDriver

EPHEMERAL, NO_EPHEMERAL, PRIVATE, NO_PRIVATE = 1, 2, 4, 8
VALIDATE = 1


def _driver(session: Session) -> SecretDriver:
    driver: SecretDriver = session.other("secret")
    return driver


def _wanted(secret: Secret, flags: int) -> bool:
    pairs = ((EPHEMERAL, NO_EPHEMERAL, secret.document.ephemeral), (PRIVATE, NO_PRIVATE, secret.document.private))
    return passes(flags, *pairs)


def connect_num_of_secrets(session: Session) -> int:
    """How many there are."""
    return len(_driver(session).secrets)


def connect_list_secrets(session: Session, maxuuids: int) -> list[str]:
    """Their UUIDs as text."""
    return list(_driver(session).secrets)[:maxuuids]


def connect_list_all_secrets(session: Session, need_results: int, flags: int) -> tuple[list[Secret], int]:
    """Those that the filters let pass."""
    check_flags(flags, 15, "secretConnectListAllSecrets")
    found = [secret for secret in _driver(session).secrets.values() if _wanted(secret, flags)]
    return (found if need_results else []), len(found)


def secret_lookup_by_uuid(session: Session, uuid: bytes) -> Secret:
    """By UUID."""
    return _driver(session).by_uuid(uuid)


def secret_lookup_by_usage(session: Session, usageType: int, usageID: str) -> Secret:
    """By what it is used for."""
    return _driver(session).by_usage(usageType, usageID)


async def secret_define_xml(session: Session, xml: str, flags: int) -> Secret:
    """Define or change one."""
    check_flags(flags, VALIDATE, "secretDefineXML")
    return await _driver(session).define(xml, bool(flags & VALIDATE))


def secret_get_xml_desc(session: Session, secret: Any, flags: int) -> str:
    """Its document."""
    check_flags(flags, 0, "secretGetXMLDesc")
    return _driver(session).find(secret).document.xml()


async def secret_set_value(session: Session, secret: Any, value: bytes, flags: int) -> None:
    """Set its value."""
    check_flags(flags, 0, "secretSetValue")
    if not value:
        raise bad("virSecretSetValue", "value", "must not be NULL", Origin.NONE)
    await _driver(session).set_value(secret, bytes(value))


def secret_get_value(session: Session, secret: Any, flags: int) -> bytes:
    """Its value, unless it is private."""
    check_flags(flags, 0, "secretGetValue")
    driver = _driver(session)
    found = driver.find(secret)
    if found.document.private:
        text = "secret is private"
        raise Error(text, code=Code.INVALID_SECRET, origin=Origin.SECRET, message=f"Invalid secret: {text}")
    return driver.value_of(found)


async def secret_undefine(session: Session, secret: Any) -> None:
    """Forget it."""
    await _driver(session).undefine(secret)
