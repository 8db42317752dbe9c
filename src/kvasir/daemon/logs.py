"""Logging as libvirtd.conf says it: ``log_level`` (1 debug, 2 info, 3 warning, 4 error), ``log_filters``, ``log_outputs``."""

from __future__ import annotations

import logging
import os
import sys
import time
from typing import Any

from kvasir import __version__, logspec

LEVELS = {1: logging.DEBUG, 2: logging.INFO, 3: logging.WARNING, 4: logging.ERROR}
NAMES = {logging.DEBUG: "debug", logging.INFO: "info", logging.WARNING: "warning", logging.ERROR: "error"}


class Lines(logging.Formatter):
    """libvirt's lines: ``DATE TIME+0000: PID: level : function:line : message``; the first two say version and host."""

    def __init__(self) -> None:
        super().__init__()
        self._first = True

    def format(self, record: logging.LogRecord) -> str:
        when = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(record.created))
        start = f"{when}.{int(record.msecs):03d}+0000: {record.process}: "
        level = NAMES.get(record.levelno, record.levelname.lower())
        text = f"{start}{level} : {record.funcName}:{record.lineno} : {record.getMessage()}"
        if record.exc_info:
            text = f"{text}\n{self.formatException(record.exc_info)}"
        if self._first:
            self._first = False
            about = f"libvirt version: 9.0.0, package: kvasir {__version__}"
            text = f"{start}info : {about}\n{start}info : hostname: {os.uname().nodename}\n{text}"
        return text


def _output(text: str) -> logging.Handler:
    level, kind, data = logspec.output(text)
    handler: logging.Handler
    if kind == "stderr":
        handler = logging.StreamHandler(sys.stderr)
    elif kind == "file":
        handler = logging.FileHandler(data, encoding="utf-8", errors="backslashreplace")
    else:
        from logging.handlers import SysLogHandler

        handler = SysLogHandler("/dev/log", SysLogHandler.LOG_DAEMON)
        handler.ident = f"{data or 'libvirtd'}: "
    handler.setLevel(LEVELS[level])
    return handler


class NameFilter(logging.Filter):
    """Filters of the form ``1:qemu``: modules whose name holds the word get that level instead of the general one."""

    def __init__(self, level: int, filters: list[tuple[str, int]]) -> None:
        super().__init__()
        self.level, self.filters = level, filters

    def filter(self, record: logging.LogRecord) -> bool:
        level = self.level
        for word, wanted in self.filters:
            if word in record.name:
                level = wanted
        return record.levelno >= level


def parse_filters(text: str) -> list[tuple[str, int]]:
    """``level:word ...`` as pairs."""
    return [(word, LEVELS[level]) for word, level in logspec.filters(text)]


class Logging:
    """What is set now, so that ``virt-admin daemon-log-*`` can show and change it."""

    def __init__(self) -> None:
        self.level, self.filters, self.outputs = 3, "", "3:stderr"

    def setup(self, config: Any, verbose: bool = False) -> None:
        """Set from the configuration, over which the variables LIBVIRT_DEBUG, LIBVIRT_LOG_FILTERS and LIBVIRT_LOG_OUTPUTS go;
        ``--verbose`` means level 2 at least."""
        wanted, filters, outputs = logspec.environment() or (None, "", "")
        level = wanted or (config.log_level if config.log_level in LEVELS else 3)
        self.level = min(level, 2) if verbose else level
        self.filters = filters or config.log_filters or ""
        self.outputs = outputs or config.log_outputs or f"{self.level}:stderr"
        self.apply(self.filters, self.outputs)

    def apply(self, filters: str, outputs: str) -> None:
        """Set filters and outputs; nothing is changed when one of them is wrong."""
        pairs = parse_filters(filters)
        handlers = [_output(one) for one in outputs.split()]
        chosen = NameFilter(LEVELS[self.level], pairs)
        for handler in handlers:
            handler.setFormatter(Lines())
            handler.addFilter(chosen)
        root = logging.getLogger()
        for old in list(root.handlers):
            root.removeHandler(old)
            if isinstance(old, logging.FileHandler):
                old.close()
        for handler in handlers:
            root.addHandler(handler)
        root.setLevel(min([LEVELS[self.level], *(level for _, level in pairs)]))
        self.filters, self.outputs = filters, outputs
