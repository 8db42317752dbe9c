"""Registering for events of guests, networks, storage pools, host devices and secrets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kvasir.daemon.session import Session

LIFECYCLE = 0


def _hub(session: Session) -> Any:
    session.require_open()
    return session.events


def connect_domain_event_register(session: Session) -> int:
    """Lifecycle events the oldest way. Returns how many such registrations the connection has."""
    _hub(session).register_legacy(session.client, LIFECYCLE)
    return 0


def connect_domain_event_deregister(session: Session) -> int:
    """Take that back."""
    _hub(session).deregister_legacy(session.client, LIFECYCLE)
    return 0


def connect_domain_event_register_any(session: Session, eventID: int) -> None:
    """Events of one number without a callback id."""
    _hub(session).register_legacy(session.client, eventID)


def connect_domain_event_deregister_any(session: Session, eventID: int) -> None:
    """Take that back."""
    _hub(session).deregister_legacy(session.client, eventID)


def connect_domain_event_callback_register_any(session: Session, eventID: int, dom: Any) -> int:
    """Events of one number, of one guest or of all."""
    if dom is not None:
        session.driver.lookup_uuid(dom.uuid, dom.name)
    return int(_hub(session).register(session.client, "domain", eventID, dom))


def connect_domain_event_callback_deregister_any(session: Session, callbackID: int) -> None:
    """Take that back."""
    _hub(session).deregister(session.client, "domain", callbackID)


def connect_network_event_register_any(session: Session, eventID: int, net: Any) -> int:
    """Events of networks."""
    return int(_hub(session).register(session.client, "network", eventID, net))


def connect_network_event_deregister_any(session: Session, callbackID: int) -> None:
    """Take that back."""
    _hub(session).deregister(session.client, "network", callbackID)


def connect_storage_pool_event_register_any(session: Session, eventID: int, pool: Any) -> int:
    """Events of storage pools."""
    return int(_hub(session).register(session.client, "storage_pool", eventID, pool))


def connect_storage_pool_event_deregister_any(session: Session, callbackID: int) -> None:
    """Take that back."""
    _hub(session).deregister(session.client, "storage_pool", callbackID)


def connect_node_device_event_register_any(session: Session, eventID: int, dev: Any) -> int:
    """Events of host devices."""
    return int(_hub(session).register(session.client, "node_device", eventID, dev))


def connect_node_device_event_deregister_any(session: Session, callbackID: int) -> None:
    """Take that back."""
    _hub(session).deregister(session.client, "node_device", callbackID)


def connect_secret_event_register_any(session: Session, eventID: int, secret: Any) -> int:
    """Events of secrets."""
    return int(_hub(session).register(session.client, "secret", eventID, secret))


def connect_secret_event_deregister_any(session: Session, callbackID: int) -> None:
    """Take that back."""
    _hub(session).deregister(session.client, "secret", callbackID)
