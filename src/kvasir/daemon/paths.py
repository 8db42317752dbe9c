"""Where everything lies: libvirt's own folders, those of a session (XDG), or all of them under one root (``--root``).

``Paths.system()``, ``Paths.session()``, each with ``root=DIR``. All are plain strings. Drivers take theirs from here and
join nothing of their own but file names: ``paths.qemu.etc + "/" + name + ".xml"``.
"""

from __future__ import annotations

import os
import pwd
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True)
class QemuPaths:
    """Folders of the QEMU driver."""

    etc: str
    """Documents of persistent guests, ``NAME.xml``."""
    autostart: str
    """Links to the documents of guests that start with the daemon."""
    run: str
    """Status documents and pid files of running guests (gone after a boot of the host)."""
    lib: str
    """Per-guest folders ``domain-ID-NAME`` (monitor socket, keys) of running guests."""
    log: str
    """``NAME.log``: command line, QEMU's words, the reason of the end."""
    cache: str
    """What can be made again (probed capabilities)."""
    save: str
    """Managed save images."""
    snapshot: str
    checkpoint: str
    dump: str
    channel: str
    """Sockets of the agent's and other channels that got no path of their own."""
    nvram: str
    ram: str
    """Files behind guest memory (``<source type='file'/>``)."""
    swtpm: str
    """State of emulated TPMs."""
    swtpm_run: str
    swtpm_log: str
    dbus: str
    slirp: str
    passt: str


@dataclass(frozen=True, slots=True)
class Paths:
    """Folders of the daemon; every driver has ``etc``, ``lib``, ``run``, ``cache`` with its own name below."""

    root: str
    """The prefix given by ``--root`` ('' when there is none)."""
    is_session: bool
    etc: str
    lib: str
    run: str
    log: str
    cache: str
    qemu: QemuPaths

    @classmethod
    def system(cls, root: str = "") -> Self:
        """Folders of the system's daemon."""
        etc, lib, run = f"{root}/etc/libvirt", f"{root}/var/lib/libvirt", f"{root}/run/libvirt"
        log, cache = f"{root}/var/log/libvirt", f"{root}/var/cache/libvirt"
        qemu = QemuPaths(
            etc=f"{etc}/qemu",
            autostart=f"{etc}/qemu/autostart",
            run=f"{run}/qemu",
            lib=f"{lib}/qemu",
            log=f"{log}/qemu",
            cache=f"{cache}/qemu",
            save=f"{lib}/qemu/save",
            snapshot=f"{lib}/qemu/snapshot",
            checkpoint=f"{lib}/qemu/checkpoint",
            dump=f"{lib}/qemu/dump",
            channel=f"{lib}/qemu/channel/target",
            nvram=f"{lib}/qemu/nvram",
            ram=f"{lib}/qemu/ram",
            swtpm=f"{lib}/swtpm",
            swtpm_run=f"{run}/qemu/swtpm",
            swtpm_log=f"{root}/var/log/swtpm/libvirt/qemu",
            dbus=f"{run}/qemu/dbus",
            slirp=f"{run}/qemu/slirp",
            passt=f"{run}/qemu/passt",
        )
        return cls(root, False, etc, lib, run, log, cache, qemu)

    @classmethod
    def session(cls, root: str = "") -> Self:
        """Folders of the calling user's own daemon: XDG's, or ``config``, ``cache`` and ``run`` under the root."""
        if root:
            etc, cache, run = f"{root}/config/libvirt", f"{root}/cache/libvirt", f"{root}/run/libvirt"
        else:
            etc = _xdg("XDG_CONFIG_HOME", ".config") + "/libvirt"
            cache = _xdg("XDG_CACHE_HOME", ".cache") + "/libvirt"
            run = session_runtime_dir() + "/libvirt"
        qemu = QemuPaths(
            etc=f"{etc}/qemu",
            autostart=f"{etc}/qemu/autostart",
            run=f"{run}/qemu/run",
            lib=f"{etc}/qemu/lib",
            log=f"{cache}/qemu/log",
            cache=f"{cache}/qemu/cache",
            save=f"{etc}/qemu/save",
            snapshot=f"{etc}/qemu/snapshot",
            checkpoint=f"{etc}/qemu/checkpoint",
            dump=f"{etc}/qemu/dump",
            channel=f"{etc}/qemu/channel/target",
            nvram=f"{etc}/qemu/nvram",
            ram=f"{etc}/qemu/ram",
            swtpm=f"{etc}/qemu/swtpm",
            swtpm_run=f"{run}/qemu/run/swtpm",
            swtpm_log=f"{cache}/qemu/log",
            dbus=f"{run}/qemu/run/dbus",
            slirp=f"{run}/qemu/run/slirp",
            passt=f"{run}/qemu/run/passt",
        )
        return cls(root, True, etc, f"{etc}/lib", run, cache, cache, qemu)

    @property
    def uri(self) -> str:
        """The URI of the QEMU driver of this daemon."""
        return "qemu:///session" if self.is_session else "qemu:///system"

    @property
    def pid_file(self) -> str:
        """Held locked by the daemon of these folders while it lives."""
        return f"{self.run}/libvirtd.pid" if self.is_session else f"{os.path.dirname(self.run)}/libvirtd.pid"

    def make(self) -> None:
        """Create the folders that the daemon itself needs."""
        for folder, mode in ((self.run, 0o755), (self.etc, 0o755), (self.log, 0o700), (self.cache, 0o711)):
            os.makedirs(folder, 0o700 if self.is_session else mode, exist_ok=True)


def _xdg(variable: str, fallback: str) -> str:
    value = os.environ.get(variable, "")
    if value.startswith("/"):
        return value
    home = os.environ.get("HOME") or pwd.getpwuid(os.geteuid()).pw_dir
    return f"{home}/{fallback}"


def session_runtime_dir() -> str:
    """``$XDG_RUNTIME_DIR``, or as libvirt does without it, the user's cache folder."""
    value = os.environ.get("XDG_RUNTIME_DIR", "")
    return value if value.startswith("/") else _xdg("XDG_CACHE_HOME", ".cache")
