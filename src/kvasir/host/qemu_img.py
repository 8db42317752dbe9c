"""``qemu-img`` as an engine: run it, and turn what it says into errors."""

from __future__ import annotations

import asyncio
import shutil

from kvasir.errors import InternalError, Origin


async def run(*args: str, timeout: float | None = None) -> str:
    """Run ``qemu-img ARGS`` and give its output. Raises InternalError with its own words when it fails."""
    tool = shutil.which("qemu-img")
    if tool is None:
        raise InternalError(
            "unable to find qemu-img",
            origin=Origin.STORAGE,
            hint="install the package that has it: apt install qemu-utils",
        )
    process = await asyncio.create_subprocess_exec(
        tool, *args, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        out, err = await asyncio.wait_for(process.communicate(), timeout)
    except BaseException:
        if process.returncode is None:
            process.kill()
        raise
    if process.returncode:
        words = err.decode("utf-8", "replace").strip()
        raise InternalError(
            f"Child process ({tool} {' '.join(args)}) unexpected exit status {process.returncode}: {words}",
            origin=Origin.STORAGE,
        )
    return out.decode("utf-8", "replace")
