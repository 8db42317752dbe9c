"""How much a call may ask for at once. Libvirt's numbers and words (seen at libvirtd 9.0), so that no call makes the daemon work without end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from kvasir.errors import Code, Error, Origin

LISTS: Final[dict[str, tuple[str, int, str]]] = {
    "connect_list_defined_domains": ("maxnames", 16384, "DOMAIN_LIST_MAX"),
    "connect_list_domains": ("maxids", 16384, "DOMAIN_LIST_MAX"),
    "connect_list_networks": ("maxnames", 16384, "NETWORK_LIST_MAX"),
    "connect_list_defined_networks": ("maxnames", 16384, "NETWORK_LIST_MAX"),
    "connect_list_storage_pools": ("maxnames", 16384, "STORAGE_POOL_LIST_MAX"),
    "connect_list_defined_storage_pools": ("maxnames", 16384, "STORAGE_POOL_LIST_MAX"),
    "storage_pool_list_volumes": ("maxnames", 16384, "STORAGE_VOL_LIST_MAX"),
    "node_get_cells_free_memory": ("maxcells", 1024, "NODE_MAX_CELLS"),
    "node_list_devices": ("maxnames", 65536, "NODE_DEVICE_LIST_MAX"),
    "node_device_list_caps": ("maxnames", 65536, "NODE_DEVICE_CAPS_LIST_MAX"),
    "connect_list_interfaces": ("maxnames", 16384, "INTERFACE_LIST_MAX"),
    "connect_list_defined_interfaces": ("maxnames", 16384, "INTERFACE_LIST_MAX"),
    "connect_list_secrets": ("maxuuids", 16384, "SECRET_LIST_MAX"),
    "connect_list_nwfilters": ("maxnames", 16384, "NWFILTER_LIST_MAX"),
    "domain_snapshot_list_names": ("maxnames", 16384, "DOMAIN_SNAPSHOT_LIST_MAX"),
    "domain_snapshot_list_children_names": ("maxnames", 16384, "DOMAIN_SNAPSHOT_LIST_MAX"),
}
"""Procedure: its argument, the most of it, the name of that limit (after ``REMOTE_``)."""
PARAMETERS: Final = {
    "domain_get_scheduler_parameters": 16,
    "domain_get_scheduler_parameters_flags": 16,
    "domain_get_memory_parameters": 16,
    "domain_get_blkio_parameters": 16,
    "domain_get_block_io_tune": 32,
    "domain_get_numa_parameters": 16,
    "domain_get_interface_parameters": 16,
    "domain_block_stats_flags": 16,
    "domain_get_cpu_stats": 16,
    "node_get_cpu_stats": 16,
    "node_get_memory_stats": 16,
    "node_get_memory_parameters": 64,
}
"""The most ``nparams``."""
_VCPUS, _MAPS = 16384, 8388608
SPECIAL: Final[dict[str, tuple[tuple[tuple[str, ...], int, str], ...]]] = {
    "domain_get_vcpus": (
        (("maxinfo",), _VCPUS, "maxinfo > REMOTE_VCPUINFO_MAX"),
        (("maxinfo", "maplen"), _MAPS, "maxinfo * maplen > REMOTE_CPUMAPS_MAX"),
    ),
    "domain_get_vcpu_pin_info": (
        (("ncpumaps",), _VCPUS, "ncpumaps > REMOTE_VCPUINFO_MAX"),
        (("ncpumaps", "maplen"), _MAPS, "maxinfo * maplen > REMOTE_CPUMAPS_MAX"),
    ),
    "domain_get_emulator_pin_info": ((("maplen",), _MAPS, "maxinfo * maplen > REMOTE_CPUMAPS_MAX"),),
    "domain_block_peek": ((("size",), 4 << 20, "size > maximum buffer size"),),
    "domain_memory_peek": ((("size",), 4 << 20, "size > maximum buffer size"),),
    "domain_memory_stats": ((("maxStats",), 1024, "maxStats > REMOTE_DOMAIN_MEMORY_STATS_MAX"),),
    "domain_get_cpu_stats": ((("ncpus",), 128, "ncpus too large"),),
    "domain_get_disk_errors": ((("maxerrors",), 256, "maxerrors too large"),),
    "node_get_free_pages": ((("pages", "cellCount"), 1024, "the result won't fit into REMOTE_NODE_MAX_CELLS"),),
}
"""Products of arguments (of a list its length): the most, and what is said beyond it."""

NAMES: Final = frozenset((*LISTS, *PARAMETERS, *SPECIAL))


def _refused(text: str, code: Code = Code.INTERNAL_ERROR) -> Error:
    message = text if code == Code.RPC else f"internal error: {text}"
    return Error(text, code=code, origin=Origin.RPC, message=message)


def check(name: str, arguments: Mapping[str, Any]) -> None:
    """Raises RPC or INTERNAL_ERROR where the call wants more than there may be."""
    listed = LISTS.get(name)
    if listed is not None:
        argument, most, limit = listed
        if arguments[argument] < 0:
            raise _refused(f"{argument} must be non-negative", Code.RPC)
        if arguments[argument] > most:
            raise _refused(f"{argument} > REMOTE_{limit}", Code.RPC)
    allowed = PARAMETERS.get(name)
    if allowed is not None:
        if arguments["nparams"] < 0:
            raise _refused("nparams must be non-negative")
        if arguments["nparams"] > allowed:
            raise _refused("nparams too large")
    for names, most, text in SPECIAL.get(name, ()):
        product = 1
        for one in names:
            value = arguments[one]
            if isinstance(value, int) and value < 0:
                raise _refused(f"{'maxinfo' if name == 'domain_get_vcpus' else one} must be non-negative")
            product *= len(value) if isinstance(value, list) else value
        if product > most:
            raise _refused(text)
