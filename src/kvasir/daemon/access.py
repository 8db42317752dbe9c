"""Fine-grained access (``access_drivers = ["polkit"]``): every call's rights in the wire's table are asked of polkit.

The action is ``org.libvirt.api.OBJECT.PERMISSION``; rules see ``connect_driver`` and what names the object (``domain_name``,
``domain_uuid``, ``pool_name``, ``secret_usage_volume`` ...), as libvirt's page "Polkit access control" has them. Only the peer
of a unix socket can be asked about; others are refused, as by libvirt.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, Any, Final

from kvasir.daemon.polkit import Authority
from kvasir.errors import Code, Error, Origin
from kvasir.host.bus import Unreachable
from kvasir.rpc.constants import find as constant

if TYPE_CHECKING:
    from kvasir.daemon.client import Client
    from kvasir.rpc.programs import Procedure

log = logging.getLogger(__name__)

Details = dict[str, str]
Caller = Callable[..., Awaitable[list[Any]]]
OLD_LISTS: Final = {
    "connect_list_domains": ("connect_list_all_domains", 1, "id"),
    "connect_num_of_domains": ("connect_list_all_domains", 1, ""),
    "connect_list_defined_domains": ("connect_list_all_domains", 2, "name"),
    "connect_num_of_defined_domains": ("connect_list_all_domains", 2, ""),
    "connect_list_networks": ("connect_list_all_networks", 2, "name"),
    "connect_num_of_networks": ("connect_list_all_networks", 2, ""),
    "connect_list_defined_networks": ("connect_list_all_networks", 1, "name"),
    "connect_num_of_defined_networks": ("connect_list_all_networks", 1, ""),
    "connect_list_storage_pools": ("connect_list_all_storage_pools", 2, "name"),
    "connect_num_of_storage_pools": ("connect_list_all_storage_pools", 2, ""),
    "connect_list_defined_storage_pools": ("connect_list_all_storage_pools", 1, "name"),
    "connect_num_of_defined_storage_pools": ("connect_list_all_storage_pools", 1, ""),
    "connect_list_interfaces": ("connect_list_all_interfaces", 2, "name"),
    "connect_num_of_interfaces": ("connect_list_all_interfaces", 2, ""),
    "connect_list_defined_interfaces": ("connect_list_all_interfaces", 1, "name"),
    "connect_num_of_defined_interfaces": ("connect_list_all_interfaces", 1, ""),
    "connect_list_secrets": ("connect_list_all_secrets", 0, "uuid"),
    "connect_num_of_secrets": ("connect_list_all_secrets", 0, ""),
    "connect_list_nwfilters": ("connect_list_all_nwfilters", 0, "name"),
    "connect_num_of_nwfilters": ("connect_list_all_nwfilters", 0, ""),
}
"""Old calls that give names or numbers -> the call that gives the objects, its flags, and what the old one shows of each."""
_NAMES: Final = {"node_device": "node_device_name", "storage_vol": "vol_name"}
_USAGES: Final = {
    1: "secret_usage_volume",
    2: "secret_usage_ceph",
    3: "secret_usage_target",
    4: "secret_usage_name",
    5: "secret_usage_name",
}
_DOCUMENTS: Final = {
    "domain": "domain",
    "network": "network",
    "storage_pool": "pool",
    "nwfilter": "nwfilter",
    "interface": "interface",
    "node_device": "node_device",
    "storage_vol": "vol",
}
PARTS: Final = {"storage_vol": "storage_pool", "network_port": "network"}
"""What is made inside another object."""


def _uuid(value: bytes) -> str:
    return str(uuid.UUID(bytes=bytes(value)))


def _named(prefix: str) -> Callable[[Any], Details]:
    return lambda thing: {f"{prefix}_name": thing.name, f"{prefix}_uuid": _uuid(thing.uuid)}


def _secret(thing: Any) -> Details:
    found = {"secret_uuid": _uuid(thing.uuid)}
    if thing.usageType in _USAGES:
        found[_USAGES[thing.usageType]] = thing.usageID
    return found


_DETAILS: Final[dict[str, tuple[tuple[str, ...], Callable[[Any], Details]]]] = {
    "domain": (("name", "uuid", "id"), _named("domain")),
    "network": (("name", "uuid"), _named("network")),
    "network_port": (
        ("net", "uuid"),
        lambda thing: {**_named("network")(thing.net), "network_port_uuid": _uuid(thing.uuid)},
    ),
    "nwfilter": (("name", "uuid"), _named("nwfilter")),
    "nwfilter_binding": (
        ("portdev", "filtername"),
        lambda thing: {"nwfilter_binding_portdev": thing.portdev, "nwfilter_name": thing.filtername},
    ),
    "interface": (("name", "mac"), lambda thing: {"interface_name": thing.name, "interface_macaddr": thing.mac}),
    "node_device": (("name",), lambda thing: {"node_device_name": thing.name}),
    "storage_pool": (("name", "uuid"), _named("pool")),
    "storage_vol": (
        ("pool", "name", "key"),
        lambda thing: {"pool_name": thing.pool, "vol_name": thing.name, "vol_key": thing.key},
    ),
    "secret": (("uuid", "usageType", "usageID"), _secret),
}
"""Object of a right -> the fields of its struct on the wire, and what rules see of one."""


def _details(kind: str, value: Any) -> Details | None:
    """What rules see of a value, where it is an object of that kind (or belongs to one)."""
    fields, make = _DETAILS[kind]
    if all(hasattr(value, field) for field in fields):
        return make(value)
    if kind == "domain" and hasattr(value, "dom"):
        return make(value.dom)
    if kind == "storage_pool" and hasattr(value, "pool") and hasattr(value, "key"):
        return {"pool_name": value.pool}
    if kind == "network" and hasattr(value, "net"):
        return make(value.net)
    return None


def _secret_of(tree: Any) -> Details:
    found = {"secret_uuid": tree.findtext("uuid").strip()} if tree.findtext("uuid") else {}
    usage = tree.find("usage")
    kind = _USAGE_WORDS.get(usage.get("type")) if usage is not None else None
    if kind is not None:
        found[kind[0]] = (usage.findtext(kind[1]) or "").strip()
    return found


def _port_of(tree: Any) -> Details:
    return {"network_port_uuid": tree.findtext("uuid").strip()} if tree.findtext("uuid") else {}


def _binding_of(tree: Any) -> Details:
    port, ref = tree.find("portdev"), tree.find("filterref")
    found = {"nwfilter_binding_portdev": port.get("name", "")} if port is not None else {}
    return found | ({"nwfilter_name": ref.get("filter", "")} if ref is not None else {})


_USAGE_WORDS: Final = {
    "volume": ("secret_usage_volume", "volume"),
    "ceph": ("secret_usage_ceph", "name"),
    "iscsi": ("secret_usage_target", "target"),
    "tls": ("secret_usage_name", "name"),
    "vtpm": ("secret_usage_name", "name"),
}
_READERS: Final[dict[str, Callable[[Any], Details]]] = {
    "secret": _secret_of,
    "network_port": _port_of,
    "nwfilter_binding": _binding_of,
}


def _from_document(kind: str, text: str) -> Details | None:
    """The name and UUID that a document which is to be defined says."""
    from lxml import etree

    prefix = _DOCUMENTS.get(kind)
    if (prefix is None and kind not in _READERS) or not text.lstrip().startswith("<"):
        return None
    try:
        tree = etree.fromstring(text.encode(), etree.XMLParser(resolve_entities=False, no_network=True))
    except (etree.XMLSyntaxError, ValueError):
        return None  # the driver says what is wrong with it
    if kind in _READERS:
        return _READERS[kind](tree)
    if kind == "nwfilter" or kind == "interface":
        return {f"{prefix}_name": tree.get("name", "")}
    found = {f"{prefix}_name": (tree.findtext("name") or "").strip()}
    if tree.findtext("uuid"):
        found[f"{prefix}_uuid"] = (tree.findtext("uuid") or "").strip()
    return found


def _found(kind: str, value: Any) -> Details | None:
    return _from_document(kind, value) if isinstance(value, str) else _details(kind, value)


def _within(kind: str, arguments: dict[str, Any]) -> Details:
    """What rules see of the object in which a part is to be made."""
    whole = PARTS.get(kind)
    return next((found for one in arguments.values() if whole and (found := _details(whole, one))), {}) if whole else {}


def _only_looks(procedure: Procedure) -> bool:
    """Whether the object may be named by the result: nothing has happened by then."""
    return "_lookup_" in procedure.name or "_get_" in procedure.name


def applies(condition: list[str], flags: int, arguments: dict[str, Any]) -> bool:
    """Whether a right counts for this call: always, by its flags, or by a parameter's value."""
    if not condition:
        return True
    if len(condition) == 3:  # ":source:CONSTANT"
        return bool(arguments.get(condition[1]) == constant(condition[2]))
    words = condition[0]
    bits = 0
    for name in words.lstrip("!").split("|"):
        bits |= constant(name)
    return not flags & bits if words.startswith("!") else bool(flags & bits)


