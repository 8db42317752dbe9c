"""``completion``: scripts for shells, which ask this program itself what may follow."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

BASH = """\
_kvasir() {
    local IFS=$'\\n'
    COMPREPLY=($(kvasir completion --words "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
    [ ${#COMPREPLY[@]} -gt 0 ] || COMPREPLY=($(compgen -f -- "${COMP_WORDS[COMP_CWORD]}"))
}
complete -F _kvasir kvasir
"""
ZSH = """\
#compdef kvasir
_kvasir() {
    local -a found
    found=(${(f)"$(kvasir completion --words "${(@)words[2,CURRENT]}" 2>/dev/null)"})
    if (( ${#found} )); then compadd -- $found; else _files; fi
}
compdef _kvasir kvasir
"""
FISH = """\
complete -c kvasir -f -a '(kvasir completion --words (commandline -opc)[2..-1] (commandline -ct) 2>/dev/null)'
"""
SCRIPTS = {"bash": BASH, "zsh": ZSH, "fish": FISH}
GUESTS = ("start", "stop", "console", "ssh", "ip", "snapshot", "clone", "resize", "delete")


def completion_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("shell", nargs="?", choices=sorted(SCRIPTS), help="as in: source <(kvasir completion bash)")
    parser.add_argument("--words", nargs="...", metavar="WORD", help="print what may stand for the last of these words")
    parser.set_defaults(run=completion)


def completion(options: argparse.Namespace) -> int:
    """Print the shell's script, or what may follow."""
    if options.words is None:
        shell = options.shell or os.path.basename(os.environ.get("SHELL", "bash"))
        print(SCRIPTS.get(shell, BASH), end="")
        return 0
    words = options.words or [""]
    for word in following(words[:-1], words[-1], options.connect):
        print(word)
    return 0


def following(before: list[str], begun: str, uri: str | None) -> list[str]:
    """What may stand for a word that was begun, after other words."""
    from kvasir.cli.kvasir import WORDS

    rest = list(before)
    while rest[:1] and rest[0] in ("-c", "--connect"):
        uri, rest = (rest[1] if len(rest) > 1 else None), rest[2:]
    if not rest:
        choices = [*WORDS]
    elif begun.startswith("-"):
        choices = flags(rest[0])
    elif rest[0] == "launch" or rest[-1] in ("--image", "--pull", "--remove"):
        choices = images()
    elif rest[0] == "completion":
        choices = sorted(SCRIPTS)
    elif rest[0] in ("undo", *GUESTS):
        choices = names(rest[0], rest[-1], uri, rest[1:])
    else:
        choices = []
    return [choice for choice in choices if choice.startswith(begun)]


def flags(word: str) -> list[str]:
    """The long options of a word."""
    from kvasir.cli.kvasir import WORDS, word_parser

    if not WORDS.get(word, ("",))[0]:
        return []
    return [flag for action in word_parser(word)._actions for flag in action.option_strings if flag.startswith("--")]


def images() -> list[str]:
    from .catalogue import images as known

    return ["tiny", *dict.fromkeys(name for image in known() for name in (image.name, image.full))]


def names(word: str, last: str, uri: str | None, rest: list[str]) -> list[str]:
    """Guests, or those in the trash, or a guest's snapshots; nothing where the daemon does not answer."""
    import kvasir.client as client
    from kvasir.errors import Error

    try:
        connection = client.open(uri)
        if word == "undo":
            from .trash import entries

            return [entry["name"] for entry in entries(connection.getURI())]
        if last in ("--restore", "--delete"):
            guest = next(w for w in rest if not w.startswith("-"))
            return sorted(connection.lookupByName(guest).snapshotListNames(0))
        if any(not w.startswith("-") for w in rest):
            return []
        return sorted(d.name() for d in connection.listAllDomains(0))
    except (Error, OSError, StopIteration) as error:
        print(error, file=sys.stderr)
        return []
