"""Block jobs in status documents, in libvirt's form."""

from __future__ import annotations

import contextlib
import logging
from typing import Any

from .jobs import LIVE, BlockJob, Phase, What

log = logging.getLogger(__name__)

COMMITS = (What.COMMIT, What.ACTIVE_COMMIT)


def render(guest: Any) -> str:
    """The ``<blockjobs>`` element."""
    from kvasir.qemu.statusdoc import _attr

    jobs = guest.run.blockjobs.values()
    if not jobs:
        return "  <blockjobs active='no'/>\n"
    active = any(job.what is not What.BACKUP for job in jobs)
    out = [f"  <blockjobs active='{'yes' if active else 'no'}'>\n"]
    for job in jobs:
        state = (job.phase if job.phase in LIVE else job.before).value
        new = f" newstate='{job.phase.value}'" if job.phase not in LIVE or job.phase is Phase.READY else ""
        more = " shallownew='yes'" if job.shallow else ""
        out.append(
            f"    <blockjob name='{_attr(job.name)}' type='{job.what.value}' state='{state}'{new}"
            f" jobflags='0x{job.flags:x}'{more}>\n"
        )
        if job.error:
            out.append(f"      <errmsg>{_attr(job.error)}</errmsg>\n")
        mirror = " mirror='yes'" if job.what in (What.COPY, What.ACTIVE_COMMIT) else ""
        out.append(f"      <disk dst='{_attr(job.disk)}'{mirror}/>\n")
        out += _parts(job, _attr)
        out.append("    </blockjob>\n")
    out.append("  </blockjobs>\n")
    return "".join(out)


def _parts(job: BlockJob, attr: Any) -> list[str]:
    rows = []
    if job.base:
        rows.append(f"      <base node='{attr(job.base)}'/>\n")
    if job.what in COMMITS:
        rows.append(f"      <top node='{attr(job.top)}'/>\n")
        if job.topparent:
            rows.append(f"      <topparent node='{attr(job.topparent)}'/>\n")
        if job.delete:
            rows.append("      <deleteCommittedImages/>\n")
    if job.bitmap:
        rows.append(f"      <bitmap name='{attr(job.bitmap)}'/>\n")
    if job.store:
        words = "".join(f" {key}='{attr(value)}'" for key, value in job.store.items())
        rows.append(f"      <kvasir{words}/>\n")
    return rows


def parse(root: Any) -> dict[str, BlockJob]:
    """The jobs of a ``<domstatus>``; what cannot be read is left out with a word in the log."""
    found: dict[str, BlockJob] = {}
    for node in root.iterfind("blockjobs/blockjob"):
        try:
            job = BlockJob(
                node.get("name"), What(node.get("type")), node.xpath("string(disk/@dst)"),
                int(node.get("jobflags") or "0", 0), _phase(node), node.findtext("errmsg") or "",
                node.xpath("string(base/@node)"), node.xpath("string(top/@node)"),
                node.xpath("string(topparent/@node)"), node.find("deleteCommittedImages") is not None,
                node.get("shallownew") == "yes", node.xpath("string(bitmap/@name)"),
            )  # fmt: skip
        except ValueError as error:
            log.warning("block job %s of a status document: %s", node.get("name"), error)
            continue
        with contextlib.suppress(ValueError):
            job.before = Phase(node.get("state") or "running")
        store = node.find("kvasir")
        if store is not None:
            job.store = dict(store.attrib)
        found[job.name] = job
    return found


def _phase(node: Any) -> Phase:
    new = node.get("newstate")
    if new in ("completed", "failed", "cancelled"):
        return Phase(new)
    word = node.get("state") or "running"
    return Phase(word) if word in {phase.value for phase in Phase} else Phase.RUNNING
