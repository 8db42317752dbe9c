"""A place where calls made by chance harm nothing: own mounts (all but one folder read-only), network, processes, devices."""

from __future__ import annotations

import os
from pathlib import Path

from tests.wire.harness import PROJECT

SCRIPT = """
set -e
root="$1"; shift
mount --make-rprivate /
mount --bind "$root" "$root"
for place in / /tmp /work /home /var; do
  mountpoint -q "$place" && mount -o remount,bind,ro "$place" || true
done
mount -t tmpfs -o mode=755 none /dev
mkdir /dev/pts /dev/shm /dev/net
mount -t devpts -o newinstance,ptmxmode=0666 none /dev/pts
ln -s pts/ptmx /dev/ptmx
mknod -m 666 /dev/null c 1 3; mknod -m 666 /dev/zero c 1 5; mknod -m 666 /dev/full c 1 7
mknod -m 666 /dev/random c 1 8; mknod -m 666 /dev/urandom c 1 9; mknod -m 666 /dev/net/tun c 10 200
mount -t sysfs -o ro none /sys
mount -o remount,bind,ro /proc/sys 2>/dev/null || mount --bind -o ro /proc/sys /proc/sys
mount --bind /proc/sys/net /proc/sys/net; mount -o remount,bind,rw /proc/sys/net
mount -t tmpfs none /run
ip link set lo up
cd "$root"
exec "$@"
"""


def command(root: Path, *words: str) -> list[str]:
    """The command that runs ``words`` there; ``root`` may be written."""
    enter = [
        "unshare",
        "-n",
        "-m",
        "-p",
        "--fork",
        "--kill-child",
        "--mount-proc",
        "sh",
        "-c",
        SCRIPT,
        "sandbox",
        str(root),
    ]
    return [*enter, *words]


def environment(root: Path) -> dict[str, str]:
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith(("DBUS_", "SASL_"))},
        "PYTHONPATH": f"{PROJECT}/src:{PROJECT}",
        "HOME": str(root),
        "TMPDIR": str(root),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
