"""Run a tool of the host to its end and turn its failure into libvirt's error. Blocks: call it outside of the event loop."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess

from kvasir.errors import InternalError, Origin

FOLDERS = ("/usr/sbin", "/sbin", "/usr/bin", "/bin")
PACKAGES = {
    "vgs": "lvm2", "parted": "parted", "iscsiadm": "open-iscsi", "iscsi-ls": "libiscsi-bin", "showmount": "nfs-common",
    "scrub": "scrub", "gluster": "glusterfs-cli", "gfind": "glusterfs-cli", "rbd": "ceph-common", "rados": "ceph-common",
    "zfs": "zfsutils-linux", "zpool": "zfsutils-linux", "qemu-img": "qemu-utils", "dmsetup": "dmsetup",
    "multipath": "multipath-tools", "kpartx": "kpartx",
}  # fmt: skip
LIMIT = 64 << 20


def find(name: str) -> str | None:
    """Where a tool lies: PATH first, then the folders of administrators' tools."""
    return shutil.which(name) or shutil.which(name, path=os.pathsep.join(FOLDERS))


def need(name: str) -> str:
    """The same. Raises InternalError with the package that has it."""
    found = find(name)
    if found is None:
        package = PACKAGES.get(name, PACKAGES["vgs"] if name[:2] in ("vg", "lv", "pv") else "")
        hint = f"install the package that has it: apt install {package}" if package else ""
        what = "ploop tools" if name == "ploop" else "it"
        raise InternalError(f"unable to find {name}, please install {what}", origin=Origin.STORAGE, hint=hint)
    return found


def words(command: str, *args: str) -> str:
    """The command line as libvirt's messages show it."""
    return " ".join([command, *(shlex.quote(arg) for arg in args)])


def attempt(command: str, *args: str, stdin: bytes | None = None, timeout: float | None = None) -> tuple[int, str, str]:
    """Run ``command`` (shown as given, found by its last part); gives exit status, output and complaints."""
    tool = need(os.path.basename(command))
    try:
        done = subprocess.run(
            [tool, *args],
            input=stdin,
            stdin=None if stdin is not None else subprocess.DEVNULL,
            capture_output=True,
            timeout=timeout,
            env={**os.environ, "LC_ALL": "C"},
        )
    except subprocess.TimeoutExpired:
        raise InternalError(f"{words(command, *args)} did not end in {timeout} s", origin=Origin.STORAGE) from None
    out = done.stdout[:LIMIT].decode("utf-8", "surrogateescape")
    return done.returncode, out, done.stderr.decode("utf-8", "replace")


def run(command: str, *args: str, stdin: bytes | None = None, timeout: float | None = None) -> str:
    """The same, for what must succeed. Raises InternalError with the tool's own words."""
    status, out, problem = attempt(command, *args, stdin=stdin, timeout=timeout)
    if status:
        raise failure(status, problem, command, *args)
    return out


def failure(status: int, problem: str, command: str, *args: str) -> InternalError:
    """The error of a tool that ended badly."""
    how = f"exit status {status}" if status > 0 else f"fatal signal {-status}"
    said = f": {problem}" if problem else ""
    return InternalError(f"Child process ({words(command, *args)}) unexpected {how}{said}", origin=Origin.NONE)
