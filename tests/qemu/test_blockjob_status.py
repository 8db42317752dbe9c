"""A block job that ended is known after a restart by how it lived: a copy that was pivoting has changed the disk's top."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from lxml import etree

from kvasir.qemu.blocks import status
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
