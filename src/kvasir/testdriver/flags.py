"""The flags that the calls of libvirt's test driver know; any other is refused before anything is looked at."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

from kvasir.calls.flags import check_flags
from kvasir.errors import Origin

KNOWN = """
connect_find_storage_pool_sources 0 testConnectFindStoragePoolSources
connect_list_all_networks 3f testConnectListAllNetworks
connect_list_all_storage_pools fffff testConnectListAllStoragePools
domain_checkpoint_create_xml 3 testDomainCheckpointCreateXML
domain_checkpoint_delete 7 testDomainCheckpointDelete
domain_checkpoint_get_parent 0 testDomainCheckpointGetParent
domain_checkpoint_get_xml_desc 7 testDomainCheckpointGetXMLDesc
domain_checkpoint_list_all_children f testDomainCheckpointListAllChildren
domain_snapshot_get_parent 0 testDomainSnapshotGetParent
domain_snapshot_get_xml_desc 1 testDomainSnapshotGetXMLDesc
domain_snapshot_has_metadata 0 testDomainSnapshotHasMetadata
domain_snapshot_is_current 0 testDomainSnapshotIsCurrent
domain_snapshot_list_all_children 7ff testDomainSnapshotListAllChildren
domain_snapshot_num_children 7ff testDomainSnapshotNumChildren
domain_snapshot_list_children_names 7ff testDomainSnapshotListChildrenNames
domain_checkpoint_lookup_by_name 0 testDomainCheckpointLookupByName
domain_fstrim 0 testDomainFSTrim
domain_get_blkio_parameters 7 testDomainGetBlkioParameters
domain_get_block_info 0 testDomainGetBlockInfo
domain_get_block_io_tune 7 testDomainGetBlockIoTune
domain_get_control_info 0 testDomainGetControlInfo
domain_get_cpu_stats 4 testDomainGetCPUStats
domain_get_disk_errors 0 testDomainGetDiskErrors
domain_get_fsinfo 0 testDomainGetFSInfo
domain_get_hostname 0 testDomainGetHostname
domain_get_interface_parameters 7 testDomainGetInterfaceParameters
domain_get_memory_parameters 7 testDomainGetMemoryParameters
domain_get_numa_parameters 7 testDomainGetNumaParameters
domain_get_perf_events 7 testDomainGetPerfEvents
domain_get_state 0 testDomainGetState
domain_get_time 0 testDomainGetTime
domain_get_vcpus_flags 7 testDomainGetVcpusFlags
domain_get_xml_desc b testDomainGetXMLDesc
domain_has_current_snapshot 0 testDomainHasCurrentSnapshot
domain_has_managed_save_image 0 testDomainHasManagedSaveImage
domain_inject_nmi 0 testDomainInjectNMI
domain_interface_addresses 0 testDomainInterfaceAddresses
domain_list_all_checkpoints f testDomainListAllCheckpoints
domain_list_all_snapshots 7ff testDomainListAllSnapshots
domain_managed_save_remove 0 testDomainManagedSaveRemove
domain_reboot 1f testDomainReboot
domain_reset 0 testDomainReset
domain_save_image_get_xml_desc 1 testDomainSaveImageGetXMLDesc
domain_set_memory_stats_period 3 testDomainSetMemoryStatsPeriod
domain_snapshot_create_xml 3cb testDomainSnapshotCreateXML
domain_snapshot_current 0 testDomainSnapshotCurrent
domain_snapshot_list_names 7ff testDomainSnapshotListNames
domain_snapshot_lookup_by_name 0 testDomainSnapshotLookupByName
domain_snapshot_num 7ff testDomainSnapshotNum
domain_undefine_flags 3 testDomainUndefineFlags
interface_change_begin 0 testInterfaceChangeBegin
interface_change_commit 0 testInterfaceChangeCommit
interface_change_rollback 0 testInterfaceChangeRollback
interface_create 0 testInterfaceCreate
interface_define_xml 1 testInterfaceDefineXML
interface_destroy 0 testInterfaceDestroy
interface_get_xml_desc 0 testInterfaceGetXMLDesc
network_create_xml_flags 1 testNetworkCreateXMLFlags
network_define_xml_flags 1 testNetworkDefineXMLFlags
network_update 3 testNetworkUpdate
node_device_create_xml 1 testNodeDeviceCreateXML
node_device_get_xml_desc 0 testNodeDeviceGetXMLDesc
node_get_cpu_map 0 testNodeGetCPUMap
node_get_cpu_stats 0 testNodeGetCPUStats
node_list_devices 0 testNodeListDevices
node_num_of_devices 0 testNodeNumOfDevices
storage_pool_build 0 testStoragePoolBuild
storage_pool_create 0 testStoragePoolCreate
storage_pool_create_xml 0 testStoragePoolCreateXML
storage_pool_define_xml 1 testStoragePoolDefineXML
storage_pool_delete 0 testStoragePoolDelete
storage_pool_get_xml_desc 0 testStoragePoolGetXMLDesc
storage_pool_list_all_volumes 0 testStoragePoolListAllVolumes
storage_pool_refresh 0 testStoragePoolRefresh
storage_vol_create_xml 4 testStorageVolCreateXML
storage_vol_delete 0 testStorageVolDelete
storage_vol_get_xml_desc 0 testStorageVolGetXMLDesc
"""
"""Procedure, its flags in hexadecimal, the function that libvirt names."""
TABLE = {name: (int(flags, 16), function) for name, flags, function in map(str.split, KNOWN.strip().splitlines())}


def checked(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """The procedure's function, with its flags looked at first."""
    if name not in TABLE or inspect.iscoroutinefunction(function):
        return function
    known, spelled = TABLE[name]

    @functools.wraps(function)
    def call(session: Any, *values: Any, **named: Any) -> Any:
        check_flags(named["flags"] if "flags" in named else values[-1], known, spelled, Origin.TEST)
        return function(session, *values, **named)

    return call
