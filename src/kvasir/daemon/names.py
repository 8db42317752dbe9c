"""Names of libvirt's API functions behind the procedures, for messages that name them, and the part of libvirt they belong to."""

from __future__ import annotations

from typing import Final

from kvasir.errors import Origin
from kvasir.rpc.programs import Procedure

_WORDS: Final = {
    **{
        word: word.upper()
        for word in ("xml", "uuid", "id", "uri", "cpu", "os", "pm", "nmi", "fs", "dhcp", "sev", "fd", "ssh")
    },
    **{"nwfilter": "NWFilter", "nwfilters": "NWFilters", "iothread": "IOThread", "wwn": "WWN", "uuids": "UUIDs"},
    **{"fsinfo": "FSInfo", "fsfreeze": "FSFreeze", "fsthaw": "FSThaw", "fstrim": "FSTrim", "scsi": "SCSI"},
}
_WHOLE: Final = {
    "connect_domain_event_callback_register_any": "virConnectDomainEventRegisterAny",
    "connect_domain_event_callback_deregister_any": "virConnectDomainEventDeregisterAny",
    "connect_domain_monitor_event_register": "virConnectDomainQemuMonitorEventRegister",
    "connect_domain_monitor_event_deregister": "virConnectDomainQemuMonitorEventDeregister",
}
_ORIGINS: Final = (
    ("domain_snapshot", Origin.DOMAIN_SNAPSHOT),
    ("domain_revert", Origin.DOMAIN_SNAPSHOT),
    ("domain_checkpoint", Origin.DOMAIN_CHECKPOINT),
    ("storage", Origin.STORAGE),
    ("connect_find_storage", Origin.STORAGE),
    ("network", Origin.NETWORK),
    ("node_device", Origin.NODEDEV),
    ("interface", Origin.INTERFACE),
    ("nwfilter", Origin.NWFILTER),
    ("secret", Origin.SECRET),
)


def api_name(procedure: Procedure) -> str:
    """``domain_get_xml_desc`` -> ``virDomainGetXMLDesc``."""
    name = procedure.name
    if name in _WHOLE:
        return _WHOLE[name]
    words = "".join(_WORDS.get(word, word.capitalize()) for word in name.split("_"))
    if procedure.program.name == "qemu":
        return "virDomainQemu" + words.removeprefix("Domain")
    if procedure.program.name == "lxc":
        return "virDomainLxc" + words.removeprefix("Domain")
    return f"vir{words}"


def origin_of(procedure: Procedure) -> Origin:
    """Where libvirt's public function would report an error."""
    if procedure.program.name != "remote":
        return Origin.NONE
    for start, origin in _ORIGINS:
        if procedure.name.startswith(start):
            return origin
    return Origin.DOMAIN
