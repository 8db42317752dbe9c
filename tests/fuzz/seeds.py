"""Calls that make sense: for each procedure values by the names and types of its arguments, of the objects that the daemon has."""

from __future__ import annotations

import random
import uuid
from collections import namedtuple
from typing import Any

from kvasir.rpc.programs import Procedure, _struct_fields
from kvasir.rpc.typed import Int, LLong, UInt, ULLong
from tests.fuzz import documents

Dom = namedtuple("Dom", "name uuid id")
Named = namedtuple("Named", "name uuid")
Vol = namedtuple("Vol", "pool name key")
Point = namedtuple("Point", "name dom")
STRINGS = (
    *("", "fuzz", "vda", "vdb", "hdc", "x" * 300, "../../etc/passwd", "%s%n", "\udcff\udcfe", "ä€", "a\nb", "-1", "0-3", "52:54:00:00:00:01"),
    *("/dev/null", "net0", "eth0", "lo", "serial0", "qcow2", "raw", "x86_64", "q35", "pc", "kvm", "qemu-argv", "qemu", "i686", "hvm", "a b"),
)  # fmt: skip
NUMBERS = (0, 1, 2, 3, 5, 16, 64, 127, 255, 256, 1024, 32768, 65535, 65536, 1 << 20, (1 << 31) - 1)
WIDE = (*NUMBERS, 1 << 31, (1 << 32) - 1, 1 << 40, (1 << 63) - 1)
PARAMETERS = (
    *("cpu_shares", "vcpu_period", "vcpu_quota", "hard_limit", "soft_limit", "weight", "device_weight", "total_bytes_sec", "read_iops_sec"),
    *("numa_nodeset", "numa_mode", "inbound.average", "outbound.peak", "bandwidth", "granularity", "buf_size", "minWorkers", "maxWorkers"),
    *("nclients_max", "nclients_unauth_max", "shm_pages_to_scan", "cmt", "poll_max_ns", "group_name", "destination_xml", "state", "x"),
)  # fmt: skip


class World:
    """What is there: names by class; ``folder`` holds the images. Sharper tools of a test may add to ``paths``."""

    def __init__(self, folder: str, kind: str = "qemu", domain: str = "fuzz", domain_id: int = -1) -> None:
        self.folder, self.kind, self.domain, self.domain_id = folder, kind, domain, domain_id
        self.uuids = {name: uuid.UUID(text).bytes for name, text in documents.UUIDS.items()}
        self.paths = (f"{folder}/disk", f"{folder}/pool/fuzz", f"{folder}/save", "vda", "net0", "/nonexistent/x")

    def document(self, text: str) -> str:
        return text.replace("{folder}", self.folder).replace("{kind}", self.kind)


