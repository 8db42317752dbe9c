"""The guide's two hosts as test data, a baseline that becomes a guest, and KSM settings that arrive in a tree of our own."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import PROJECT, DaemonHandle, KvasirDaemon, TinyGuest
from tests.integration.test_tiny_guest import wait_for_agent
from tests.virsh.cells import four

WORKSTATION = "lahf_lm lm xtp cx16 ssse3 tm2 est vmx ds_cpl monitor pni pbe tm ht ss sse2 acpi ds clflush apic"
SERVER = (
    "osvw 3dnowprefetch misalignsse sse4a abm cr8legacy extapic cmp_legacy lahf_lm rdtscp pdpe1gb popcnt cx16 ht vme"
)


def host(model: str, arch: str, topology: str, features: str) -> str:
    words = "".join(f"<feature name='{name}'/>" for name in features.split())
    return f"<cpu><arch>{arch}</arch><model>{model}</model><topology {topology}/>{words}</cpu>"


def prepare(daemon: DaemonHandle) -> None:
    first = host("pentium3", "x86_64", "sockets='1' dies='1' cores='2' threads='1'", WORKSTATION)
    second = host("phenom", "x86_64", "sockets='2' dies='1' cores='4' threads='1'", SERVER)
    (daemon.folder / "workstation").write_text(first)
    (daemon.folder / "known").write_text(first.replace("<feature name='xtp'/>", ""))
    (daemon.folder / "server").write_text(second)
    (daemon.folder / "pool").write_text(first.replace("<feature name='xtp'/>", "") + second)


@pytest.mark.guide("cpu-capabilities-features-fig20-5")
def test_the_guides_hosts(kvasird: KvasirDaemon, real_libvirtd: DaemonHandle) -> None:
    """libvirt 9.0 does not know ``xtp`` of the first host (its map says xtpr), and neither do we."""
    script = "".join(f"cpu-compare {{folder}}/{name}\ncpu-compare {{folder}}/{name} --error\ncpu-baseline {{folder}}/{name}\n"
                     f"cpu-baseline {{folder}}/{name} --features\n" for name in ("workstation", "known", "server"))  # fmt: skip
    said = four(
        (("libvirtd", real_libvirtd), ("kvasird", kvasird)), script + "cpu-baseline {folder}/pool\n", prepare=prepare
    )
    for name, features in (("known", WORKSTATION.replace(" xtp", "")), ("server", SERVER)):
        listed = next(text for line, text in said if line.endswith(f"{name} --features"))
        assert all(f"name='{feature}'" in listed for feature in features.split()), listed


@pytest.mark.guide("xml-domain-cpu-from-baseline", "cpu-model-policy")
@pytest.mark.timeout(280)
def test_a_baseline_becomes_a_guest(kvasird: KvasirDaemon, tiny_guest: TinyGuest) -> None:
    """The document that cpu-baseline prints goes into a guest as it is; the guest has its model and features. Without one: qemu64."""
    (kvasird.folder / "cpus").write_text(
        "<cpu><arch>x86_64</arch><model>kvm64</model><feature name='popcnt'/></cpu>"
        "<cpu><arch>x86_64</arch><model>kvm64</model><feature name='popcnt'/><feature name='sse4.2'/></cpu>"
    )
    done = kvasird.our_virsh("cpu-baseline", str(kvasird.folder / "cpus"))
    assert done.returncode == 0, done.stderr
    baseline = done.stdout.strip()
    for cpu, wanted in ((baseline, ("Common KVM processor", " popcnt ")), ("", ("QEMU Virtual CPU", " sse2 "))):
        document = f"""<domain type='qemu'><name>tiny</name><memory unit='MiB'>256</memory><vcpu>1</vcpu>{cpu}
