"""scripts/install: Kvasir as a part of the system, here below a folder, with the sources out of sight of what runs."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kvasir.cli.virsh.names import groups
from tests.conftest import PROJECT, Done
from tests.remote.hosts import Host, Pair

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="namespaces need root")
HIDE = 'mount -t tmpfs none "$0" && cd / && exec "$@"'
SETTINGS = 'listen_tls = 0\nlisten_tcp = 1\nauth_tcp = "none"\nlisten_addr = "10.77.0.1"\n'
COMMANDS = {
    "hypervisor": {"kvasird", "libvirt-guests", "virt-admin", "virt-host-validate", "virt-ssh-helper"},
    "client": {"virsh", "virt-install", "virt-xml", "virt-clone", "kvasir"},
    "tools": {"virt-sysprep", "virt-cat", "virt-ls"},
}
OWN = "KVASIRD_ARGS=--listen\n"
GUI = ("gtk", "xserver", "xorg", "gnome", "wayland-server", "virt-viewer", "virt-manager", "qemu-system-gui", "libsdl")


def install(*words: str) -> Done:
    return subprocess.run(
        [str(PROJECT / "scripts/install"), *words],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def sets(open_folder: Path) -> Iterator[dict[str, Path]]:
    """Each of the four sets below a folder of its own."""
    made = {}
    (open_folder / "hypervisor/etc/default").mkdir(parents=True)
    (open_folder / "hypervisor/etc/default/kvasird").write_text(OWN)
    for name in ("hypervisor", "client", "platform", "tools"):
        done = install("--root", str(open_folder / name), name)
        assert done.returncode == 0, done.stderr
        made[name] = open_folder / name / "usr/local"
    yield made


@pytest.mark.guide("install-kickstart-groups")
def test_sets(sets: dict[str, Path]) -> None:
    """One command without a question for each set; each has its commands and no other's."""
    wanted = {**COMMANDS, "platform": COMMANDS["hypervisor"] | COMMANDS["client"]}
    everything = set().union(*COMMANDS.values())
    for name, commands in wanted.items():
        there = {entry.name for entry in (sets[name] / "bin").iterdir()}
        assert there & everything == commands, name
        assert {entry.name for entry in (sets[name] / "share/man/man1").iterdir()} == {f"{one}.1" for one in there}
        packages = install("--packages", name)
        assert packages.returncode == 0 and "python3" in packages.stdout.split(), packages.stderr
    assert install("--root", "/nonexistent", "nosuch").returncode == 2


def hidden(host: Host, *words: str) -> Done:
    return host.run("sh", "-c", HIDE, str(PROJECT), *words)


@pytest.mark.guide("install-env-virtualization-host", "install-min-packages")
def test_a_virtualization_host(sets: dict[str, Path], pair: Pair, open_folder: Path) -> None:
    """The daemon of the set serves the virsh beside it, and that of another host by a remote URI."""
    root = open_folder / "host"
    (root / "etc/libvirt").mkdir(parents=True)
    (root / "etc/libvirt/libvirtd.conf").write_text(SETTINGS)
    (open_folder / "guest.xml").write_text(
        "<domain type='qemu'><name>first</name><memory unit='MiB'>32</memory><os><type arch='x86_64'>hvm</type></os></domain>"
    )
    daemon = [str(sets["platform"] / "bin/kvasird"), "--root", str(root), "--listen", "-v"]
    virsh = str(sets["platform"] / "bin/virsh")
    local = f"qemu+unix:///system?socket={root}/run/libvirt/libvirt-sock"
    with open(open_folder / "log", "w+") as log:
        child = subprocess.Popen(pair.server.command("sh", "-c", HIDE, str(PROJECT), *daemon), stdout=log, stderr=log)
        try:
            end = time.monotonic() + 60
            while " ready, serving" not in (said := (open_folder / "log").read_text()):
                assert child.poll() is None and time.monotonic() < end, said
                time.sleep(0.05)
            assert str(sets["platform"]) in Path(f"/proc/{child.pid}/cmdline").read_text(), "not the sources' own"
            made = hidden(pair.server, virsh, "-c", local, "create", str(open_folder / "guest.xml"))
            assert made.returncode == 0, made.stderr
            assert "first   running" in hidden(pair.server, virsh, "-c", local, "list").stdout
            other = hidden(pair.client, str(sets["client"] / "bin/virsh"), "-c", "qemu+tcp://10.77.0.1/system", "list")
            assert "first   running" in other.stdout, other.stderr
            assert hidden(pair.server, virsh, "-c", local, "destroy", "first").returncode == 0
        finally:
            child.terminate()
            child.wait(30)


def installed_packages() -> dict[str, list[list[str]]]:
    """Debian's packages here, each with what it depends on: alternatives, without versions."""
    found: dict[str, list[list[str]]] = {}
    for block in Path("/var/lib/dpkg/status").read_text(errors="replace").split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if re.match(r"[A-Z][\w-]*: ", line))
        if not fields.get("Status", "").endswith(" installed"):
            continue
        needs = ", ".join(fields[key] for key in ("Depends", "Pre-Depends") if key in fields)
        wants = [[re.split(r"[ :(]", one.strip())[0] for one in need.split("|")] for need in needs.split(",") if need]
        for name in (
            fields["Package"],
            *(one.split()[0].rstrip(",") for one in fields.get("Provides", "").split(", ") if one),
        ):
            found.setdefault(name, []).extend(wants)
    return found


