"""What the guest agent tells and does: domtime, domhostname, guestinfo, file systems, passwords."""

from __future__ import annotations

from kvasir.cli.virsh.grammar import Args, Command, Fail, data, flag, number, rest, text
from kvasir.cli.virsh.shared import DOMAIN, parameter_text
from kvasir.cli.virsh.shell import Shell
from kvasir.cli.virsh.table import table

INFO = {
    "user": (1, "users who are logged in"),
    "os": (2, "operating system"),
    "timezone": (4, "time zone"),
    "hostname": (8, "host name"),
    "filesystem": (16, "file systems"),
    "disk": (32, "disks"),
    "interface": (64, "network interfaces"),
}
SYNC = 1
HOSTNAME_SOURCES = {"lease": 1, "agent": 2}
ENCRYPTED = 1


def domtime(shell: Shell, args: Args) -> None:
    domain = shell.domain(args)
    seconds = args.number("time", -(1 << 63), (1 << 63) - 1)
    if seconds is not None or args.flag("now") or args.flag("sync"):
        if args.flag("now"):
            from time import time

            seconds = int(time())
        domain.setTime({"seconds": seconds or 0, "nseconds": 0}, SYNC if args.flag("sync") else 0)
        return
    found = domain.getTime(0)["seconds"]
    if args.flag("pretty"):
        from time import gmtime, strftime

        shell.out(f"Time: {strftime('%Y-%m-%d %H:%M:%S', gmtime(found))}")
    else:
        shell.out(f"Time: {found}")


def domhostname(shell: Shell, args: Args) -> None:
    domain = shell.domain(args)
    source = args.wanted("source")
    if source is not None and source not in HOSTNAME_SOURCES:
        raise Fail(f"Unknown data source '{source}'")
    flags = HOSTNAME_SOURCES[source] if source else 0
    shell.out(shell.attempt("failed to get hostname", domain.hostname, flags) + "\n")


def guestinfo(shell: Shell, args: Args) -> None:
    types = sum(bit for name, (bit, _) in INFO.items() if args.flag(name))
    values = shell.domain(args).guestInfo(types, 0)
    for name, value in values.items():
        shell.out(f"{name:<20}: {parameter_text(value)}\n")


def domfsinfo(shell: Shell, args: Args) -> None:
    found = shell.attempt("Unable to get filesystem information", shell.domain(args).fsInfo, 0)
    if not found:
        shell.extra("No filesystems are mounted in the domain")
        return
    rows = [[mount, name, kind, ",".join(aliases)] for mount, name, kind, aliases in found]
    shell.out(table(("Mountpoint", "Name", "Type", "Target"), rows, not shell.quiet))


def domfsfreeze(shell: Shell, args: Args) -> None:
    count = shell.attempt("Unable to freeze filesystems", shell.domain(args).fsFreeze, args.rest("mountpoint"), 0)
    shell.extra(f"Froze {count} filesystem(s)\n")


def domfsthaw(shell: Shell, args: Args) -> None:
    count = shell.attempt("Unable to thaw filesystems", shell.domain(args).fsThaw, args.rest("mountpoint"), 0)
    shell.extra(f"Thawed {count} filesystem(s)\n")


def domfstrim(shell: Shell, args: Args) -> None:
    domain = shell.domain(args)
    least = args.unsigned("minimum", 64) or 0
    shell.attempt("Unable to invoke fstrim", domain.fsTrim, args.wanted("mountpoint"), least, 0)


def set_user_password(shell: Shell, args: Args) -> None:
    user, password = args.need("user"), args.need("password")
    domain = shell.domain(args)
    domain.setUserPassword(user, password, ENCRYPTED if args.flag("encrypted") else 0)
    shell.out(f"Password set successfully for {user} in {args.need('domain')}")


def guest_agent_timeout(shell: Shell, args: Args) -> None:
    domain = shell.domain(args)
    timeout = args.number("timeout")
    domain.agentSetResponseTimeout(-2 if timeout is None else timeout, 0)


MOUNTPOINTS = rest("mountpoint", "mount points; none: all")
COMMANDS = [
    Command("domfsfreeze", "stop writing to a domain's file systems", (DOMAIN, MOUNTPOINTS), domfsfreeze),
    Command("domfsinfo", "list a domain's file systems", (DOMAIN,), domfsinfo),
    Command("domfsthaw", "write to a domain's file systems again", (DOMAIN, MOUNTPOINTS), domfsthaw),
    Command(
        "domfstrim",
        "give back unused blocks of a domain's file systems",
        (
            DOMAIN,
            number("minimum", "least length of a free range, in bytes"),
            text("mountpoint", "only this mount point"),
        ),
        domfstrim,
    ),
    Command("domhostname", "a domain's host name", (DOMAIN, text("source", "who knows: lease or agent")), domhostname),
    Command(
        "domtime",
        "read or set a domain's clock",
        (
            DOMAIN,
            flag("now", "set it to this host's time"),
            flag("pretty", "print a date"),
            flag("sync", "set it to the domain's real-time clock"),
            number("time", "set it to this, in seconds since 1970"),
        ),
        domtime,
        exclusive=(("time", "now"), ("time", "sync"), ("now", "sync")),
    ),
    Command(
        "guest-agent-timeout",
        "say how long to wait for the guest agent",
        (DOMAIN, number("timeout", "seconds; -2 for ever, -1 the default, 0 not at all", positional=False)),
        guest_agent_timeout,
    ),
    Command(
        "guestinfo",
        "what the guest agent tells",
        (DOMAIN, *(flag(name, what) for name, (_, what) in INFO.items())),
        guestinfo,
        description="Without option everything that the agent can tell.",
    ),
    Command(
        "set-user-password",
        "set a user's password in a domain",
        (
            DOMAIN,
            data("user", "the user"),
            data("password", "the new password"),
            flag("encrypted", "it is encrypted already"),
        ),
        set_user_password,
    ),
]