<os><type arch='x86_64' machine='q35'>hvm</type><kernel>{tiny_guest.kernel}</kernel><initrd>{tiny_guest.initramfs}</initrd>
<cmdline>{tiny_guest.cmdline}</cmdline></os><features><acpi/></features><devices><serial type='null'/>
<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel></devices></domain>"""
        (kvasird.folder / "tiny.xml").write_text(document)
        done = kvasird.our_virsh("create", str(kvasird.folder / "tiny.xml"))
        assert done.returncode == 0, done.stderr
        try:
            wait_for_agent(kvasird)
            text = cpuinfo(kvasird)
            assert all(word in text for word in wanted), text
        finally:
            kvasird.our_virsh("destroy", "tiny")


def cpuinfo(daemon: KvasirDaemon) -> str:
    """The guest's own /proc/cpuinfo, by its agent."""

    def agent(command: str, **arguments: object) -> dict[str, object]:
        done = daemon.our_virsh("qemu-agent-command", "tiny", json.dumps({"execute": command, "arguments": arguments}))
        assert done.returncode == 0, done.stderr
        found: dict[str, object] = json.loads(done.stdout)["return"]
        return found

    pid = agent("guest-exec", path="/bin/cat", arg=["/proc/cpuinfo"], **{"capture-output": True})["pid"]
    end = time.monotonic() + 60
    while not (state := agent("guest-exec-status", pid=pid)).get("exited"):
        assert time.monotonic() < end
        time.sleep(0.2)
    return base64.b64decode(str(state["out-data"])).decode()


@pytest.mark.guide(
    "virsh-node-memory-tune-opt-shm-pages-to-scan", "virsh-node-memory-tune-opt-shm-sleep-millisecs",
    "virsh-node-memory-tune-opt-shm-merge-across-nodes",
)  # fmt: skip
@pytest.mark.skipif(os.geteuid() != 0, reason="namespaces need root")
def test_ksm_settings_arrive(tmp_path: Path) -> None:
    """In a mount namespace with plain files in the place of KSM's: each option writes its file, the list reads them."""
    from tests.conftest import short_folder

    if not Path("/sys/kernel/mm/ksm").is_dir():
        pytest.skip("the kernel has no KSM, so there is no place to lay ours over")
    tree = tmp_path / "ksm"
    tree.mkdir()
    values = {"pages_to_scan": 100, "sleep_millisecs": 20, "merge_across_nodes": 1, "pages_shared": 7, "pages_sharing": 8,
              "pages_unshared": 9, "pages_volatile": 10, "full_scans": 11, "run": 0}  # fmt: skip
    for name, value in values.items():
        (tree / name).write_text(f"{value}\n")
    with short_folder("kv-ksm-") as folder:
        uri = f"qemu+unix:///system?socket={folder}/run/libvirt/libvirt-sock"
        virsh = f"{sys.executable} -m kvasir.cli.virsh.main -c '{uri}'"
        script = f"""
mount --bind {tree} /sys/kernel/mm/ksm || exit 77
{sys.executable} -m kvasir.daemon --root {folder} & daemon=$!
for i in $(seq 200); do [ -S {folder}/run/libvirt/libvirt-sock ] && break; sleep 0.1; done
{virsh} node-memory-tune --shm-pages-to-scan 250 --shm-sleep-millisecs 30 --shm-merge-across-nodes 0; echo $?
{virsh} node-memory-tune
kill $daemon; wait $daemon
"""
        env = {**os.environ, "PYTHONPATH": str(PROJECT / "src")}
        done = subprocess.run(
            ["unshare", "-m", "sh", "-c", script], env=env, capture_output=True, text=True, timeout=200
        )
    if done.returncode == 77:
        pytest.skip("nothing can be mounted here")
    found = {
        name: (tree / name).read_text().strip() for name in ("pages_to_scan", "sleep_millisecs", "merge_across_nodes")
    }
    assert found == {"pages_to_scan": "250", "sleep_millisecs": "30", "merge_across_nodes": "0"}, done.stderr
    shown = re.sub(r"[\s]+", " ", done.stdout)
    assert "shm_pages_to_scan 250" in shown and "shm_sleep_millisecs 30" in shown and "shm_pages_shared 7" in shown
    assert "shm_merge_across_nodes 0" in shown and "shm_full_scans 11" in shown
