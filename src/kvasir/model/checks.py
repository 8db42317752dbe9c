"""What libvirt refuses of the root element, with its words. Called before and after the defaults are filled."""

from __future__ import annotations

from typing import Any

from kvasir.errors import Code, ConfigUnsupported, Error, Origin, XmlDetail, XmlError

OS_TYPES = ("hvm", "xen", "linux", "xenpvh", "exe", "uml")
TIMERS = {"pit", "rtc", "hpet", "tsc", "kvmclock", "hypervclock", "armvtimer"}
NOT_X86 = ("gic", "hpt", "htm", "nested-hv", "ccf-assist", "cfpc", "sbbc", "ibs")


def check_root(domain: Any, vm: Any) -> None:
    """Refuse what cannot be. Raises XmlError, ConfigUnsupported."""
    _names(domain)
    if domain.os.type not in (None, *OS_TYPES):
        raise ConfigUnsupported(f"unknown OS type '{domain.os.type}'", origin=Origin.DOMAIN)
    if domain.os.type not in (None, "hvm"):
        raise ConfigUnsupported(f"Emulator '{domain.emulator}' does not support os type '{domain.os.type}'")
    if domain.bootloader:
        raise ConfigUnsupported("bootloader is not supported by QEMU")
    _boot(domain, vm)
    _cpus(domain, vm)
    _features(domain, vm)
    _clock(domain)
    check_actions(domain.on_poweroff, domain.on_reboot, domain.on_crash)
    _tuning(domain)
    sev = domain.launch_security is not None and domain.launch_security.type == "sev"
    if sev and not vm.caps.has("sev-guest"):
        raise ConfigUnsupported("SEV launch security is not supported with this QEMU binary")


def _names(domain: Any) -> None:
    if "\n" in domain.name:
        raise XmlDetail("invalid char in name: \n")
    if "/" in domain.name:
        raise XmlError(f"name {domain.name} cannot contain '/'")
    if domain.title and "\n" in domain.title:
        raise XmlError("Domain title can't contain newlines")


def _boot(domain: Any, vm: Any) -> None:
    os = domain.os
    pflash = os.firmware == "efi" or (os.loader is not None and os.loader.type == "pflash")
    if pflash and os.arch in ("x86_64", "i686") and not (domain.features is not None and domain.features.acpi):
        raise ConfigUnsupported("UEFI requires ACPI on this architecture")
    if os.useserial and not getattr(domain, "serials", []):
        raise XmlError("need at least one serial port to use BIOS serial output", origin=Origin.QEMU)
    if os.loader is not None and os.loader.secure:
        if not vm.is_q35:
            raise ConfigUnsupported("Secure boot is supported with q35 machine types only")
        smm = domain.features is not None and domain.features.smm_state
        if not smm and os.firmware is None:
            raise ConfigUnsupported("Secure boot requires SMM feature enabled")
    if os.firmware is not None:
        _autoselected(os)


def _autoselected(os: Any) -> None:
    """What a guest may say of an image that is chosen for it."""
    loader = os.loader
    if loader is not None:
        given = {
            "readonly": loader.readonly is not None,
            "type": loader.type or loader.path,
            "secure": loader.secure is False,
        }
        for name in (name for name, value in given.items() if value):
            raise _wrong_os(f"loader attribute '{name}' cannot be specified when firmware autoselection is enabled")
    if os.nvram_template:
        raise _wrong_os("nvram attribute 'template' cannot be specified when firmware autoselection is enabled")
    wanted = {feature.name: feature.enabled for feature in os.features}
    if wanted.get("enrolled-keys") and wanted.get("secure-boot") is False:
        words = "firmware feature 'enrolled-keys' cannot be enabled when firmware feature 'secure-boot' is disabled"
        raise _wrong_os(words)
    nvram = os.nvram or os.nvram_file or os.nvram_dev
    if nvram and os.firmware != "efi":
        raise _wrong_os(f"firmware type '{os.firmware}' does not support nvram")
    if loader is not None and loader.stateless is False and os.firmware != "efi":
        raise _wrong_os("Only EFI firmware permits NVRAM")
    if loader is not None and loader.stateless and nvram:
        raise _wrong_os("NVRAM is not permitted when loader is stateless")


def _wrong_os(words: str) -> Error:
    return Error(words, code=Code.XML_DETAIL, origin=Origin.DOMAIN)


def _cpus(domain: Any, vm: Any) -> None:
    if domain.vcpus and domain.vcpus[0].enabled is False:
        raise ConfigUnsupported("vcpu 0 can't be offline")
    limit = vm.max_cpus()
    if limit and domain.vcpu > limit:
        raise ConfigUnsupported(f"Maximum CPUs greater than specified machine type limit {limit}")
    if domain.vcpus and (domain.vcpus[0].id != 0 or domain.vcpus[0].enabled is False):
        raise ConfigUnsupported("vcpu 0 can't be offline")
    cpu = domain.cpu
    if cpu is not None and cpu.maxphysaddr_mode == "emulate" and cpu.maxphysaddr_bits is None:
        text = "if using CPU maximum physical address mode='emulate', bits= must be specified too"
        raise ConfigUnsupported(text)
    topology = domain.cpu.topology if domain.cpu is not None else None
    if (
        topology is not None
        and topology.sockets * (topology.dies or 1) * topology.cores * topology.threads != domain.vcpu
    ):
        raise ConfigUnsupported("CPU topology doesn't match maximum vcpu count")


