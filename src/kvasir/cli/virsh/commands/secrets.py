"""Secrets: secret-*."""

from __future__ import annotations

from kvasir.cli.virsh.commands.define import WRAP, XPATH, check_xpath, print_document
from kvasir.cli.virsh.grammar import Args, Command, Fail, data, flag, text
from kvasir.cli.virsh.shared import read_file
from kvasir.cli.virsh.shell import DEBUG, Shell
from kvasir.cli.virsh.table import table
from kvasir.errors import Code, Error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from kvasir.client.others import Secret

VALIDATE = 1
FILTERS = {"ephemeral": 1, "no-ephemeral": 2, "private": 4, "no-private": 8}
USAGES = ("none", "volume", "ceph", "iscsi", "tls", "vtpm")
EVENTS = ("lifecycle", "value-changed")
BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"


def find_secret(shell: Shell, args: Args) -> Secret:
    """The secret that --secret names by its UUID."""
    wanted = shell.wanted(args, "secret", DEBUG)
    try:
        return shell.conn.secretLookupByUUIDString(wanted)  # type: ignore[no-any-return]  # made from the table
    except Error as problem:
        shell.error(f"failed to get secret '{wanted}'")
        raise problem from None


def secret_define(shell: Shell, args: Args) -> None:
    path = args.need("file")
    flags = VALIDATE if args.flag("validate") else 0
    secret = shell.attempt(f"Failed to set attributes from {path}", shell.conn.secretDefineXML, read_file(path), flags)
    shell.extra(f"Secret {secret.UUIDString()} created\n")


def secret_dumpxml(shell: Shell, args: Args) -> None:
    found = find_secret(shell, args)
    check_xpath(args)
    print_document(shell, args, found.XMLDesc(0))


def secret_set_value(shell: Shell, args: Args) -> None:
    secret = find_secret(shell, args)
    path, given = args.wanted("file"), args.wanted("base64")
    if given is not None:
        shell.error("Passing secret value as command-line argument is insecure!")
        value = decode(given)
    elif path is not None:
        raw = read_file(path).encode("utf-8", "surrogateescape")
        value = raw if args.flag("plain") else decode(raw.split(b"\0")[0].decode("utf-8", "surrogateescape"))
    elif args.flag("interactive"):
        value = ask("Enter new value for secret:").encode("utf-8", "surrogateescape")
    else:
        raise Fail("Input secret value is missing")
    shell.attempt("Failed to set secret value", secret.setValue, value, 0)
    shell.extra("Secret value set\n")


def decode(text: str) -> bytes:
    """Base64 as virsh reads it: other letters are passed over, a part that is not whole is dropped."""
    from base64 import b64decode

    kept = "".join(letter for letter in text if letter in BASE64 or letter == "=")
    return b64decode(kept[: len(kept) // 4 * 4])


def ask(prompt: str) -> str:
    """A line typed by the user, unseen where that can be."""
    import sys

    if sys.stdin.isatty():
        from getpass import getpass

        return getpass(prompt)
    sys.stdout.write(prompt)
    sys.stdout.flush()
    return sys.stdin.readline().rstrip("\n")


def secret_get_value(shell: Shell, args: Args) -> None:
    from base64 import b64encode

    value = find_secret(shell, args).value(0)
    shell.out((value if args.flag("plain") else b64encode(value)).decode("utf-8", "surrogateescape"))


def secret_undefine(shell: Shell, args: Args) -> None:
    secret = find_secret(shell, args)
    uuid = args.need("secret")
    shell.attempt(f"Failed to delete secret {uuid}", secret.undefine)
    shell.extra(f"Secret {uuid} deleted\n")


def usage_text(secret: Secret) -> str:
    """What it is for, as the list says it."""
    kind = secret.usageType()
    if not kind:
        return "Unused"
    return f"{USAGES[kind] if kind < len(USAGES) else 'unknown'} {secret.usageID()}"


def secret_list(shell: Shell, args: Args) -> None:
    flags = sum(bit for name, bit in FILTERS.items() if args.flag(name))
    try:
        found = shell.conn.listAllSecrets(flags)
    except Error as problem:
        if problem.code != Code.NO_SUPPORT:
            raise Fail(f"Failed to list node secrets\nerror: {problem.message}") from None
        if flags:
            raise Fail("Filtering is not supported by this libvirt") from None
        shell.attempt("Failed to count secrets", shell.conn.numOfSecrets)
        raise
    rows = [
        [secret.UUIDString(), usage_text(secret)] for secret in sorted(found, key=lambda one: str(one.UUIDString()))
    ]
    shell.out(table(("UUID", "Usage"), rows, not shell.quiet))


def secret_event(shell: Shell, args: Args) -> bool:
    from kvasir.cli.virsh.commands.watching import watch

    secret = find_secret(shell, args) if args.wanted("secret") else None

    def describe(name: str, thing: Any, values: tuple[Any, ...]) -> str:
        head = f"event '{name}' for secret {thing.UUIDString()}"
        return head if name == "value-changed" else f"{head}: {('Defined', 'Undefined')[values[0]]}"

    conn = shell.conn
    return watch(
        shell,
        args,
        EVENTS,
        lambda number, seen: conn.secretEventRegisterAny(secret, number, seen, None),
        conn.secretEventDeregisterAny,
        describe,
    )


def _options() -> tuple[Any, ...]:
    from kvasir.cli.virsh.commands.watching import options

    return options("secret", "only this secret, by UUID")


SECRET = data("secret", "UUID of the secret")
COMMANDS = [
    Command(
        "secret-define",
        "define a secret from an XML file, or change one",
        (data("file", "file with the XML"), flag("validate", "check it against the schema")),
        secret_define,
    ),
    Command("secret-dumpxml", "print a secret's XML", (SECRET, XPATH, WRAP), secret_dumpxml),
    Command("secret-event", "wait for events of secrets", _options(), secret_event),
    Command(
        "secret-get-value",
        "print a secret's value",
        (SECRET, flag("plain", "as it is, not in base64")),
        secret_get_value,
    ),
    Command(
        "secret-list",
        "list secrets",
        (
            flag("ephemeral", "those kept in memory only"),
            flag("no-ephemeral", "those that are kept on the disk"),
            flag("private", "those whose value is not shown"),
            flag("no-private", "those whose value is shown"),
        ),
        secret_list,
    ),
    Command(
        "secret-set-value",
        "set a secret's value",
        (
            SECRET,
            text("file", "file with the value", positional=False),
            flag("plain", "the file holds the value as it is, not in base64"),
            flag("interactive", "ask for the value"),
            text("base64", "the value, in base64 (others on this host see it)"),
        ),
        secret_set_value,
        exclusive=(
            ("file", "base64"),
            ("plain", "base64"),
            ("interactive", "base64"),
            ("interactive", "plain"),
            ("interactive", "file"),
        ),
    ),
    Command("secret-undefine", "forget a secret", (SECRET,), secret_undefine),
]
