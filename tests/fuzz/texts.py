"""Mutated documents of every class through the calls that take them: each is refused with an error or taken, and what is taken can be read back."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

from kvasir.errors import Error
from kvasir.rpc import frames
from kvasir.rpc.errors import decode_error
from kvasir.rpc.programs import REMOTE
from tests.fuzz import documents, mutate
from tests.fuzz.found import Found, resident
from tests.fuzz.outside import Outside, daemon
from tests.fuzz.variants import VARIANTS

GOLDEN = Path(__file__).resolve().parent.parent / "golden"
RENEW = 3000
REFUSED = 0x1
"""VALIDATE of the calls that have it; REDEFINE of snapshots and checkpoints."""
HOSTS = ("etc/network/interfaces.d", "etc/NetworkManager/system-connections", "etc/systemd/network")
WAYS = {
    "domain": ("domain_define_xml_flags", "domain_get_xml_desc", "domain_undefine"),
    "network": ("network_define_xml_flags", "network_get_xml_desc", "network_undefine"),
    "pool": ("storage_pool_define_xml", "storage_pool_get_xml_desc", "storage_pool_undefine"),
    "volume": ("storage_vol_create_xml", "storage_vol_get_xml_desc", "storage_vol_delete"),
    "nwfilter": ("nwfilter_define_xml_flags", "nwfilter_get_xml_desc", "nwfilter_undefine"),
    "secret": ("secret_define_xml", "secret_get_xml_desc", "secret_undefine"),
    "nodedev": ("node_device_define_xml", "node_device_get_xml_desc", "node_device_undefine"),
    "interface": ("interface_define_xml", "interface_get_xml_desc", "interface_undefine"),
    "snapshot": ("domain_snapshot_create_xml", "domain_snapshot_get_xml_desc", "domain_snapshot_delete"),
    "checkpoint": ("domain_checkpoint_create_xml", "domain_checkpoint_get_xml_desc", "domain_checkpoint_delete"),
    "backup": ("domain_backup_begin", "domain_backup_get_xml_desc", "domain_abort_job"),
}


class Texts(Outside):
    """Sends documents."""

    answer: frames.Frame | None = None

    def seeds(self, kind: str) -> list[str]:
        """Our own small one, and what the golden folders have of that class."""
        found = [self.world.document(documents.CLASSES[kind])] * 3
        if kind == "volume":  # the pool has that one already
            found = [text.replace("<name>fuzz<", "<name>new<") for text in found]
        found += [self.world.document(text) for text in VARIANTS.get(kind, ())]
        tag = {"domain": "domain", "network": "network"}.get(kind)
        for path in sorted(GOLDEN.rglob("*.xml")) if tag else ():
            text = path.read_text()
            if re.match(rf"\s*<{tag}[\s>]", text) and len(text) < 8000:
                found.append(text)
        return found

    def arguments(self, kind: str, name: str, text: str) -> tuple[Any, ...]:
        flags = self.chance.choice((0, 0, 0, REFUSED))
        dom = self.maker.struct("D", name)
        if kind == "volume":
            return self.maker.struct("SP", name), text, 0
        if kind in ("snapshot", "checkpoint"):
            return dom, text, self.chance.choice((REFUSED, REFUSED, REFUSED, 0 if kind == "checkpoint" else 16))
        if kind == "backup":
            return dom, text, None if flags else self.world.document(documents.CHECKPOINT), 0
        return (text, 0) if kind == "pool" else (text, flags)

    def ask(self, name: str, args: tuple[Any, ...]) -> tuple[bool, Any]:
        """A call; true with its result, or false with its error."""
        row = REMOTE[name]
        self.raw.serial = (self.raw.serial + 1) & 0xFFFF
        data = frames.pack(REMOTE.id, 1, row.number, frames.CALL, self.raw.serial, frames.OK, row.encode_args(args))
        self.answer = None
        self.send(name, data)
        self.listen(name, data)
        if self.answer is None:
            return False, None
        if self.answer.status == frames.OK:
            return True, row.decode_result(self.answer.payload)
        return False, decode_error(self.answer.payload)

    def stream(self, frame: frames.Frame, head: tuple[int, ...]) -> None:
        self.answer = frame

    def one(self, kind: str, text: str) -> None:
        create, read, remove = WAYS[kind]
        good, made = self.ask(create, self.arguments(kind, create, text))
        self.found.procedures[f"{kind} {'taken' if good else 'refused'}"] += 1
        if not good:
            if isinstance(made, Error) and not made.message:
                self.found.problem(f"{create}: an error without words", text.encode())
            return
        subject = made if made is not None else self.maker.struct("D", create)
        fine, why = self.ask(read, (subject,) if len(REMOTE[read].args.names) == 1 else (subject, 0))
        if not fine and kind != "backup":
            self.found.problem(f"{read} after {create}: {why}", text.encode("utf-8", "replace"))
        if kind == "domain":  # what QEMU would be told of it
            self.ask("connect_domain_xml_to_native", ("qemu-argv", text, 0))
        self.ask(remove, (subject,) if len(REMOTE[remove].args.names) == 1 else (subject, 0))
        if kind == "backup":  # its checkpoint stays
            self.ask("domain_checkpoint_delete", (self.maker.struct("CK", create), 0))

    def host(self, kind: str) -> None:
        """For interfaces: the host's configuration is of another kind."""
        if kind == "interface":
            shutil.rmtree(self.root / "etc/network", ignore_errors=True)
            shutil.rmtree(self.root / "etc/NetworkManager", ignore_errors=True)
            shutil.rmtree(self.root / "etc/systemd", ignore_errors=True)
            (self.root / self.chance.choice(HOSTS)).mkdir(parents=True)

    def documents(self, each: int, kinds: tuple[str, ...]) -> Found:
        for kind in kinds:
            self.class_of(kind, each)
            if self.child.poll() is not None:
                return self.found
        self.watcher.ends = True
        self.watcher.join(30)
        if self.watcher.worst > 1:
            self.found.took(f"others while {self.watcher.name}", self.watcher.worst)
        if self.watcher.failed:
            self.found.problem(f"the quiet connection: {self.watcher.failed}", b"")
        return self.found

    def class_of(self, kind: str, each: int) -> None:
        """So many of one class; the growth kept is that of the class that grew most after its first third."""
        seeds, warm = self.seeds(kind), 0.0
        for number in range(each):
            text = mutate.document(self.chance, self.chance.choice(seeds)).replace("\0", "")
            self.found.packets += 1
            if number % 50 == 0:
                self.host(kind)
            self.one(kind, text.encode("utf-8", "replace").decode())
            if self.child.poll() is not None:
                said = self.log.read_text()[-1500:]
                self.found.problem(f"{kind}: the daemon ended: {said}", text.encode("utf-8", "replace"))
                return
            if number % RENEW == RENEW - 1 or number in (each // 3, each - 1):
                self.renew()
            if number == each // 3:
                warm = resident(self.child.pid)
        self.found.growth = max(self.found.growth, resident(self.child.pid) - warm)


def run(root: Path, packets: int, seed: int = 1, kinds: str = "") -> Found:
    """So many documents of each class, or of those named (with commas)."""
    with daemon(root, "") as child:
        return Texts(root, child, seed).documents(packets, tuple(kinds.split(",")) if kinds else tuple(WAYS))
