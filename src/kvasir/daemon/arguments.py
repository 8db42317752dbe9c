"""What libvirt's public functions refuse before any driver is asked, whatever driver serves the connection (seen at libvirtd 9.0)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, Final

from kvasir.calls.flags import BadArgument
from kvasir.daemon.names import api_name, origin_of
from kvasir.errors import Code, Error
from kvasir.rpc.programs import Procedure

RULES: Final = """
connect_baseline_cpu xmlCPUs:null
connect_baseline_hypervisor_cpu xmlCPUs:null
domain_attach pid_value:zero
domain_block_peek path:empty:disk
domain_checkpoint_create_xml 4>1:CHECKPOINT_CREATE_REDEFINE_VALIDATE>CHECKPOINT_CREATE_REDEFINE 1!2:CHECKPOINT_CREATE_REDEFINE!CHECKPOINT_CREATE_QUIESCE
domain_checkpoint_delete 1!4:CHECKPOINT_DELETE_CHILDREN!CHECKPOINT_DELETE_CHILDREN_ONLY
domain_core_dump 1!2:-DUMP_CRASH!-DUMP_LIVE 1!8:-DUMP_CRASH!-DUMP_RESET 2!8:-DUMP_LIVE!-DUMP_RESET
domain_core_dump_with_format 1!2:-DUMP_CRASH!-DUMP_LIVE 1!8:-DUMP_CRASH!-DUMP_RESET 2!8:-DUMP_LIVE!-DUMP_RESET
domain_del_iothread iothread_id:zero
domain_get_block_info path:empty:disk
domain_get_job_stats 2>1:JOB_STATS_KEEP_COMPLETED>JOB_STATS_COMPLETED
domain_get_block_io_tune 1!2:AFFECT_LIVE!AFFECT_CONFIG
domain_get_memory_parameters 1!2:AFFECT_LIVE!AFFECT_CONFIG
domain_get_blkio_parameters 1!2:AFFECT_LIVE!AFFECT_CONFIG
domain_get_scheduler_parameters nparams:null:params
domain_get_scheduler_parameters_flags nparams:null:params 1!2:AFFECT_LIVE!AFFECT_CONFIG
domain_get_emulator_pin_info maplen:null:cpumap 1!2:AFFECT_LIVE!AFFECT_CONFIG
domain_get_iothread_info 1!2:AFFECT_LIVE!AFFECT_CONFIG
domain_get_vcpus_flags 1!2:AFFECT_LIVE!AFFECT_CONFIG
domain_get_vcpu_pin_info ncpumaps:positive maplen:null:cpumaps 1!2:AFFECT_LIVE!AFFECT_CONFIG
domain_get_vcpus maxinfo:null:info
domain_lookup_by_id id:negative
domain_memory_peek 1!2:-MEMORY_VIRTUAL!-MEMORY_PHYSICAL
domain_pin_emulator cpumap:null
domain_pin_iothread cpumap:null
domain_pin_vcpu cpumap:null
domain_pin_vcpu_flags cpumap:null
domain_rename new_name:none new_name:empty
domain_restore_flags 2!4:SAVE_RUNNING!SAVE_PAUSED
domain_revert_to_snapshot 1!2:SNAPSHOT_REVERT_RUNNING!SNAPSHOT_REVERT_PAUSED
domain_save_flags 2!4:SAVE_RUNNING!SAVE_PAUSED
domain_save_image_define_xml 2!4:SAVE_RUNNING!SAVE_PAUSED
domain_managed_save 2!4:SAVE_RUNNING!SAVE_PAUSED
domain_send_key keycodes:null
domain_send_process_signal pid_value:zero
domain_set_blkio_parameters params:null
domain_set_block_io_tune params:positive:nparams
domain_set_interface_parameters params:null
domain_set_iothread_params params:null
domain_set_launch_security_state params:null
domain_set_max_memory memory:zero
domain_set_memory memory:zero
domain_set_memory_flags memory:zero
domain_set_memory_parameters params:null
domain_set_memory_stats_period period:negative
domain_set_numa_parameters params:null
domain_set_perf_events params:null
domain_set_scheduler_parameters params:null
domain_set_scheduler_parameters_flags params:null
domain_set_user_password user:none password:none
domain_set_vcpus nvcpus:zero
domain_set_vcpus_flags 4>2:VCPU_MAXIMUM>AFFECT_CONFIG nvcpus:zero
domain_snapshot_create_xml 2>1:SNAPSHOT_CREATE_CURRENT>SNAPSHOT_CREATE_REDEFINE 1!4:SNAPSHOT_CREATE_REDEFINE!SNAPSHOT_CREATE_NO_METADATA
domain_snapshot_delete 1!4:SNAPSHOT_DELETE_CHILDREN!SNAPSHOT_DELETE_CHILDREN_ONLY
domain_start_dirty_rate_calc 1!2:DIRTYRATE_MODE_DIRTY_BITMAP!DIRTYRATE_MODE_DIRTY_RING
node_alloc_pages pageSizes:zero:npages pageCounts:null cellCount:zero
node_get_cells_free_memory maxcells:positive:maxCells startCell:negative
node_get_free_pages pages:zero:npages cellCount:zero
node_set_memory_parameters params:null
secret_set_value value:null
"""
"""Procedure and what it refuses, in libvirt's order: ``argument:kind:libvirt's name``, two flags that exclude each other (``1!2``), a flag that needs another (``4>2``)."""
MOST_MEMORY: Final = (2**63 - 1) // 1024
"""KiB that a signed number of bytes can count."""
WORDS: Final = {
    "null": "must not be NULL",
    "none": "must not be NULL",
    "zero": "must not be zero",
    "positive": "must be greater than zero",
    "negative": "must be zero or greater",
    "empty": "must not be empty",
}
TABLE: Final[dict[str, tuple[str, ...]]] = {
    line.split()[0]: tuple(line.split()[1:]) for line in RULES.strip().splitlines()
}


@cache
def _flag(name: str) -> str:
    return f"VIR_{name[1:]}" if name[0] == "-" else f"VIR_DOMAIN_{name}"


def check(procedure: Procedure, arguments: Mapping[str, Any]) -> None:
    """Raises INVALID_ARG where libvirt's public function would refuse the call."""
    special = SPECIAL.get(procedure.name)
    if special is not None:
        special(procedure, arguments)
    for rule in TABLE.get(procedure.name, ()):
        what, kind, *shown = rule.split(":")
        if "!" in what or ">" in what:
            _flags(procedure, int(arguments["flags"]), what, kind)
        elif _refused(kind, arguments[what]):
            name = shown[0] if shown else what
            head = f"string {name}" if kind == "empty" else name
            raise BadArgument(
                f"{head} in {api_name(procedure)} {WORDS[kind]}", api_name(procedure), name, origin_of(procedure)
            )


