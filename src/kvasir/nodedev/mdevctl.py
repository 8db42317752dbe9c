"""Mediated devices by ``mdevctl``, which keeps their definitions."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from typing import Any

from kvasir.errors import InternalError, Origin, SystemFailure
from kvasir.model.nodedev import Capability, Mdev, MdevAttr, NodeDevice

from .sysfs import device_name


def found() -> bool:
    """Whether the host has it."""
    return shutil.which("mdevctl") is not None


async def run(*words: str, given: str = "") -> str:
    """Run it; gives what it printed. Raises SystemFailure without it, InternalError with its words."""
    program = shutil.which("mdevctl")
    if program is None:
        error = OSError(2, os.strerror(2))
        raise SystemFailure("Cannot find 'mdevctl' in path", error, origin=Origin.NONE, hint="apt install mdevctl")
    child = await asyncio.create_subprocess_exec(
        program, *words, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    said, errors = await child.communicate(given.encode())
    if child.returncode:
        text = errors.decode("utf-8", "replace").strip()
        raise InternalError(f"Unable to {words[0]} mediated device: {text}", origin=Origin.NODEDEV)
    return said.decode("utf-8", "replace")


def description(data: Mdev, auto: bool = False) -> str:
    """What mdevctl reads of a device."""
    value: dict[str, Any] = {"mdev_type": data.type, "start": "auto" if auto else "manual"}
    if data.settings:
        value["attrs"] = [{attribute.name: attribute.value} for attribute in data.settings]
    return json.dumps(value)


class Defined:
    """A definition that mdevctl keeps."""

    def __init__(self, document: NodeDevice, autostart: bool) -> None:
        self.document, self.autostart = document, autostart


async def defined(parents: dict[str, str]) -> dict[str, Defined]:
    """All definitions by the device's name; ``parents`` maps a parent's address to its device's name."""
    if not found():
        return {}
    text = await run("list", "--defined", "--dumpjson")
    return read(text, parents)


def read(text: str, parents: dict[str, str]) -> dict[str, Defined]:
    """The definitions in mdevctl's JSON. Raises InternalError for what is none."""
    try:
        everything = json.loads(text or "[]")
        made: dict[str, Defined] = {}
        for group in everything:
            for parent, devices in group.items():
                for one in devices:
                    for uuid, value in one.items():
                        document = _document(parent, uuid, value, parents)
                        made[str(document.name)] = Defined(document, value.get("start") == "auto")
    except (ValueError, AttributeError, TypeError):
        raise InternalError("mdevctl printed something that is no list of devices", origin=Origin.NODEDEV) from None
    return made


def _document(parent: str, uuid: str, value: dict[str, Any], parents: dict[str, str]) -> NodeDevice:
    attrs = [MdevAttr(name=name, value=str(text)) for pair in value.get("attrs", []) for name, text in pair.items()]
    data = Mdev(type=value.get("mdev_type"), uuid=uuid, parent_addr=parent, iommu_group=0, settings=attrs)
    return NodeDevice(
        name=device_name("mdev", uuid, parent),
        parent=parents.get(parent, "computer"),
        capabilities=[Capability(type="mdev", data=data)],
    )
