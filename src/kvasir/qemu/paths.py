"""Where the QEMU driver keeps things: libvirt's folders, for the system and for a user's session, under a root."""

from __future__ import annotations

import os
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Paths:
    """The folders of the QEMU driver."""

    config: str
    """Definitions, one NAME.xml each."""
    autostart: str
    state: str
    """Status documents and pid files; gone after a boot."""
    lib: str
    log: str
    cache: str
    privileged: bool
    root: str = ""

    @classmethod
    def system(cls, root: str = "") -> Paths:
        """The paths of the system daemon, all under ``root`` when it is given."""
        root = root.rstrip("/")
        return cls(
            config=f"{root}/etc/libvirt/qemu",
            autostart=f"{root}/etc/libvirt/qemu/autostart",
            state=f"{root}/run/libvirt/qemu",
            lib=f"{root}/var/lib/libvirt/qemu",
            log=f"{root}/var/log/libvirt/qemu",
            cache=f"{root}/var/cache/libvirt/qemu",
            privileged=True,
            root=root,
        )

    @classmethod
    def session(cls, root: str = "", env: dict[str, str] | None = None) -> Paths:
        """The XDG paths of a user's own daemon."""
        env = dict(os.environ) if env is None else env
        root = root.rstrip("/")
        home = env.get("HOME") or os.path.expanduser("~")
        config = root + (env.get("XDG_CONFIG_HOME") or f"{home}/.config")
        cache = root + (env.get("XDG_CACHE_HOME") or f"{home}/.cache")
        run = root + (env.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}")
        return cls(
            config=f"{config}/libvirt/qemu",
            autostart=f"{config}/libvirt/qemu/autostart",
            state=f"{run}/libvirt/qemu/run",
            lib=f"{config}/libvirt/qemu/lib",
            log=f"{cache}/libvirt/qemu/log",
            cache=f"{cache}/libvirt/qemu",
            privileged=False,
            root=root,
        )

    @property
    def save(self) -> str:
        return f"{self.lib}/save"

    @property
    def snapshot(self) -> str:
        return f"{self.lib}/snapshot"

    @property
    def checkpoint(self) -> str:
        return f"{self.lib}/checkpoint"

    @property
    def dump(self) -> str:
        return f"{self.lib}/dump"

    @property
    def nvram(self) -> str:
        return f"{self.lib}/nvram"

    @property
    def ram(self) -> str:
        return f"{self.lib}/ram"

    @property
    def channel(self) -> str:
        """Sockets of channels stand in a folder of their guest below this one."""
        return f"{self.lib}/channel/target"

    @property
    def swtpm(self) -> str:
        """Where swtpm keeps the persistent state of the guests' TPMs."""
        return f"{self.root}/var/lib/libvirt/swtpm" if self.privileged else f"{self.lib}/../swtpm"

    def saved(self, name: str) -> str:
        """The managed save image of a guest."""
        return f"{self.save}/{name}.save"

    def make(self) -> None:
        """Create what is missing, with libvirt's modes."""
        for path, mode in (
            (self.config, 0o700), (self.autostart, 0o700), (self.state, 0o755), (self.lib, 0o751), (self.log, 0o750),
            (self.cache, 0o750), (self.save, 0o750), (self.snapshot, 0o750), (self.checkpoint, 0o750),
            (self.dump, 0o750), (self.nvram, 0o755), (self.ram, 0o750), (self.channel, 0o755),
        ):  # fmt: skip
            if not os.path.isdir(path):
                os.makedirs(path, mode=0o755, exist_ok=True)
                os.chmod(path, mode)


def short_name(name: str) -> str:
    """The name as it stands in folder names: at most 20 characters, so that socket paths stay short."""
    return name[:20].rstrip(".") if len(name) > 20 else name
