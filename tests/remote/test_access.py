"""Fine-grained access: the real polkitd with rules in its own language decides about each object."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import bus
from tests.remote.hosts import Pair
from tests.waiting import until
from tests.wire.harness import PROJECT

POLKITD = "/usr/lib/polkit-1/polkitd"
RULES = """
polkit.addRule(function(action, subject) {
  if (subject.user != "nobody" || action.id.indexOf("org.libvirt.api.") != 0) return polkit.Result.NOT_HANDLED;
  var what = action.id.substring(16);
  if (what.indexOf("connect.") == 0)
    return what == "connect.write" ? polkit.Result.NO : polkit.Result.YES;
  if (action.lookup("connect_driver") != "QEMU") return polkit.Result.NO;
  if (what.indexOf("domain.") == 0) {
    if (action.lookup("domain_name") != "mine") return polkit.Result.NO;
    return what == "domain.delete" || what == "domain.read-secure" ? polkit.Result.NO : polkit.Result.YES;
  }
  if (what.indexOf("storage-pool.") == 0)
    return action.lookup("pool_name") == "open" ? polkit.Result.YES : polkit.Result.NO;
  if (what.indexOf("storage-vol.") == 0)
    return action.lookup("vol_name") == "disk" ? polkit.Result.YES : polkit.Result.NO;
  if (what.indexOf("secret.") == 0)
    return action.lookup("secret_usage_volume") == "/mine" ? polkit.Result.YES : polkit.Result.NO;
  return polkit.Result.NO;
});
"""
GUEST = "<domain type='qemu'><name>{}</name><memory>65536</memory><os><type>hvm</type></os></domain>"
SETTINGS = 'listen_tls = 0\nlisten_tcp = 1\nauth_tcp = "none"\nauth_unix_rw = "none"\naccess_drivers = [ "polkit" ]\nunix_sock_rw_perms = "0777"\n'
DENIED = "error: access denied: 'QEMU' denied access"


@pytest.fixture(scope="module")
def site(pair: Pair, root: Path) -> Iterator[Pair]:
    """polkitd with the rules and our actions, on a D-Bus of its own that the daemon finds as the system's."""
    if not os.path.exists(POLKITD) or shutil.which("dbus-daemon") is None:
        pytest.skip("no polkitd or no dbus-daemon here (packages polkitd, dbus)")
    folder = pair.server.folder
    rules = pair.server.etc / "polkit-1/rules.d/10-test.rules"
    rules.parent.mkdir(parents=True, exist_ok=True)
    rules.write_text(RULES)
    actions = folder / "actions"
    actions.mkdir(exist_ok=True)
    text = subprocess.run(
        [str(PROJECT / ".venv/bin/python"), "-m", "kvasir.daemon", "--polkit-policy"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    (actions / "kvasir.policy").write_text(text)
    pair.server.env["DBUS_SYSTEM_BUS_ADDRESS"] = f"unix:path={folder}/bus"
    children = [bus.start(folder)]
    script = f"mount --bind {actions} /usr/share/polkit-1/actions && exec {POLKITD} --no-debug"
    try:
        until(lambda: serves(pair, script, children), lambda: (folder / "polkit.log").read_text())
        yield pair
    finally:
        for child in reversed(children):
            child.terminate()
            child.wait(10)


def serves(pair: Pair, script: str, children: list[subprocess.Popen[str]]) -> bool:
    """Whether a polkitd comes up that knows our actions; Debian's dies at its start now and then."""
    env = {**os.environ, **pair.server.env}
    with open(pair.server.folder / "polkit.log", "a") as log:
        one = subprocess.Popen(pair.server.command("sh", "-c", script), env=env, stdout=log, stderr=log, text=True)
    children.append(one)
    end = time.monotonic() + 20
    while time.monotonic() < end and one.poll() is None:
        if subprocess_known(pair):
            return True
        time.sleep(0.2)
    if one.poll() is None:
        one.kill()
    one.wait()
    return False


def subprocess_known(pair: Pair) -> bool:
    return "org.libvirt.api.domain.start" in pair.server.run("pkaction").stdout


def test_rules_decide_about_each_object(site: Pair, root: Path, cache: Path, open_folder: Path) -> None:
    """root sets up; nobody sees and does what the rules say, with the C virsh and with ours."""
    uri = f"qemu+unix:///system?socket={root}/run/libvirt/libvirt-sock"
    tmp_path = open_folder / "work"
    tmp_path.mkdir()
    for name in ("mine", "yours"):
        (tmp_path / f"{name}.xml").write_text(GUEST.format(name))
    library = f"LD_LIBRARY_PATH={cache}/usr/lib/x86_64-linux-gnu"
    drop = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", "env", "HOME=/tmp"]
    theirs = [*drop, library, str(cache / "usr/bin/virsh"), "-c", uri]
    ours = [*drop, str(PROJECT / ".venv/bin/python"), "-IS", str(PROJECT / "bin/virsh"), "-c", uri]
    with site.daemon(root, SETTINGS, "--listen"):
        setup = f"""define {tmp_path}/mine.xml; define {tmp_path}/yours.xml
pool-create-as open dir --target {tmp_path}; pool-create-as closed dir --target {root}
vol-create-as open disk 1M; vol-create-as open other 1M
"""
        done = site.server.ours("-c", uri, text=setup)
        assert done.stderr == "", done.stderr

        def both(*words: str) -> str:
            """Standard output, the same of both; the last line of the errors where there are some."""
            found = [site.server.run(*virsh, "-q", *words) for virsh in (theirs, ours)]
            texts = [one.stdout.strip() + (one.stderr.splitlines()[-1] if one.stderr else "") for one in found]
            assert texts[0] == texts[1], texts
            return texts[0]

        assert both("list", "--all").split() == ["-", "mine", "shut", "off"]
        assert both("domstate", "mine") == "shut off"
        assert both("domstate", "yours") == "error: failed to get domain 'yours'"
        assert both("pool-list").split() == ["open", "active", "no"]
        assert both("vol-list", "open").split()[0] == "disk" and "other" not in both("vol-list", "open")
        assert "<name>mine</name>" in both("dumpxml", "mine")
        assert both("dumpxml", "mine", "--security-info") == DENIED
        assert "no storage vol with matching path 'other'" in both("vol-delete", "other", "open")
        assert both("define", f"{tmp_path}/yours.xml").endswith(DENIED)
        assert both("undefine", "mine") == DENIED
        assert both("desc", "mine", "hello", "--title") == "" and both("desc", "mine", "--title") == "hello"
        assert both("memtune", "mine", "--hard-limit", "100000", "--config") == ""
        (tmp_path / "vol.xml").write_text("<volume><name>new</name><capacity>1</capacity></volume>")
        (tmp_path / "secret.xml").write_text("<secret><usage type='volume'><volume>/yours</volume></usage></secret>")
        assert both("vol-create", "open", f"{tmp_path}/vol.xml") == DENIED and not (tmp_path / "new").exists()
        assert both("vol-create-as", "open", "more", "1M") == DENIED and not (tmp_path / "more").exists()
        assert both("secret-define", f"{tmp_path}/secret.xml") == DENIED
        assert "refuses org.libvirt.api.domain.delete" in (root / "daemon.log").read_text()
        tcp = site.client.ours("-c", "qemu+tcp://host2/system", "list")
        assert tcp.returncode == 1 and DENIED in tcp.stderr, tcp.stderr
        assert site.server.ours("-c", uri, "-q", "secret-list").stdout.strip() == "", "nothing was made"
        assert site.server.ours("-c", uri, "-q", "list", "--all").stdout.split().count("off") == 2, (
            "root is not restricted"
        )


EVENTS = """
import sys
sys.path.insert(0, sys.argv[2])
from kvasir import client
conn = client.open(sys.argv[1])
names = []
print(sorted(conn.listDefinedDomains()), conn.numOfDefinedDomains(), conn.listDomainsID())
conn.domainEventRegisterAny(None, 0, lambda c, d, event, detail, o: names.append((d.name(), event)), None)
print("ready", flush=True)
sys.stdin.readline()
conn.lookupByName("mine").info()
while client.virEventRunDefaultImpl() == 0 and ("mine", 1) not in names:
    pass
print(names)
"""


def test_events_and_old_lists_are_filtered(site: Pair, root: Path, tmp_path: Path) -> None:
    uri = f"qemu+unix:///system?socket={root}/run/libvirt/libvirt-sock"
    (tmp_path / "yours.xml").write_text(GUEST.format("yours"))
    (tmp_path / "mine.xml").write_text(GUEST.format("mine"))
    with site.daemon(root, SETTINGS, "--listen"):
        assert (
            site.server.ours("-c", uri, text=f"define {tmp_path}/mine.xml; define {tmp_path}/yours.xml\n").returncode
            == 0
        )
        drop = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", "env", "HOME=/tmp"]
        script = [str(PROJECT / ".venv/bin/python"), "-IS", "-c", EVENTS, uri, str(PROJECT / "src")]
        listener = subprocess.Popen(
            site.server.command(*drop, *script),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert listener.stdout is not None
        first = listener.stdout.readline()
        assert first == "['mine'] 1 []\n", first + listener.stdout.read()
        assert listener.stdout.readline() == "ready\n"
        assert site.server.ours("-c", uri, text="undefine yours; undefine mine\n").returncode == 0
        out, _ = listener.communicate("go\n", timeout=30)
        assert "yours" not in out, out
