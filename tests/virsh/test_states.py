"""Guest types, lifecycle states and the commands that name them, through both virsh on our daemon (guide 20.1, 20.17, 20.28)."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from xml.etree import ElementTree as ET

import pytest

from tests.conftest import KvasirDaemon

Virsh = Callable[..., subprocess.CompletedProcess[str]]
UUID = "6f1d5a1e-2b3c-4d5e-8f90-a1b2c3d4e5f6"


def document(name: str, *, uuid: str = UUID, devices: str = "") -> str:
    return f"""<domain type='qemu'><name>{name}</name><uuid>{uuid}</uuid><memory unit='MiB'>64</memory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='q35'>hvm</type></os><features><acpi/></features><devices>{devices}</devices></domain>"""


@pytest.fixture(params=["real", "ours"])
def virsh(request: pytest.FixtureRequest, kvasird: KvasirDaemon) -> Virsh:
    """Each virsh in turn."""
    if request.param == "real" and kvasird.peers is None:
        pytest.skip("the real virsh is one of the peers, which cannot be had here")
    return kvasird.virsh if request.param == "real" else kvasird.our_virsh


def good(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def names(virsh: Virsh) -> list[str]:
    return good(virsh("list", "--all", "--name")).split()


@pytest.mark.guide("state-transient", "state-running", "state-shut-off", "virsh-create")
def test_a_created_guest_is_transient_and_vanishes(virsh: Virsh, kvasird: KvasirDaemon) -> None:
    path = kvasird.folder / "g.xml"
    path.write_text(document("g"))
    assert good(virsh("create", str(path))) == f"Domain 'g' created from {path}"
    assert good(virsh("domstate", "g")) == "running"
    assert "Persistent:     no" in good(virsh("dominfo", "g"))
    good(virsh("destroy", "g"))
    assert names(virsh) == []


@pytest.mark.guide("state-persistent", "state-running", "state-shut-off", "virsh-domstate")
def test_a_defined_guest_is_persistent_and_outlives_the_daemon(virsh: Virsh, kvasird: KvasirDaemon) -> None:
    path = kvasird.folder / "g.xml"
    path.write_text(document("g"))
    good(virsh("define", str(path)))
    good(virsh("start", "g"))
    assert good(virsh("domstate", "g")) == "running"
    good(virsh("destroy", "g"))
    assert good(virsh("domstate", "g")) == "shut off"
    assert "Persistent:     yes" in good(virsh("dominfo", "g"))
    assert kvasird.stop() == 0
    kvasird.start()
    assert names(virsh) == ["g"]
    assert good(virsh("domstate", "g")) == "shut off"


@pytest.mark.guide("state-undefined")
def test_a_guest_that_was_never_defined(virsh: Virsh) -> None:
    assert names(virsh) == []
    done = virsh("domstate", "nosuch")
    assert done.returncode == 1
    assert "error: failed to get domain 'nosuch'" in done.stderr


@pytest.mark.guide("virsh-domstate-opt-reason", "virsh-domcontrol", "virsh-domid", "virsh-domname")
def test_reasons_ids_and_names(virsh: Virsh, kvasird: KvasirDaemon) -> None:
    path = kvasird.folder / "g.xml"
    path.write_text(document("g"))
    good(virsh("define", str(path)))
    assert good(virsh("domid", "g")) == "-"
    assert good(virsh("domname", UUID)) == "g"
    good(virsh("start", "g"))
    first = good(virsh("domid", "g"))
    assert first.isdigit()
    assert f" {first} " in good(virsh("list")) + " "
    assert good(virsh("domname", first)) == "g"
    assert virsh("domname", "9999").returncode == 1
    assert good(virsh("domcontrol", "g")) == "ok"
    assert good(virsh("domstate", "g", "--reason")) == "running (booted)"
    good(virsh("suspend", "g"))
    assert good(virsh("domstate", "g", "--reason")) == "paused (user)"
    good(virsh("resume", "g"))
    assert good(virsh("domstate", "g", "--reason")) == "running (unpaused)"
    good(virsh("destroy", "g"))
    assert good(virsh("domstate", "g", "--reason")) == "shut off (destroyed)"
    good(virsh("start", "g"))
    assert good(virsh("domid", "g")) not in (first, "-")
    good(virsh("destroy", "g"))


@pytest.mark.guide("virsh-dominfo")
def test_dominfo_of_a_stopped_guest(virsh: Virsh, kvasird: KvasirDaemon) -> None:
    path = kvasird.folder / "g.xml"
    path.write_text(document("g"))
    good(virsh("define", str(path)))
    rows = [line.partition(":")[::2] for line in good(virsh("dominfo", "g")).splitlines()]
    assert [label for label, _ in rows[:8]] == [
        "Id", "Name", "UUID", "OS Type", "State", "CPU(s)", "Max memory", "Used memory",
    ]  # fmt: skip
    said = {label: value.strip() for label, value in rows}
    assert (said["Id"], said["UUID"], said["State"]) == ("-", UUID, "shut off")
    assert "CPU time" not in said
    assert "Security label" not in said


@pytest.mark.guide("virsh-dumpxml")
def test_a_dumped_document_defines_the_same_guest_again(virsh: Virsh, kvasird: KvasirDaemon) -> None:
    path = kvasird.folder / "g.xml"
    path.write_text(document("g", devices="<serial type='pty'/><rng model='virtio'><backend model='builtin'/></rng>"))
    good(virsh("define", str(path)))
    first = good(virsh("dumpxml", "g"))
    assert ET.fromstring(first).findtext("name") == "g"
    path.write_text(first)
    good(virsh("undefine", "g"))
    good(virsh("define", str(path)))
    assert good(virsh("dumpxml", "g", "--inactive")) == first


@pytest.mark.guide("virsh-domain-option-form")
@pytest.mark.parametrize("command", ["dominfo", "domid", "domstate", "domuuid"])
def test_the_guest_may_be_named_in_three_forms(virsh: Virsh, kvasird: KvasirDaemon, command: str) -> None:
    path = kvasird.folder / "g.xml"
    path.write_text(document("g"))
    good(virsh("define", str(path)))
    forms = [virsh(command, "g"), virsh(command, "--domain", "g"), virsh(command, "--domain=g")]
    assert len({(done.returncode, done.stdout, done.stderr) for done in forms}) == 1
    assert forms[0].returncode == 0


@pytest.mark.guide("virsh-vncdisplay", "error-vncdisplay-exit-1", "virsh-domdisplay")
def test_displays(virsh: Virsh, kvasird: KvasirDaemon) -> None:
    path = kvasird.folder / "g.xml"
    path.write_text(document("g", devices="<graphics type='vnc' autoport='yes'/>"))
    good(virsh("define", str(path)))
    stopped = virsh("vncdisplay", "g")
    assert stopped.returncode == 1
    assert stopped.stderr.startswith("error:")
    good(virsh("start", "g"))
    port = int(ET.fromstring(good(virsh("dumpxml", "g"))).find("devices/graphics").get("port"))  # type: ignore[union-attr, arg-type]
    assert good(virsh("vncdisplay", "g")) == f"127.0.0.1:{port - 5900}"
    assert good(virsh("domdisplay", "g")) == f"vnc://127.0.0.1:{port - 5900}"
    good(virsh("destroy", "g"))
    path.write_text(document("plain", uuid=UUID.replace("6f", "7f")))
    good(virsh("create", str(path)))
    for command in ("vncdisplay", "domdisplay"):
        done = virsh(command, "plain")
        assert (done.returncode, done.stderr[:6]) == (1, "error:")
    good(virsh("destroy", "plain"))


@pytest.mark.guide("virsh-reset-no-pending-config")
def test_a_reset_applies_no_pending_change(virsh: Virsh, kvasird: KvasirDaemon) -> None:
    path = kvasird.folder / "g.xml"
    path.write_text(document("g"))
    good(virsh("define", str(path)))
    good(virsh("start", "g"))
    good(virsh("setmaxmem", "g", "131072", "--config"))
    good(virsh("reset", "g"))
    time.sleep(0.5)
    assert ET.fromstring(good(virsh("dumpxml", "g"))).findtext("memory") == "65536"
    good(virsh("destroy", "g"))
    good(virsh("start", "g"))
    assert ET.fromstring(good(virsh("dumpxml", "g"))).findtext("memory") == "131072"
    good(virsh("destroy", "g"))
