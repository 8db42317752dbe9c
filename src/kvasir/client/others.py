"""Everything that a connection hands out beside domains: networks, pools, volumes, devices, secrets, snapshots, ..."""

from __future__ import annotations

from kvasir.client.objects import Domain, Remote, uuid_bytes
from kvasir.rpc import programs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from kvasir.client.stream import Stream


class Network(Remote):
    """A virtual network."""

    PREFIXES = ("network_",)
    NAMES = {"bridgeName": "network_get_bridge_name", "DHCPLeases": "network_get_dhcp_leases"}

    def portLookupByUUIDString(self, uuidstr: str) -> NetworkPort:
        """The port of that UUID."""
        uuid = uuid_bytes(uuidstr, "virNetworkPortLookupByUUIDString", 19)
        row = programs.REMOTE["network_port_lookup_by_uuid"]
        return NetworkPort(self._conn, self._call(row, (self.handle, uuid)))

    def update(self, command: int, section: int, parentIndex: int, xml: str, flags: int = 0) -> int:
        """Change a part of it."""
        self._call(programs.REMOTE["network_update"], (self.handle, command, section, parentIndex, xml, flags))
        return 0


class NetworkPort(Remote):
    """A port of a network."""

    PREFIXES = ("network_port_",)

    def network(self) -> Network:
        return Network(self._conn, self.handle.net)


class NWFilter(Remote):
    """A network filter."""

    PREFIXES = ("nwfilter_",)


class NWFilterBinding(Remote):
    """A network filter bound to a port."""

    PREFIXES = ("nwfilter_binding_",)

    def portDev(self) -> str:
        return str(self.handle.portdev)

    def filterName(self) -> str:
        return str(self.handle.filtername)


class Interface(Remote):
    """A network interface of the host."""

    PREFIXES = ("interface_",)

    def MACString(self) -> str:
        return str(self.handle.mac)


class StoragePool(Remote):
    """A storage pool."""

    PREFIXES = ("storage_pool_",)
    NAMES = {
        "storageVolLookupByName": "storage_vol_lookup_by_name",
        "createXML": "storage_vol_create_xml",
        "createXMLFrom": "storage_vol_create_xml_from",
        "listAllVolumes": "storage_pool_list_all_volumes",
        "numOfVolumes": "storage_pool_num_of_volumes",
    }

    def listVolumes(self) -> list[str]:
        """Names of its volumes."""
        return list(self._call(programs.REMOTE["storage_pool_list_volumes"], (self.handle, 16384)))


class StorageVol(Remote):
    """A storage volume."""

    PREFIXES = ("storage_vol_",)
    NAMES = {"storagePoolLookupByVolume": "storage_pool_lookup_by_volume", "infoFlags": "storage_vol_get_info_flags"}

    def key(self) -> str:
        return str(self.handle.key)

    def download(self, stream: Stream, offset: int, length: int, flags: int = 0) -> int:
        """Read its content through the stream."""
        stream._bind(programs.REMOTE["storage_vol_download"], (self.handle, offset, length, flags))
        return 0

    def upload(self, stream: Stream, offset: int, length: int, flags: int = 0) -> int:
        """Write its content through the stream."""
        stream._bind(programs.REMOTE["storage_vol_upload"], (self.handle, offset, length, flags))
        return 0


class NodeDevice(Remote):
    """A device of the host. Its procedures take the name alone."""

    PREFIXES = ("node_device_",)
    NAMES = {"parent": "node_device_get_parent", "dettach": "node_device_dettach", "reAttach": "node_device_re_attach"}

    def _call(self, procedure: programs.Procedure, values: Sequence[Any]) -> Any:
        return self._conn.link.call(procedure, [value.name if value is self.handle else value for value in values])


class Secret(Remote):
    """A secret."""

    PREFIXES = ("secret_",)

    def usageID(self) -> str:
        return str(self.handle.usageID)

    def usageType(self) -> int:
        return int(self.handle.usageType)

    def setValue(self, value: bytes | str, flags: int = 0) -> int:
        """Give it a value."""
        raw = value.encode() if isinstance(value, str) else bytes(value)
        self._call(programs.REMOTE["secret_set_value"], (self.handle, raw, flags))
        return 0

    def value(self, flags: int = 0) -> bytes:
        """The secret's bytes."""
        return bytes(self._call(programs.REMOTE["secret_get_value"], (self.handle, flags)))


class Moment(Remote):
    """What snapshots and checkpoints have alike."""

    def getDomain(self) -> Domain:
        return Domain(self._conn, self.handle.dom)

    domain = getDomain

    def getName(self) -> str:
        return self.name()

    def getConnect(self) -> Any:
        return self._conn


class DomainSnapshot(Moment):
    """A snapshot of a guest."""

    PREFIXES = ("domain_snapshot_",)


class DomainCheckpoint(Moment):
    """A checkpoint of a guest."""

    PREFIXES = ("domain_checkpoint_",)


CLASSES: dict[str, type[Remote]] = {
    "D": Domain,
    "N": Network,
    "NP": NetworkPort,
    "NF": NWFilter,
    "NB": NWFilterBinding,
    "IF": Interface,
    "SP": StoragePool,
    "SV": StorageVol,
    "ND": NodeDevice,
    "SE": Secret,
    "SN": DomainSnapshot,
    "CK": DomainCheckpoint,
}
