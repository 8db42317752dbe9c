"""``kvasir`` in an ordinary user's session: one real guest from launch to trash and back."""

from __future__ import annotations

import base64
import io
import json
import os
import shutil
import subprocess
import xml.etree.ElementTree as ET
from pathlib import Path

import pycdlib
import pytest
import yaml

from tests.conftest import TinyGuest
from tests.friendly.conftest import Front
from tests.waiting import until

SSH = """#!/usr/bin/python3
import socket, sys
print(*sys.argv[1:])
at = sys.argv.index("-p")
with socket.create_connection(("127.0.0.1", int(sys.argv[at + 1])), 20) as guest:
    guest.sendall(b"SSH-2.0-of-the-host\\r\\n")  # as the real one; this passt opens the way back by the first bytes in
    print(guest.recv(99).decode())
"""


def agent(front: Front, name: str, script: str) -> str:
    """Run a script in the guest, give what it printed."""

    def ask(execute: str, **arguments: object) -> dict[str, object]:
        done = front.virsh("qemu-agent-command", name, json.dumps({"execute": execute, "arguments": arguments}))
        return dict(json.loads(done.stdout)["return"]) if done.returncode == 0 else {}

    started = until(lambda: ask("guest-exec", path="/bin/sh", arg=["-c", script], **{"capture-output": True}), "agent")
    ended = until(lambda: (found := ask("guest-exec-status", pid=started["pid"])).get("exited") and found, "end")
    return base64.b64decode(str(ended.get("out-data", ""))).decode()


def seed_of(path: str) -> dict[str, str]:
    """The files of a cloud-init seed."""
    iso = pycdlib.PyCdlib()
    iso.open(path)
    found = {}
    for name in ("user-data", "meta-data"):
        out = io.BytesIO()
        iso.get_file_from_iso_fp(out, joliet_path=f"/{name}")
        found[name] = out.getvalue().decode()
    iso.close()
    return found


def seed_path(front: Front, name: str) -> str:
    found = ET.fromstring(front.virsh("dumpxml", name).stdout).find("devices/disk[@device='cdrom']/source")
    assert found is not None
    return str(found.get("file"))


def test_from_an_image_to_the_trash_and_back(session: Front, tiny_guest: TinyGuest) -> None:
    image = session.folder / "image.qcow2"
    shutil.copy(tiny_guest.disk, image)
    image.chmod(0o644)
    done = session.run("launch", "web", "--image", str(image), "--disk", "1", "--memory", "256")
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr and len(done.stderr.splitlines()) <= 1, "quietly"
    assert session.state("web") == "running"
    assert yaml.safe_load(session.say("list", "--yaml")) == session.data("list")
    words = ("state", "memory", "cpus", "persistent", "autostart")
    assert [[row[word] for word in words] for row in session.data("list")] == [["running", "256 MiB", 1, True, False]]
    live = ET.fromstring(session.virsh("dumpxml", "web").stdout)
    card = live.find("devices/interface")
    assert card is not None and card.get("type") == "user"
    disk = live.find("devices/disk[@device='disk']/source")
    assert disk is not None and str(disk.get("file")).startswith(f"{session.folder}/.local/share/libvirt/images/")
    shown = subprocess.run(
        ["qemu-img", "info", "-U", "--output=json", str(disk.get("file"))], capture_output=True, text=True
    )
    about = json.loads(shown.stdout)
    assert (about["backing-filename"], about["virtual-size"]) == (str(image), 1 << 30)
    check_seed(session)
    check_reach(session)
    check_snapshots(session)
    check_resize(session)
    check_clone(session)
    check_trash(session)


def check_seed(front: Front) -> None:
    """The key is the one that was made for the user, and there is no password."""
    files = seed_of(seed_path(front, "web"))
    key = (front.folder / "data/ssh/id_ed25519.pub").read_text().strip()
    config = yaml.safe_load(files["user-data"])
    assert config["ssh_authorized_keys"] == [key] and "password" not in files["user-data"]
    assert "chpasswd" not in config and yaml.safe_load(files["meta-data"])["local-hostname"] == "web"
    assert (front.folder / "data/ssh/id_ed25519").stat().st_mode & 0o077 == 0


def check_reach(front: Front) -> None:
    """A forwarded port of the host leads to the guest's port 22, and ``kvasir ssh`` goes there."""
    told = front.say("ip", "web", "--wait", "150").splitlines()
    assert told[0].count(".") == 3 and told[-1].endswith(" -> 22/tcp")
    rows = front.data("ip", "web")[0]
    port = rows["forwards"][0]["host"]
    assert rows["addresses"][0]["source"] == "agent" and told[-1] == f"127.0.0.1:{port} -> 22/tcp"
    agent(front, "web", "(while :; do echo SSH-of-the-guest | nc -l -p 22; done) >/dev/null 2>&1 &")
    tools = front.folder / "tools"
    tools.mkdir()
    (tools / "ssh").write_text(SSH)
    (tools / "ssh").chmod(0o755)
    front.more["PATH"] = f"{tools}:{os.environ['PATH']}"
    said = until(
        lambda: (
            "SSH-of-the-guest" in (done := front.run("ssh", "-l", "me", "web", "uname", "-a")).stdout and done.stdout
        ),
        "ssh",
    )
    assert f"-p {port} " in said and "me@127.0.0.1 uname -a" in said
    assert f"-i {front.folder}/data/ssh/id_ed25519" in said and "StrictHostKeyChecking=accept-new" in said


