"""Asks a QEMU binary over QMP what it can do, in a short-lived process without machine, devices or configuration.

The process gets one end of a socket pair as its monitor, runs sandboxed in an empty folder and as the unprivileged user
where the daemon is root (keeping only the right to open ``/dev/kvm``), is killed when it does not answer in time, and by the
kernel when the daemon dies.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import socket
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from kvasir.errors import InternalError, OperationTimeout

from . import capability_words as words
from .capabilities import ARCHES, Accel, Capabilities, CpuModel, Machine
from .qapi_schema import Schema

TIMEOUT = 30.0
LIMIT = 16 << 20
SANDBOX = "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"


class Monitor:
    """The probe's end of QMP: one question after the other."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def _message(self) -> dict[str, Any]:
        while True:
            line = await self.reader.readline()
            if not line:
                raise EOFError("QEMU closed its monitor")
            message = json.loads(line)
            if isinstance(message, dict) and "event" not in message:
                return message

    async def greet(self) -> dict[str, Any]:
        greeting = await self._message()
        await self.ask("qmp_capabilities")
        return greeting

    async def ask(self, command: str, **arguments: Any) -> Any:
        """The answer to a command, or None when QEMU answers with an error."""
        request = {"execute": command, "arguments": {k.replace("_", "-"): v for k, v in arguments.items()}}
        self.writer.write(json.dumps(request).encode() + b"\n")
        await self.writer.drain()
        return (await self._message()).get("return")


OURS = 'test "$PPID" = "$0" && exec "$@"'
"""Run the program unless the daemon died before the kernel was asked to tell of its death."""


def _before(user: int | None, group: int | None) -> list[str]:
    """The words before the command line: SIGKILL with the daemon; as another user, who keeps the right to open device nodes.

    The kernel forgets the signal when the user changes, so it is setpriv that asks for it, after that. "The daemon" is its thread that
    runs the event loop, the main one, from which the process is made.
    """
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        return []
    words = [setpriv]
    if user is not None and os.geteuid() == 0:
        keep = "-all,+dac_override"
        words += [f"--reuid={user}", f"--regid={group if group is not None else user}", "--clear-groups"]
        words += [f"--inh-caps={keep}", f"--ambient-caps={keep}", f"--bounding-set={keep}"]
    return [*words, "--pdeathsig=KILL", "--", "/bin/sh", "-c", OURS, str(os.getpid())]


@contextlib.asynccontextmanager
async def _qemu(
    binary: str, accel: str, folder: str, user: int | None, group: int | None
) -> AsyncIterator[tuple[Monitor, dict[str, Any]]]:
    ours, theirs = socket.socketpair()
    argv = [binary, "-S", "-no-user-config", "-nodefaults", "-nographic", "-machine", f"none,accel={accel}"]
    argv += ["-chardev", f"socket,id=monitor,fd={theirs.fileno()}", "-mon", "chardev=monitor,mode=control"]
    with tempfile.TemporaryFile() as errors:
        process = await asyncio.create_subprocess_exec(
            *_before(user, group),
            *argv,
            *("-sandbox", SANDBOX),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=errors,
            stderr=errors,
            pass_fds=[theirs.fileno()],
            cwd=folder,
            env={"PATH": os.environ.get("PATH", "/usr/bin"), "HOME": folder, "LC_ALL": "C", "TMPDIR": folder},
        )
        theirs.close()
        reader, writer = await asyncio.open_connection(sock=ours, limit=LIMIT)
        try:
            async with asyncio.timeout(TIMEOUT):
                monitor = Monitor(reader, writer)
                yield monitor, await monitor.greet()
                writer.write(b'{"execute":"quit"}\n')
                await process.wait()
        except (EOFError, ConnectionError, ValueError) as error:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), 1)
            errors.seek(0)
            said = errors.read(4096).decode(errors="replace")
            if process.returncode:
                raise _no_start(binary, said) from error
            raise InternalError(f"Failed to probe QEMU binary with QMP: {said.strip() or error}") from error
        except TimeoutError as error:
            raise OperationTimeout(f"QEMU binary {binary} did not answer within {TIMEOUT:.0f} seconds") from error
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
            writer.close()


def _no_start(binary: str, said: str) -> InternalError:
    return InternalError(f"Failed to start QEMU binary {binary} for probing: {said or 'unknown error'}")


def _need_program(binary: str) -> None:
    """A shell would run a text without ``#!`` as its own script: libvirt does not."""
    with contextlib.suppress(OSError), open(binary, "rb") as stream:
        if stream.read(4)[:2] not in (b"\x7fE", b"#!"):
            words = f"libvirt:  error : cannot execute binary {binary}: Exec format error\n"
            raise _no_start(binary, words)


async def probe(
    binary: str, run_folder: Path | None = None, user: int | None = None, group: int | None = None
) -> Capabilities:
    """Everything that we keep of a binary. Raises InternalError when it is no QEMU or does not start."""
    _need_program(binary)
    if run_folder is not None:
        run_folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="capabilities.", dir=run_folder) as folder:
        if user is not None and os.geteuid() == 0:
            os.chown(folder, user, group if group is not None else user)
        caps = Capabilities(binary)
        accel = "kvm:tcg" if os.path.exists("/dev/kvm") else "tcg"
        async with _qemu(binary, accel, folder, user, group) as (monitor, greeting):
            await _gather(monitor, greeting, caps)
            first = "kvm" if caps.kvm else "tcg"
            caps.accels[first] = await _cpus(monitor, caps, first)
        if caps.kvm:
            async with _qemu(binary, "tcg", folder, user, group) as (monitor, _):
                caps.accels["tcg"] = await _cpus(monitor, caps, "tcg")
        return caps


