"""Hook scripts: ``etc/libvirt/hooks/KIND`` and ``KIND.d/*``, called as libvirt calls them, the document on standard input.

    await hooks.run(driver.paths, "qemu", guest.name, "start", "begin", xml=document)
    await hooks.run(paths, "network", name, "started", "begin", xml=hooks.network_data(network_xml, port_xml))
    xml = await hooks.replace(paths, "qemu", name, "restore", xml)   # what the script prints takes the document's place

A script gets the object's name, the operation, the sub-operation and "-" as arguments ("-" for what there is none of).
All scripts run, also behind one that failed. A script that fails raises HookFailed (70) with its words; callers for whom libvirt ignores the
result (stopped, release, ...) use ``tell``. Scripts are looked for at each call: a new one needs no restart.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import stat
from typing import Any

from kvasir.errors import Code, Error, Origin

log = logging.getLogger(__name__)

KINDS = ("daemon", "qemu", "lxc", "network", "libxl")
PASSED = ("PATH", "HOME", "USER", "LOGNAME", "TMPDIR")
MAX_OUTPUT = 16 << 20


class HookFailed(Error):
    """Hook script execution failed"""

    code, prefix = Code.HOOK_SCRIPT_FAILED, "Hook script execution failed"


def scripts(paths: Any, kind: str) -> list[str]:
    """The scripts of a kind in the order in which they run; [] where there are none."""
    base = f"{paths.root}/etc/libvirt/hooks/{kind}"
    found = [base]
    with contextlib.suppress(OSError):
        found += [f"{base}.d/{name}" for name in sorted(os.listdir(f"{base}.d"))]
    return [path for path in found if _runs(path)]


def _runs(path: str) -> bool:
    try:
        return stat.S_ISREG(os.stat(path).st_mode) and os.access(path, os.X_OK)
    except OSError:
        return False


def present(paths: Any, kind: str) -> bool:
    """Whether there is any script of that kind: ask before making a document."""
    return bool(scripts(paths, kind))


def network_data(network: str, port: str = "") -> str:
    """What network scripts read: the network and, for ports, the port."""
    inside = "".join(f"  {line}\n" for text in (network, port) for line in text.splitlines())
    return f"<hookData>\n{inside}</hookData>\n"


async def run(
    paths: Any, kind: str, name: str = "-", operation: str = "-", sub: str = "-", extra: str = "-", xml: str = ""
) -> str:
    """Run the scripts of a kind. Gives what the last one printed. Raises HookFailed with the words of the last that failed."""
    output, problem = "", None
    for script in scripts(paths, kind):
        try:
            output = await _run(script, [name or "-", operation, sub, extra], xml)
        except HookFailed as error:
            log.error("%s", error.message)
            problem = error
    if problem is not None:
        raise problem
    return output


async def tell(
    paths: Any, kind: str, name: str = "-", operation: str = "-", sub: str = "-", extra: str = "-", xml: str = ""
) -> None:
    """Run them where a failure changes nothing."""
    with contextlib.suppress(HookFailed):
        await run(paths, kind, name, operation, sub, extra, xml)


async def replace(paths: Any, kind: str, name: str, operation: str, xml: str) -> str:
    """Run the scripts of an operation that may change the document (restore, migrate): each reads what the one before printed."""
    for script in scripts(paths, kind):
        said = await _run(script, [name, operation, "begin", "-"], xml)
        xml = said if said.strip() else xml
    return xml


async def _run(script: str, arguments: list[str], xml: str) -> str:
    env = {"LC_ALL": "C", **{name: os.environ[name] for name in PASSED if name in os.environ}}
    words = " ".join([*(f"{key}={value}" for key, value in env.items()), script, *arguments])
    try:
        child = await asyncio.create_subprocess_exec(
            script,
            *arguments,
            env=env,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
    except OSError as error:
        raise _failed(f"cannot execute binary {script}: {error.strerror}") from None
    try:
        said, errors = await child.communicate(xml.encode("utf-8", "surrogateescape"))
    except BaseException:
        if child.returncode is None:
            child.kill()
        await child.wait()
        raise
    if child.returncode:
        how = f"fatal signal {-child.returncode}" if child.returncode < 0 else f"exit status {child.returncode}"
        text = errors.decode("utf-8", "replace").rstrip("\n")
        raise _failed(f"internal error: Child process ({words}) unexpected {how}" + (f": {text}\n" if text else ""))
    return said[:MAX_OUTPUT].decode("utf-8", "surrogateescape")


def _failed(text: str) -> HookFailed:
    return HookFailed(text, origin=Origin.HOOK)
