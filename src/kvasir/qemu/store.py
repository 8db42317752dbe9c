"""The XML files of the QEMU driver, at libvirt's paths and in its format: definitions, autostart links, status documents.

A file is written whole or not at all: a new file beside it, fsync, rename, fsync of the folder. What was left half written
by a crash has another name and is swept away at the next start; a file that cannot be read is reported and left alone.
Reading 1,000 definitions takes no parser: name and uuid are found in the text, and the document is read when needed.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
import re
from dataclasses import dataclass

from kvasir.host.beside import Beside
from kvasir.host.files import (
    NEW,
    banner,
    discard,
    failing,
    make_link,
    rehearse,
    remove,
    remove_linked,
    sync_folder,
    write_file,
)

log = logging.getLogger(__name__)

TOGETHER = 0.05
"""Seconds in which changes of a folder are gathered before they are made durable."""

_COMMENT = re.compile(r"\A\s*(<\?xml[^>]*\?>\s*)?(<!--.*?-->\s*)*", re.S)
_NAME = re.compile(r"<name>([^<]*)</name>")
_UUID = re.compile(r"<uuid>\s*([0-9a-fA-F-]{32,36})\s*</uuid>")


def body(text: str) -> str:
    """The document without the comment over it."""
    found = _COMMENT.match(text)
    return text[found.end() :] if found else text


@dataclass(slots=True)
class Found:
    """A definition as the index of the folder knows it."""

    name: str
    uuid: bytes
    text: str


def peek(text: str) -> tuple[str, bytes] | None:
    """Name and uuid of a document without parsing it; None when it does not look like a whole one."""
    if not text.rstrip().endswith("</domain>"):
        return None
    name, uuid = _NAME.search(text), _UUID.search(text)
    if name is None or uuid is None:
        return None
    try:
        return _plain(name.group(1)), bytes.fromhex(uuid.group(1).replace("-", ""))
    except ValueError:
        return None


def _plain(text: str) -> str:
    if "&" not in text:
        return text
    import html  # its table is a third of a megabyte

    return html.unescape(text)


def broken(text: str) -> str:
    """What is wrong with the syntax of a document, with line and column; empty when nothing is."""
    from lxml import etree

    try:
        etree.fromstring(
            text.encode("utf-8", "surrogateescape"), etree.XMLParser(resolve_entities=False, no_network=True)
        )
    except etree.XMLSyntaxError as error:
        return str(error)
    return ""


def read_text(path: str) -> str:
    """Raises OSError."""
    with open(path, "rb") as stream:
        return stream.read().decode("utf-8", "surrogateescape")


class Store:
    """The definitions and autostart links of one daemon."""

    def __init__(self, etc: str, autostart: str) -> None:
        self.etc, self.autostart = etc, autostart
        self._folders = FolderSync()
        self._beside = Beside("definitions")
        self._changes = 0

    def path(self, name: str) -> str:
        return f"{self.etc}/{name}.xml"

    def link(self, name: str) -> str:
        return f"{self.autostart}/{name}.xml"

    def load(self) -> list[Found]:
        """Every definition that can be read, by name. What cannot is named in the log and stays as it is."""
        found: list[Found] = []
        for entry in sorted(self._entries(self.etc)):
            path = f"{self.etc}/{entry}"
            if entry.endswith(NEW):
                with contextlib.suppress(OSError):
                    os.unlink(path)
                continue
            if not entry.endswith(".xml") or entry.startswith("."):
                continue
            try:
                text = read_text(path)
            except IsADirectoryError:
                continue
            except OSError as error:
                log.error("cannot read %s: %s", path, error.strerror)
                continue
            known = peek(text)
            if known is None:
                log.error("%s is no whole guest definition; it is left as it is and the guest is not loaded", path)
            elif known[0] + ".xml" != entry:
                log.error("%s: the name inside is '%s'; the guest is not loaded", path, known[0])
            elif problem := broken(text):
                log.error("%s: %s; the guest is not loaded", path, problem)
            else:
                found.append(Found(*known, text=body(text)))
        return found

    @staticmethod
    def _entries(path: str) -> list[str]:
        try:
            return os.listdir(path)
        except FileNotFoundError:
            return []

    def read(self, name: str) -> str:
        """The text of a definition. Raises OSError."""
        return body(read_text(self.path(name)))

    def save(self, name: str, text: str) -> None:
        """Write a definition; its name in the folder is made durable a moment later. Raises FileFailure."""
        self._changes += 1
        write_file(self.path(name), _over(name) + text, folder=False)
        self._folders.soon(self.etc)

    async def save_beside(self, name: str, text: str) -> None:
        """The same without holding up the loop."""
        before, path = self._changes, self.path(name)
        await self._beside.do(_write, path, _over(name) + text)
        self._folders.soon(self.etc)
        if self._changes != before:  # something was written or removed meanwhile: this is the later one
            self.save(name, text)

    def delete(self, name: str) -> None:
        """Remove definition and autostart link, or neither. The definition goes last: a crash between leaves a whole guest.

        Raises FileFailure."""
        self._changes += 1
        remove_linked(self.path(name), self.link(name))
        for folder in (self.autostart, self.etc):
            self._folders.soon(folder)

    def check_removable(self, name: str) -> None:
        """That a definition can be removed, before what belongs to it goes. Raises FileFailure."""
        path = self.path(name)
        with failing(f"cannot remove file '{path}'"):
            if os.path.isdir(path):
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
            if os.statvfs(self.etc).f_flag & os.ST_RDONLY:
                raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    def autostarts(self) -> set[str]:
        """The names of the guests that start with the host."""
        return {
            entry[:-4]
            for entry in self._entries(self.autostart)
            if entry.endswith(".xml") and os.path.islink(f"{self.autostart}/{entry}")
        }

    def set_autostart(self, name: str, on: bool) -> None:
        """Make or remove the link. Raises FileFailure."""
        if on:
            make_link(self.path(name), self.link(name))
        else:
            remove(self.link(name))
        self._folders.soon(self.autostart)


def _write(path: str, text: str) -> None:
    write_file(path, text, folder=False, draft=f"{path}~{NEW}")


def _over(name: str) -> str:
    return banner(f"virsh edit {shell_word(name)}")


def shell_word(name: str) -> str:
    """The name as it can stand in a comment (no ``--``)."""
    return name.replace("--", "-\\-")


class Status:
    """The status documents and pid files of running guests."""

    def __init__(self, run: str) -> None:
        self.run = run

    def path(self, name: str) -> str:
        return f"{self.run}/{name}.xml"

    def pidfile(self, name: str) -> str:
        return f"{self.run}/{name}.pid"

    def save(self, name: str, text: str) -> None:
        """Write a status document (which no crash of the host outlasts). Raises FileFailure."""
        write_file(self.path(name), _over(name) + text, durable=False)

    def rehearse(self, name: str) -> None:
        """Raise what a status document would meet that is written now. Raises FileFailure."""
        path = self.path(name)
        rehearse(path, os.path.getsize(path) if os.path.exists(path) else 0)

    def delete(self, name: str) -> None:
        """Remove a guest's files; one that stays is named in the log."""
        discard(self.path(name), self.pidfile(name))

    def traces(self) -> bool:
        """Whether any guest has a status document, a draft of one or a pid file."""
        return any(entry.endswith((".xml", NEW, ".pid")) for entry in Store._entries(self.run))

    def load(self) -> list[tuple[str, str]]:
        """(name, document) of every status file; unreadable ones are named in the log."""
        found = []
        for entry in sorted(Store._entries(self.run)):
            path = f"{self.run}/{entry}"
            if entry.endswith(".xml" + NEW):
                with contextlib.suppress(OSError):
                    os.unlink(path)
            elif entry.endswith(".xml"):
                try:
                    found.append((entry[:-4], body(read_text(path))))
                except OSError as error:
                    log.error("cannot read %s: %s", path, error.strerror)
        return found

    def orphans(self, known: set[str]) -> list[tuple[str, str]]:
        """(name, path) of pid files whose guest has no status document: a start that was cut off."""
        return [
            (entry[:-4], f"{self.run}/{entry}")
            for entry in sorted(Store._entries(self.run))
            if entry.endswith(".pid") and entry[:-4] not in known
        ]


class FolderSync:
    """Makes the entries of folders durable beside the daemon's work, many changes at once."""

    def __init__(self) -> None:
        self._waiting: set[str] = set()
        self._task: asyncio.Task[None] | None = None

    def soon(self, path: str) -> None:
        """Within moments, or at once where no loop runs."""
        self._waiting.add(path)
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            while self._waiting:
                sync_folder(self._waiting.pop())
            return
        if self._task is None or self._task.done():
            self._task = loop.create_task(self._run())

    async def _run(self) -> None:
        while self._waiting:
            await asyncio.sleep(TOGETHER)
            await asyncio.to_thread(sync_folder, self._waiting.pop())
