"""Processors and machine of a new guest: count and topology, model and mode, mitigations."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from . import tree
from .grammar import OptionError
from .host import choose

if TYPE_CHECKING:
    from .host import DomainCaps


class Processors:
    """The part of a guest that is about its processors."""

    domain: tree.Node

    if TYPE_CHECKING:

        @property
        def x86(self) -> bool: ...
        @property
        def machvirt(self) -> bool: ...
        @property
        def arch(self) -> str: ...
        @property
        def machine(self) -> str: ...

        def caps(self) -> DomainCaps: ...
        def capabilities(self) -> str: ...

    def set_cpus(self, default: int) -> None:
        """Number of processors and topology agree. Raises OptionError when they cannot."""
        topology = self.domain.find("cpu/topology")
        parts = ("sockets", "dies", "cores", "threads")

        def product() -> int:
            out = 1
            for part in parts:
                out *= int((topology.get(part) if topology is not None else None) or 1)
            return out

        if tree.get(self.domain, "vcpu") in (None, ""):
            tree.put(self.domain, "vcpu", str(product() if topology is not None else default))
        now, most = tree.get(self.domain, "vcpu/@current") or "", tree.get(self.domain, "vcpu") or ""
        if now.isdigit() and most.isdigit() and int(now) > int(most):
            tree.put(self.domain, "vcpu/@current", most)
        if topology is None:
            return
        try:
            count = int(tree.get(self.domain, "vcpu") or 1)
        except ValueError:
            raise OptionError(f"vcpu must be a whole number, not '{tree.get(self.domain, 'vcpu')}'") from None
        for part, value in (("cores", None), ("sockets", None), ("dies", 1), ("threads", None)):
            if topology.get(part) is None:
                topology.set(part, str(value or count // product()))
        if product() != count:
            said = " * ".join(f"{p}={topology.get(p)}" for p in parts)
            raise OptionError(
                f"Total CPUs implied by topology ({said} == {product()}) does not match vCPU count {count}"
            )

    def _cpu(self) -> None:
        cpu = self.domain.find("cpu")
        if cpu is not None and (cpu.get("_special") or len(cpu) or any(not k.startswith("_") for k in cpu.attrib)):
            return
        own = self.arch == ET.fromstring(self.capabilities()).findtext("host/cpu/arch")
        if self.domain.get("type") == "kvm" and own and (self.x86 or self.machvirt):
            self.cpu_mode("default")
        elif self.machvirt and self.arch == "aarch64":
            tree.put(self.domain, "cpu/@mode", "custom")
            tree.put(self.domain, "cpu/@match", "exact")
            tree.put(self.domain, "cpu/model", "cortex-a57")

    def cpu_mode(self, word: str) -> None:
        """Fill ``<cpu>`` for a word of ``--cpu``: default, host-model-only, host-copy."""
        if word == "default":
            if self.caps().migratable_passthrough():
                word = "host-passthrough"
            else:
                word = "host-model" if self.caps().cpu_mode("host-model") else "host-model-only"
        if word in ("host-passthrough", "host-model"):
            tree.put(self.domain, "cpu/@mode", word)
            return
        model = ET.fromstring(self.capabilities()).findtext("host/cpu/model")
        if model:
            tree.put(self.domain, "cpu/@mode", "custom")
            tree.put(self.domain, "cpu/@match", "exact")
            tree.put(self.domain, "cpu/model", model)

    def finish_cpu(self) -> None:
        """What ``--cpu`` left to be looked up on the host: modes by word, mitigations of a named model."""
        cpu = self.domain.find("cpu")
        if cpu is None:
            return
        special = cpu.get("_special") or ""
        if special in ("default", "host-model-only", "host-copy"):
            self.cpu_mode(special)
        if cpu.attrib.pop("_secured", None) and cpu.attrib.pop("_secure", "yes") not in (
            "no",
            "off",
            "false",
            "0",
            "n",
            "f",
        ):
            have = {f.get("name") for f in cpu.findall("feature")}
            for name in self.caps().mitigations():
                if name not in have:
                    tree.ET.SubElement(cpu, "feature", {"policy": "require", "name": name})

    def refreshed_machine(self) -> str:
        """The name without a version that the machine is a version of. Raises OptionError."""
        had = self.machine
        kind = choose(
            self.capabilities(), self.domain.get("type") or "", tree.get(self.domain, "os/type/@arch") or "", "hvm"
        )
        for name in kind.aliases:
            prefix = {"pc": "pc-i440fx-", "q35": "pc-q35-"}.get(name, f"{name}-")
            if had.startswith(prefix):
                return name
        raise OptionError(f"Don't know how to refresh machine type '{had}'")
