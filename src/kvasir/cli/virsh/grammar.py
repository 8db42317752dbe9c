"""virsh's grammar: how a command is declared, and how words become commands with their options.

A command is one declaration, its options in order. Values without a name fill, in order, the options that take data
(required ones first); ``--`` ends the names; ``--name=value`` and ``--name value`` are the same; ``;`` and newlines end a
command in a string; ``#`` begins a comment; quotes and backslashes are the shell's.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from kvasir.cli.virsh.shell import Shell

FLAG, TEXT, NUMBER, DATA, REST, ALIAS = "flag", "text", "number", "data", "rest", "alias"


class Option:
    """One option of a command."""

    __slots__ = ("empty", "help", "kind", "name", "positional", "required")

    def __init__(
        self, kind: str, name: str, help: str, required: bool = False, positional: bool = True, empty: bool = False
    ) -> None:
        self.kind = kind
        self.name = name
        self.help = help
        """What it is for; of an alias: the option (``option`` or ``option=value``) that it stands for."""
        self.required = required
        self.positional = positional
        self.empty = empty
        """Whether an empty value is a value."""


def flag(name: str, help: str) -> Option:
    """An option without value."""
    return Option(FLAG, name, help, positional=False)


def data(name: str, help: str, empty: bool = False) -> Option:
    """A value that must be given, usually by its place."""
    return Option(DATA, name, help, required=True, empty=empty)


def text(name: str, help: str, positional: bool = True, empty: bool = False) -> Option:
    """A value that may be given; by its place too unless ``positional`` is false."""
    return Option(TEXT, name, help, positional=positional, empty=empty)


def number(name: str, help: str, positional: bool = True, required: bool = False) -> Option:
    """An integer."""
    return Option(NUMBER, name, help, positional=positional, required=required)


def rest(name: str, help: str, required: bool = False) -> Option:
    """All the words that are left."""
    return Option(REST, name, help, required=required)


def alias(name: str, target: str) -> Option:
    """Another spelling of an option (``target`` may carry a value: ``mode=shareable``)."""
    return Option(ALIAS, name, target, positional=False)


class Command:
    """One command: what ``help`` says, its options, what runs it."""

    __slots__ = ("description", "exclusive", "help", "name", "needs", "offline", "options", "run")

    def __init__(
        self,
        name: str,
        help: str,
        options: Sequence[Option],
        run: Callable[[Shell, Args], Any],
        *,
        description: str = "",
        exclusive: Sequence[tuple[str, str]] = (),
        needs: Sequence[tuple[str, str]] = (),
        offline: bool = False,
    ) -> None:
        self.name = name
        self.help = help
        self.options = options
        self.run = run
        self.description = description
        self.exclusive = exclusive
        """Pairs of options that exclude each other."""
        self.needs = needs
        """Pairs: the first option is given only with the second."""
        self.offline = offline
        """True when it works without a connection."""


class Fail(Exception):
    """A command failed; the text is printed as an error line ("" when all was said already)."""


class Args:
    """The options that were given."""

    __slots__ = ("command", "values")

    def __init__(self, command: Command, values: list[tuple[Option, str]]) -> None:
        self.command = command
        self.values = values

    def flag(self, name: str) -> bool:
        """Whether an option was given."""
        return any(option.name == name for option, _ in self.values)

    has = flag

    def text(self, name: str) -> str | None:
        """A value, None when not given or empty where that counts as not given."""
        for option, value in self.values:
            if option.name == name:
                return value if value or option.empty else None
        return None

    def wanted(self, name: str) -> str | None:
        """A value; an empty one is an error."""
        for option, value in self.values:
            if option.name == name:
                if not value and not option.empty:
                    raise Fail(f"Failed to get option '{name}': Option argument is empty")
                return value
        return None

    def need(self, name: str) -> str:
        """A value that the grammar made sure of."""
        found = self.wanted(name)
        if found is None:
            raise Fail(f"Failed to get option '{name}': Mandatory option not present")
        return found

    def rest(self, name: str) -> list[str]:
        """All values of an option."""
        return [value for option, value in self.values if option.name == name]

    def raw(self, name: str) -> str | None:
        """A value as it was given, empty or not."""
        return next((value for option, value in self.values if option.name == name), None)

    def number(self, name: str, low: int = -(1 << 31), high: int = (1 << 31) - 1) -> int | None:
        """A decimal integer within limits; where it cannot be negative it has no minus, be it zero."""
        for option, value in self.values:
            if option.name != name:
                continue
            found = decimal(value)
            if found is None or not low <= found <= high or (low == 0 and "-" in value):
                raise Fail(f"Numeric value '{value}' for <{name}> option is malformed or out of range")
            return found
        return None

    def unsigned(self, name: str, bits: int = 32) -> int | None:
        """A natural number."""
        return self.number(name, 0, (1 << bits) - 1)

    def wrapped(self, name: str) -> int | None:
        """A number of 64 bits; a negative one counts from the top."""
        found = self.number(name, -(1 << 64) + 1, (1 << 64) - 1)
        return None if found is None else found % (1 << 64)

    def check(self) -> None:
        """Refuse options that exclude each other or miss their partner."""
        for first, second in self.command.exclusive:
            if self.flag(first) and self.flag(second):
                raise Fail(f"Options --{first} and --{second} are mutually exclusive")
        for first, second in self.command.needs:
            if self.flag(first) and not self.flag(second):
                raise Fail(f"Option --{second} is required by option --{first}")


def c_integer(value: str) -> int | None:
    """``strtol`` with base 0 over the whole text."""
    body = value.lstrip(" \t\n").lower()
    sign = -1 if body.startswith("-") else 1
    digits = body[1:] if body[:1] in ("+", "-") else body
    try:
        if digits[:1] in ("", "+", "-", "_") or "_" in digits or digits[:2] in ("0b", "0o") or digits != digits.strip():
            return None
        base = 16 if digits.startswith("0x") else 8 if digits.startswith("0") and len(digits) > 1 else 10
        return sign * int(digits, base)
    except ValueError:
        return None


def decimal(value: str) -> int | None:
    """``strtol`` with base 10 over the whole text."""
    body = value.lstrip(" \t\n\v\f\r")
    digits = body[1:] if body[:1] in ("+", "-") else body
    if not digits.isascii() or not digits.isdigit():
        return None
    return -int(digits) if body[0] == "-" else int(digits)


class Syntax(Exception):
    """The words are no command; the text is the error, a line or more."""


WORD, SEPARATOR, END = "word", "separator", "end"


class ArgvWords:
    """Words as the caller's shell gave them: one command."""

    def __init__(self, words: Sequence[str]) -> None:
        self._words = list(words)
        self._at = 0

    def next(self, report: bool = True) -> tuple[str, str]:
        if self._at == len(self._words):
            return END, ""
        self._at += 1
        return WORD, self._words[self._at - 1]


