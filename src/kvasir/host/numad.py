"""Asking numad which NUMA nodes suit a guest of some size."""

from __future__ import annotations

import asyncio
import logging
import shutil

from kvasir.errors import OperationFailed
from kvasir.xml.types import read_cpuset

log = logging.getLogger(__name__)


async def advice(vcpus: int, mebibytes: int) -> frozenset[int]:
    """The nodes. Raises OperationFailed when numad is not there, or has none to give."""
    program = shutil.which("numad") or "/usr/bin/numad"
    try:
        process = await asyncio.create_subprocess_exec(
            program, "-w", f"{vcpus}:{mebibytes}", stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
        )
        said, _ = await process.communicate()
        if process.returncode:
            raise ValueError(f"exit code {process.returncode}")
        return read_cpuset(said.decode("ascii", "replace").strip())
    except (OSError, ValueError) as error:
        log.warning("numad gives no advice: %s", error)
        raise OperationFailed("Failed to query numad for the advisory nodeset") from None
