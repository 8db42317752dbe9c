"""Comparing a CPU with the host's or the hypervisor's, and the CPU that several hosts share, as libvirt 9.0 does both."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from kvasir.errors import Code, ConfigUnsupported, Error, InternalError, InvalidArg, OperationFailed, Origin, XmlError
from kvasir.model.cpu import Cpu, CpuFeature
from kvasir.xml.reader import read

from . import x86, x86_tables

INCOMPATIBLE, IDENTICAL, SUPERSET = range(3)
GIVEN = ("force", "require")
OF_THE_SYSTEM = {"osxsave", "ospke"}
"""Switched on by the operating system, not by the processor."""
X86 = ("x86_64", "i686")


class Incompatible(Error):
    """The host cannot give this CPU."""

    code, prefix = Code.CPU_INCOMPATIBLE, "the CPU is incompatible with host CPU"


def parse(text: str, host: bool = False) -> tuple[Cpu, str | None]:
    """A CPU's document, and the architecture that it names. ``host``: it has to be a host's. Raises XmlError and its kin."""
    node = read(text, "(CPU_definition)")
    if node.tag != "cpu":
        raise XmlError("XML does not contain expected 'cpu' element", origin=Origin.CPU)
    arch = node.findtext("arch")
    if node.get("match") is not None and arch is not None:
        raise XmlError("'arch' element cannot be used inside 'cpu' element with 'match' attribute'", origin=Origin.CPU)
    if host and node.get("mode") is not None:
        raise ConfigUnsupported("Attribute mode is only allowed for guest CPU", origin=Origin.CPU)
    if host and arch is None:
        raise XmlError("Missing CPU architecture", origin=Origin.CPU)
    cpu = Cpu.parse(node)
    known = x86_tables.features()
    for feature in cpu.features:
        feature.policy = feature.policy or "require"
        if feature.name not in known and (arch or "x86_64") in X86:
            raise InternalError(f"Unknown CPU feature {feature.name}", origin=Origin.CPU)
    return cpu, arch


def _listed(names: Iterable[str]) -> str:
    wanted = set(names)
    return ", ".join(name for name in x86_tables.features() if name in wanted)


def _model(name: str | None) -> frozenset[str]:
    if not name:
        return frozenset()
    model = x86_tables.models().get(name)
    if model is None:
        raise InternalError(f"Unknown CPU model {name}", origin=Origin.CPU)
    return model.features


def compare(host: x86.CpuData, cpu: Cpu) -> tuple[int, str]:
    """INCOMPATIBLE, IDENTICAL or SUPERSET, and why it is incompatible."""
    model = _model(cpu.model)
    by_policy: dict[str, set[str]] = {}
    for feature in cpu.features:
        by_policy.setdefault(feature.policy or "require", set()).add(str(feature.name))
    if cpu.vendor and host.vendor != cpu.vendor:
        return INCOMPATIBLE, f"host CPU vendor does not match required CPU vendor {cpu.vendor}"
    forbidden = host.features & by_policy.get("forbid", set())
    if forbidden:
        return INCOMPATIBLE, f"Host CPU provides forbidden features: {_listed(forbidden)}"
    decided = by_policy.get("disable", set()) | by_policy.get("forbid", set()) | by_policy.get("optional", set())
    needed = (set(model) | by_policy.get("require", set())) - decided - by_policy.get("force", set())
    missing = needed - host.features
    if missing:
        return INCOMPATIBLE, f"Host CPU does not provide required features: {_listed(missing)}"
    covered = (
        set(model) | by_policy.get("require", set()) | by_policy.get("force", set()) | by_policy.get("optional", set())
    )
    extra = host.features - (covered - by_policy.get("disable", set()))
    if not extra:
        return IDENTICAL, ""
    if cpu.match == "strict":
        return INCOMPATIBLE, f"Host CPU does not strictly match guest CPU: Extra features: {_listed(extra)}"
    return SUPERSET, ""


def answer(host: x86.CpuData, cpu: Cpu, fail: bool) -> int:
    """The comparison's number; ``fail`` makes an error of incompatible. Raises Incompatible (91)."""
    result, why = compare(host, cpu)
    if result == INCOMPATIBLE and fail:
        raise Incompatible(why, origin=Origin.CPU)
    return result