class StringWords:
    """Words of a string: quotes, backslashes, separators and comments."""

    def __init__(self, source: str) -> None:
        self._text = source
        self._at = 0

    def next(self, report: bool = True) -> tuple[str, str]:
        source, at = self._text, self._at
        size = len(source)
        while at < size and (source[at] in " \t" or source[at : at + 2] == "\\\n"):
            at += 2 if source[at] == "\\" else 1
        if at >= size:
            self._at = at
            return END, ""
        if source[at] in ";\n":
            self._at = at + 1
            return SEPARATOR, ""
        if source[at] == "#":
            end = source.find("\n", at)
            self._at = size if end < 0 else end + 1
            return (END, "") if end < 0 else (SEPARATOR, "")
        word, self._at = _scan(source, at, report)
        return WORD, word


def _scan(source: str, at: int, report: bool) -> tuple[str, int]:
    """One word from a position on, and where it ends."""
    size, word, quote = len(source), "", ""
    while at < size:
        letter = source[at]
        if not quote and letter in " \t;\n":
            break
        if letter == "'" and quote != '"':
            quote = "" if quote else "'"
            at += 1
            continue
        if letter == "\\" and quote != "'":
            at += 1
            if at >= size:
                raise Syntax("dangling \\" if report else "")
            if source[at] == "\n":
                at += 1
                continue
        elif letter == '"' and quote != "'":
            quote = "" if quote else '"'
            at += 1
            continue
        word += source[at]
        at += 1
    if quote == '"':
        raise Syntax('missing "' if report else "")
    return word, at


