"""The same calls through ``kvasir.client`` and through libvirt-python, to one daemon: prints where names, values or shapes differ.

alike.py SOURCE URI GUEST OFF   SOURCE is the folder of the package; the guests have a disk vda, one runs, one is off
"""

from __future__ import annotations

import inspect
import json
import re
import sys
import time
from typing import Any

import libvirt  # type: ignore[import-not-found]  # of the peers

sys.path.insert(0, sys.argv[1])

from kvasir import client

URI, GUEST, OFF = sys.argv[2:5]
ONLY_THEIRS = {
    "virEventRegisterImpl", "virEventInvokeFreeCallback", "virGetLastError", "virGetLastErrorCode", "virGetLastErrorDomain",
    "virGetLastErrorMessage", "virResetLastError", "virConnGetLastError", "virConnResetLastError", "libvirtmod", "c_pointer", "overload",
    "streamBufSize", "Any", "Callable", "Dict", "List", "Optional", "TracebackType", "Tuple", "Type", "TypeVar", "Union",
}  # fmt: skip


def words(text: str) -> list[str]:
    return text.split()


CONNECTION = words("""getInfo getType getVersion getLibVersion getHostname getURI getCapabilities getSysinfo listDomainsID numOfDomains
listDefinedDomains numOfDefinedDomains listNetworks numOfNetworks listDefinedNetworks listStoragePools listSecrets listNWFilters isAlive
isEncrypted isSecure getFreeMemory getCPUMap getMemoryParameters listAllDomains listAllNetworks listAllStoragePools listAllSecrets
listAllNWFilters getAllDomainStats getDomainCapabilities getStoragePoolCapabilities""")
CONNECTION_WITH: list[tuple[Any, ...]] = [
    ("getCPUStats", -1), ("getMemoryStats", -1), ("getCellsFreeMemory", 0, 1), ("getFreePages", [4], 0, 1), ("getCPUModelNames", "x86_64"),
    ("listDevices", None), ("allocPages", {4: 1}, 0, 1), ("setMemoryParameters", {"shm_pages_to_scan": 100}), ("domainListGetStats", []),
    ("compareCPU", "<cpu><arch>x86_64</arch><model>qemu64</model></cpu>"), ("lookupByName", "nosuch"), ("lookupByName", GUEST),
    ("baselineCPU", ["<cpu><arch>x86_64</arch><model>qemu64</model></cpu>"]), ("networkLookupByName", "default"), ("storageVolLookupByPath", "/x"),
]  # fmt: skip
DOMAIN = words("""name UUID UUIDString OSType info state maxMemory maxVcpus XMLDesc isActive isPersistent isUpdated autostart hasManagedSaveImage
hasCurrentSnapshot jobInfo jobStats controlInfo memoryStats schedulerType numaParameters getTime hostname fsInfo diskErrors snapshotNum
snapshotListNames listAllSnapshots listAllCheckpoints securityLabel securityLabelList messages ioThreadInfo perfEvents guestInfo connect
backupGetXMLDesc vcpus vcpuPinInfo emulatorPinInfo fsFreeze fsThaw ID""")
DOMAIN_WITH: list[tuple[Any, ...]] = [
    ("state", 1), ("vcpusFlags", 1), ("getCPUStats", True), ("setMetadata", 1, "T", None, None), ("metadata", 1, None), ("metadata", 0, None),
    ("blockInfo", "vda"), ("blockStats", "vda"), ("blockStatsFlags", "vda"), ("blockIoTune", "vda"), ("blockJobInfo", "vda"), ("blockPeek", "vda", 0, 4),
    ("setBlockIoTune", "vda", {"total_bytes_sec": 4096}), ("setBlockIoTune", "vdz", {"total_bytes_sec": 1}), ("interfaceAddresses", 0),
    ("setMemoryFlags", 60000, 1), ("setVcpusFlags", 1, 2), ("setAutostart", 0), ("sendKey", 0, 100, [30], 1), ("attachDeviceFlags", "<x/>", 2),
    ("setIOThreadParams", 7, {"poll_max_ns": 1}), ("setNumaParameters", {"numa_mode": 0}, 2), ("setUserPassword", "a", "b"), ("memoryPeek", 0, 4, 2),
    ("fSTrim", None, 0), ("pinVcpu", 0, (True,)), ("snapshotLookupByName", "nosuch"), ("rename", "x"),
    ("setLifecycleAction", 0, 0, 0), ("abortJob",), ("setTime", {"seconds": 1}), ("blockPull", "vda"), ("blockResize", "vda", 8192), ("updateDeviceFlags", "<x/>"),
]  # fmt: skip