def _refused(kind: str, value: Any) -> bool:
    if kind == "none":
        return value is None
    if kind in ("negative", "positive") and isinstance(value, int):
        return value < (1 if kind == "positive" else 0)
    return not value and (kind != "empty" or value is not None)


def _flags(procedure: Procedure, flags: int, bits: str, names: str) -> None:
    exclusive = "!" in bits
    first, second = (int(bit) for bit in bits.split("!" if exclusive else ">"))
    one, other = (_flag(name) for name in names.split("!" if exclusive else ">"))
    if exclusive and flags & first and flags & second:
        raise _said(procedure, f"Flags '{one}' and '{other}' are mutually exclusive")
    if not exclusive and flags & first and not flags & second:
        raise _said(procedure, f"Flag '{other}' is required by flag '{one}'")


def _said(procedure: Procedure, text: str, code: Code = Code.INVALID_ARG, *, prefix: str = "") -> Error:
    return Error(text, code=code, origin=origin_of(procedure), message=prefix + text)


def _metadata(procedure: Procedure, arguments: Mapping[str, Any]) -> None:
    kind = arguments["type"]
    if procedure.name == "domain_get_metadata":
        _flags(procedure, int(arguments["flags"]), "1!2", "AFFECT_LIVE!AFFECT_CONFIG")
    setting = procedure.name == "domain_set_metadata"
    if setting and kind == 1 and "\n" in (arguments["metadata"] or ""):
        raise _said(procedure, "metadata title can't contain newlines")
    for name in ("uri", "key") if setting else ("uri",):
        given = arguments[name] is not None
        if kind in (0, 1) and given:
            raise BadArgument(
                f"{name} in {api_name(procedure)} must be NULL", api_name(procedure), name, origin_of(procedure)
            )
        if kind == 2 and not given and (name == "uri" or arguments["metadata"] is not None):
            raise BadArgument(
                f"{name} in {api_name(procedure)} must not be NULL", api_name(procedure), name, origin_of(procedure)
            )