@pytest.mark.guide("install-env-virtualization-host", "install-min-packages")
@pytest.mark.skipif(not Path("/var/lib/dpkg/status").exists(), reason="Debian's packages are looked at")
def test_packages_of_a_host() -> None:
    """What the set draws in: QEMU and qemu-img, no desktop."""
    todo = install("--packages", "platform").stdout.split()
    assert {"qemu-system-x86", "qemu-utils"} <= set(todo)
    known, drawn = installed_packages(), set[str]()
    while todo:
        name = todo.pop()
        if name not in drawn:
            drawn.add(name)
            todo += [next((one for one in need if one in known), need[0]) for need in known.get(name, [])]
    assert len(drawn) > 60 and {"libc6", "seabios"} <= drawn, "the walk saw what they depend on"
    assert [one for one in drawn if one.startswith(GUI) or "gtk" in one] == []
    owner = subprocess.run(["dpkg", "-S", shutil.which("qemu-img") or "-"], capture_output=True, text=True, check=False)
    assert owner.stdout.startswith("qemu-utils:"), owner


@pytest.mark.guide("virsh-package", "resource-installed-virsh")
def test_the_client_alone(sets: dict[str, Path], tmp_path: Path) -> None:
    """virsh with its manual page and completion, and nothing of the daemon."""
    client = sets["client"]
    assert (
        not list(client.rglob("kvasird*"))
        and not list(client.rglob("kvasir/daemon"))
        and not (client / "lib/systemd").exists()
    )
    done = subprocess.run([str(client / "bin/virsh"), "--version"], capture_output=True, text=True, env={}, check=False)
    assert (done.returncode, done.stdout) == (0, "9.0.0\n"), done.stderr
    page = (client / "share/man/man1/virsh.1").read_text()
    built = [name for group in groups() for name, file in group.commands if file]
    assert len(built) > 260
    for command in built:
        assert f'.SS "{command.replace("-", chr(92) + "-")}"\n' in page, command
    for name in ("virt-install", "virt-clone", "virt-xml", "kvasir", "virt-xml-validate", "virt-pki-validate"):
        asked = subprocess.run([str(client / "bin" / name), "--help"], capture_output=True, text=True, check=False)
        assert asked.returncode == 0 and len(asked.stdout) > 80, (name, asked)
    refused = subprocess.run(
        [str(client / "bin/virsh"), "-c", "test:///default", "list"], capture_output=True, text=True, check=False
    )
    assert refused.returncode == 1 and "the daemon is not installed" in refused.stderr, refused.stderr
    assert (client / "share/bash-completion/completions/virsh").exists()


@pytest.mark.skipif(not shutil.which("groff"), reason="groff sets the pages")
def test_manual_pages(sets: dict[str, Path]) -> None:
    """Each is set without a warning, and says what its command is for."""
    for page in [*(sets["platform"] / "share/man/man1").iterdir(), *(sets["tools"] / "share/man/man1").iterdir()]:
        done = subprocess.run(
            ["groff", "-man", "-Tascii", "-ww", "-P-c", str(page)], capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stderr) == (0, ""), page
        assert f"{page.stem} - " in " ".join(done.stdout.split()) and len(done.stdout.splitlines()) > 9, page


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd judges the units")
def test_units(sets: dict[str, Path], tmp_path: Path) -> None:
    """systemd finds nothing wrong with them; the daemon of the unit is there, its sockets are libvirt's."""
    made = sets["hypervisor"]
    for unit in (made / "lib/systemd/system").iterdir():
        (tmp_path / unit.name).write_text(unit.read_text().replace("=/usr/local/bin", f"={made}/bin"))
    units = [str(unit) for unit in tmp_path.iterdir()]
    env = {**os.environ, "SYSTEMD_UNIT_PATH": f"{tmp_path}:"}
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *units], env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0 and not [
        line for line in done.stderr.splitlines() if "kvasir" in line or "guests" in line
    ], done.stderr
    streams = [
        line
        for unit in units
        if unit.endswith(".socket")
        for line in Path(unit).read_text().splitlines()
        if "ListenStream" in line
    ]
    assert {line.rpartition("/")[2] for line in streams} == {"libvirt-sock", "libvirt-sock-ro", "libvirt-admin-sock"}
    assert "KillMode=process" in (tmp_path / "kvasird.service").read_text(), "guests outlive the daemon"
    if shutil.which("systemd-sysusers"):
        root = str(made.parents[1])
        users = subprocess.run(
            ["systemd-sysusers", f"--root={root}", "--dry-run"], capture_output=True, text=True, check=False
        )
        assert "libvirt-qemu" in users.stdout + users.stderr


def test_removed(sets: dict[str, Path], open_folder: Path) -> None:
    """Nothing stays but the settings; those that were there before are as they were. The last test: the set is gone then."""
    root = open_folder / "hypervisor"
    assert (root / "etc/default/kvasird").read_text() == OWN
    assert "ExecStart=/usr/local/bin/kvasird" in (root / "usr/local/lib/systemd/system/kvasird.service").read_text()
    done = install("--root", str(root), "--remove")
    assert done.returncode == 0, done.stderr
    left = {str(path.relative_to(root)) for path in root.rglob("*") if not path.is_dir()}
    assert left == {"etc/default/kvasird", "etc/default/libvirt-guests", "etc/logrotate.d/kvasird"}
    assert install("--root", str(root), "--remove").returncode == 1
