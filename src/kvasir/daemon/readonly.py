"""What a read-only connection may not call: by the access rights in the table, and the exceptions to that rule."""

from __future__ import annotations

from kvasir.daemon.names import api_name, origin_of
from kvasir.errors import Code, Error
from kvasir.rpc import programs

_READS = ("getattr", "read", "search_")
_HARMLESS = frozenset(
    {"connect_set_identity", "domain_migrate_get_compression_cache", "domain_migrate_get_max_downtime"}
)
_ALSO_REFUSED = frozenset(
    {
        "domain_get_launch_security_info",
        "domain_set_scheduler_parameters",
        "node_device_get_autostart",
        "node_get_sev_info",
    }
)
_MONITOR_HARMLESS = frozenset({"connect_domain_monitor_event_deregister"})


def _refused(program: programs.Program) -> frozenset[str]:
    found = set()
    for procedure in program:
        first = procedure.rights[0].split(":")[1] if procedure.rights else "getattr"
        if not first.startswith(_READS) or first == "read_secure":
            found.add(procedure.name)
    return frozenset(found - _HARMLESS | _ALSO_REFUSED)


REFUSED: dict[int, frozenset[str]] = {
    programs.REMOTE.id: _refused(programs.REMOTE),
    programs.QEMU.id: frozenset(
        procedure.name for procedure in programs.QEMU if not procedure.event and procedure.name not in _MONITOR_HARMLESS
    ),
    programs.LXC.id: frozenset(procedure.name for procedure in programs.LXC),
}
"""Program -> names that answer "operation forbidden" there."""


def read_only(procedure: programs.Procedure) -> Error:
    """The error of a write on a read-only connection."""
    text = f"read only access prevents {api_name(procedure)}"
    return Error(text, code=Code.OPERATION_DENIED, origin=origin_of(procedure), message=f"operation forbidden: {text}")
