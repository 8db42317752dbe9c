"""Keys, screens, consoles and states of guests (guide 20.6.3 to 20.36.1), through both virsh on both daemons."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import PROJECT, DaemonHandle, KvasirDaemon
from tests.virsh import cells, sectors
from tests.virsh.test_console import Terminal
from tests.waiting import until


def start(daemon: DaemonHandle, document: str, *more: str) -> str:
    """Start a transient guest; its name."""
    match = re.search("<name>(.*?)</name>", document)
    assert match
    path = daemon.folder / f"{match[1]}.xml"
    path.write_text(document)
    done = daemon.virsh("create", str(path), *more)
    assert done.returncode == 0, done.stderr
    return match[1]


def virsh_of(daemon: KvasirDaemon, who: str) -> list[str]:
    """The command line of a virsh, "real" or "ours", on the daemon."""
    if who == "ours":
        return [str(PROJECT / "bin/virsh"), "-c", daemon.uri]
    if daemon.peers is None:
        pytest.skip("the real virsh is one of the peers, which cannot be had here")
    root = daemon.peers.root
    libraries = ":".join(str(path.parent) for path in (root / "usr/lib").glob("*/libvirt.so.0"))
    return [
        "/usr/bin/env",
        f"LD_LIBRARY_PATH={libraries}",
        "LC_ALL=C.UTF-8",
        str(root / "usr/bin/virsh"),
        "-c",
        daemon.uri,
    ]


KEYS = (
    ("linux", "30 48", "1e309e b0"),
    ("linux", "KEY_A", "1e9e"),
    ("linux", "KEY_LEFTCTRL KEY_LEFTALT KEY_DELETE", "1d38e0539db8e0d3"),
    ("xt", "30", "1e9e"),
    ("atset1", "30", "1e9e"),
    ("atset2", "28", "1e9e"),
    ("atset3", "28", "1e9e"),
    ("os_x", "1", "1f9f"),
    ("xt_kbd", "30", "1e9e"),
    ("win32", "65", "1e9e"),
    ("usb", "4", "1e9e"),
    ("rfb", "30", "1e9e"),
    ("qnum", "30", "1e9e"),
    ("atset1", "0xe01d", "e01de09d"),
    ("atset2", "0xe014", "e01de09d"),
    ("atset3", "0x58", "e01de09d"),
    ("usb", "0x52", "e048e0c8"),
    ("win32", "0x2e", "e053e0d3"),
    ("os_x", "0x7e", "e048e0c8"),
)
NO_KEYS = """
!send-key keys
send-key keys --codeset nosuch 30
send-key keys --codeset linux KEY_NOSUCH
send-key keys --codeset win32 0xffff
send-key keys 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17
send-key keys 70000
send-key nosuch 30
send-key keys --codeset win32 0xfff0
send-key keys --codeset usb 0xfff0
send-key keys --codeset atset1 700
send-key keys --codeset linux 600
send-key keys --codeset xt 157
"""


@pytest.mark.guide(
    "virsh-send-key", "virsh-send-key-opt-holdtime", "virsh-send-key-opt-codeset", "virsh-send-key-codeset-linux",
    "virsh-send-key-codeset-xt", "virsh-send-key-codeset-atset1", "virsh-send-key-codeset-atset2",
    "virsh-send-key-codeset-atset3", "virsh-send-key-codeset-os-x", "virsh-send-key-codeset-xt-kbd",
    "virsh-send-key-codeset-win32", "virsh-send-key-codeset-usb", "virsh-send-key-codeset-rfb",
    "virsh-send-key-arg-keycode", "virsh-send-key-simultaneous",
)  # fmt: skip
def test_keys(kvasird: KvasirDaemon, real_libvirtd: DaemonHandle) -> None:
    """The guest writes down what its keyboard says: the same scan codes from both daemons, in every codeset."""
    heard = []
    for daemon in (real_libvirtd, kvasird):
        out = daemon.folder / "keys.out"
        parts = sectors.disk(daemon.folder / "keys.img", sectors.KEYBOARD)
        start(daemon, sectors.guest("keys", 1, parts + f"<serial type='file'><source path='{out}'/></serial>"))
        time.sleep(2)
        until(
            lambda daemon=daemon, out=out: daemon.virsh("send-key", "keys", "2").returncode == 0 and out.stat().st_size
        )
        time.sleep(0.5)
        sets = []
        for codeset, codes, _ in KEYS:
            before = out.stat().st_size
            done = daemon.our_virsh("send-key", "keys", "--codeset", codeset, *codes.split())
            assert done.returncode == 0, done.stderr
            count = len(bytes.fromhex(KEYS[[k[:2] for k in KEYS].index((codeset, codes))][2]))
            until(lambda out=out, before=before, count=count: out.stat().st_size >= before + count)
            sets.append(out.read_bytes()[before:].hex())
        before, began = out.stat().st_size, time.monotonic()
        assert daemon.our_virsh("send-key", "keys", "--holdtime", "1500", "KEY_B").returncode == 0
        until(lambda out=out, before=before: out.read_bytes()[before:].endswith(b"\xb0"))
        assert time.monotonic() - began >= 1.5
        heard.append(sets)
    assert heard[0] == heard[1]
    for (codeset, codes, wanted), said in zip(KEYS, heard[1], strict=True):
        assert sorted(bytes.fromhex(said)) == sorted(bytes.fromhex(wanted)), (codeset, codes)
    cells.four((("libvirtd", real_libvirtd), ("kvasird", kvasird)), NO_KEYS)
    for daemon in (real_libvirtd, kvasird):
        assert daemon.virsh("destroy", "keys").returncode == 0


SCREENS = """
screenshot shot {folder}/shot
screenshot shot --file {folder}/shot --screen 0
screenshot shot {folder}/shot --screen 1
screenshot shot /nosuch/shot
screenshot blind {folder}/blind
domdisplay shot
domdisplay shot --type vnc
domdisplay shot --type spice
domdisplay shot --type rdp
domdisplay shot --include-password
domdisplay shot --type vnc --include-password
domdisplay shot --all
domdisplay blind
domdisplay blind --type vnc
vncdisplay shot
vncdisplay blind
domid shot
domid nosuch
domuuid shot
domuuid nosuch
domhostname shot
domhostname shot --source agent
domhostname shot --source lease
domhostname shot --source nosuch
shutdown shot --mode acpi,agent
shutdown shot --mode agent,acpi
reboot shot --mode initctl,signal
reboot shot --mode signal,initctl
reboot shot --mode nosuch
"""


@pytest.mark.guide(
    "virsh-screenshot", "virsh-screenshot-opt-screen", "virsh-screenshot-arg-file", "virsh-domdisplay-opt-type",
    "virsh-domdisplay-opt-include-password", "virsh-domuuid", "virsh-reboot-mode-order",
)  # fmt: skip
def test_screens_and_names(kvasird: KvasirDaemon, real_libvirtd: DaemonHandle) -> None:
    def prepare(daemon: DaemonHandle) -> None:
        shot = "<graphics type='vnc' passwd='sesame'/><video><model type='vga'/></video>"
        start(daemon, sectors.guest("shot", 2, shot))
        start(daemon, sectors.guest("blind", 3, ""))

    def mask(text: str) -> str:
        return re.sub(r"(?m)127\.0\.0\.1:\d+$|^\d+$", "N", re.sub(r":\d+$", ":N", text, flags=re.M))

    cells.four((("libvirtd", real_libvirtd), ("kvasird", kvasird)), SCREENS, mask, prepare)
    for daemon in (real_libvirtd, kvasird):
        assert (daemon.folder / "shot").read_bytes().startswith((b"P6\n", b"\x89PNG"))
        for name in ("shot", "blind"):
            assert daemon.virsh("destroy", name).returncode == 0


@pytest.fixture(params=["real", "ours"])
def talker(request: pytest.FixtureRequest, kvasird: KvasirDaemon) -> Iterator[Callable[..., Terminal]]:
    """A guest with two serial ports that talk, and each virsh's console on it."""
    parts = sectors.disk(kvasird.folder / "talk.img", sectors.TWO_PORTS)
    start(kvasird, sectors.guest("talk", 4, parts + "<serial type='pty'/><serial type='pty'/><console type='pty'/>"))
    head = virsh_of(kvasird, request.param)
    opened: list[Terminal] = []

    def open_console(*words: str) -> Terminal:
        opened.append(Terminal(*head, "console", "talk", *words))
        return opened[-1]

    yield open_console
    assert kvasird.virsh("destroy", "talk").returncode == 0