class Parser:
    """Words into commands. ``find`` gives the command of a name, or None."""

    def __init__(
        self, words: ArgvWords | StringWords, find: Callable[[str], Command | None], debug: Any = None
    ) -> None:
        self._words = words
        self._find = find
        self._debug = debug

    def parse(self) -> list[Args]:
        """All commands; raises ``Syntax`` when one is wrong (then none runs)."""
        commands: list[Args] = []
        while True:
            kind, found = self._one()
            if found is not None:
                commands.append(found)
            if kind == END:
                return commands

    def _one(self) -> tuple[str, Args | None]:
        command: Command | None = None
        values: list[tuple[Option, str]] = []
        seen: set[str] = set()
        only_data = False
        while True:
            kind, word = self._words.next()
            if kind != WORD:
                break
            if command is None:
                if word.startswith("#"):
                    while kind == WORD:
                        kind, word = self._words.next(False)
                    break
                command = self._find(word)
                if command is None:
                    raise Syntax(f"unknown command: '{word}'")
                continue
            if not only_data and word == "--":
                only_data = True
                continue
            if not only_data and word[:2] == "--" and word[2:3].isascii() and word[2:3].isalnum():
                option, value = self._named(command, word[2:], seen)
            else:
                option, value = self._by_place(command, seen), word
                if option is None and command.name != "help":
                    raise Syntax(f"unexpected data '{word}'")
            if option is not None:
                values.append((option, value))
                if self._debug:
                    shape = "bool" if option.kind == FLAG else "optdata"
                    shown = "(none)" if option.kind == FLAG else value
                    self._debug(1, f"{command.name}: {option.name}({shape}): {shown}\n")
        return kind, self._finish(command, values, seen) if command else None

    def _named(self, command: Command, name: str, seen: set[str]) -> tuple[Option | None, str]:
        name, mark, value = name.partition("=")
        given: str | None = value if mark else None
        if name == "help":
            return HELP, ""
        known = (option for option in command.options if option.name == name)
        option = next(known, OUTPUT if name == OUTPUT.name else None)
        if option is not None and option.kind == ALIAS:
            target, mark, value = option.help.partition("=")
            if mark:
                if given is not None:
                    raise Syntax(f"invalid '=' after option --{target}")
                given = value
            option = next(option for option in command.options if option.name == target)
        if option is None:
            if command.name == "help":
                return None, ""
            raise Syntax(f"command '{command.name}' doesn't support option --{name}")
        if option.name in seen and option.kind != REST:
            raise Syntax(f"option --{option.name} already seen")
        seen.add(option.name)
        if option.kind == FLAG:
            if given is not None:
                raise Syntax(f"invalid '=' after option --{option.name}")
            return option, ""
        if given is None:
            kind, given = self._words.next()
            if kind != WORD:
                wanted = "number" if option.kind == NUMBER else "string"
                raise Syntax(f"expected syntax: --{option.name} <{wanted}>")
        return option, given

    @staticmethod
    def _by_place(command: Command, seen: set[str]) -> Option | None:
        for option in command.options:
            if option.positional and (option.name not in seen or option.kind == REST):
                seen.add(option.name)
                return option
        return None

    def _finish(self, command: Command, values: list[tuple[Option, str]], seen: set[str]) -> Args:
        if any(option is HELP for option, _ in values):
            asked = self._find("help")
            assert asked is not None
            return Args(asked, [(asked.options[0], command.name)])
        missing = [option for option in command.options if option.required and option.name not in seen]
        if missing:
            shown = [f"<{one.name}>" if one.kind in (DATA, REST) else f"--{one.name}" for one in missing]
            raise Syntax("\n".join(f"command '{command.name}' requires {name} option" for name in shown))
        return Args(command, values)


HELP = flag("help", "print help for this function")
OUTPUT = text("output", "text or json", positional=False)
"""Our addition to every command: see ``asdata``."""
