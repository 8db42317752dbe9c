"""The syntax of libvirt's ``*.conf`` files: ``key = value`` lines with numbers, strings and lists of strings; ``#`` comments.

``parse(text, name) -> {key: (value, line)}``. What is wrong raises ``ConfSyntax`` that names file and line.
"""

from __future__ import annotations

import re
from typing import TypeAlias

from kvasir.errors import Code, Error, Origin

Value: TypeAlias = "int | str | list[str]"

_SKIP = re.compile(r"(?:[ \t\r\n]+|#[^\n]*)*")
_BLANK = re.compile(r"[ \t]*")
_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_.\-]*")
_NUMBER = re.compile(r"-?[0-9]+(?![A-Za-z0-9_])")
_END = re.compile(r"[ \t\r]*(?:#[^\n]*)?(?:\n|\Z)")


class ConfSyntax(Error):
    """configuration file syntax error"""

    code, prefix = Code.CONF_SYNTAX, "configuration file syntax error"

    def __init__(self, name: str, line: int, problem: str) -> None:
        super().__init__(f"{name}:{line}: {problem}", origin=Origin.CONF)


class _Reader:
    def __init__(self, text: str, name: str) -> None:
        self.text, self.name, self.pos = text, name, 0

    def fail(self, problem: str) -> ConfSyntax:
        return ConfSyntax(self.name, self.text.count("\n", 0, self.pos) + 1, problem)

    def match(self, pattern: re.Pattern[str]) -> str | None:
        found = pattern.match(self.text, self.pos)
        if found is None:
            return None
        self.pos = found.end()
        return found[0]

    def entry(self) -> tuple[str, Value, int]:
        line = self.text.count("\n", 0, self.pos) + 1
        key = self.match(_KEY)
        if key is None:
            raise self.fail("expecting a name")
        self.match(_BLANK)
        if not self.text.startswith("=", self.pos):
            raise self.fail("expecting an assignment")
        self.pos += 1
        self.match(_BLANK)
        value = self.value()
        if self.match(_END) is None:
            raise self.fail("expecting a separator")
        return key, value, line

    def value(self) -> Value:
        if self.text.startswith("[", self.pos):
            return self.items()
        if self.text[self.pos : self.pos + 1] in ("'", '"'):
            return self.string()
        number = self.match(_NUMBER)
        if number is None:
            raise self.fail("expecting a value")
        return int(number)

    def items(self) -> list[str]:
        self.pos += 1
        found: list[str] = []
        while True:
            self.match(_SKIP)
            if self.text.startswith("]", self.pos):
                self.pos += 1
                return found
            if self.text[self.pos : self.pos + 1] not in ("'", '"'):
                raise self.fail("list is not closed with ]" if self.pos >= len(self.text) else "expecting a string")
            found.append(self.string())
            self.match(_SKIP)
            if self.text.startswith(",", self.pos):
                self.pos += 1
            elif not self.text.startswith("]", self.pos):
                raise self.fail("list is not closed with ]")

    def string(self) -> str:
        quote = '"""' if self.text.startswith('"""', self.pos) else self.text[self.pos]
        start = self.pos + len(quote)
        end = self.text.find(quote, start)
        if end < 0 or (len(quote) == 1 and "\n" in self.text[start:end]):
            raise self.fail("unterminated string")
        self.pos = end + len(quote)
        return self.text[start:end]


def parse(text: str, name: str) -> dict[str, tuple[Value, int]]:
    """Keys with value and line; a later line of the same key wins, as in libvirt."""
    reader = _Reader(text, name)
    found: dict[str, tuple[Value, int]] = {}
    while True:
        reader.match(_SKIP)
        if reader.pos >= len(text):
            return found
        key, value, line = reader.entry()
        found[key] = (value, line)