class Maker:
    """Makes calls by chance."""

    def __init__(self, chance: random.Random, world: World) -> None:
        self.chance, self.world = chance, world
        self._fields: dict[str, list[tuple[str, str]]] = {}

    def args(self, procedure: Procedure) -> tuple[Any, ...]:
        return tuple(self.value(name, kind, procedure.name) for name, kind in self.fields(procedure._args))

    def fields(self, layout: str) -> list[tuple[str, str]]:
        found = self._fields.get(layout)
        if found is None:
            pairs = [field.split(":", 1) for field in layout.split()]
            found = self._fields[layout] = [(name, kind) for name, kind in pairs]
        return found

    def value(self, name: str, kind: str, call: str) -> Any:
        chance, world = self.chance, self.world
        if kind.endswith("?"):
            return None if chance.random() < 0.3 else self.value(name, kind[:-1], call)
        if kind == "s":
            return self.text(name, call)
        if kind in ("i", "u", "c", "uc", "h"):
            return self.number(name)
        if kind in ("l", "L"):
            return chance.choice(WIDE)
        if kind == "d":
            return chance.random()
        if kind == "U":
            own = [bytes_ for what, bytes_ in world.uuids.items() if what in call]
            return own[0] if own and chance.random() < 0.8 else world.uuids["domain"]
        if kind == "P":
            return self.parameter()
        if name == "data" and "sasl" in call:
            return chance.choice(
                (
                    b"n,,n=fred,r=abcdefgh",
                    b"\0fred\0secret",
                    b"c=biws,r=abcdefgh,p=AAAA",
                    b"",
                    b'username="fred",nonce="x",nc=00000001',
                )
            )
        if kind in ("o[]", "c[]"):
            return chance.choice((b"", b"\1", b"\xff" * 4, b"\0fred\0secret", chance.randbytes(16)))
        if kind.endswith("[]"):
            return [self.value(name, kind[:-2], call) for _ in range(chance.choice((0, 1, 1, 2, 3)))]
        return self.struct(kind, call)

    def struct(self, kind: str, call: str) -> Any:
        world = self.world
        dom = Dom(world.domain, world.uuids["domain"], world.domain_id)
        made: dict[str, Any] = {
            "D": dom,
            "N": Named("fuzz", world.uuids["network"]),
            "NP": (Named("fuzz", world.uuids["network"]), bytes.fromhex("77777777777747778777777777777777")),
            "NF": Named("fuzz", world.uuids["nwfilter"]),
            "NB": ("fuzz0", "fuzz"),
            "IF": (self.chance.choice(("lo", "fuzzif0")), "00:00:00:00:00:00"),
            "SP": Named("fuzz", world.uuids["pool"]),
            "SV": Vol("fuzz", "fuzz", f"{world.folder}/pool/fuzz"),
            "ND": (self.chance.choice(("computer", "net_lo_00_00_00_00_00_00", "fuzz")),),
            "SE": (world.uuids["secret"], 1, f"{world.folder}/disk"),
            "CK": Point("fuzz", dom),
            "SN": Point("fuzz", dom),
            "admin_nonnull_server": (self.chance.choice(("libvirtd", "admin")),),
            "admin_nonnull_client": ((("libvirtd",)), 1 << 20, 0, 0),
        }
        if kind in made:
            return made[kind]
        return tuple(self.value(name, inner, call) for name, inner in self.fields(_struct_fields(kind)))

    def number(self, name: str) -> int:
        if name == "flags" or name.endswith("flags"):
            return self.chance.choice((0, 0, 0, 0, 1, 2, 3, 4, 8, 16, 1 << self.chance.randrange(31)))
        if name in ("nparams", "maxnames", "maxids", "maxuuids", "need_results", "maxinfo", "maplen", "ncpumaps"):
            return self.chance.choice((0, 1, 1, 2, 16, 16, 100))
        return self.chance.choice(NUMBERS)

    def parameter(self) -> tuple[str, Any]:
        number = self.chance.choice(NUMBERS)
        kind = self.chance.choice((Int, UInt, LLong, ULLong, float, bool, str))
        return self.chance.choice(PARAMETERS), str(number) if kind is str else kind(number)

    def text(self, name: str, call: str) -> str:
        chance, world = self.chance, self.world
        if "xml" in name.lower() or name in ("dom_xml", "metadata") or name.startswith("dxml"):
            return world.document(self.xml(name, call))
        if name in ("name", "new_name", "dname") and chance.random() < 0.7:
            return "fuzz"
        if (
            name in ("path", "disk", "device", "dev", "to", "file", "base", "top", "from_", "mountPoint", "key")
            and chance.random() < 0.8
        ):
            return chance.choice(world.paths)
        if name == "mech":
            return chance.choice(
                ("SCRAM-SHA-256", "PLAIN", "DIGEST-MD5", "ANONYMOUS", "LOGIN", "SCRAM-SHA-1", "EXTERNAL", "GSSAPI")
            )
        if name in ("uri", "uri_in", "dconnuri"):
            return chance.choice(("", "qemu:///system", "test:///default", "tcp:127.0.0.1:1", "unix:/nonexistent"))
        if name in ("cmd",):
            return chance.choice(('{"execute":"query-status"}', "info status", "{", "guest-ping"))
        return chance.choice(STRINGS)

    def xml(self, name: str, call: str) -> str:
        if "CPU" in name or "cpu" in call:
            return documents.CPU
        for part, text in (
            *(("checkpoint_xml", documents.CHECKPOINT), ("backup_xml", documents.BACKUP)),
            *(("destxml", "<disk type='file'><source file='{folder}/copy'/></disk>"), ("metadata", "<m>x</m>")),
        ):
            if part == name:
                return text
        for part, text in (
            *(("snapshot", documents.SNAPSHOT), ("checkpoint", documents.CHECKPOINT), ("backup", documents.BACKUP)),
            *(("device", self.chance.choice(documents.DEVICES)), ("vol_", documents.VOLUME), ("pool", documents.POOL)),
            *(("binding", documents.BINDING), ("nwfilter", documents.NWFILTER), ("network_port", documents.PORT)),
            *(("network_update", "<host mac='52:54:00:00:00:09' ip='10.99.0.5'/>"), ("network", documents.NETWORK)),
            *(("secret", documents.SECRET), ("interface_", documents.INTERFACE)),
        ):
            if part in call and not (part == "device" and call.startswith("node_")):
                return text
        return documents.NODEDEV if call.startswith("node_") else documents.DOMAIN