def check_snapshots(front: Front) -> None:
    """A snapshot of the running guest brings back what was in its memory."""
    agent(front, "web", "echo before > /tmp/state")
    assert front.say("snapshot", "web", "good").startswith("good.")
    agent(front, "web", "echo after > /tmp/state")
    front.say("snapshot", "web", "--restore", "good")
    assert agent(front, "web", "cat /tmp/state") == "before\n"
    row = front.data("snapshot", "web", "--list")[0]
    assert (row["name"], row["state"], row["current"]) == ("good", "running", True)
    assert "nope" in front.refused("snapshot", "web", "--restore", "nope")


def check_resize(front: Front) -> None:
    assert "no command" in front.refused("resiz", "web")
    assert "At its next start web has 2 CPUs" in front.say("resize", "web", "--cpus", "2")
    assert "can have" in front.refused("resize", "web", "--cpus", "999")
    assert "has snapshots inside" in front.refused("resize", "web", "--disk", "2")
    front.say("snapshot", "web", "--delete", "good")
    front.say("resize", "web", "--disk", "2")
    assert agent(front, "web", "cat /sys/block/vda/size") == f"{(2 << 30) // 512}\n", "the guest sees the larger disk"
    assert "becomes smaller loses data" in front.refused("resize", "web", "--disk", "1")
    front.say("stop", "web", "--timeout", "60")
    assert front.state("web") == "shut off"
    front.say("resize", "web", "--disk", "3", "--memory", "200")
    row = next(row for row in front.data("list") if row["name"] == "web")
    assert (row["memory"], row["cpus"], row["persistent"], row["autostart"]) == ("200 MiB", 2, True, False)


def check_clone(front: Front) -> None:
    """The clone has a port, a disk and an address of its own; both run side by side."""
    assert front.say("clone", "web", "--start") == "web-2 is running\n"
    front.say("start", "web")
    assert "runs; a clone is made of a guest that is shut off" in front.refused("clone", "web")
    first, second = (ET.fromstring(front.virsh("dumpxml", name).stdout) for name in ("web", "web-2"))
    for path, word in (
        ("devices/interface/mac", "address"),
        ("devices/disk/source", "file"),
        ("devices/interface/portForward/range", "start"),
    ):
        a, b = first.find(path), second.find(path)
        assert a is not None and b is not None and a.get(word) != b.get(word), path
    seeds = [seed_of(seed_path(front, name)) for name in ("web", "web-2")]
    assert (
        seeds[0]["user-data"] == seeds[1]["user-data"]
        and yaml.safe_load(seeds[1]["meta-data"])["local-hostname"] == "web-2"
    )
    assert yaml.safe_load(seeds[0]["meta-data"])["instance-id"] != yaml.safe_load(seeds[1]["meta-data"])["instance-id"]
    front.say("stop", "web-2", "--force")
    front.say("stop", "web", "--force")


def check_trash(front: Front) -> None:
    """Deleted guests come back whole, with their snapshots; a purged one takes its disk along."""
    front.say("snapshot", "web", "kept")
    before = front.virsh("dumpxml", "web", "--inactive").stdout
    disk = str(ET.fromstring(before).find("devices/disk[@device='disk']/source").get("file"))  # type: ignore[union-attr]
    assert "kvasir undo web" in front.say("delete", "web")
    assert front.state("web") == "none" and Path(disk).exists()
    assert [row["name"] for row in front.data("trash")] == ["web"]
    assert "there is: web" in front.refused("undo", "other")
    assert front.say("undo") == "web is back. Start it: kvasir start web\n"
    assert front.virsh("dumpxml", "web", "--inactive").stdout == before
    assert [row["name"] for row in front.data("snapshot", "web", "--list")] == ["kept"]
    assert front.data("trash") == []
    front.say("delete", "web-2")
    front.say("trash", "--empty")
    front.say("snapshot", "web", "--delete", "kept")
    front.say("delete", "web", "--purge")
    assert front.data("list") == [] and not Path(disk).exists()
    assert (
        list((front.folder / ".local/share/libvirt/images").iterdir())
        == []
        == list((front.folder / "data/seeds").iterdir())
    )


@pytest.mark.guide("virsh-user-visibility")
def test_tiny_in_one_word(session: Front) -> None:
    """Without any option: a guest that is up, with a port of its own; a second one gets another name and port."""
    session.say("launch")
    session.say("launch", "--publish", "18080:80")
    assert sorted(row["name"] for row in session.data("list")) == ["tiny", "tiny-2"]
    ports = [row["forwards"] for row in (session.data("ip", "tiny")[0], session.data("ip", "tiny-2")[0])]
    assert ports[0][0]["host"] != ports[1][0]["host"] and ports[1][1]["host"] == 18080
    assert "there is a guest 'tiny'" in session.refused("launch", "tiny", "--name", "tiny")
    assert session.say("completion", "--words", "-c", session.uri, "stop", "").split() == ["tiny", "tiny-2"]
    assert "not a port" in session.refused("launch", "--publish", "80:x")
    assert "18080/tcp of this host is in use" in session.refused("launch", "--publish", "18080:80")
    assert "no disk that a snapshot" in session.refused("snapshot", "tiny")
    failed = session.refused("launch", "--memory", "900000G").splitlines()
    assert failed[-1].startswith("kvasir: ") and not any("restart your" in line for line in failed), failed
    assert "its power was cut" in session.say("delete", "tiny-2")