@pytest.mark.guide("virsh-console-opt-devname", "virsh-console-opt-safe", "virsh-console-opt-force")
def test_consoles(talker: Callable[..., Terminal]) -> None:
    """--devname chooses the port; a console that is held is refused, and taken over with --force."""
    first = talker("--safe")
    first.until(b"Escape character is ^] (Ctrl + ])")
    first.until(b"AAAA", 30)
    second = talker("--devname", "serial1", "--safe")
    second.until(b"BBBB", 30)
    refused = talker("--safe")
    refused.until(b"Active console session exists for this domain")
    assert refused.end() == 1
    unknown = talker("--devname", "serial7")
    unknown.until(b"cannot find character device serial7")
    assert unknown.end() == 1
    taken = talker("--force")
    taken.until(b"AAAA", 30)
    first.end()
    for terminal in (second, taken):
        terminal.type(b"\x1d")
        assert terminal.end() == 0


def state(daemon: DaemonHandle, name: str) -> str:
    """The state in the table of ``list --all``: the same from both virsh."""
    table = daemon.virsh("list", "--all").stdout
    if daemon.our_virsh("list", "--all").stdout != table:
        return ""  # it changed in between
    found = re.search(rf"(?m)^ \S+ +{name} +(.*)$", table)
    return found[1].strip() if found else "gone"


