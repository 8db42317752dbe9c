"""A block job that ended is known after a restart by how it lived: a copy that was pivoting has changed the disk's top."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from lxml import etree

from kvasir.qemu.blocks import graph, jobs, status
from kvasir.qemu.blocks.jobs import BlockJob, Phase, What


@pytest.mark.parametrize("before", [Phase.PIVOTING, Phase.ABORTING, Phase.RUNNING, Phase.READY])
@pytest.mark.parametrize("phase", [Phase.COMPLETED, Phase.FAILED, Phase.CANCELLED])
def test_the_last_phase_of_an_ended_job_is_kept(before: Phase, phase: Phase) -> None:
    job = BlockJob("copy-vda-1", What.COPY, "vda", phase=phase, before=before)
    text = status.render(SimpleNamespace(run=SimpleNamespace(blockjobs={job.name: job})))
    assert f"state='{before.value}' newstate='{phase.value}'" in text
    found = status.parse(etree.fromstring(f"<domstatus>{text}</domstatus>"))["copy-vda-1"]
    assert (found.phase, found.before) == (phase, before)


def test_a_living_job_keeps_its_phase() -> None:
    job = BlockJob("copy-vda-1", What.COPY, "vda", phase=Phase.PIVOTING)
    text = status.render(SimpleNamespace(run=SimpleNamespace(blockjobs={job.name: job})))
    assert status.parse(etree.fromstring(f"<domstatus>{text}</domstatus>"))["copy-vda-1"].phase is Phase.PIVOTING


class Monitor:
    """QEMU with one job and some nodes; remembers what it was told."""

    def __init__(self, status: str, nodes: tuple[str, ...] = ()) -> None:
        self.status, self.nodes, self.told = status, nodes, []  # type: ignore[var-annotated]

    async def command(self, name: str, arguments: dict[str, Any] | None = None) -> Any:
        if name == "query-jobs":
            return [{"id": "copy-vda-1", "status": self.status}]
        if name == "query-named-block-nodes":
            return [{"node-name": node} for node in self.nodes]
        self.told.append((name, (arguments or {}).get("id") or next(iter((arguments or {}).values()), None)))
        return {}


def guest_with(monitor: Monitor, job: BlockJob) -> Any:
    run = SimpleNamespace(blockjobs={job.name: job}, nodename_index=4)
    return SimpleNamespace(name="g", run=run, live=SimpleNamespace(disks=[]), monitor=lambda: monitor)


@pytest.mark.parametrize(
    ("phase", "told"),
    [(Phase.PIVOTING, ("job-complete", "copy-vda-1")), (Phase.ABORTING, ("block-job-cancel", "copy-vda-1"))],
)
def test_an_order_that_may_be_lost_is_given_again(phase: Phase, told: tuple[str, str]) -> None:
    """The daemon died between writing down what it would tell QEMU and telling it: the job would stand for ever."""
    monitor = Monitor("ready")
    asyncio.run(jobs.adopt(guest_with(monitor, BlockJob("copy-vda-1", What.COPY, "vda", phase=phase))))
    assert monitor.told == [told]


def test_nodes_of_a_dead_daemon_are_dropped() -> None:
    monitor = Monitor("ready", ("libvirt-7-storage", "libvirt-7-format", "libvirt-pflash0-storage", "#block123"))
    guest = guest_with(monitor, BlockJob("x", What.COPY, "vda"))
    asyncio.run(graph.sweep(guest))
    assert monitor.told == [("blockdev-del", "libvirt-7-format"), ("blockdev-del", "libvirt-7-storage")]
    assert guest.run.nodename_index == 7, "their numbers are not given again"
