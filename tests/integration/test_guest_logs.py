"""A guest's log: bounded as virtlogd bounds it, and written on while the daemon is away."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from kvasir.qemu import logrotate
from tests.conftest import KvasirDaemon
from tests.waiting import until

GUEST = """\
<domain type='qemu'><name>wordy</name><memory unit='MiB'>32</memory>
<os><type arch='x86_64' machine='pc'>hvm</type></os><devices/></domain>
"""


def test_limits(tmp_path: Path) -> None:
    conf = tmp_path / "virtlogd.conf"
    assert logrotate.limits(str(conf)) == (2097152, 3)
    conf.write_text("#max_size = 1\nmax_size = 1000\n max_backups=2 # old\n")
    assert logrotate.limits(str(conf)) == (1000, 2)


def test_rotation(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    with open(path, "ab") as writer:  # QEMU's descriptor, which it keeps
        for number in range(5):
            writer.write(bytes([48 + number]) * 11)
            writer.flush()
            assert logrotate.rotate(str(path), 10, 2)
        writer.write(b"end")
    assert path.read_bytes() == b"end"
    assert not logrotate.rotate(str(path), 10, 2)
    assert {entry.name: entry.read_bytes()[:1] for entry in tmp_path.glob("a.log.*")} == {
        "a.log.0": b"4",
        "a.log.1": b"3",
    }


@pytest.mark.guide("trouble-log-guest")
def test_a_running_guests_log(kvasird: KvasirDaemon) -> None:
    """It is cut off by the daemon, by the next one too, and goes on at its new end."""
    assert kvasird.stop() == 0
    Path(kvasird.folder, "etc/libvirt/virtlogd.conf").write_text("max_size = 4096\nmax_backups = 1\n")
    kvasird.start()
    document = kvasird.folder / "wordy.xml"
    document.write_text(GUEST)
    assert kvasird.our_virsh("create", str(document)).returncode == 0
    log = Path(kvasird.folder, "var/log/libvirt/qemu/wordy.log")
    kvasird.kill()
    with open(log, "ab") as writer:
        writer.write(b"words while no daemon runs\n" * 400)
    kvasird.start()
    until(lambda: log.stat().st_size <= 4096)
    old = Path(f"{log}.0").read_text()
    assert re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+\+0000: starting up libvirt version", old)
    assert "/usr/bin/qemu-system-x86_64 \\\n-name guest=wordy" in old, "its command line"
    assert old.count("words while no daemon runs") == 400
    assert kvasird.our_virsh("destroy", "wordy").returncode == 0
    until(lambda: "terminating on signal 15" in log.read_text(), log.read_text)  # QEMU's own words
    assert "shutting down, reason=destroyed" in log.read_text()
    assert not Path(f"{log}.1").exists()
