"""What a guest sees of a CPU depends on the model in its document: looked at from within."""

from __future__ import annotations

import pytest

from tests.conftest import KvasirDaemon, TinyGuest
from tests.friendly.conftest import Front
from tests.friendly.test_session import agent

GUEST = """<domain type='qemu'><name>{name}</name><memory unit='MiB'>160</memory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='q35'>hvm</type><kernel>{tiny.kernel}</kernel><initrd>{tiny.initramfs}</initrd><cmdline>{tiny.cmdline}</cmdline></os>
<cpu mode='custom' match='exact' check='none'><model fallback='forbid'>{name}</model></cpu>
<devices><channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel><memballoon model='none'/></devices></domain>"""


@pytest.mark.guide("concept-guest-cpu-features")
def test_features_are_those_of_the_model(kvasird: KvasirDaemon, tiny_guest: TinyGuest) -> None:
    """Westmere has AES instructions, Nehalem, the model before it, has not."""
    front = Front(kvasird.uri, kvasird.folder)
    for name in ("Nehalem", "Westmere"):
        path = front.folder / f"{name}.xml"
        path.write_text(GUEST.format(name=name, tiny=tiny_guest))
        done = front.virsh("create", str(path))
        assert done.returncode == 0, done.stderr
    for name, there in (("Nehalem", False), ("Westmere", True)):
        seen = agent(front, name, "cat /proc/cpuinfo")
        flags = next(line for line in seen.splitlines() if line.startswith("flags")).split()
        assert ("aes" in flags, "sse4_2" in flags) == (there, True) and name in seen
        assert f"-cpu {name}" in (front.folder / f"var/log/libvirt/qemu/{name}.log").read_text()
    for name in ("Nehalem", "Westmere"):
        front.say("stop", name, "--force")
