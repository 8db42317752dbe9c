"""Manual pages, written from what the commands say of themselves: ``python -m kvasir.cli.manual DIR NAME...`` makes ``DIR/NAME.1``.

virsh and virt-admin have tables of commands, the others an argparse parser or a help text.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import io
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

PAGES = {
    "virsh": ("", "manage virtual machines, networks, storage and more of a host"),
    "virt-admin": ("", "look at and change the daemon itself"),
    "kvasir": ("kvasir.cli.kvasir:first", "virtual machines in one line"),
    "kvasird": ("kvasir.daemon.main:parser", "the daemon that owns the virtual machines"),
    "virt-install": ("kvasir.cli.virt_install:parser", "make a virtual machine and install a system in it"),
    "virt-xml": ("kvasir.cli.virt_xml:parser", "change the document of a virtual machine"),
    "virt-clone": ("kvasir.cli.virt_clone:parser", "copy a virtual machine with its disks"),
    "virt-sysprep": ("kvasir.cli.virt_sysprep:parser", "take out of a guest's disks what must be its own"),
    "virt-cat": ("kvasir.cli.virt_cat", "print files of a guest that is off"),
    "virt-ls": ("kvasir.cli.virt_cat:main_ls", "list files of a guest that is off"),
    "libguestfs-test-tool": ("kvasir.cli.guestfs_test_tool:parser", "do the tools for guests' disks work on this host"),
    "virt-host-validate": ("kvasir.cli.virt_host_validate", "can this host run virtual machines"),
    "virt-pki-validate": ("kvasir.cli.virt_pki_validate", "are the certificates for TLS in order"),
    "virt-pki-query-dn": ("kvasir.cli.virt_pki_query_dn", "print the distinguished name of a certificate"),
    "virt-xml-validate": ("kvasir.cli.virt_xml_validate", "compare a document with its schema"),
    "virt-ssh-helper": ("kvasir.cli.virt_ssh_helper", "the far end of a connection by ssh"),
    "libvirt-guests": ("kvasir.cli.libvirt_guests", "save or shut down guests with the host, and run them again"),
}
"""Name -> where its options are (a parser, or a module whose ``--help`` is printed), and one line about it."""
WORDLESS = ("virt-ssh-helper", "virt-host-validate", "libvirt-guests")
"""They have no ``--help``; what they do is in their module's text."""


def quoted(text: str) -> str:
    """The text as roff takes it literally."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return "\n".join("\\&" + line if line[:1] in (".", "'") else line for line in text.split("\n"))


def page(name: str) -> str:
    """The whole manual page. Raises KeyError for a name that has none."""
    from kvasir import __version__

    where, about = PAGES[name]
    head = f'.TH "{name.upper()}" 1 "" "Kvasir {__version__}" "User Commands"\n'
    head += f".SH NAME\n{quoted(name)} \\- {quoted(about)}\n"
    if name in ("virsh", "virt-admin"):
        return head + _tables(name)
    module, _, function = where.partition(":")
    loaded = importlib.import_module(module)
    if function in ("parser", "first"):
        return head + _parser(getattr(loaded, function)(), name)
    if name in WORDLESS:
        return head + ".SH DESCRIPTION\n" + _plain(loaded.__doc__ or "")
    return head + ".SH DESCRIPTION\n" + _plain(_help(getattr(loaded, function or "main"), name))


def _help(main: Callable[[], int], name: str) -> str:
    """What a command prints for ``--help``."""
    given, sys.argv = sys.argv, [name, "--help"]
    said = io.StringIO()
    try:
        with contextlib.redirect_stdout(said), contextlib.suppress(SystemExit):
            main()
    finally:
        sys.argv = given
    return said.getvalue()


def _plain(text: str) -> str:
    return f".nf\n{quoted(text.strip())}\n.fi\n"


def _option(form: str, text: str) -> str:
    return f".TP\n.B {quoted(form)}\n{quoted(' '.join(text.split()))}\n"


def _parser(parser: argparse.ArgumentParser, name: str) -> str:
    formatter = parser._get_formatter()  # argparse has no other way to expand %(default)s
    text = f".SH SYNOPSIS\n{quoted(' '.join(parser.format_usage().removeprefix('usage: ').split()))}\n"
    if parser.description:
        text += f".SH DESCRIPTION\n{quoted(parser.description)}\n"
    for group in parser._action_groups:
        actions = [one for one in group._group_actions if one.help is not argparse.SUPPRESS]
        if actions:
            text += f'.SH "{quoted((group.title or "options").upper())}"\n'
        for action in actions:
            value = "" if action.nargs == 0 else formatter._format_args(action, (action.dest or "").upper())
            form = ", ".join(action.option_strings) + (f" {value}" if value else "")
            text += _option(form.strip() or action.dest, formatter._expand_help(action) if action.help else "")
    if parser.epilog:
        text += f".SH MORE\n{_plain(parser.epilog % {'prog': name})}"
    return text


def _tables(name: str) -> str:
    from kvasir.cli.virsh import about, names
    from kvasir.cli.virt_admin import commands as admin

    synopsis = f".SH SYNOPSIS\n.B {quoted(name)}\n[options]... [command [arguments]...]\n"
    if name == "virt-admin":
        listed: Iterable[tuple[str, list[str]]] = [(title, [c.name for c in own]) for title, _, own in admin.GROUPS]
        find: Callable[[str], object] = admin.find
        options = ""
    else:
        listed = [(group.title, [word for word, file in group.commands if file]) for group in names.groups()]
        find = names.find
        options = ".SH OPTIONS\n" + "".join(_option(form.strip(), what) for form, what in about.OPTIONS)
    text = synopsis + options
    for title, words in listed:
        text += f'.SH "{quoted(title.upper())}"\n'
        for word in words:
            command = find(word)
            if command is not None:
                text += f'.SS "{quoted(word)}"\n' + _plain(about.command_help(command))  # type: ignore[arg-type]  # both tables
    return text


def main() -> int:
    """The command. Exit status: 0 made, 2 no such page."""
    folder, *wanted = sys.argv[1:] or [""]
    if not wanted or not set(wanted) <= set(PAGES):
        print(f"usage: manual DIR {'|'.join(PAGES)} ...", file=sys.stderr)
        return 2
    for name in wanted:
        with open(f"{folder}/{name}.1", "w", encoding="utf-8") as file:
            file.write(page(name))
    return 0


if __name__ == "__main__":
    sys.exit(main())