@pytest.mark.guide(
    "virsh-list-state-crashed", "virsh-list-state-pmsuspended",
    "virsh-shutdown-on-shutdown", "virsh-domid-confirm-shut-off",
)  # fmt: skip
def test_states(kvasird: KvasirDaemon) -> None:
    """Guests that crash, sleep and switch themselves off, with each action for that."""
    panic = sectors.disk(kvasird.folder / "panic.img", sectors.PANIC) + "<panic model='isa'/>"
    asleep = sectors.disk(kvasird.folder / "sleep.img", sectors.SLEEP)
    start(kvasird, sectors.guest("crash", 5, panic, "<on_crash>preserve</on_crash>"))
    until(lambda: state(kvasird, "crash") == "crashed")
    assert kvasird.virsh("domstate", "crash", "--reason").stdout.strip() == "crashed (panicked)"
    pm = "<pm><suspend-to-mem enabled='yes'/></pm>"
    start(kvasird, sectors.guest("sleep", 6, asleep, pm))
    until(lambda: state(kvasird, "sleep") == "pmsuspended")
    assert kvasird.virsh("dompmwakeup", "sleep").returncode == 0
    for name, action in (("ends", "destroy"), ("again", "restart")):
        path = kvasird.folder / f"{name}.xml"
        disk = sectors.disk(kvasird.folder / f"{name}.img", sectors.POWEROFF)
        number = 8 if name == "ends" else 9
        path.write_text(sectors.guest(name, number, disk, f"<on_poweroff>{action}</on_poweroff>"))
        for words in (("define", str(path)), ("start", name)):
            assert kvasird.virsh(*words).returncode == 0
    until(lambda: state(kvasird, "ends") == "shut off")
    assert kvasird.virsh("domid", "ends").stdout.strip() == "-"
    assert kvasird.our_virsh("domid", "ends").stdout.strip() == "-"
    identity = kvasird.virsh("domid", "again").stdout
    for _ in range(20):
        assert state(kvasird, "again") in ("running", "in shutdown", "paused", "")  # it goes round
        time.sleep(0.1)
    assert kvasird.virsh("domid", "again").stdout == identity
    for name in ("crash", "sleep", "again"):
        assert kvasird.virsh("destroy", name).returncode == 0


def asked(shell: Terminal, name: str) -> str:
    """The state in the table that a virsh which is open prints."""
    shell.type(b'list --all; echo --shell "a b"\n')
    shell.until(b"'a b'")
    found = re.search(rf"(?m)^ \S+ +{name} +(.*?)\r?$", shell.shown.decode())
    return found[1].strip() if found else "gone"