class Access:
    """Asks polkit for the daemon's calls."""

    def __init__(self) -> None:
        self._authority = Authority()

    def close(self) -> None:
        self._authority.close()

    async def before(
        self, client: Client, procedure: Procedure, arguments: dict[str, Any], call: Caller | None = None
    ) -> list[str]:
        """Check before the call; gives the rights of calls that only look, whose object the result names. ``call`` as in ``after``."""
        later = []
        if (
            procedure.name in ("domain_restore", "domain_restore_flags")
            and not arguments.get("dxml")
            and call is not None
        ):
            text = await call("domain_save_image_get_xml_desc", arguments["from_"], 0)
            arguments = {**arguments, "dxml": text}  # the guest's name is in the file
        for right in procedure.rights:
            kind, permission, *condition = right.split(":", 2)
            condition = condition[0].split(":") if condition else []
            if not applies(condition, arguments.get("flags", 0), arguments):
                continue
            if kind == "connect":
                await self._require(client, kind, permission, {})
                continue
            details = self._object_of(kind, arguments)
            if details is None and _only_looks(procedure):
                later.append(f"{kind}:{permission}")
            else:
                await self._require(client, kind, permission, details or {})
        return later

    async def after(self, client: Client, procedure: Procedure, later: Iterable[str], result: Any, call: Caller) -> Any:
        """Check what the result names, and leave out of lists what the client may not see. ``call(name, *arguments)`` runs
        another procedure of the same connection."""
        if not later and not procedure.filter:
            return result
        wire = procedure.decode_result(procedure.encode_result(result))
        for right in later:
            kind, _, permission = right.partition(":")
            values = wire if isinstance(wire, tuple) and not _details(kind, wire) else (wire,)
            details = next((found for value in values if (found := _found(kind, value)) is not None), {})
            await self._require(client, kind, permission, details)
        if procedure.filter and wire is not None:
            return await self._filtered(client, procedure, wire, call)
        return result

    @staticmethod
    def _object_of(kind: str, arguments: dict[str, Any]) -> Details | None:
        if kind == "node_device" and isinstance(arguments.get("name"), str):
            return {"node_device_name": arguments["name"]}
        for value in arguments.values():
            found = _details(kind, value) if kind not in PARTS else None
            if found is None and isinstance(value, str):
                found = _from_document(kind, value)
            if found is not None:
                return _within(kind, arguments) | found
        return next((found for value in arguments.values() if (found := _details(kind, value)) is not None), None)

    async def _filtered(self, client: Client, procedure: Procedure, wire: Any, call: Caller) -> Any:
        kind, _, permission = procedure.filter.partition(":")

        async def seen(things: Iterable[Any]) -> list[Any]:
            pairs = [(one, _details(kind, one) or _details(kind, one[0])) for one in things]
            return [one for one, details in pairs if await self._allowed(client, kind, permission, details or {})]

        old = OLD_LISTS.get(procedure.name)
        if old is not None:
            name, flags, field = old
            kept = await seen(await call(name, flags))
            if not isinstance(wire, list):
                return len(kept)
            visible = {str(_uuid(one.uuid)) if field == "uuid" else getattr(one, field) for one in kept}
            return [value for value in wire if value in visible]
        if isinstance(wire, list):
            if wire and isinstance(wire[0], str):  # node devices and volumes, which their names are enough for
                return [
                    one
                    for one in wire
                    if await self._allowed(client, kind, permission, {_NAMES.get(kind, "name"): one})
                ]
            return await seen(wire)
        if isinstance(wire, tuple) and isinstance(wire[0], list):
            kept = await seen(wire[0])
            return kept, len(kept) if wire[0] else wire[1]
        return wire

    async def allows_event(self, client: Client, kind: str, thing: Any) -> bool:
        """Whether the client may hear of the object."""
        if kind not in _DETAILS or thing is None:
            return True
        try:
            return await self._allowed(client, kind, "getattr", _details(kind, thing) or {})
        except Error:
            return False

    async def _require(self, client: Client, kind: str, permission: str, details: Details) -> None:
        if await self._allowed(client, kind, permission, details):
            return
        log.warning("%r: polkit refuses %s for %s", client, action(kind, permission), details or "the connection")
        text = f"'{getattr(client.driver, 'TYPE', 'QEMU')}' denied access"
        raise Error(text, code=Code.ACCESS_DENIED, origin=Origin.ACCESS, message=f"access denied: {text}")

    async def _allowed(self, client: Client, kind: str, permission: str, details: Details) -> bool:
        if not client.is_local:
            log.warning("%r: access rules need a unix socket, %s:%s is refused", client, kind, permission)
            return False
        driver = getattr(client.driver, "TYPE", "QEMU")
        try:
            allowed, _, _ = await self._authority.check(
                client.identity, action(kind, permission), {"connect_driver": driver, **details}
            )
        except Unreachable as problem:
            text = f"polkit cannot be asked about '{action(kind, permission)}': {problem}"
            raise Error(text, code=Code.ACCESS_DENIED, origin=Origin.POLKIT, message=f"access denied: {text}") from None
        return allowed


def action(kind: str, permission: str) -> str:
    """The name of a right as polkit knows it."""
    return f"org.libvirt.api.{kind.replace('_', '-')}.{permission.replace('_', '-')}"