def _dump_format(procedure: Procedure, arguments: Mapping[str, Any]) -> None:
    if arguments["dumpformat"] > 4:
        raise _said(procedure, f"dumpformat '{arguments['dumpformat']}' is not supported")


def _cpu_stats(procedure: Procedure, arguments: Mapping[str, Any]) -> None:
    if arguments["start_cpu"] == -1:
        if arguments["ncpus"] != 1:
            raise _said(procedure, "ncpus must be 1 when start_cpu is -1")
    elif arguments["start_cpu"] < 0:
        text = f"start_cpu in {api_name(procedure)} must be zero or greater"
        raise BadArgument(text, api_name(procedure), "start_cpu", origin_of(procedure))
    elif arguments["nparams"] and not arguments["ncpus"]:
        text = f"params in {api_name(procedure)} must not be NULL"
        raise BadArgument(text, api_name(procedure), "params", origin_of(procedure))


def _node_cpu_stats(procedure: Procedure, arguments: Mapping[str, Any]) -> None:
    if arguments["cpuNum"] < -1:
        raise _said(procedure, f"cpuNum in {api_name(procedure)} only accepts -1 as a negative value")


def _memory(procedure: Procedure, arguments: Mapping[str, Any]) -> None:
    if arguments["memory"] > MOST_MEMORY:
        text = f"input too large: {arguments['memory']}"
        raise _said(procedure, text, Code.OVERFLOW, prefix="numerical overflow: ")


def _resize(procedure: Procedure, arguments: Mapping[str, Any]) -> None:
    delta, shrink = 2, 4
    if not arguments["capacity"] and not arguments["flags"] & (delta | shrink):
        text = f"capacity in {api_name(procedure)} cannot be zero without 'delta' or 'shrink' flags set"
        raise _said(procedure, text)


def _keys(procedure: Procedure, arguments: Mapping[str, Any]) -> None:
    both = arguments["flags"] & 3
    if both and not arguments["keys"]:
        raise BadArgument(
            f"keys in {api_name(procedure)} must not be NULL", api_name(procedure), "keys", origin_of(procedure)
        )
    names = "1!2", "AUTHORIZED_SSH_KEYS_SET_APPEND!AUTHORIZED_SSH_KEYS_SET_REMOVE"
    _flags(procedure, both, *names)


def _lifecycle(procedure: Procedure, arguments: Mapping[str, Any]) -> None:
    for name, most in (("type", 3), ("action", 6)):
        if arguments[name] >= most:
            raise _said(procedure, f"invalid lifecycle {name} '{arguments[name]}'", prefix="invalid argument: ")


def _throttle(procedure: Procedure, arguments: Mapping[str, Any]) -> None:
    if arguments["nparams"] and arguments["disk"] is None:
        text = f"disk in {api_name(procedure)} must not be NULL"
        raise BadArgument(text, api_name(procedure), "disk", origin_of(procedure))


def _rebase(procedure: Procedure, arguments: Mapping[str, Any]) -> None:
    shallow, reuse, raw, copy, device = 1, 2, 4, 8, 32
    if arguments["flags"] & copy:
        if arguments["base"] is None:
            text = f"base in {api_name(procedure)} must not be NULL"
            raise BadArgument(text, api_name(procedure), "base", origin_of(procedure))
    elif arguments["flags"] & (shallow | reuse | raw | device):
        raise _said(procedure, "use of flags requires a copy job")


def _codeset(procedure: Procedure, arguments: Mapping[str, Any]) -> None:
    if arguments["keycodes"] and arguments["codeset"] > 9:
        raise _said(procedure, f"Unsupported codeset '{arguments['codeset']}'")


SPECIAL: Final = {
    "domain_get_metadata": _metadata,
    "domain_set_metadata": _metadata,
    "domain_core_dump_with_format": _dump_format,
    "domain_get_cpu_stats": _cpu_stats,
    "node_get_cpu_stats": _node_cpu_stats,
    "domain_send_key": _codeset,
    "storage_vol_resize": _resize,
    "domain_set_lifecycle_action": _lifecycle,
    "domain_get_block_io_tune": _throttle,
    "domain_block_rebase": _rebase,
    "domain_set_memory": _memory,
    "domain_set_max_memory": _memory,
    "domain_set_memory_flags": _memory,
    "domain_authorized_ssh_keys_set": _keys,
}
"""What is no plain rule."""
NAMES: Final = frozenset((*TABLE, *SPECIAL))