def _features(domain: Any, vm: Any) -> None:
    features = domain.features
    if features is None:
        return
    if features.hyperv is not None and features.hyperv.spinlocks and (features.hyperv.spinlocks_retries or 0) < 4095:
        raise XmlError("HyperV spinlock retry count must be at least 4095")
    if vm.arch in ("x86_64", "i686"):
        said = {
            "gic": features.gic or features.gic_version is not None,
            "hpt": features.hpt_resizing is not None or features.hpt_maxpagesize is not None,
            "htm": features.htm is not None,
            "nested-hv": features.nested_hv is not None,
            "ccf-assist": features.ccf_assist is not None,
            "cfpc": features.cfpc is not None,
            "sbbc": features.sbbc is not None,
            "ibs": features.ibs is not None,
        }
        for name, on in said.items():
            if on:
                raise ConfigUnsupported(
                    f"The '{name}' feature is not supported for architecture '{vm.arch}' or machine type '{vm.machine}'"
                )


def check_actions(off: str | None, reboot: str | None, crash: str | None) -> None:
    """What QEMU's driver cannot do when a guest powers off, reboots or crashes. Raises ConfigUnsupported."""
    for word, given in (("preserve", (reboot, off)), ("rename-restart", (reboot, off, crash))):
        if word in given:
            names = "/".join(f"'{name}'" for name in ("on_reboot", "on_poweroff", "on_crash")[: len(given)])
            raise ConfigUnsupported(f"qemu driver doesn't support the '{word}' action for {names}")
    if off == "restart" and reboot == "destroy":
        raise ConfigUnsupported(
            "qemu driver doesn't support 'onReboot' set to 'destroy and 'onPoweroff' set to 'reboot'"
        )


def _clock(domain: Any) -> None:
    for timer in domain.clock.timers if domain.clock is not None else ():
        if timer.name not in TIMERS:
            raise ConfigUnsupported(f"unsupported timer type (name) '{timer.name}'")
        if timer.track is not None and timer.name not in ("rtc", "platform"):
            text = f"timer {timer.name} doesn't support setting of timer track"
            raise ConfigUnsupported(text, origin=Origin.DOMAIN)
        caught = timer.threshold or timer.slew or timer.limit
        if caught and timer.tickpolicy != "catchup":
            raise XmlError("setting of timer catchup policies is only supported with tickpolicy='catchup'")
        if timer.name == "rtc" and timer.track == "boot":
            raise ConfigUnsupported("unsupported rtc timer track 'boot'")
        if timer.name == "rtc" and timer.tickpolicy in ("merge", "discard"):
            raise ConfigUnsupported(f"unsupported rtc timer tickpolicy '{timer.tickpolicy}'")
        if timer.name == "pit" and timer.tickpolicy == "merge":
            raise ConfigUnsupported("unsupported pit tickpolicy 'merge'")


def _pages(domain: Any) -> None:
    """Each guest cell has its pages of one size only, and is there."""
    backing = domain.memory_backing
    if backing is not None and backing.source == "anonymous" and (backing.hugepages or backing.pages):
        raise ConfigUnsupported("hugepages are not allowed with anonymous memory source")
    pages = domain.memory_backing.pages if domain.memory_backing is not None else []
    cells = len(domain.cpu_cells())
    for number, page in enumerate(pages):
        for other in pages[:number]:
            if not page.nodeset and not other.nodeset:
                text = f"two master hugepages detected: {page.size} and {other.size}"
                raise Error(text, code=Code.XML_DETAIL, origin=Origin.DOMAIN)
            if page.nodeset and other.nodeset and page.nodeset & other.nodeset:
                text = f"nodeset attribute of hugepages of sizes {page.size} and {other.size} intersect"
                raise Error(text, code=Code.XML_DETAIL, origin=Origin.DOMAIN)
        absent = [node for node in sorted(page.nodeset or ()) if node >= cells]
        if absent:
            raise Error(f"hugepages: node {absent[0]} not found", code=Code.XML_DETAIL, origin=Origin.DOMAIN)


def _backing(domain: Any) -> None:
    backing = domain.memory_backing
    if backing is None or not (backing.hugepages or backing.pages):
        return
    if backing.allocation == "ondemand":
        raise ConfigUnsupported("hugepages are not allowed with memory allocation ondemand")
    if backing.source == "anonymous":
        raise ConfigUnsupported("hugepages are not allowed with anonymous memory source")


def _tuning(domain: Any) -> None:
    if domain.memtune is not None and domain.memtune.min_guarantee:
        raise ConfigUnsupported("Parameter 'min_guarantee' not supported by QEMU.")
    tune = domain.cputune
    for name, most in (("period", 1000000), ("quota", 17592186044415)) if tune is not None else ():
        for kind in ("", "global_", "emulator_", "iothread_"):
            value = getattr(tune, f"{kind}{name}")
            if value and (0 < value < 1000 or value > most):
                text = f"Value of cputune '{kind}{name}' must be in range [1000, {most}]"
                raise ConfigUnsupported(text, origin=Origin.DOMAIN)
    _backing(domain)
    if domain.max_memory and not domain.max_memory_slots:
        raise XmlError("both maximum memory size and memory slot count must be specified")
    if domain.max_memory and domain.max_memory < domain.memory:
        raise XmlError("maximum memory size must be equal or greater than the actual memory size")
    if domain.max_memory and not domain.cpu_cells():
        raise ConfigUnsupported("At least one numa node has to be configured when enabling memory hotplug")
    _pages(domain)
    if tune is not None and domain.type != "kvm":
        for kind in ("cachetune", "memorytune"):
            if getattr(tune, f"{kind}s"):
                raise ConfigUnsupported(f"{kind} is only supported for KVM domains")
