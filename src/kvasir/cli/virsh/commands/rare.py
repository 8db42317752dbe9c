"""Rarely used: SSH keys of a guest's users, dirty rates, launch secrets, passed files, attaching, namespaces."""

from __future__ import annotations

from kvasir.cli.virsh.grammar import Args, Command, Fail, data, flag, number, rest, text
from kvasir.cli.virsh.shared import DOMAIN, parameter_text, read_file
from kvasir.cli.virsh.shell import Shell

MODES = {"page-sampling": 0, "dirty-bitmap": 1, "dirty-ring": 2}
APPEND, REMOVE = 1, 2
SECRET_LIMIT, HEADER_LIMIT = 64 * 1024, 1024


def get_user_sshkeys(shell: Shell, args: Args) -> None:
    domain = shell.domain(args)
    shell.out("\n".join(domain.authorizedSSHKeysGet(args.need("user"), 0)))


def set_user_sshkeys(shell: Shell, args: Args) -> None:
    flags = REMOVE if args.flag("remove") else 0 if args.flag("reset") else APPEND
    if args.flag("reset") and args.flag("remove"):
        raise Fail("Options --reset and --remove are mutually exclusive")
    domain = shell.domain(args)
    user, path = args.need("user"), args.wanted("file")
    keys: list[str] = []
    if path is None:
        if flags:
            raise Fail("Option --file is required")
    else:
        keys = [line for line in read_file(path).split("\n") if line]
        if not keys:
            raise Fail(f"File {path} contains no keys")
    domain.authorizedSSHKeysSet(user, keys, flags)


def domdirtyrate_calc(shell: Shell, args: Args) -> None:
    domain = shell.domain(args)
    seconds = args.number("seconds")
    mode = args.wanted("mode")
    if mode is not None and mode not in MODES:
        raise Fail(f"Unknown calculation mode '{mode}'")
    domain.startDirtyRateCalc(1 if seconds is None else seconds, MODES[mode] if mode else 0)
    shell.extra("Start to calculate domain's memory dirty rate successfully.\n")


STRING_OKAY = 4
"""Libvirt's public function adds it to every question for typed parameters."""


def domlaunchsecinfo(shell: Shell, args: Args) -> None:
    domain = shell.domain(args)
    for name, value in shell.attempt(
        "Unable to get launch security parameters", domain.launchSecurityInfo, STRING_OKAY
    ).items():
        shell.out(f"{name:<15}: {parameter_text(value)}\n")


def domsetlaunchsecstate(shell: Shell, args: Args) -> None:
    from kvasir.rpc.typed import ULLong

    domain = shell.domain(args)
    header, secret = args.wanted("secrethdr"), args.wanted("secret")
    if header is None or secret is None:
        raise Fail("Both secret and the secret header are required")
    wanted: list[tuple[str, object]] = [
        ("sev-secret-header", read_file(header, HEADER_LIMIT)),
        ("sev-secret", read_file(secret, SECRET_LIMIT)),
    ]
    address = args.unsigned("set-address", 64)
    if address is not None:
        wanted.append(("sev-secret-set-address", ULLong(address)))
    shell.attempt("Unable to set launch security state", domain.setLaunchSecurityState, wanted, 0)


def dom_fd_associate(shell: Shell, args: Args) -> None:
    domain = shell.domain(args)
    name, given = args.need("name"), args.raw("pass-fds") or ""
    flags = (1 if args.flag("seclabel-restore") else 0) | (2 if args.flag("seclabel-writable") else 0)
    fds = []
    for word in given.split(",") if given else ():
        if not word.isdigit():
            raise Fail(f"Unable to parse FD number '{word}'")
        fds.append(int(word))
    domain.FDAssociate(name, fds, flags)


def qemu_attach(shell: Shell, args: Args) -> None:
    pid = args.unsigned("pid")
    shell.attempt(f"Failed to attach to pid {pid}", shell.conn.qemuAttach, pid or 0, 0)


def lxc_enter_namespace(shell: Shell, args: Args) -> None:
    shell.domain(args).lxcOpenNamespace(0)


USER = data("user", "the guest's user")
COMMANDS = [
    Command(
        "dom-fd-associate",
        "hand open files to a domain's disks",
        (
            DOMAIN,
            data("name", "name by which a disk asks for them"),
            data("pass-fds", "numbers of the open files: N,M,..."),
            flag("seclabel-writable", "label them so that the guest may write"),
            flag("seclabel-restore", "give them their labels back afterwards"),
        ),
        dom_fd_associate,
    ),
    Command(
        "domdirtyrate-calc",
        "measure how fast a domain writes to its memory",
        (
            DOMAIN,
            number("seconds", "for how long, 1 to 60"),
            text("mode", "page-sampling, dirty-bitmap or dirty-ring"),
        ),
        domdirtyrate_calc,
        description="Returns at once; domstats --dirtyrate shows the result.",
    ),
    Command("domlaunchsecinfo", "what an encrypted domain measured at its launch", (DOMAIN,), domlaunchsecinfo),
    Command(
        "domsetlaunchsecstate",
        "put a secret into an encrypted domain",
        (
            DOMAIN,
            text("secrethdr", "file with the secret's header", positional=False),
            text("secret", "file with the secret", positional=False),
            number("set-address", "address in the guest's memory"),
        ),
        domsetlaunchsecstate,
    ),
    Command("get-user-sshkeys", "authorized SSH keys of a guest's user", (DOMAIN, USER), get_user_sshkeys),
    Command(
        "lxc-enter-namespace",
        "run a command inside a container",
        (DOMAIN, flag("noseclabel", "keep the security label"), rest("cmd", "the command", required=True)),
        lxc_enter_namespace,
        description="For containers, which there are none of here.",
    ),
    Command("qemu-attach", "take up a QEMU that runs already", (data("pid", "its process"),), qemu_attach),
    Command(
        "set-user-sshkeys",
        "change the authorized SSH keys of a guest's user",
        (
            DOMAIN,
            USER,
            text("file", "file with the keys, one a line"),
            flag("reset", "these keys only"),
            flag("remove", "take these keys away"),
        ),
        set_user_sshkeys,
        needs=(("remove", "file"),),
    ),
]
