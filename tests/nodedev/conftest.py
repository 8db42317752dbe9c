"""Our daemon on a tree of devices of our own making."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.conftest import KvasirDaemon
from tests.nodedev import fake

MDEVCTL = """
# A stand-in for mdevctl: keeps definitions in a file, makes devices in the tree. Logs how it was called.
import json, os, sys, pathlib, shutil
base = pathlib.Path("{state}"); store = base / "mdevs.json"; words = sys.argv[1:]
with open(base / "mdevctl.log", "a") as log: print(*words, file=log)
known = json.loads(store.read_text()) if store.exists() else {{}}
named = dict(word[2:].split("=", 1) for word in words if "=" in word)
uuid = named.get("uuid", "99999999-1111-4222-8333-444455556666")
card = base / "sys/devices/pci0000:00/0000:00:02.0"
if words[0] == "define":
    known[uuid] = (named["parent"], json.load(open(named["jsonfile"]))); print(uuid)
elif words[0] == "undefine": del known[uuid]
elif words[0] == "modify": known[uuid][1]["start"] = "auto" if "--auto" in words else "manual"
elif words[0] == "start":
    kind = known[uuid][1]["mdev_type"] if uuid in known else json.load(open(named["jsonfile"]))["mdev_type"]
    place = card / uuid; place.mkdir(); (place / "mdev_type").symlink_to("../mdev_supported_types/" + kind)
    (base / "sys/bus/mdev/devices" / uuid).symlink_to("../../../devices/pci0000:00/0000:00:02.0/" + uuid); print(uuid)
elif words[0] == "stop": (base / "sys/bus/mdev/devices" / uuid).unlink(); shutil.rmtree(card / uuid)
store.write_text(json.dumps(known))
groups = {{}}
for name, (parent, value) in known.items(): groups.setdefault(parent, []).append({{name: value}})
(base / "list.json").write_text(json.dumps([groups] if groups else []))
"""


def ok(daemon: KvasirDaemon, *words: str) -> str:
    done = daemon.virsh(*words)
    assert done.returncode == 0, f"{words}: {done.stderr}"
    return done.stdout


@pytest.fixture
def faked(kvasird: KvasirDaemon) -> Iterator[tuple[KvasirDaemon, fake.Host]]:
    kvasird.stop()
    host = fake.build(kvasird.folder)
    tools = kvasird.folder / "tools"
    tools.mkdir()
    (tools / "mdevctl.py").write_text(MDEVCTL.format(state=kvasird.folder))
    (tools / "mdevctl").write_text(
        f'#!/bin/sh\n[ "$1" = list ] && exec cat {kvasird.folder}/list.json\nexec python3 {tools}/mdevctl.py "$@"\n'
    )
    (kvasird.folder / "list.json").write_text("[]")
    (tools / "mdevctl").chmod(0o755)
    before = os.environ["PATH"]
    os.environ["PATH"] = f"{tools}:{before}"
    try:
        kvasird.start()
    finally:
        os.environ["PATH"] = before
    yield kvasird, host