def shape(thing: Any) -> Any:
    """The types of an answer, down to the leaves; objects by the class that libvirt-python gives them."""
    if isinstance(thing, dict):
        return {str(key): shape(value) for key, value in thing.items()}
    if isinstance(thing, list | tuple):
        return [type(thing).__name__, *(shape(value) for value in thing)]
    name = type(thing).__name__
    if isinstance(thing, bool | int) or name in ("Int", "UInt", "LLong", "ULLong", "Bool"):
        return "int"
    if type(thing).__module__.startswith(("kvasir", "libvirt")):
        return "vir" + {"Connection": "Connect"}.get(name.removeprefix("vir"), name.removeprefix("vir"))
    return name


def arguments(method: Any) -> tuple[int, int] | None:
    """How many a method must have and how many it may have; None when it takes any."""
    given = [one for one in inspect.signature(method).parameters.values() if one.name != "self"]
    if any(one.kind is one.VAR_POSITIONAL for one in given):
        words = re.match(r"\((.*?)\) -> .*libvirt's", method.__doc__ or "")
        names = [word for word in words[1].split(", ") if word] if words else []
        return (sum("=" not in name for name in names), len(names)) if words else None
    return sum(one.default is one.empty for one in given), len(given)


def signatures() -> None:
    """Each method of each class can be called with what libvirt-python's wants, and with all that it takes."""
    for name in (name for name in dir(libvirt) if name.startswith("vir") and inspect.isclass(getattr(libvirt, name))):
        kind = getattr(client, name)
        thing = {"virConnect": ours, "virDomain": ours.lookupByName(GUEST)}.get(name) or kind(ours, None)
        for method, real in inspect.getmembers(getattr(libvirt, name), inspect.isfunction):
            if method[0] != "_" and method not in ONLY_THEIRS:
                mine, wanted = arguments(getattr(thing, method)), arguments(real)
                if mine and wanted and (mine[0] > wanted[0] or mine[1] < wanted[1]):
                    DIFFERENT.append(f"{name}.{method} takes {mine} arguments instead of {wanted}")


def ask(thing: Any, name: str, values: tuple[Any, ...]) -> Any:
    try:
        return shape(getattr(thing, name)(*values))
    except (libvirt.libvirtError, client.libvirtError) as error:
        return f"error {error.get_error_code()} {error.get_error_domain()} {error}"
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def compare(what: str, ours: Any, theirs: Any, calls: list[tuple[Any, ...]]) -> None:
    missing = [name for name in dir(theirs) if name[0] != "_" and name not in ONLY_THEIRS and not hasattr(ours, name)]
    if missing:
        DIFFERENT.append(f"{what} lacks {missing}")
    for name, *values in calls:
        mine, real = ask(ours, name, tuple(values)), ask(theirs, name, tuple(values))
        if mine != real:
            DIFFERENT.append(f"{what}.{name}{tuple(values)}: {mine} instead of {real}")


def events() -> None:
    """What callbacks are given, by both."""
    heard: dict[str, list[Any]] = {"ours": [], "theirs": []}
    libvirt.virEventRegisterDefaultImpl()
    watching = {"ours": client.open(URI), "theirs": libvirt.open(URI)}
    for who, conn in watching.items():
        for event in (libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE, libvirt.VIR_DOMAIN_EVENT_ID_METADATA_CHANGE):
            conn.domainEventRegisterAny(None, event, lambda *given: heard[given[-1]].append(shape(given[:-1])), who)
    beat = libvirt.virEventAddTimeout(50, lambda *_: None, None)
    guest = ours.lookupByName(OFF)
    guest.createWithFlags(client.VIR_DOMAIN_START_PAUSED)
    guest.setMetadata(client.VIR_DOMAIN_METADATA_TITLE, "T", None, None, client.VIR_DOMAIN_AFFECT_LIVE)
    guest.destroy()
    end = time.monotonic() + 60
    while time.monotonic() < end and min(len(found) for found in heard.values()) < 5:
        libvirt.virEventRunDefaultImpl()
        watching["ours"].dispatch(0.05)
    libvirt.virEventRemoveTimeout(beat)
    if heard["ours"] != heard["theirs"] or len(heard["ours"]) < 5:
        DIFFERENT.append(f"events: {heard}")


