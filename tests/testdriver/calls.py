"""Calls of the wire with plausible and odd arguments, by chance but the same for each seed, for a world of the test driver."""

from __future__ import annotations

import random
import re
import uuid
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

from kvasir import client
from kvasir.errors import Error
from kvasir.rpc import programs
from kvasir.rpc.programs import Procedure
from kvasir.rpc.typed import Int, UInt, ULLong
from tests.testdriver.script import FILES

GUEST = FILES["web.xml"].replace("</vcpu>", "</vcpu><iothreads>2</iothreads>").replace("</devices>", "<memballoon model='virtio'/></devices>")
OFF = GUEST.replace("<name>web<", "<name>off<").replace("22222222", "33333333")
UUIDS = {
    "test": "6695eb01-f6a4-8304-79aa-97f2502e193f", "web": "22222222-3333-4444-5555-666666666666", "off": "33333333-3333-4444-5555-666666666666",
    "nosuch": "99999999-3333-4444-5555-666666666666", "default": "dd8fe884-6c02-601e-7551-cca97df1c5df", "lan": "22222222-aaaa-4444-5555-666666666666",
    "default-pool": "dfe224cb-28fb-8dd0-c4b2-64eb3f0f4566", "images": "22222222-bbbb-4444-5555-666666666666",
}  # fmt: skip
LEFT = re.compile(
    r"connect_(open|close)$|auth_|identity|register|migrate|_stream|open_console|open_channel|open_graphics|fd_associate"
    r"|snapshot_list_(children_)?names|node_get_free_pages|baseline_cpu$|upload|download|screenshot"
)
"""Logins, what needs a stream or a descriptor, and calls at which libvirtd 9.0 dies or says nothing of use."""
UNSTEADY = re.compile(r"domain_(block|interface)_stats$|domain_get_(info|vcpus)$")
"""Answers that grow with the clock."""
DOCUMENTS = [
    "<broken", "<x/>", "", GUEST, OFF, GUEST.replace("<name>web<", "<name>new<").replace("22222222", "77777777"), FILES["disk.xml"], FILES["net.xml"],
    FILES["pool.xml"], FILES["vol.xml"], FILES["vport.xml"], FILES["host.xml"], FILES["iface.xml"], "<domainsnapshot><name>s1</name></domainsnapshot>",
    "<domainsnapshot><name>s2</name><description>d</description></domainsnapshot>", "<domaincheckpoint><name>c1</name></domaincheckpoint>",
    "<pool type='fs'><name>pf</name><target><path>/p</path></target></pool>", "<pool type='iscsi'><name>pi</name></pool>", "<source/>",
]  # fmt: skip
PARAMETERS: list[list[tuple[str, Any]]] = [
    [], [("weight", UInt(100))], [("device_weight", "/dev/sda,200")], [("device_weight", "/dev/sda")], [("hard_limit", ULLong(4096))],
    [("soft_limit", ULLong(4096)), ("swap_hard_limit", ULLong(8192))], [("nosuch", UInt(1))], [("weight", "x")], [("weight", UInt(1)), ("weight", UInt(2))],
    [("numa_mode", Int(0)), ("numa_nodeset", "0")], [("numa_nodeset", "x")], [("numa_mode", Int(7))], [("total_bytes_sec", ULLong(1000))],
    [("total_bytes_sec", ULLong(1)), ("read_bytes_sec", ULLong(1))], [("read_iops_sec", ULLong(10)), ("read_iops_sec_max", ULLong(100)), ("group_name", "g")],
    [("inbound.average", UInt(100)), ("inbound.peak", UInt(200)), ("outbound.average", UInt(50))], [("cpu_cycles", True)], [("cmt", True), ("cpu_clock", False)],
    [("poll_max_ns", ULLong(100))], [("file", "/nosuch/x")],
]  # fmt: skip
FLAGS = [0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 8, 16, 64, 1 << 10, 1 << 20, 1 << 31]
VALUES: dict[str, list[Any]] = {
    "flags": FLAGS, "params": PARAMETERS, "nparams": [0, 1, 3, 7, 16, 20, 99, -1], "need_results": [1, 1, 0], "autostart": [0, 1],
    "maxnames": [16384, 99999, -1], "maxids": [16384, 99999, -1], "maxuuids": [16384, 99999], "disk": ["vda", "hdc", "nosuch", "", None], "path": ["vda", "nosuch", "", "/images/a.img"],
    "device": ["testnet0", "testnet1", "52:54:00:11:22:33", "nosuch"], "memory": [0, 1, 1024, 204800, 262144, 524289, 1 << 62], "nvcpus": [0, 1, 2, 4, 5, 40, (1 << 32) - 1],
    "vcpu": [0, 1, 3, 9], "cpumap": [b"\x01", b"\xff\xff", b"", b"\0"], "iothread_id": [0, 1, 2, 3], "iothreads_id": [0, 1, 2, 3], "maxinfo": [0, 1, 4, 20000],
    "maplen": [0, 1, 2, 16], "ncpumaps": [0, 1, 4], "period": [-1, 0, 5], "user": ["root", "", None], "password": ["x", "", None], "keys": [[], ["a"]],
    "mountpoints": [[], ["/"], ["/nosuch"], ["/", "/boot"]], "mountPoint": [None, "/", "/x"], "codeset": [0, 1, 9, 20], "keycodes": [[], [1, 2]],
    "seconds": [0, 1, -1], "nseconds": [0, 7], "startCell": [-1, 0, 1, 2], "maxcells": [0, 1, 2], "cellCount": [0, 1], "start_cpu": [-2, -1, 0, 1], "ncpus": [0, 1, 2],
    "cpuNum": [-2, -1, 0, 9], "need_map": [0, 1], "need_online": [0, 1], "maxerrors": [0, 1, 9], "maxStats": [0, 1, 20], "cap": [None, "net", "scsi_host"],
    "mac": [None, "aa:bb:cc:dd:ee:ff", "nosuch"], "key": ["k", "/default-pool/v.img", None], "uri": ["http://x/", None], "metadata": ["words", None, "<a/>", "a\nb"],
    "command": [0, 1, 2, 3, 4, 5], "section": list(range(14)), "parentIndex": [-1, 0, 9], "to": ["/nosuch/x"], "from_": ["/nosuch/x"], "file": ["/nosuch/x"], "dumpformat": [0, 1, 5],
    "arch": ["x86_64", "i686", "nosuch"], "action": [0, 1, 2, 3, 4, 5, 6, 99], "new_name": ["fresh", "test", "", "a/b", None, "off"], "id": [-1, 0, 99], "usageType": [0, 1],
    "capacity": [0, 1 << 30], "size": [0, 16, 65536], "offset": [0, 300], "source": [0, 1, 2, 3], "pid_value": [0, 1, 5], "signum": [0, 9, 99], "stats": [0, 1, 2, 1 << 31],
    "types": [0, 1], "feature": [0, 3, 9, 15, 16], "srcSpec": [None, "<source><host name='h'/></source>", "<x/>"], "state": [0, 1], "pageSizes": [[], [4]], "pageCounts": [[], [1]],
    "wwnn": ["2000000034563456"], "wwpn": ["1000000034563456"], "xmlCPUs": [[], ["<cpu/>"]], "pages": [[], [4]], "timeout": [-3, 0], "algorithm": [0, 99],
}  # fmt: skip
SPECIAL: dict[tuple[str, str], list[Any]] = {
    ("connect_find_storage_pool_sources", "type"): ["logical", "dir", "nosuch", "iscsi", ""],
    ("storage_pool_define_xml", "flags"): [0, 0, 2, 8],
    ("connect_get_max_vcpus", "type"): [None, "test", "kvm"],
    ("domain_set_vcpu", "cpumap"): ["0", "x"],
    ("domain_set_guest_vcpus", "cpumap"): ["0", "x"],
    ("domain_set_lifecycle_action", "type"): [0, 1, 2, 3],
}
NAMES = {
    "domain_snapshot": ["s1", "s2", "nosuch"], "domain_checkpoint": ["c1", "nosuch"], "network": ["default", "lan", "nosuch"], "storage_pool": ["default-pool", "images", "nosuch"],
    "storage_vol": ["v.img", "a.img", "nosuch"], "interface": ["eth1", "eth7", "nosuch"], "node_device": ["scsi_host1", "scsi_host2", "computer", "nosuch"], "": ["test", "web", "nosuch"],
}  # fmt: skip
STATE = ("connect_list_all_domains", "connect_list_all_networks", "connect_list_all_storage_pools", "connect_list_all_interfaces", "connect_list_all_node_devices")