def features_of(cpu: Cpu) -> set[str]:
    """What a CPU has, by its model and its features."""
    given = {str(feature.name) for feature in cpu.features if feature.policy in GIVEN}
    without = {str(feature.name) for feature in cpu.features if feature.policy in ("disable", "forbid")}
    return (set(_model(cpu.model)) | given) - without


def baseline(
    cpus: list[Cpu],
    blockers: Mapping[str, Collection[str]] | None = None,
    *,
    expand: bool = False,
    migratable: bool = False,
) -> Cpu:
    """The richest CPU that all of these can run, of a hypervisor's models where given. Raises OperationFailed."""
    if not cpus:
        raise InvalidArg("No CPUs given", origin=Origin.CPU)
    for at, cpu in enumerate(cpus):
        if cpu.model is None:
            raise InvalidArg(f"no CPU model specified at index {at}", origin=Origin.CPU)
    found = x86.CpuData(vendor=cpus[0].vendor, features=features_of(cpus[0]))
    names = {cpu.model for cpu in cpus}
    same_vendor = all(cpu.vendor for cpu in cpus)
    for cpu in cpus[1:]:
        if cpu.vendor and found.vendor and cpu.vendor != found.vendor:
            raise OperationFailed("CPU vendors do not match", origin=Origin.CPU)
        found.vendor = found.vendor or cpu.vendor
        found.features &= features_of(cpu)
    if not same_vendor and len(cpus) > 1:
        found.vendor = None
    found.features -= OF_THE_SYSTEM
    if not found.features:
        raise OperationFailed("CPUs are incompatible", origin=Origin.CPU)
    shown, last = found.vendor, x86_tables.models().get(cpus[-1].model or "")
    found.vendor = found.vendor or (last.vendor if last is not None else None)  # libvirt looks at the last one's model
    decoded = _decode(found, blockers, names.pop() if len(names) == 1 else None)
    made = Cpu(mode="custom", match="exact", model=decoded.model, vendor=shown)
    made.fallback = "forbid" if blockers is not None or len(cpus) == 1 else "allow"
    wanted = x86.migratable(decoded.require) if migratable else decoded.require
    made.features = [CpuFeature(policy="require", name=name) for name in wanted]
    made.features += [CpuFeature(policy="disable", name=name) for name in decoded.disable]
    if expand:
        _expand(made, migratable)
    return made


def _decode(data: x86.CpuData, blockers: Mapping[str, Collection[str]] | None, preferred: str | None) -> x86.Decoded:
    model = x86_tables.models().get(preferred or "")
    if model is not None and (blockers is None or model.name in blockers):
        less = model.features - data.features
        less |= {x86_tables.libvirt_name(name) for name in (blockers or {}).get(model.name, ())}
        more, order = data.features - model.features - less, x86_tables.features()
        return x86.Decoded(model.name, data.vendor, [n for n in order if n in more], [n for n in order if n in less])
    decoded = None if blockers is None else _balanced(data, blockers)
    decoded = decoded or x86.decode(data, blockers, host=blockers is None)
    if decoded is None:
        raise OperationFailed("CPUs are incompatible", origin=Origin.CPU)
    return decoded


def _balanced(data: x86.CpuData, blockers: Mapping[str, Collection[str]]) -> x86.Decoded | None:
    """The model with the fewest words among those that add more than they take away (seen of libvirt 9.0 under TCG)."""
    best: x86.Decoded | None = None
    for name in reversed(list(x86_tables.models())):
        if name not in blockers:
            continue
        one = x86.decode(data, {name: blockers[name]})
        if one is None or len(one.disable) >= max(len(one.require), 1):
            continue
        if best is None or len(one.require) + len(one.disable) < len(best.require) + len(best.disable):
            best = one
    return best


def _expand(cpu: Cpu, migratable: bool) -> None:
    """Name the features of the model too, by the alphabet."""
    policies = dict.fromkeys(_model(cpu.model), "require")
    policies |= {str(feature.name): str(feature.policy) for feature in cpu.features}
    kept = x86.migratable(policies) if migratable else list(policies)
    cpu.features = [CpuFeature(policy=policies[name], name=name) for name in sorted(kept)]