@pytest.mark.guide("virsh-list-state-in-shutdown")
def test_in_shutdown(kvasird: KvasirDaemon) -> None:
    """A guest that acts on the button, held between its power-off and the end of QEMU, which is else too short to be looked at; one without
    a system does not hear the button. The daemon sleeps until QEMU says SHUTDOWN, by a monitor of the test's own, and QEMU is stopped then."""
    folder = kvasird.folder / "open"
    folder.mkdir()
    folder.chmod(0o777)
    start(kvasird, sectors.guest("deaf", 11, ""))
    serial = f"<serial type='file'><source path='{folder}/serial'/></serial>"
    document = sectors.guest("acts", 12, sectors.disk(kvasird.folder / "button.img", sectors.BUTTON) + serial)
    space = "xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'"
    words = "".join(f"<qemu:arg value='{word}'/>" for word in ("-qmp", f"unix:{folder}/qmp,server=on,wait=off"))
    document = document.replace("type='qemu'", f"type='qemu' {space}", 1)
    start(kvasird, document.replace("</domain>", f"<qemu:commandline>{words}</qemu:commandline></domain>"))
    qemu = int((kvasird.folder / "run/libvirt/qemu/acts.pid").read_text())
    assert kvasird.process is not None
    shells = [Terminal(*virsh_of(kvasird, who)) for who in ("real", "ours")]
    assert [asked(shell, "acts") for shell in shells] == ["running", "running"], "connected"
    with socket.socket(socket.AF_UNIX) as monitor:
        monitor.connect(f"{folder}/qmp")
        monitor.settimeout(60)
        monitor.sendall(b'{"execute":"qmp_capabilities"}')
        until(lambda: (folder / "serial").exists() and (folder / "serial").read_bytes().endswith(b"R"))
        assert "'deaf' is being shutdown" in kvasird.virsh("shutdown", "deaf").stdout
        shells[0].type(b"shutdown acts\n")
        shells[0].until(b"'acts' is being shutdown")
        kvasird.process.send_signal(signal.SIGSTOP)  # four seconds are left
        try:
            said = b""
            while b'"SHUTDOWN"' not in said:
                piece = monitor.recv(4096)
                assert piece, said
                said += piece
            os.kill(qemu, signal.SIGSTOP)
        finally:
            kvasird.process.send_signal(signal.SIGCONT)
        for shell in shells:  # ten seconds, and the daemon ends QEMU by force
            until(lambda shell=shell: asked(shell, "acts") == "in shutdown")  # type: ignore[misc]
            assert asked(shell, "deaf") == "running"
    os.kill(qemu, signal.SIGCONT)
    until(lambda: state(kvasird, "acts") == "gone")
    assert state(kvasird, "deaf") == "running" and kvasird.virsh("destroy", "deaf").returncode == 0
    for shell in shells:
        shell.type(b"quit\n")
        shell.end()


@pytest.mark.guide("virsh-list-state-idle")
def test_a_blocked_guest_is_idle(
    kvasird: KvasirDaemon, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """QEMU's driver never says "blocked"; where a (mock) driver does, the table says idle."""
    from kvasir.cli.virsh import main
    from kvasir.cli.virsh.commands import list as listing

    start(kvasird, sectors.guest("lazy", 10, ""))
    monkeypatch.setattr(listing, "states", lambda connection, domains: [2 for _ in domains])
    with contextlib.suppress(SystemExit):
        main.run(["-c", kvasird.uri, "list", "--all"])
    assert re.search(r"(?m)^ \d+ +lazy +idle$", capfd.readouterr().out)
    assert kvasird.virsh("destroy", "lazy").returncode == 0


@pytest.mark.guide("virsh-connect", "virsh-connect-opt-uri")
def test_connect(kvasird: KvasirDaemon, tmp_path: Path) -> None:
    """One shell goes from one daemon to another and back, sees each one's guests, and says which cannot be reached."""
    start(kvasird, sectors.guest("here", 11, ""))
    script = f"connect {kvasird.uri}\nuri\nlist --name\nconnect qemu+unix:///system?socket=/nosuch/sock\nuri\nconnect --readonly {kvasird.uri}\ndestroy here\nquit\n"
    said = []
    for virsh in (kvasird.virsh, kvasird.our_virsh):
        done = virsh(stdin=script)
        said.append(done.stderr)
        text = done.stdout + done.stderr
        assert kvasird.uri in text
        assert "here" in text
        assert "Failed to connect socket to '/nosuch/sock': No such file or directory" in text
        assert "read only" in text
    assert said[0] == said[1]
    assert kvasird.virsh("destroy", "here").returncode == 0