async def _gather(monitor: Monitor, greeting: dict[str, Any], caps: Capabilities) -> None:
    version = greeting["QMP"]["version"]
    caps.version = tuple(version["qemu"][part] for part in ("major", "minor", "micro"))
    caps.package = version.get("package", "")
    target = (await monitor.ask("query-target") or {}).get("arch", "x86_64")
    caps.arch = ARCHES.get(target, target)
    caps.commands = {c["name"] for c in await monitor.ask("query-commands") or ()}
    _known(caps, words.COMMANDS, caps.commands)
    kvm = await monitor.ask("query-kvm") or {}
    if kvm.get("enabled"):
        caps.words.add("kvm")
    types = {t["name"] for t in await monitor.ask("qom-list-types") or ()}
    _known(caps, words.TYPES, types)
    caps.words.update(word for word in words.SAME_NAME if word in types)
    if "tcg-accel" in types:
        caps.words.add("tcg")
    for name, known in words.DEVICE_PROPERTIES.items():
        if name in types:
            described = await monitor.ask("device-list-properties", typename=name) or ()
            caps.properties[name] = [p["name"] for p in described]
            _known(caps, known, set(caps.properties[name]))
            if name == "virtio-blk-pci" and any(p["name"] == "scsi" and not p.get("default-value") for p in described):
                caps.words.add("virtio-blk-pci.scsi.default.disabled")
    for name, known in words.OBJECT_PROPERTIES.items():
        if name in types:
            caps.properties[name] = [p["name"] for p in await monitor.ask("qom-list-properties", typename=name) or ()]
            _known(caps, known, set(caps.properties[name]))
    schema = Schema(await monitor.ask("query-qmp-schema") or ())
    caps.words.update(word for path, word in words.SCHEMA.items() if schema.has(path))
    migration = {c["capability"] for c in await monitor.ask("query-migrate-capabilities") or ()}
    _known(caps, words.MIGRATION, migration)
    await _options(monitor, caps)
    await _machines(monitor, caps)
    caps.words -= words.UNREPORTED


def _known(caps: Capabilities, table: dict[str, str], present: set[str]) -> None:
    caps.words.update(word for name, word in table.items() if name in present)


async def _options(monitor: Monitor, caps: Capabilities) -> None:
    options = {
        o["option"]: {p["name"] for p in o["parameters"]} for o in await monitor.ask("query-command-line-options")
    }
    for (option, parameter), word in words.COMMAND_LINE.items():
        if option in options and (parameter is None or parameter in options[option]):
            caps.words.add(word)
    if caps.arch in ("x86_64", "i686"):
        caps.words.update(words.X86)
    elif caps.arch == "aarch64":
        caps.words.add("no-acpi")
    if caps.arch in ("aarch64", "armv7l", "s390x"):
        caps.words.add("cpu-max")
    for version, more in words.VERSION.items():
        if caps.version >= version:
            caps.words.update(more)


async def _machines(monitor: Monitor, caps: Capabilities) -> None:
    for entry in await monitor.ask("query-machines") or ():
        if entry["name"] == "none":
            continue
        caps.machines.append(
            Machine(
                entry["name"],
                alias=entry.get("alias"),
                default=entry.get("is-default", False),
                max_cpus=entry["cpu-max"],
                hotplug_cpus=entry.get("hotpluggable-cpus", False),
                deprecated=entry.get("deprecated", False),
                default_cpu=entry.get("default-cpu-type"),
                default_ram_id=entry.get("default-ram-id"),
                numa_mem=entry.get("numa-mem-supported", False),
                acpi=entry.get("acpi"),
            )
        )
    if preferred := words.MACHINES.get(caps.arch):
        for machine in caps.machines:
            machine.default = preferred in (machine.name, machine.alias)
    caps.machines.sort(key=lambda machine: not machine.default)


async def _cpus(monitor: Monitor, caps: Capabilities, accel: str) -> Accel:
    result = Accel()
    for entry in await monitor.ask("query-cpu-definitions") or ():
        blockers = entry.get("unavailable-features")
        result.cpus.append(
            CpuModel(
                entry["name"],
                entry.get("typename", ""),
                None if blockers is None else not blockers,
                [b for b in blockers or () if b != "type"],
                entry.get("deprecated", False),
                entry.get("alias-of"),
            )
        )
    name = "host" if accel == "kvm" else "max"
    with_all = await monitor.ask(
        "query-cpu-model-expansion", type="static", model={"name": name, "props": {"migratable": False}}
    )
    migratable = await monitor.ask("query-cpu-model-expansion", type="static", model={"name": name})
    if migratable is None:
        return result
    chosen = with_all or migratable
    result.host_model = chosen["model"]["name"]
    full: dict[str, Any] = chosen["model"].get("props", {})
    result.host = full
    allowed = migratable["model"].get("props", {})
    result.migratable = {k: bool(allowed.get(k)) for k, v in full.items() if v is True}
    if accel == "kvm":
        model = {"name": name, "props": {"hv-passthrough": True}}
        answer = await monitor.ask("query-cpu-model-expansion", type="full", model=model) or {"model": {}}
        result.hyperv = sorted(k for k, v in answer["model"].get("props", {}).items() if k[:3] == "hv-" and v is True)
    return result
