"""virsh's own options, and its two ways to run: commands of the command line, or a shell."""

from __future__ import annotations

import os
import sys

from kvasir.cli.virsh.grammar import Fail, c_integer
from kvasir.cli.virsh.shell import ERROR, INFO, Shell

VERSION = "9.0.0"
"""The libvirt whose command this is; scripts read it."""
LONG = {
    "connect": ("c", True),
    "debug": ("d", True),
    "escape": ("e", True),
    "help": ("h", False),
    "keepalive-interval": ("k", True),
    "keepalive-count": ("K", True),
    "log": ("l", True),
    "quiet": ("q", False),
    "readonly": ("r", False),
    "timing": ("t", False),
    "version": ("v", None),
}
"""Long options: their letter, and whether they take a value (None: only after ``=``)."""


class Usage(Exception):
    """An option is wrong."""


class Done(Exception):
    """An option did all there was to do."""


def options(words: list[str]) -> tuple[list[tuple[str, str, str]], list[str]]:
    """Options before the first word that is none: (letter, value, as written); and the words from there on."""
    found: list[tuple[str, str, str]] = []
    at = 0
    while at < len(words):
        word = words[at]
        if word == "--":
            return found, words[at + 1 :]
        if not word.startswith("-") or word == "-":
            break
        at += 1
        at = (_long if word.startswith("--") else _short)(words, word, at, found)
    return found, words[at:]


def _long(words: list[str], word: str, at: int, found: list[tuple[str, str, str]]) -> int:
    name, mark, value = word[2:].partition("=")
    names = [known for known in LONG if known == name] or [known for known in LONG if known.startswith(name)]
    if len(names) != 1 or (mark and LONG[names[0]][1] is False):
        found.append(("?", word, ""))
        return at
    letter, takes = LONG[names[0]]
    if takes and not mark:
        if at == len(words):
            found.append((":", letter, names[0]))
            return at
        value = words[at]
        at += 1
    found.append((letter, value, "--" + names[0]))
    return at


def _short(words: list[str], word: str, at: int, found: list[tuple[str, str, str]]) -> int:
    letters = word[1:]
    while letters:
        letter, letters = letters[0], letters[1:]
        takes = {"V": False} | {short: wants for short, wants in LONG.values()}
        if letter not in takes:
            found.append(("?", "-" + letter, ""))
        elif takes[letter]:
            if not letters and at == len(words):
                found.append((":", letter, next(name for name, (short, _) in LONG.items() if short == letter)))
                return at
            found.append((letter, letters or words[at], "-" + letter))
            return at if letters else at + 1
        else:
            found.append((letter, "", "-" + letter))
    return at


def apply(shell: Shell, letter: str, value: str, written: str) -> None:
    """One option."""
    if letter in "qrt":
        setattr(shell, {"q": "quiet", "r": "readonly", "t": "timing"}[letter], True)
    elif letter == "c":
        shell.uri, shell.named = value, True
    elif letter == "d":
        level = c_integer(value)
        if level is None:
            raise Usage(f"option {written} takes a numeric argument")
        if not 0 <= level <= ERROR:
            shell.error(f"ignoring debug level {level} out of range [0-{ERROR}]")
        else:
            shell.debug_level = level
    elif letter in "kK":
        count = c_integer(value)
        if count is None:
            raise Usage(f"Invalid value for option {written}")
        if count < 0:
            raise Usage(f"option {written} requires a positive integer argument")
        interval, misses = shell.keepalive or (5, 6)
        shell.keepalive = (count, misses) if letter == "k" else (interval, count)
    elif letter == "e":
        if not (
            (len(value) == 2 and value[0] == "^" and value[1].upper() in CONTROLS) or (len(value) == 1 and value != "^")
        ):
            raise Usage(f"Invalid string '{value}' for escape sequence")
        shell.escape = value
    elif letter == "l":
        open_log(shell, value)
    else:
        _inform(letter, value, written)


CONTROLS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_@"


def _inform(letter: str, value: str, written: str) -> None:
    """Options that print and end, and wrong ones."""
    if letter == ":":
        raise Usage(f"option '-{value}'/'--{written}' requires an argument")
    if letter == "?":
        raise Usage(f"unsupported option '{value}'. See --help.")
    from kvasir.cli.virsh import about

    if letter == "h":
        sys.stdout.write(about.usage())
    elif letter == "v" and value != "long":
        sys.stdout.write(VERSION + "\n")
    else:
        sys.stdout.write(about.version())
    raise Done


def open_log(shell: Shell, path: str) -> None:
    """Start the log file."""
    try:
        shell.log_file = open(path, "a", encoding="utf-8", errors="surrogateescape")  # noqa: SIM115  # open as long as we are
    except OSError:
        raise Usage("failed to open the log file. check the log file path") from None


def environment(shell: Shell) -> None:
    """What the environment asks for."""
    level = c_integer(os.environ.get("VIRSH_DEBUG", ""))
    if os.environ.get("VIRSH_DEBUG") and (level is None or not 0 <= level <= ERROR):
        for _ in range(2):  # the C virsh looks twice
            shell.error("VIRSH_DEBUG not set with a valid numeric value")
    elif level is not None:
        shell.debug_level = level
    if os.environ.get("VIRSH_LOG_FILE"):
        open_log(shell, os.environ["VIRSH_LOG_FILE"])
    shell.uri = os.environ.get("VIRSH_DEFAULT_CONNECT_URI") or None
    if any(name.startswith("LIBVIRT_") for name in os.environ):
        _debugging()


def _debugging() -> None:
    """Refuse what LIBVIRT_DEBUG and its like cannot mean, before anything is done."""
    from kvasir.client.uri import debug_log
    from kvasir.errors import Error

    try:
        debug_log()
    except Error as problem:
        sys.stderr.write(f"libvirt:  error : {problem}\nerror: Failed to initialize libvirt\n")
        raise Fail from None


def run(words: list[str]) -> int:
    """The whole program; gives the exit status."""
    shell = Shell()
    try:
        environment(shell)
        found, rest = options(words)
        for letter, value, written in found:
            apply(shell, letter, value, written)
        return _run(shell, rest)
    except Usage as problem:
        shell.error(str(problem))
        return 1
    except Done:
        return 0
    except Fail:
        return 1
    finally:
        shell.disconnect()


def _run(shell: Shell, words: list[str]) -> int:
    if not words:
        from kvasir.cli.virsh.interactive import loop

        shell.interactive = True
        return loop(shell)
    from kvasir.cli.virsh.grammar import ArgvWords, StringWords

    if len(words) == 1:
        shell.debug(INFO, f'commands: "{words[0]}"\n')
    commands = shell.parse(StringWords(words[0]) if len(words) == 1 else ArgvWords(words))
    if commands is None:
        return 1
    if shell.named:
        _ = shell.conn
    return 0 if shell.run(commands) else 1


def main() -> int:
    """Entry point."""
    if sys.stdout is None:  # closed before we began
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115  # open as long as we are
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="surrogateescape")  # type: ignore[union-attr]  # text streams both
    try:
        status = run(sys.argv[1:])
        sys.stdout.flush()
    except KeyboardInterrupt:
        status = 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        status = 1
    return status


def program() -> None:
    """The command itself: ``main`` without Python's own tidying up at the end, which is a tenth of a short run."""
    status = main()
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(status)


if __name__ == "__main__":
    sys.exit(main())
