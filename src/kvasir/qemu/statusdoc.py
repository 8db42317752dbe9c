"""Status documents: all that a daemon must know to take up a running guest, in libvirt's ``<domstatus>`` format."""

from __future__ import annotations

import functools
import logging
from dataclasses import dataclass, field
from typing import Any

from kvasir.errors import Error, XmlError

from .jobs import WORDS, Async
from .states import STATE_WORDS, State, reason_number, reason_word

log = logging.getLogger(__name__)


def _attr(value: object) -> str:
    text = str(value).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return text.replace("'", "&apos;").replace('"', "&quot;")


@functools.lru_cache(maxsize=8)
def _flags(words: tuple[str, ...]) -> str:
    return "  <qemuCaps>\n" + "".join(f"    <flag name='{_attr(word)}'/>\n" for word in words) + "  </qemuCaps>\n"


def render(guest: Any) -> str:
    """The whole document of a guest that runs or is about to."""
    from kvasir.xml.form import STATUS

    from .backups import status as backups
    from .blocks import status as blocks
    from .snapshots import status as snapshots

    run = guest.run
    out = [
        f"<domstatus state='{STATE_WORDS[guest.state]}' reason='{_attr(reason_word(guest.state, guest.reason))}'"
        f" pid='{run.pid}'>\n"
    ]
    out += [f"  <taint flag='{_attr(taint)}'/>\n" for taint in run.taints]
    if run.monitor_path:
        out.append(f"  <monitor path='{_attr(run.monitor_path)}' type='unix'/>\n")
    if run.own_dev:
        out.append("  <namespaces>\n    <mount/>\n  </namespaces>\n")
    if run.vcpus:
        rows = "".join(f"    <vcpu id='{number}' pid='{tid}'/>\n" for number, tid in sorted(run.vcpus.items()))
        out.append(f"  <vcpus>\n{rows}  </vcpus>\n")
    if run.lock_state:
        out.append(f"  <lockstate>{_attr(run.lock_state)}</lockstate>\n")
    out.append(_flags(tuple(run.words)))
    out.append(_job(guest))
    if run.fake_reboot:
        out.append("  <fakereboot/>\n")
    if run.aliases:
        rows = "".join(f"    <device alias='{_attr(alias)}'/>\n" for alias in run.aliases)
        out.append(f"  <devices>\n{rows}  </devices>\n")
    out.append(f"  <libDir path='{_attr(run.lib)}'/>\n")
    out.append(f"  <channelTargetDir path='{_attr(run.channel)}'/>\n")
    if run.first_cpu is not None:
        out.append(run.first_cpu.xml(STATUS, "  "))
    if run.labels:
        out.append("  <rememberOwner/>\n")
    if run.allow_reboot is not None:
        out.append(f"  <allowReboot value='{'yes' if run.allow_reboot else 'no'}'/>\n")
    out.append(f"  <nodename index='{run.nodename_index}'/>\n")
    out.append(blocks.render(guest))
    out.append(snapshots.render(guest))
    out.append(backups.render(guest))
    out.append(f"  <agentTimeout>{run.agent_timeout}</agentTimeout>\n")
    out.append(guest.live.xml(STATUS, "  "))
    out.append("</domstatus>\n")
    return "".join(out)


def _job(guest: Any) -> str:
    if not guest.has_jobs:
        return ""
    jobs = guest.jobs
    kind = WORDS.get(jobs.job, "none") if jobs.job is not None else "none"
    if kind == "query":
        kind = "none"
    if kind == "none" and jobs.async_job is Async.NONE:
        return ""
    more = " phase='none' flags='0x0'" if jobs.async_job is not Async.NONE else ""
    return f"  <job type='{kind}' async='{jobs.async_job.value}'{more}/>\n"


def write(guest: Any) -> None:
    """Write the guest's status document. Raises FileFailure."""
    if guest.run is not None and guest.live is not None and not guest.run.stopping:
        guest.driver.status.save(guest.name, render(guest))


def save(guest: Any) -> None:
    """Write the guest's status document; a failure is logged, for the guest goes on."""
    try:
        write(guest)
    except OSError as error:
        log.error("cannot write the status of guest %s: %s", guest.name, error)


@dataclass(slots=True)
class Status:
    """What a status document says."""

    domain: Any
    state: State
    reason: int
    pid: int
    monitor_path: str = ""
    lib: str = ""
    channel: str = ""
    fake_reboot: bool = False
    allow_reboot: bool | None = None
    agent_timeout: int = -2
    nodename_index: int = 0
    words: list[str] = field(default_factory=list)
    taints: list[str] = field(default_factory=list)
    vcpus: dict[int, int] = field(default_factory=dict)
    job: str = "none"
    async_job: str = "none"
    remembers: bool = False
    first_cpu: Any = None
    """The CPU before the start resolved it."""
    blockjobs: dict[str, Any] = field(default_factory=dict)
    devices: list[str] = field(default_factory=list)
    pending_snapshot: dict[str, Any] = field(default_factory=dict)
    backup: Any = None
    own_dev: bool = False
    """Whether QEMU has a ``/dev`` of its own."""
    lock_state: str = ""
    """The leases that a paused guest gave back."""


def parse(text: str) -> Status:
    """Read a status document, ours or libvirt's. Raises XmlError, XmlDetail."""
    from kvasir.model.domain import Domain
    from kvasir.xml.reader import read

    from .backups import status as backups
    from .blocks import status as blocks
    from .snapshots import status as snapshots

    root = read(text, "(domain_status)")
    if root.tag != "domstatus":
        raise XmlError(f"unexpected root element <{root.tag}>, expecting <domstatus>")
    node = root.find("domain")
    if node is None:
        raise XmlError("no domain config")
    try:
        state = State(STATE_WORDS.index(root.get("state", "")))
        status = Status(
            Domain.parse(node),
            state,
            reason_number(state, root.get("reason", "")),
            int(root.get("pid") or 0),
            monitor_path=root.xpath("string(monitor/@path)"),
            lib=root.xpath("string(libDir/@path)"),
            channel=root.xpath("string(channelTargetDir/@path)"),
            fake_reboot=root.find("fakereboot") is not None,
            agent_timeout=int(root.findtext("agentTimeout") or -2),
            nodename_index=int(root.xpath("string(nodename/@index)") or 0),
            words=[str(word) for word in root.xpath("qemuCaps/flag/@name")],
            taints=[str(word) for word in root.xpath("taint/@flag")],
            devices=[str(word) for word in root.xpath("devices/device/@alias")],
            vcpus={int(v.get("id")): int(v.get("pid")) for v in root.iterfind("vcpus/vcpu")},
            job=root.xpath("string(job/@type)") or "none",
            async_job=root.xpath("string(job/@async)") or "none",
            remembers=root.find("rememberOwner") is not None,
            blockjobs=blocks.parse(root),
            pending_snapshot=snapshots.parse(root),
            backup=backups.parse(root),
            own_dev=root.find("namespaces/mount") is not None,
            lock_state=root.findtext("lockstate") or "",
        )
    except (ValueError, TypeError) as error:
        if isinstance(error, Error):
            raise
        raise XmlError(f"invalid domain state: {error}") from None
    cpu = root.find("cpu")
    if cpu is not None:
        from kvasir.model.cpu import Cpu

        status.first_cpu = Cpu.parse(cpu)
    allow = root.xpath("string(allowReboot/@value)")
    status.allow_reboot = None if not allow else allow == "yes"
    return status
