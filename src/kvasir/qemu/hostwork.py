"""What a device's ``prepare`` and ``release`` may use of the host; everything taken is given back by ``stack``."""

from __future__ import annotations

import contextlib
import os
from typing import Any

from kvasir.errors import SystemFailure


class Host:
    """The host side of one start or hotplug."""

    def __init__(self, driver: Any, guest: Any, vm: Any, stack: contextlib.AsyncExitStack) -> None:
        self.driver, self.guest, self.vm, self.stack = driver, guest, vm, stack
        self.paths, self.config, self.identity = driver.paths, driver.config, driver.identity
        self.fds: list[int] = []
        """Descriptors that QEMU inherits; the daemon's copies are closed after the start."""

    def pass_fd(self, name: str, fd: int) -> int:
        """Let QEMU inherit a descriptor, under the name by which the device's ``qemu`` asks ``vm.fd``."""
        self.fds.append(fd)
        self.vm.fds[name] = fd
        return fd

    def close_fds(self) -> None:
        """Close the daemon's copies."""
        for fd in self.fds:
            with contextlib.suppress(OSError):
                os.close(fd)
        self.fds.clear()

    def own(self, path: str) -> None:
        """Give a file of this start to the guests' user."""
        self.identity.own(path)

    def make_folder(self, path: str, mode: int = 0o750, *, keep: bool = False) -> None:
        """Make a folder for the guest; gone again when the start fails, unless ``keep``."""
        if os.path.isdir(path):
            return
        try:
            os.makedirs(path, 0o755)
            os.chmod(path, mode)
        except OSError as error:
            raise SystemFailure(f"cannot create directory '{path}'", error) from error
        self.own(path)
        if not keep:
            self.stack.callback(_rmdir, path)


def _rmdir(path: str) -> None:
    with contextlib.suppress(OSError):
        os.rmdir(path)


def remove_tree(path: str) -> None:
    """Remove a guest's folder with what is in it; never follows links."""
    import shutil

    if path and os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path, ignore_errors=True)
