"""``kvasir``: the friendly command. A machine in one line, and the few words needed to live with it."""

from __future__ import annotations

import argparse
import io
import os
import sys
from importlib import import_module

from kvasir.errors import Error

WORDS = {
    "launch": ("friendly.launch:launch_options", "make and start a guest"),
    "list": ("friendly.guests:list_options", "list the guests"),
    "start": ("friendly.guests:start_options", "start a guest"),
    "stop": ("friendly.guests:stop_options", "shut a guest down"),
    "console": ("friendly.guests:console_options", "open a guest's console"),
    "ssh": ("friendly.reach:ssh_options", "log into a guest"),
    "ip": ("friendly.reach:ip_options", "a guest's addresses and forwarded ports"),
    "snapshot": ("friendly.snapshots:snapshot_options", "keep a guest's state, go back to it"),
    "clone": ("friendly.clone:clone_options", "the same guest once more"),
    "resize": ("friendly.resize:resize_options", "give a guest more memory, CPUs or disk"),
    "delete": ("friendly.trash:delete_options", "put a guest into the trash"),
    "undo": ("friendly.trash:undo_options", "take a guest out of the trash"),
    "trash": ("friendly.trash:trash_options", "what lies in the trash; empty it"),
    "images": ("friendly.images:images_options", "images to launch from: list, pull, remove, update the list"),
    "image": ("", "work on disk images: create, convert, resize, check ..."),
    "doctor": ("friendly.doctor:doctor_options", "what keeps guests from running here, and what repairs it"),
    "nested": ("friendly.nested:nested_options", "may guests run guests of their own"),
    "host": ("kvasir_host:host_options", "is this host good for its guests"),
    "plan": ("kvasir_host:plan_options", "how much disk images will take, in GB"),
    "completion": ("friendly.completion:completion_options", "completion for bash, zsh or fish"),
}
"""Word -> where its options are declared (``run`` is among them; ``image`` has qemu-img's), and what it does."""


def first(prog: str = "kvasir") -> argparse.ArgumentParser:
    """The options before the word."""
    from kvasir import __version__

    width = max(len(word) for word in WORDS)
    words = "\n".join(f"  {word:<{width}}  {text}" for word, (_, text) in WORDS.items())
    p = argparse.ArgumentParser(
        prog=prog, usage="%(prog)s [-c URI] COMMAND ...", description="Virtual machines in one line.",
        epilog=f"commands:\n{words}\n\nkvasir COMMAND --help tells more.", formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    p.add_argument("--version", action="version", version=__version__)
    p.add_argument(
        "-c", "--connect", metavar="URI", help="libvirt URI; by default the system's daemon for root, else your own"
    )
    p.add_argument("command", nargs="?", metavar="COMMAND", help=argparse.SUPPRESS)
    return p


def split(words: list[str]) -> tuple[list[str], list[str]]:
    """The words up to the command, and those after it, which are the command's own."""
    at = 0
    while at < len(words) and words[at].startswith("-"):
        at += 2 if words[at] in ("-c", "--connect") else 1
    return words[: at + 1], words[at + 1 :]


def word_parser(word: str) -> argparse.ArgumentParser:
    """The options of one word."""
    where, text = WORDS[word]
    module, _, function = where.partition(":")
    p = argparse.ArgumentParser(prog=f"kvasir {word}", description=text[0].upper() + text[1:] + ".")
    p.add_argument("-c", "--connect", metavar="URI", default=argparse.SUPPRESS, help=argparse.SUPPRESS)
    getattr(import_module(f"kvasir.cli.{module}"), function)(p)
    return p


def main(argv: list[str] | None = None) -> int:
    """Entry point. Exit status: 0 done, 1 failed, 2 wrong usage, 130 interrupted."""
    from kvasir.cli.friendly.base import fail

    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal may not know all letters of a name
            stream.reconfigure(errors="backslashreplace")
    parser = first()
    head, rest = split(sys.argv[1:] if argv is None else argv)
    before = parser.parse_args(head)
    if before.command == "help" and rest[:1] and rest[0] in WORDS:
        before.command, rest = rest[0], ["--help"]
    if before.command in (None, "help"):
        parser.print_help()
        return 0 if before.command else 2
    if before.command not in WORDS:
        import difflib

        near = difflib.get_close_matches(before.command, WORDS, 1)
        parser.error(
            f"no command {before.command!r}; " + (f"did you mean {near[0]!r}?" if near else "kvasir --help names them")
        )
    if before.command == "image":  # its options are qemu-img's, which argparse would take for its own
        from kvasir.cli.image import image

        return image(argparse.Namespace(words=rest))
    options = word_parser(before.command).parse_args(rest, argparse.Namespace(connect=before.connect))
    try:
        status = int(options.run(options))
        if sys.stdout:
            sys.stdout.flush()
        return status
    except Error as error:
        fail(error.message, error.hint or "")
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
