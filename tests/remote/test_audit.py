"""The trail of changes: who did what with which object, and the guests that began and ended."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from kvasir.daemon.audit import quoted
from tests.conftest import PROJECT
from tests.remote.hosts import Pair

GUEST = "<domain type='qemu'><name>{}</name><memory unit='MiB'>32</memory><os><type>hvm</type></os></domain>"
SETTINGS = 'listen_tls = 0\nauth_unix_rw = "none"\naudit_logging = 1\n'


def trail(root: Path) -> list[str]:
    return re.findall(r"audit (?:call|control): (.*)", (root / "daemon.log").read_text())


def test_every_change_leaves_a_line(pair: Pair, root: Path) -> None:
    """Changes, whether they worked or not; nothing that only looks; and names cannot forge a second line."""
    uri = f"qemu+unix:///system?socket={root}/run/libvirt/libvirt-sock"
    (root / "one.xml").write_text(GUEST.format("one"))
    (root / "odd.xml").write_text(GUEST.format('a" op=forged'))
    with pair.daemon(root, SETTINGS):
        script = f"define {root}/one.xml; start one --paused; dominfo one; list; suspend nosuch; destroy one; destroy one; undefine one\n"
        pair.server.ours("-c", uri, text=script)
        pair.server.ours("-c", uri, text=f"define {root}/odd.xml; undefine 'a\" op=forged'\n")
        lines = trail(root)
    calls = [re.sub(r" (uid|pid)=-?\d+", "", line) for line in lines if not line.startswith("virt=")]
    assert [line for line in calls if "one" in line] == [
        'op=domain_create_with_flags dom="one" res=success',
        'op=domain_destroy dom="one" res=success',
        'op=domain_destroy dom="one" res=failed',
        *[line for line in calls if "undefine" in line and "one" in line],
    ]
    assert calls[0] == "op=domain_define_xml_flags res=success" or calls[0] == "op=domain_define_xml res=success"
    assert not any("get_info" in line or "list_all" in line for line in calls)
    assert f"dom={b'a'.hex().upper()}" in "".join(calls) and "op=forged" not in "".join(calls)
    guests = [re.sub(r"uuid=\S+", "uuid=U", line) for line in lines if line.startswith("virt=")]
    assert re.fullmatch(r'virt=qemu op=start reason=booted vm="one" uuid=U vm-pid=[1-9]\d* res=success', guests[0])
    assert guests[1] == 'virt=qemu op=stop reason=destroyed vm="one" uuid=U vm-pid=0 res=success'
    assert all("uid=0 pid=" in line for line in lines if line.startswith("op="))


@pytest.mark.guide("trouble-audit-logging")
@pytest.mark.parametrize("on", [1, 0])
def test_the_log_has_the_trail_where_it_is_wanted(pair: Pair, root: Path, on: int) -> None:
    uri = f"qemu+unix:///system?socket={root}/run/libvirt/libvirt-sock"
    (root / "one.xml").write_text(GUEST.format("one"))
    with pair.daemon(root, SETTINGS.replace("audit_logging = 1", f"audit_logging = {on}")):
        pair.server.ours("-c", uri, text=f"define {root}/one.xml; undefine one\n")
        assert bool(trail(root)) == bool(on)


def test_a_trail_that_is_demanded_and_missing_stops_the_start(pair: Pair, root: Path) -> None:
    with pytest.raises(AssertionError, match="audit_level = 2, and the kernel's audit trail is not on"):
        pair.daemon(root, SETTINGS + "audit_level = 2\n").__enter__()


@pytest.mark.parametrize(
    ("value", "shown"), [("web-1", '"web-1"'), ("a b", "612062"), ('x"y', "782279"), ("é", "C3A9"), ("", '""')]
)
def test_values_are_quoted(value: str, shown: str) -> None:
    assert quoted(value) == shown


def test_what_administrators_change(pair: Pair, root: Path) -> None:
    """virt-admin's limits, logging and disconnections; what only looks is not written down."""
    admin = f"libvirtd+unix:///system?socket={root}/run/libvirt/libvirt-admin-sock"
    lines = (
        "server-list",
        "server-clients-set libvirtd --max-clients 4000",
        "daemon-timeout --timeout 0",
        "client-disconnect libvirtd 99",
    )
    with pair.daemon(root, SETTINGS):
        for line in lines:
            command = [
                str(PROJECT / ".venv/bin/python"),
                "-m",
                "kvasir.cli.virt_admin.main",
                "-c",
                admin,
                *line.split(),
            ]
            pair.server.run(*command)
        found = [re.sub(r" (uid|pid)=-?\d+", "", line) for line in trail(root)]
    assert found == [
        'op=server_set_client_limits srv="libvirtd" res=success',
        "op=connect_set_daemon_timeout res=success",
    ]