def _id(name: str) -> bytes:
    return uuid.UUID(UUIDS[name]).bytes


def _handles(kind: str) -> list[Any]:
    """Things that a call may be about, by their letters in the table."""
    guests: list[Any] = [SimpleNamespace(name=name, uuid=_id(name), id=-1) for name in ("web", "off", "test", "nosuch")]
    points = [SimpleNamespace(name=name, dom=dom) for dom in guests[:2] for name in ("s1", "s2", "c1", "nosuch")]
    known: dict[str, list[Any]] = {
        "D": guests, "D?": [None, guests[0]], "D[]": [[], guests[:2], [guests[3]]], "SN": points, "CK": points,
        "N": [SimpleNamespace(name=name, uuid=_id(name)) for name in ("default", "lan", "nosuch")],
        "SP": [SimpleNamespace(name=name, uuid=_id(name)) for name in ("default-pool", "images", "nosuch")],
        "SV": [SimpleNamespace(pool="default-pool", name=name, key=name) for name in ("v.img", "nosuch")],
        "IF": [SimpleNamespace(name=name, mac="aa:bb:cc:dd:ee:ff") for name in ("eth1", "eth7", "nosuch")],
        "SE": [SimpleNamespace(uuid=b"\7" * 16, usageType=0, usageID="x")],
        "NF": [SimpleNamespace(name="f", uuid=b"\7" * 16)], "NB": [SimpleNamespace(portdev="f", filtername="x")],
        "NP": [SimpleNamespace(net=SimpleNamespace(name="default", uuid=_id("default")), uuid=b"\7" * 16)], "U": [_id(name) for name in UUIDS],
    }  # fmt: skip
    return known.get(kind, [])


