"""Trusted platform modules: the host's, an emulated one (swtpm), or one behind a socket."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from kvasir.errors import ConfigUnsupported, Origin, XmlError
from kvasir.qemu.args import Chardev, Dev, Opt, comma
from kvasir.xml import Element, attr, child, flag, variant
from kvasir.xml.types import ENUM, UUID, YESNO

from .base import Device
from .words import internal

if TYPE_CHECKING:
    from kvasir.qemu.args import Arg

MODELS = ("tpm-tis", "tpm-crb", "tpm-spapr", "spapr-tpm-proxy")
CAPABILITY = {
    "tpm-tis": "tpm-tis",
    "tpm-crb": "tpm-crb",
    "tpm-spapr": "tpm-spapr",
    "spapr-tpm-proxy": "spapr-tpm-proxy",
}
BANKS = ("sha1", "sha256", "sha384", "sha512")


class PassthroughBackend(Element):
    """A device of the host."""

    path: str | None = attr("device/@path", label=True)

    def parsed(self, node: Any) -> None:
        self.path = self.path or "/dev/tpm0"


class EmulatorBackend(Element):
    """An emulator process of its own."""

    version: str | None = attr("@version", ENUM("1.2", "2.0"), abi=True)
    persistent_state: bool | None = attr(
        "@persistent_state", YESNO, error=internal("Invalid persistent_state value, either 'yes' or 'no'"),
        when=lambda backend, form: bool(backend.persistent_state),
    )  # fmt: skip
    secret: str | None = attr(
        "encryption/@secret", UUID, error=internal("Unable to parse secret uuid '{value}'"),
        doc="UUID of the secret that encrypts the state.",
    )  # fmt: skip
    sha1: bool = flag("active_pcr_banks/sha1")
    sha256: bool = flag("active_pcr_banks/sha256")
    sha384: bool = flag("active_pcr_banks/sha384")
    sha512: bool = flag("active_pcr_banks/sha512")

    def banks(self) -> list[str]:
        """The PCR banks to activate."""
        return [bank for bank in BANKS if getattr(self, bank)]


class ExternalBackend(Element):
    """An emulator that someone else has started."""

    type: str | None = attr("source/@type")
    mode: str | None = attr("source/@mode")
    path: str | None = attr("source/@path", label=True)

    def parsed(self, node: Any) -> None:
        if self.type is None:
            raise XmlError("missing external TPM backend type")
        if self.type != "unix":
            raise XmlError("only source type 'unix' is supported for external TPM device")
        if self.mode not in (None, "connect"):
            raise XmlError("only 'client' mode is supported for external TPM device")
        if not self.path:
            raise XmlError("missing socket path for external TPM device")
        self.mode = "connect"


BACKENDS: dict[str, Any] = {
    "passthrough": PassthroughBackend, "emulator": EmulatorBackend, "external": ExternalBackend,
}  # fmt: skip


class Backend(Element, tag="backend"):
    """What answers the guest."""

    type: str = attr("@type", ENUM(*BACKENDS), required=True)
    source: Any = variant("type", BACKENDS)

    @classmethod
    def parse(cls, node: Any, keep: bool = False) -> Backend:
        """Read it; a wrong version is refused for every type."""
        found = super().parse(node, keep)
        if node.get("version") not in (None, "default", "1.2", "2.0"):
            from .words import bad_value

            raise bad_value("version", "backend", node.get("version"))
        return found


class Tpm(Device, tag="tpm"):
    """A trusted platform module."""

    ALIAS, HOTPLUG = "tpm", False

    model: str | None = attr("@model", ENUM(*MODELS), abi=True)
    backend: Backend = child(Backend)

    def parsed(self, node: Any) -> None:
        found = len(node.findall("backend"))
        if found == 0:
            raise XmlError("missing TPM device backend")
        if found > 1:
            raise XmlError("only one TPM backend is supported")
        for bank in node.iterfind("backend/active_pcr_banks/*"):
            if self.backend.type == "emulator" and bank.tag not in BANKS:
                raise ConfigUnsupported(f"Unsupported PCR banks '{bank.tag}'")
        source = self.backend.source
        if isinstance(source, EmulatorBackend) and source.version == "1.2" and source.banks():
            raise XmlError("<active_pcr_banks/> requires TPM version '2.0'")

    def defaults(self, vm: Any) -> None:
        if self.model is None:
            self.model = "tpm-spapr" if vm.arch.startswith("ppc64") else "tpm-tis"
        source = self.backend.source
        if isinstance(source, EmulatorBackend) and source.version is None:
            crb_or_arm = self.model in ("tpm-crb", "tpm-spapr") or vm.arch == "aarch64" or bool(source.banks())
            source.version = "2.0" if crb_or_arm else "1.2"

    def check(self, vm: Any) -> None:
        if self.model != "spapr-tpm-proxy":
            plain = [t for t in vm.domain.tpms if t.model != "spapr-tpm-proxy"]
            if len(plain) > 1:
                raise ConfigUnsupported("only a single TPM non-proxy device is supported")
        source = self.backend.source
        if isinstance(source, EmulatorBackend):
            if source.version == "1.2" and source.banks():
                raise XmlError("<active_pcr_banks/> requires TPM version '2.0'")
            if source.version == "1.2" and self.model in ("tpm-crb", "tpm-spapr"):
                raise ConfigUnsupported(f"Unsupported interface '{self.model}' for TPM 1.2")
        word = "passthrough" if self.backend.type == "passthrough" else "emulator"
        if not vm.caps.has(f"tpm-{word}"):
            raise ConfigUnsupported(
                f"The QEMU executable {vm.domain.emulator} does not support TPM backend type {self.backend.type}"
            )
        if not vm.caps.has(CAPABILITY[self.model or "tpm-tis"]):
            raise ConfigUnsupported(
                f"The QEMU executable {vm.domain.emulator} does not support TPM model {self.model}", origin=Origin.QEMU
            )

    async def prepare(self, host: Any) -> None:
        """Start the emulator."""
        if isinstance(self.backend.source, EmulatorBackend):
            from kvasir.qemu.tpm_host import start

            await start(self, host)

    async def release(self, host: Any) -> None:
        """End the emulator."""
        if isinstance(self.backend.source, EmulatorBackend):
            from kvasir.qemu.tpm_host import release

            await release(self, host)

    def qemu(self, vm: Any) -> Iterator[Arg]:
        source = self.backend.source
        name = f"tpm-{self.alias}"
        if isinstance(source, PassthroughBackend):
            cancel = vm.facts.get("tpm_cancel_path")
            path = f"/dev/fdset/{vm.facts['tpm_fdset']}" if "tpm_fdset" in vm.facts else source.path
            tail = f",cancel-path={comma(cancel)}" if cancel else ""
            yield Opt("-tpmdev", f"passthrough,id={name},path={comma(path or '')}{tail}")
        else:
            path = source.path if isinstance(source, ExternalBackend) else vm.facts.get(f"tpm_socket_{self.alias}")
            if path:
                yield Chardev("socket", "chrtpm", {"path": path})
            else:
                yield Chardev("null", "chrtpm")
            yield Opt("-tpmdev", f"emulator,id={name},chardev=chrtpm")
        model = "tpm-tis-device" if self.model == "tpm-tis" and vm.is_arm else self.model or "tpm-tis"
        yield Dev(model, tpmdev=name, id=self.alias)
