"""The state of one virsh: its options, its connection, what it prints, and how commands run."""

from __future__ import annotations

import os
import sys

from kvasir.cli.virsh import names
from kvasir.cli.virsh.grammar import Args, ArgvWords, Fail, Parser, StringWords, Syntax
from kvasir.errors import Code, Error, Origin

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from kvasir.client.connection import Connection
    from kvasir.client.objects import Domain

PATIENCE = (5, 6)
"""Seconds and pings after which a daemon that says nothing is given up, without -k and -K."""
LEVELS = ("DEBUG", "INFO", "NOTICE", "WARNING", "ERROR")
DEBUG, INFO, NOTICE, WARNING, ERROR = range(5)


class Shell:
    """One virsh."""

    def __init__(self) -> None:
        self.quiet = False
        self.timing = False
        self.readonly = False
        self.interactive = False
        self.debug_level = ERROR
        self.uri: str | None = None
        self.escape = "^]"
        self.keepalive: tuple[int, int] | None = None
        self.log_file: Any = None
        self.lost = self.named = False
        self._connection: Connection | None = None

    # -- printing

    def out(self, text: str) -> None:
        """Print as it is."""
        sys.stdout.write(text)

    def extra(self, text: str) -> None:
        """Print unless ``--quiet``."""
        if not self.quiet:
            sys.stdout.write(text)

    def error(self, text: str) -> None:
        """An error line."""
        self.log(ERROR, text)
        sys.stdout.flush()
        sys.stderr.write(f"error: {text}\n")
        sys.stderr.flush()

    def report(self, problem: Error) -> None:
        """What the library or the daemon said went wrong."""
        self.error(problem.message or "unknown error")
        if problem.hint and sys.stderr.isatty():
            sys.stderr.write(f"hint: {problem.hint}\n")

    def debug(self, level: int, text: str) -> None:
        """Print and log when the debug level asks for it; ``text`` ends its line itself."""
        if level >= self.debug_level and self.debug_level < ERROR:
            self.log(level, text)
            self.out(text)

    def log(self, level: int, text: str) -> None:
        """A line of the log file."""
        if self.log_file is None:
            return
        from time import localtime, strftime

        stamp = strftime("%Y.%m.%d %H:%M:%S", localtime())
        self.log_file.write(f"[{stamp} virsh {os.getpid()}] {LEVELS[level]} {text.rstrip(chr(10))}\n")
        self.log_file.flush()

    # -- the connection

    @property
    def conn(self) -> Connection:
        """The connection; made when first wanted."""
        if self._connection is None or self.lost:
            self.connect()
        assert self._connection is not None
        return self._connection

    def connect(self, uri: str | None = None, readonly: bool | None = None) -> None:
        """Connect, or connect again; raises ``Fail`` when that cannot be."""
        from kvasir.client.connection import open as connect

        again = self._connection is not None
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        wanted = self.uri if uri is None else uri
        as_reader = self.readonly if readonly is None else readonly
        try:
            self._connection = connect(wanted, as_reader)
        except Error as problem:
            self.error(
                "failed to reconnect to the hypervisor"
                if again and self.lost
                else "failed to connect to the hypervisor"
            )
            self.report(problem)
            raise Fail("") from None
        if again and self.lost:
            self.error("Reconnected to the hypervisor")
        self.lost = False
        if uri is not None:
            self.uri, self.readonly = uri, as_reader
        link = self._connection.link
        link.on_close = self._disconnected
        if self.keepalive is None:
            link.patience = PATIENCE
        else:
            self._connection.setKeepAlive(*self.keepalive)

    def _disconnected(self) -> None:
        """The connection broke by itself."""
        self.lost = True
        if self._connection is not None:
            why = ("I/O error", "end of file", "keepalive timeout")[self._connection.link.reason]
            self.error(f"Disconnected from {self._connection.uri.text} due to {why}")

    def disconnect(self) -> None:
        """Say good-bye."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    # -- what commands use

    def attempt(self, text: str, call: Callable[..., Any], *values: Any) -> Any:
        """Call; when it fails print ``text`` first (what was tried), then why."""
        try:
            return call(*values)
        except Error as problem:
            self.error(text)
            self.report(problem)
            raise Fail("") from problem

    def wanted(self, args: Args, option: str, level: int = INFO) -> str:
        """The word that names an object."""
        text = args.need(option)
        self.debug(level, f"{args.command.name}: found option <{option}>: {text}\n")
        return text

    def trying(self, args: Args, option: str, what: str) -> None:
        """A word for the log: what the object is looked up as."""
        self.debug(DEBUG, f"{args.command.name}: <{option}> trying as {what}\n")

    def domain(self, args: Args, by: str = "inu", option: str = "domain") -> Domain:
        """The domain that an option names: by id, uuid, name (letters i, u, n of ``by``)."""
        return self.find_domain(self.wanted(args, option), by, args.command.name, option)

    def find_domain(self, text: str, by: str = "inu", command: str = "", option: str = "domain") -> Domain:
        """The domain of a name, id or UUID."""
        conn = self.conn
        found = None
        if "i" in by and text.lstrip(" +").isdigit() and text.isascii() and int(text) < 1 << 31:
            self.debug(DEBUG, f"{command}: <{option}> looks like ID\n")
            found = self._quietly(conn.lookupByID, int(text))
        if found is None and "u" in by and len(text) == 36:
            self.debug(DEBUG, f"{command}: <{option}> trying as domain UUID\n")
            found = self._quietly(conn.lookupByUUIDString, text)
        if found is None and "n" in by:
            self.debug(DEBUG, f"{command}: <{option}> trying as domain NAME\n")
            found = self._quietly(conn.lookupByName, text)
        if found is None:
            raise Fail(f"failed to get domain '{text}'")
        return found  # type: ignore[no-any-return]  # lookups are made from the table

    def _quietly(self, lookup: Callable[[Any], Any], key: Any) -> Any:
        try:
            return lookup(key)
        except Error as problem:
            broken = self._connection is not None and self._connection.link.broken
            if problem.code in (Code.SYSTEM_ERROR, Code.RPC) and not broken:
                self.report(problem)
            return None

    def affect(self, args: Args, default: int = 0) -> int:
        """Flags of ``--config``, ``--live``, ``--current``."""
        if args.flag("current"):
            for other in ("live", "config"):
                if args.flag(other):
                    raise Fail(f"Options --current and --{other} are mutually exclusive")
        flags = (2 if args.flag("config") else 0) | (1 if args.flag("live") else 0)
        return flags or default

    # -- running

    def parse(self, source: StringWords | ArgvWords) -> list[Args] | None:
        """The commands of a source; None (and an error line) when it is wrong."""
        try:
            return Parser(source, names.find, self.debug).parse()
        except Syntax as problem:
            for line in str(problem).split("\n"):
                self.error(line)
            return None

    def run(self, commands: list[Args]) -> bool:
        """Run commands in turn; True when the last one went well."""
        good = True
        for args in commands:
            start = self._now() if self.timing else 0.0
            good = self.run_one(args)
            if args.command.name in ("quit", "exit"):
                return good
            if self.timing:
                self.out(f"\n(Time: {(self._now() - start) * 1000:.3f} ms)\n\n")
            else:
                self.extra("\n")
        return good

    def run_one(self, args: Args) -> bool:
        """Run one command, say what went wrong."""
        try:
            if not args.command.offline:
                _ = self.conn
            args.check()
            if args.has("output") and not any(option.name == "output" for option in args.command.options):
                return self._as_data(args)
            return args.command.run(self, args) is not False
        except Fail as problem:
            if str(problem):
                self.error(str(problem))
        except Error as problem:
            if problem.code == Code.SYSTEM_ERROR and problem.origin == Origin.RPC and self._connection is not None:
                self.lost = bool(self._connection.link.broken)
            self.report(problem)
        except BrokenPipeError:
            raise
        except OSError as problem:
            self.error(f"{problem.filename}: {problem.strerror}" if problem.filename else str(problem))
        return False

    def _as_data(self, args: Args) -> bool:
        """Run a command with ``--output``: json or text."""
        from kvasir.cli.virsh import asdata

        form = args.wanted("output")
        if form not in ("json", "text"):
            raise Fail(f"--output is json or text, not '{form}'")
        if form == "text":
            return args.command.run(self, args) is not False
        quiet, self.quiet = self.quiet, self.quiet or args.command.name in asdata.HEADED
        try:
            return asdata.run(lambda: args.command.run(self, args) is not False, args)
        finally:
            self.quiet = quiet

    @staticmethod
    def _now() -> float:
        from time import monotonic

        return monotonic()
