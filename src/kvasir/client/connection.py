"""A connection to a daemon: what libvirt-python calls ``virConnect``."""

from __future__ import annotations

from kvasir.client import uri as uris
from kvasir.client.link import Link
from kvasir.client.objects import Domain, Remote, uuid_bytes
from kvasir.client.reshaped import OfConnection
from kvasir.client.transport import connect as connect_channel
from kvasir.errors import AuthFailed, Error, InvalidArg, Origin
from kvasir.rpc import programs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from kvasir.client.events import Registry
    from kvasir.client.stream import Stream

AUTH_NONE, AUTH_SASL, AUTH_POLKIT = 0, 1, 2
READONLY = 1
OPEN: list[Connection] = []
"""The connections of this process that are open: what the default event loop serves."""


class Connection(OfConnection, Remote):
    """An open connection. Methods that the wire's table explains are made on first use (see ``methods``)."""

    PREFIXES = ("connect_", "node_", "domain_", "")
    BOUND = False
    NAMES = {
        "lookupByID": "domain_lookup_by_id",
        "lookupByName": "domain_lookup_by_name",
        "listDefinedDomains": "connect_list_defined_domains",
        "numOfDomains": "connect_num_of_domains",
        "listAllDevices": "connect_list_all_node_devices",
        "getMaxVcpus": "connect_get_max_vcpus",
        "getLibVersion": "connect_get_lib_version",
        "getFreeMemory": "node_get_free_memory",
        "interfaceLookupByMACString": "interface_lookup_by_mac_string",
        "changeBegin": "interface_change_begin",
        "changeCommit": "interface_change_commit",
        "changeRollback": "interface_change_rollback",
        "listAllNWFilters": "connect_list_all_nwfilters",
        "numOfNWFilters": "connect_num_of_nwfilters",
        "listNWFilters": "connect_list_nwfilters",
        "listAllNWFilterBindings": "connect_list_all_nwfilter_bindings",
        "domainXMLFromNative": "connect_domain_xml_from_native",
        "domainXMLToNative": "connect_domain_xml_to_native",
        "getType": "connect_get_type",
        "qemuAttach": "qemu:domain_attach",
        "compareCPU": "connect_compare_cpu",
        "createLinux": "domain_create_xml",
        "baselineCPU": "connect_baseline_cpu",
        "getSEVInfo": "node_get_sev_info",
        "saveImageGetXMLDesc": "domain_save_image_get_xml_desc",
        "saveImageDefineXML": "domain_save_image_define_xml",
        "nwfilterLookupByName": "nwfilter_lookup_by_name",
        "nodeDeviceLookupByName": "node_device_lookup_by_name",
        "nodeDeviceLookupSCSIHostByWWN": "node_device_lookup_scsi_host_by_wwn",
    }

    def __init__(self, link: Link, uri: uris.Uri, readonly: bool) -> None:
        super().__init__(self, None)
        self.link = link
        self.uri = uri
        self.readonly = readonly
        self._events: Registry | None = None
        self.watched: list[Stream] = []
        """Streams whose callbacks the event loop calls."""

    def __repr__(self) -> str:
        return f"<Connection {self.uri.text}>"

    __eq__ = object.__eq__
    __hash__ = object.__hash__

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *problem: object) -> None:
        self.close()

    def __getattr__(self, name: str) -> Any:
        if name.endswith("ByUUIDString"):
            base = getattr(self, name.removesuffix("String"))
            function = "virDomainLookupByUUIDString" if name[0] == "l" else f"vir{name[0].upper()}{name[1:]}"
            return lambda uuid: base(uuid_bytes(uuid, function))
        return super().__getattr__(name)

    # -- opening and closing

    def authenticate(self, methods: Sequence[int], ask: Callable[..., int] | None = None) -> None:
        """Prove who we are by the first method that the daemon names."""
        wanted = self.uri.parameter("auth")
        kind = methods[0] if methods else AUTH_NONE
        if wanted:
            kind = {"none": AUTH_NONE, "polkit": AUTH_POLKIT}.get(wanted.split(".")[0], AUTH_SASL)
            if kind not in methods:
                raise AuthFailed(f"requested authentication type {wanted} rejected", origin=Origin.REMOTE)
        if kind == AUTH_POLKIT:
            self.link.call(programs.REMOTE["auth_polkit"])
        elif kind == AUTH_SASL:
            from kvasir.client import network

            network.login(self.link, self.uri, ask, (wanted or "").partition("sasl.")[2] or None)

    def close(self) -> int:
        """Say good-bye and close; gives 0."""
        if self in OPEN:
            OPEN.remove(self)
        if not self.link.broken:
            self.link.closed = True
            try:  # noqa: SIM105  # contextlib costs a client's start a millisecond
                self.link.call(programs.REMOTE["connect_close"])
            except Error:
                pass
        self.link.close()
        return 0

    def isAlive(self) -> int:
        """1 while the connection stands."""
        return 0 if self.link.broken else 1

    def isEncrypted(self) -> int:
        kind = self.uri.transport or ("tls" if self.uri.host else "unix")
        return (
            1
            if kind in ("tls", "ssh", "libssh", "libssh2") or self.link.channel.__class__.__name__ == "SaslChannel"
            else 0
        )

    def isSecure(self) -> int:
        return 1 if self.uri.transport != "tcp" or self.isEncrypted() else 0

    def supports(self, feature: int) -> bool:
        """Whether the daemon has a feature (numbers of the wire)."""
        return bool(self._call(programs.REMOTE["connect_supports_feature"], (feature,)))

    def registerCloseCallback(self, cb: Callable[..., Any], opaque: Any = None) -> int:
        """Have ``cb(conn, reason, opaque)`` called when the connection is lost."""

        def lost() -> None:
            cb(self, self.link.reason, opaque)

        self.link.on_close = lost
        return 0

    def unregisterCloseCallback(self) -> int:
        self.link.on_close = None
        return 0

    def setKeepAlive(self, interval: int, count: int) -> int:
        """Have the daemon and us ping each other: every interval seconds (0: not), lost after count pings without answer."""
        if interval <= 0:
            return 0
        if not self.supports(10):
            return 1
        from kvasir.client.keepalive import start

        self.link.patience = (interval, count)
        start(self.link, interval, count)
        return 0

    # -- what libvirt-python shapes otherwise

    def getURI(self) -> str:
        """The canonical URI."""
        if self.uri.driver != "remote" and (self.uri.transport or self.uri.host or self.uri.query):
            return self.uri.text
        return str(self._call(programs.REMOTE["connect_get_uri"], ()))

    def getVersion(self) -> int:
        """Version of the hypervisor: major * 1000000 + minor * 1000 + release."""
        return int(self._call(programs.REMOTE["connect_get_version"], ()))

    def createXMLWithFiles(self, xml_desc: str, files: Sequence[int], flags: int = 0) -> Domain:
        """Start a guest from its document, with open files that the document speaks of."""
        procedure = programs.REMOTE["domain_create_xml_with_files"]
        return Domain(self, self.link.finish(self.link.begin(procedure, (xml_desc, flags), files)))

    def getInfo(self) -> list[Any]:
        """[CPU model, memory in MiB, CPUs, MHz, NUMA nodes, sockets, cores, threads]."""
        found = self._call(programs.REMOTE["node_get_info"], ())
        return [found.model, found.memory >> 10, *found[2:]]

    def memory_kib(self) -> int:
        """Memory of the host in KiB (``getInfo`` rounds it)."""
        return int(self._call(programs.REMOTE["node_get_info"], ()).memory)

    def listDomainsID(self) -> list[int]:
        """Ids of the running guests."""
        return list(self._call(programs.REMOTE["connect_list_domains"], (16384,)))

    def getAllDomainStats(self, stats: int = 0, flags: int = 0) -> list[tuple[Domain, dict[str, Any]]]:
        """Statistics of all guests: [(domain, {field: value})]."""
        return self._stats([], stats, flags)

    def domainListGetStats(
        self, doms: Sequence[Domain], stats: int = 0, flags: int = 0
    ) -> list[tuple[Domain, dict[str, Any]]]:
        """Statistics of the guests named."""
        if not doms:
            text = "doms array in virDomainListGetStats must contain at least one domain"
            raise InvalidArg(text, origin=Origin.DOMAIN)
        return self._stats([domain.handle for domain in doms], stats, flags)

    def _stats(self, handles: list[Any], stats: int, flags: int) -> list[tuple[Domain, dict[str, Any]]]:
        found = self._call(programs.REMOTE["connect_get_all_domain_stats"], (handles, stats, flags))
        return [(Domain(self, record.dom), dict(record.params)) for record in found]

    def getCPUMap(self, flags: int = 0) -> tuple[int, list[bool], int]:
        """(CPUs present, [online], CPUs online)."""
        found = self._call(programs.REMOTE["node_get_cpu_map"], (1, 1, flags))
        bits = [bool(found.cpumap[cpu // 8] >> (cpu % 8) & 1) for cpu in range(found.ret)]
        return found.ret, bits, found.online

    def getCPUStats(self, cpuNum: int, flags: int = 0) -> dict[str, int]:
        """CPU times of the host in ns (cpuNum -1: all)."""
        return self._node_stats("node_get_cpu_stats", cpuNum, flags)

    def getMemoryStats(self, cellNum: int, flags: int = 0) -> dict[str, int]:
        """Memory of the host in KiB (cellNum -1: all)."""
        return self._node_stats("node_get_memory_stats", cellNum, flags)

    def _node_stats(self, name: str, which: int, flags: int) -> dict[str, int]:
        procedure = programs.REMOTE[name]
        first = procedure.args.names[0] == "nparams"
        count = self._call(procedure, (0, which, flags) if first else (which, 0, flags))[1]
        found = self._call(procedure, (count, which, flags) if first else (which, count, flags))[0]
        return {item.field: item.value for item in found}

    def getCellsFreeMemory(self, startCell: int, maxCells: int) -> list[int]:
        return list(self._call(programs.REMOTE["node_get_cells_free_memory"], (startCell, maxCells)))

    def getSecurityModel(self) -> list[str]:
        """[model, domain of interpretation]."""
        found = self._call(programs.REMOTE["node_get_security_model"], ())
        return [text.split(b"\0")[0].decode("utf-8", "surrogateescape") for text in found]

    def getCPUModelNames(self, arch: str, flags: int = 0) -> list[str]:
        return list(self._call(programs.REMOTE["connect_get_cpu_model_names"], (arch, 1, flags))[0])

    def newStream(self, flags: int = 0) -> Stream:
        """A stream to bind to a call."""
        from kvasir.client.stream import Stream

        return Stream(self, flags)

    # -- events

    @property
    def events(self) -> Registry:
        """Callbacks for events."""
        if self._events is None:
            from kvasir.client.events import Registry

            self._events = Registry(self)
        return self._events

    def domainEventRegisterAny(self, dom: Domain | None, eventID: int, cb: Callable[..., Any], opaque: Any) -> int:
        """Have ``cb(conn, dom, ..., opaque)`` called for an event; gives the number to deregister with."""
        return self.events.register("domain", eventID, dom, cb, opaque)

    def domainEventDeregisterAny(self, callbackID: int) -> int:
        return self.events.deregister(callbackID)

    def networkEventRegisterAny(self, net: Any, eventID: int, cb: Callable[..., Any], opaque: Any) -> int:
        return self.events.register("network", eventID, net, cb, opaque)

    networkEventDeregisterAny = domainEventDeregisterAny

    def storagePoolEventRegisterAny(self, pool: Any, eventID: int, cb: Callable[..., Any], opaque: Any) -> int:
        return self.events.register("storage_pool", eventID, pool, cb, opaque)

    storagePoolEventDeregisterAny = domainEventDeregisterAny

    def nodeDeviceEventRegisterAny(self, dev: Any, eventID: int, cb: Callable[..., Any], opaque: Any) -> int:
        return self.events.register("node_device", eventID, dev, cb, opaque)

    nodeDeviceEventDeregisterAny = domainEventDeregisterAny

    def secretEventRegisterAny(self, secret: Any, eventID: int, cb: Callable[..., Any], opaque: Any) -> int:
        return self.events.register("secret", eventID, secret, cb, opaque)

    secretEventDeregisterAny = domainEventDeregisterAny

    def qemuMonitorEventRegister(
        self, dom: Domain | None, event: str | None, cb: Callable[..., Any], opaque: Any, flags: int = 0
    ) -> int:
        """Have ``cb(conn, dom, event, seconds, micros, details, opaque)`` called for QEMU's own events."""
        return self.events.register_monitor(dom, event, cb, opaque, flags)

    def dispatch(self, timeout: float | None = 0.0) -> int:
        """Wait for events at most ``timeout`` seconds (None: for ever), call the callbacks; gives how many were called."""
        return self.events.dispatch(timeout)


def open(uri: str | None = None, readonly: bool = False, ask: Callable[..., int] | None = None) -> Connection:
    """Connect to the daemon of a URI (None: the default one). ``ask`` answers for passwords; None asks at the terminal."""
    text = uris.choose(uri)
    parsed = uris.Uri(text or uris.probed())
    log = uris.debug_log()
    if log is not None:
        log.say("client.connect", 1, f"opening '{parsed.text}', readonly={int(readonly)}")
    channel = connect_channel(parsed, readonly)
    link = Link(channel) if log is None else log.link(channel, parsed.text)
    connection = Connection(link, parsed, readonly)
    procedure = programs.REMOTE["connect_open"]
    values = (parsed.remote_name(), READONLY if readonly else 0)
    try:
        listing = link.begin(programs.REMOTE["auth_list"])
        opening = link.begin(procedure, values)  # travels along; refused if a proof of identity comes first
        methods = link.finish(listing)
        try:
            link.finish(opening)
        except Error:
            if not any(methods):
                raise
            connection.authenticate(methods, ask)
            link.call(procedure, values)
    except BaseException:
        link.close()
        raise
    OPEN.append(connection)
    return connection
