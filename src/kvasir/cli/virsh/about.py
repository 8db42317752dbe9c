"""What virsh tells of itself: usage, version, and help for groups and commands."""

from __future__ import annotations

from kvasir.cli.virsh import names
from kvasir.cli.virsh.grammar import ALIAS, DATA, FLAG, NUMBER, REST, Command, Fail, Option

OPTIONS = (
    ("-c | --connect=URI", "the hypervisor to connect to"),
    ("-d | --debug=NUM", "debug level, 0 (all) to 4 (errors only)"),
    ("-e | --escape <char>", "how to leave a console, default ^]"),
    ("-h | --help", "this text"),
    ("-k | --keepalive-interval=NUM", "seconds between keepalive messages, 0 for none"),
    ("-K | --keepalive-count=NUM", "keepalive messages that may stay unanswered"),
    ("-l | --log=FILE", "write a log"),
    ("-q | --quiet", "print less"),
    ("-r | --readonly", "connect for looking only"),
    ("-t | --timing", "print how long each command took"),
    ("-v", "version, short"),
    ("-V", "version, long"),
    ("     --version[=TYPE]", "version, TYPE is short (default) or long"),
)


def version() -> str:
    """The long version."""
    from kvasir import __version__
    from kvasir.cli.virsh.main import VERSION

    return (
        f"Virsh command line tool of libvirt {VERSION}\n"
        f"(this one is Kvasir's, version {__version__}, with the commands and output of that release)\n\n"
        "Built in support for:\n"
        " Hypervisors: QEMU/KVM Test\n"
        " Transports: unix tcp tls ssh ext\n"
        " Miscellaneous: Readline\n"
    )


def usage() -> str:
    """The text of ``--help``."""
    text = "\nvirsh [options]... [<command_string>]\nvirsh [options]... <command> [args...]\n\n  options:\n"
    for form, what in OPTIONS:
        text += f"    {form:<23} {what}\n" if len(form) <= 23 else f"    {form}\n{'':28}{what}\n"
    text += "  commands (non interactive mode):\n\n"
    for group in names.groups():
        text += f" {group.title} (help keyword '{group.keyword}')\n" + _lines(group) + "\n"
    return (
        text
        + "\n  (specify help <group> for details about the commands in the group)\n\n  (specify help <command> for details about the command)\n\n"
    )


def _lines(group: names.Group) -> str:
    text = ""
    for name, file in group.commands:
        command = names.find(name) if file else None
        if command is not None:
            text += f"    {name:<30} {command.help}\n"
    return text


def help_text(subject: str | None) -> str:
    """What ``help`` prints for nothing, a command or a group."""
    if not subject:
        text = "Grouped commands:\n\n"
        for group in names.groups():
            lines = _lines(group)
            if lines:
                text += f" {group.title} (help keyword '{group.keyword}'):\n{lines}\n"
        return text
    command = names.find(subject)
    if command is not None:
        return command_help(command)
    for group in names.groups():
        if subject in (group.keyword, group.title):
            return f" {group.title} (help keyword '{group.keyword}'):\n{_lines(group)}"
    raise Fail(f"command or command group '{subject}' doesn't exist")


def command_help(command: Command) -> str:
    """Name, synopsis, description and options of a command."""
    shown = [option for option in command.options if option.kind != ALIAS]
    text = f"  NAME\n    {command.name} - {command.help}\n"
    text += "\n  SYNOPSIS\n    " + " ".join([command.name, *(_synopsis(option) for option in shown)]) + "\n"
    if command.description:
        text += f"\n  DESCRIPTION\n    {command.description}\n"
    if shown:
        text += "\n  OPTIONS\n"
        text += "".join(f"    {_form(option):<15}  {option.help}\n" for option in shown)
    return text + "\n"


def _synopsis(option: Option) -> str:
    name = option.name
    if option.kind == FLAG:
        return f"[--{name}]"
    if option.kind == DATA or (option.kind == NUMBER and option.required):
        return f"<{name}>"
    if option.kind == REST:
        if name in ("string", "domain"):
            return f"[<{name}>]..."
        return f"{{[--{name}] <string>}}..." if option.required else f"[[--{name}] <string>]..."
    return f"[--{name} <{'number' if option.kind == NUMBER else 'string'}>]"


def _form(option: Option) -> str:
    name = option.name
    if option.kind == FLAG:
        return f"--{name}"
    if option.kind == REST:
        return f"<{name}>" if name in ("string", "domain") else f"[--{name}] <string>"
    if option.kind == NUMBER:
        return f"[--{name}] <number>" if option.required else f"--{name} <number>"
    return f"[--{name}] <string>" if option.kind == DATA else f"--{name} <string>"