def loop() -> None:
    """A volume read through the event loop: a stream's callback; a descriptor's; a timer's."""
    import os

    pool = ours.storagePoolLookupByName("sweep")
    volume = pool.createXML("<volume><name>loop</name><capacity>300000</capacity></volume>", 0)
    got, told = bytearray(), []
    stream = ours.newStream(client.VIR_STREAM_NONBLOCK)
    volume.download(stream, 0, 0, 0)

    def readable(one: Any, events: int, opaque: Any) -> None:
        data = one.recv(65536)
        if data == -2:
            return
        if data:
            got.extend(data)
        else:
            one.eventRemoveCallback()
            one.finish()
            told.append(f"stream {events} {opaque}")

    stream.eventAddCallback(client.VIR_STREAM_EVENT_READABLE, readable, "x")
    left, right = os.pipe()
    os.write(right, b"!")

    def handle(watch: int, fd: int, events: int, opaque: Any) -> None:
        told.append(f"handle {fd == left} {events} {os.read(fd, 1)!r} {opaque}")
        client.virEventRemoveHandle(watch)

    client.virEventAddHandle(left, client.VIR_EVENT_HANDLE_READABLE, handle, "y")
    timer = client.virEventAddTimeout(20, lambda number, opaque: told.append(f"timer {opaque}"), "z")
    end = time.monotonic() + 60
    while time.monotonic() < end and len({word.split()[0] for word in told}) < 3:
        client.virEventRunDefaultImpl()
    client.virEventUpdateTimeout(timer, -1)
    client.virEventRemoveTimeout(timer)
    volume.delete(0)
    wanted = {"stream 1 x", f"handle True 1 {b'!'!r} y", "timer z"}
    if set(told) != wanted or got != bytes(300000):
        DIFFERENT.append(f"loop: {told}, {len(got)} bytes")


DIFFERENT: list[str] = []
libvirt.registerErrorHandler(lambda *_: None, None)
ours, theirs = client.open(URI), libvirt.open(URI)
missing = [name for name in dir(libvirt) if name[0] != "_" and name not in ONLY_THEIRS and not hasattr(client, name)]
values = [
    name for name in dir(libvirt) if name.startswith("VIR_") and getattr(client, name, None) != getattr(libvirt, name)
]
if missing or values:
    DIFFERENT.append(f"module lacks {missing}, other values {values}")
compare("connection", ours, theirs, [(name,) for name in CONNECTION] + CONNECTION_WITH)
compare("domain", ours.lookupByName(GUEST), theirs.lookupByName(GUEST), [(name,) for name in DOMAIN] + DOMAIN_WITH)
for kind, find, calls in (
    ("network", ("networkLookupByName", "default"), "name UUID UUIDString XMLDesc isActive isPersistent autostart bridgeName DHCPLeases listAllPorts"),
    ("pool", ("storagePoolLookupByName", "sweep"), "name UUID UUIDString info XMLDesc isActive isPersistent autostart listVolumes numOfVolumes listAllVolumes"),
    ("filter", ("nwfilterLookupByName", "allow-arp"), "name UUID UUIDString XMLDesc"),
    ("device", ("nodeDeviceLookupByName", "computer"), "name parent XMLDesc numOfCaps listCaps"),
):  # fmt: skip
    name, *key = find
    compare(kind, getattr(ours, name)(*key), getattr(theirs, name)(*key), [(call,) for call in calls.split()])
secret = ours.secretDefineXML("<secret><usage type='volume'><volume>/alike</volume></usage></secret>", 0)
again = theirs.secretLookupByUUIDString(secret.UUIDString())
compare(
    "secret", secret, again, [("value",), ("setValue", "word"), ("value",), ("usageID",), ("usageType",), ("XMLDesc",)]
)
secret.undefine()
try:
    ours.lookupByName("nosuch")
except client.libvirtError as error:
    try:
        theirs.lookupByName("nosuch")
    except libvirt.libvirtError as real:
        compare("error", error, real, [(name,) for name in dir(real) if name.startswith("get_")])
        if error.err != real.err:
            DIFFERENT.append(f"err: {error.err} instead of {real.err}")
if not isinstance(ours.lookupByName(GUEST), client.virDomain) or not isinstance(ours, client.virConnect):
    DIFFERENT.append("classes")
signatures()
events()
loop()
print(json.dumps(DIFFERENT))