def _choices(procedure: Procedure, name: str, kind: str) -> list[Any]:
    if name == "name" and kind == "s":
        return next(names for start, names in NAMES.items() if procedure.name.startswith(start))
    if (procedure.name, name) in SPECIAL:
        return SPECIAL[procedure.name, name]
    if re.search(r"(?i)xml|dxml", name) and name not in VALUES:
        return DOCUMENTS + [None] * kind.endswith("?")
    found = _handles(kind) or VALUES.get(name)
    if found is None:
        other: dict[str, list[Any]] = {
            "s": ["nosuch"],
            "s?": [None, "nosuch"],
            "o[]": [b""],
            "o": [b""],
            "s[]": [[]],
        }
        found = other.get(kind, [0, 1])
    return [one for one in found if one is not None or kind.endswith("?")] if kind == "s" else found


def calls(seed: int, count: int) -> Iterator[tuple[Procedure, list[Any]]]:
    """So many calls, each procedure about as often as the others."""
    chance = random.Random(seed)
    served = [one for one in programs.REMOTE if not one.event and not LEFT.search(one.name)]
    for _ in range(count):
        procedure = chance.choice(served)
        fields = [field.split(":", 1) for field in procedure._args.split()]
        yield procedure, [chance.choice(_choices(procedure, name, kind)) for name, kind in fields]


class World:
    """A connection to a test driver, filled with two more guests, a network and a volume."""

    def __init__(self, uri: str) -> None:
        self.conn = client.open(uri)
        for name, *values in (("domain_define_xml", GUEST), ("domain_define_xml", OFF), ("network_define_xml", FILES["net.xml"])):
            self.call(programs.REMOTE[name], values)
        self.call(programs.REMOTE["domain_create"], _handles("D")[:1])
        volume = "<volume><name>v.img</name><capacity unit='KiB'>64</capacity></volume>"
        self.call(programs.REMOTE["storage_vol_create_xml"], [_handles("SP")[0], volume, 0])

    def call(self, procedure: Procedure, values: list[Any]) -> str:
        """The answer, or code, domain and message of the error, as one text."""
        try:
            answer = _plain(self.conn.link.call(procedure, values))
        except Error as error:
            return f"error {int(error.code)} {int(error.origin)} {error.message}"
        text = re.sub(r"<creationTime>\d+", "", repr(answer))
        text = re.sub(r"('dom': {[^}]*'id': )-?\d+", r"\1", text)  # libvirtd gives back the number that the client named
        return "an answer" if UNSTEADY.search(procedure.name) else text

    def state(self) -> list[str]:
        """Everything that can be seen."""
        found = [self.call(programs.REMOTE[name], [1, 0]) for name in STATE]
        for dom in _handles("D"):
            found += [self.call(programs.REMOTE["domain_get_xml_desc"], [dom, flags]) for flags in (1, 3)]
        found += [self.call(programs.REMOTE["network_get_xml_desc"], [net, 0]) for net in _handles("N")]
        return found + [self.call(programs.REMOTE["storage_pool_get_xml_desc"], [pool, 0]) for pool in _handles("SP")]


def _plain(value: Any) -> Any:
    """Names and values alone; lists of objects in one order, since libvirt's is that of a hash."""
    if hasattr(value, "_fields"):
        return {name: _plain(getattr(value, name)) for name in value._fields}
    if isinstance(value, (list, tuple)):
        rows = [_plain(one) for one in value]
        named = all(isinstance(one, dict) and one.keys() & {"name", "pool", "dom"} for one in rows)
        return sorted(rows, key=repr) if named or all(isinstance(one, (str, int)) for one in rows) else rows
    return value
