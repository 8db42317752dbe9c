"""What the hooks of devices see of their guest and of the host that it will run on."""

from __future__ import annotations

from typing import Any


class Vm:
    """A guest as its devices see it while a document is completed or a command line is built.

    ``domain`` is the root element; ``caps`` the binary's abilities; ``config`` has the keys of qemu.conf as attributes;
    ``paths`` the daemon's folders; ``fds`` maps the name of a passed descriptor (``net0``, ``vhost-net0``) to its number.
    """

    def __init__(self, domain: Any, caps: Any, config: Any = None, paths: Any = None) -> None:
        self.domain, self.caps, self.config, self.paths = domain, caps, config, paths
        self.fds: dict[str, int] = {}
        self.id = -1
        self.facts: dict[str, Any] = {}
        self.software = False
        """A guest of type ``kvm`` that runs without it, as its user may not open /dev/kvm."""
        self.secrets: Any = None
        """The daemon's secret driver, None where there is none."""

    @property
    def name(self) -> str:
        return str(self.domain.name)

    @property
    def uuid(self) -> str:
        return str(self.domain.uuid)

    @property
    def virt_type(self) -> str:
        """``kvm`` or ``qemu`` (TCG)."""
        return "qemu" if self.software else str(self.domain.type)

    @property
    def arch(self) -> str:
        return str(self.domain.os.arch)

    @property
    def machine(self) -> str:
        """The machine type's own name (``pc-q35-7.2``), after aliases are resolved."""
        return str(self.domain.os.machine)

    @property
    def is_x86(self) -> bool:
        return self.arch in ("x86_64", "i686")

    @property
    def is_q35(self) -> bool:
        return self.is_x86 and self.machine.startswith(("pc-q35", "q35"))

    @property
    def is_i440fx(self) -> bool:
        return self.is_x86 and (
            self.machine == "pc" or self.machine.startswith(("pc-i440fx", "pc-0.", "pc-1.", "rhel", "xenfv"))
        )

    @property
    def is_microvm(self) -> bool:
        return self.machine == "microvm"

    @property
    def is_arm(self) -> bool:
        return self.arch in ("aarch64", "armv7l", "armv6l")

    @property
    def is_arm_virt(self) -> bool:
        return self.is_arm and (self.machine == "virt" or self.machine.startswith("virt-"))

    @property
    def is_riscv_virt(self) -> bool:
        return self.arch in ("riscv64", "riscv32") and (self.machine == "virt" or self.machine.startswith("virt-"))

    @property
    def is_virt(self) -> bool:
        """The board that ARM and RISC-V emulators have for guests, and no real machine has."""
        return self.is_arm_virt or self.is_riscv_virt

    @property
    def is_power(self) -> bool:
        return self.arch in ("ppc64", "ppc64le")

    @property
    def is_pseries(self) -> bool:
        return self.is_power and (self.machine == "pseries" or self.machine.startswith("pseries-"))

    @property
    def is_s390(self) -> bool:
        return self.arch in ("s390x", "s390")

    @property
    def is_ccw(self) -> bool:
        return self.is_s390 and self.machine.startswith("s390-ccw")

    @property
    def uses_pci_express(self) -> bool:
        return self.is_q35 or self.is_virt

    def resolve_machine(self, name: str | None) -> str:
        """The machine type's own name: aliases resolved, the binary's default where none is named."""
        return str(
            self.caps.canonical_machine(name) if name else self.caps.canonical_machine(self.caps.default_machine)
        )

    def default_cpu(self) -> str | None:
        """The CPU model of the machine when the document names none, in libvirt's short form."""
        machine = self.caps.machine(self.machine)
        kind = getattr(machine, "default_cpu", None) or getattr(machine, "cpu", None)
        if kind and not self.is_x86:
            from .boards import cpu_name

            return cpu_name(self, str(kind))
        return str(kind).removesuffix("-x86_64-cpu").removesuffix("-i386-cpu").removesuffix("-cpu") if kind else None

    def short_name(self) -> str:
        """The id and name that the guest's folders are called by."""
        return f"domain-{self.id}-{self.name[:20]}"

    def memory_folder(self) -> str:
        """Where files that back the guest's memory lie."""
        base = getattr(self.config, "memory_backing_dir", None)
        if not base:
            lib = str(getattr(getattr(self.paths, "qemu", self.paths), "lib", None) or "/var/lib/libvirt/qemu")
            base = f"{lib.removesuffix('/lib')}/ram"
        return f"{base}/{self.id}-{self.name[:20]}"

    def max_cpus(self) -> int:
        """The most vCPUs that the machine type takes, 0 where unknown."""
        machine = self.caps.machine(self.machine)
        return int(getattr(machine, "max_cpus", 0) or 0)

    def fd(self, name: str) -> int:
        """The number of a passed descriptor. Raises KeyError when the driver passed none of that name."""
        return self.fds[name]
