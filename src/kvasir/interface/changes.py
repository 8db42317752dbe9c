"""The copy of the configuration that a transaction keeps: outside of the configuration, whole or not there, beyond a boot."""

from __future__ import annotations

import contextlib
import glob
import json
import logging
import os
import shutil
from collections.abc import Iterator
from typing import Any

from kvasir.host.files import FileFailure, discard, make_folder, sync_folder, write_file

log = logging.getLogger(__name__)


@contextlib.contextmanager
def whole(paths: list[str]) -> Iterator[None]:
    """Files, and those in folders, stay or come back as they were where a change of them fails."""
    before = _contents(paths)
    try:
        yield
    except BaseException:
        now = _contents(paths)
        for path, (text, mode) in before.items():
            if now.get(path) != (text, mode):
                try:
                    write_file(path, text, mode)
                except FileFailure as error:
                    log.error("cannot bring a setting of the interfaces back: %s", error)
        discard(*(path for path in now if path not in before))
        raise


def _contents(paths: list[str]) -> dict[str, tuple[bytes, int]]:
    found = {}
    for top in paths:
        for path in [top] if os.path.isfile(top) else glob.glob(f"{top}/*"):
            if os.path.isfile(path):
                with open(path, "rb") as stream:
                    found[path] = (stream.read(), os.stat(path).st_mode & 0o7777)
    return found


class Snapshot:
    """The copy of one daemon. ``lib`` outlives a boot of the host, ``run`` does not."""

    def __init__(self, lib: str, run: str) -> None:
        self.folder, self.mark = f"{lib}/snapshot", f"{run}/snapshot"

    def exists(self) -> bool:
        return os.path.exists(f"{self.folder}/manifest")

    def booted_since(self) -> bool:
        """The host was started anew after the copy was made."""
        return self.exists() and not os.path.exists(self.mark)

    def take(self, paths: list[str], known: dict[str, Any]) -> None:
        """Copy files and folders, or leave nothing. Raises OSError."""
        try:
            self._take(paths, known)
        except BaseException:
            self.drop()
            raise

    def _take(self, paths: list[str], known: dict[str, Any]) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        make_folder(self.folder, 0o700)
        there = []
        for at, path in enumerate(paths):
            there.append(os.path.exists(path))
            if os.path.isdir(path):
                shutil.copytree(path, f"{self.folder}/{at}", symlinks=True)
            elif os.path.exists(path):
                shutil.copy2(path, f"{self.folder}/{at}")
        write_file(self.mark, "begun\n")
        write_file(f"{self.folder}/manifest", json.dumps({"paths": paths, "there": there, **known}))

    def known(self) -> dict[str, Any]:
        """What was put down at ``take``."""
        with open(f"{self.folder}/manifest") as stream:
            found: dict[str, Any] = json.load(stream)
        return found

    def restore(self) -> None:
        """Put all back; each file whole, files that came since go. Raises OSError."""
        known = self.known()
        for at, (path, there) in enumerate(zip(known["paths"], known["there"], strict=True)):
            copy = f"{self.folder}/{at}"
            if not there:
                if os.path.isdir(path) and not os.path.islink(path):
                    shutil.rmtree(path)
                elif os.path.lexists(path):
                    os.unlink(path)
            elif os.path.isdir(copy):
                self._folder(copy, path)
            else:
                self._file(copy, path)

    def _folder(self, copy: str, path: str) -> None:
        os.makedirs(path, exist_ok=True)
        wanted = set(os.listdir(copy))
        for name in sorted(wanted):
            source, target = f"{copy}/{name}", f"{path}/{name}"
            if os.path.isdir(source) and not os.path.islink(source):
                self._folder(source, target)
            else:
                self._file(source, target)
        for name in set(os.listdir(path)) - wanted:
            gone = f"{path}/{name}"
            if os.path.isdir(gone) and not os.path.islink(gone):
                shutil.rmtree(gone)
            else:
                os.unlink(gone)
        sync_folder(path)

    @staticmethod
    def _file(copy: str, path: str) -> None:
        draft = f"{path}.new"
        if os.path.lexists(draft):
            os.unlink(draft)
        shutil.copy2(copy, draft, follow_symlinks=False)
        os.rename(draft, path)

    def drop(self) -> None:
        """The transaction is over."""
        if self.exists():
            os.unlink(f"{self.folder}/manifest")
        shutil.rmtree(self.folder, ignore_errors=True)
        if os.path.exists(self.mark):
            os.unlink(self.mark)
