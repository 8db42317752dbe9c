"""Keys and signals for a domain: send-key, inject-nmi, send-process-signal."""

from __future__ import annotations

from kvasir.cli.virsh.grammar import Args, Command, Fail, c_integer, data, number, rest, text
from kvasir.cli.virsh.shared import DOMAIN
from kvasir.cli.virsh.shell import Shell

CODESETS = ("linux", "xt", "atset1", "atset2", "atset3", "os_x", "xt_kbd", "usb", "win32", "qnum")
MOST_KEYS = 16
SIGNALS = (
    "nop hup int quit ill trap abrt bus fpe kill usr1 segv usr2 pipe alrm term stkflt chld cont stop tstp ttin ttou urg "
    "xcpu xfsz vtalrm prof winch poll pwr sys " + " ".join(f"rt{number}" for number in range(33))
).split()


def send_key(shell: Shell, args: Args) -> None:
    name = args.text("codeset") or "linux"
    name = "qnum" if name == "rfb" else name  # its other name
    domain = shell.domain(args)
    hold = args.unsigned("holdtime") or 0
    if name not in CODESETS:
        raise Fail(f"unknown codeset: '{name}'")
    words = args.rest("keycode")
    if len(words) > MOST_KEYS:
        raise Fail("too many keycodes")
    codes = []
    for word in words:
        code = key_code(name, word)
        if code is None:
            raise Fail(f"invalid keycode: '{word}'")
        codes.append(code)
    domain.sendKey(CODESETS.index(name), hold, codes, len(codes), 0)


def key_code(codeset: str, word: str) -> int | None:
    """A number, or the code of a key's name."""
    value = c_integer(word)
    if value is not None:
        return value if 0 <= value <= 0xFFFF else None
    from kvasir.cli.virsh.keycodes import names

    return names(codeset).get(word)


def inject_nmi(shell: Shell, args: Args) -> None:
    shell.domain(args).injectNMI(0)


def send_process_signal(shell: Shell, args: Args) -> None:
    domain = shell.domain(args)
    process = args.number("pid", -(1 << 63), (1 << 63) - 1)
    name = args.need("signame")
    signal = signal_number(name)
    if signal is None:
        raise Fail(f"malformed signal name: {name}")
    domain.sendProcessSignal(process, signal, 0)


def signal_number(name: str) -> int | None:
    """The number of ``kill``, ``SIG_KILL``, ``sigkill`` or ``9``."""
    value = c_integer(name)
    if value is not None:
        return value
    word = name.lower().removeprefix("sig_").removeprefix("sig")
    return SIGNALS.index(word) if word in SIGNALS else None


COMMANDS = [
    Command("inject-nmi", "give a domain a non-maskable interrupt", (DOMAIN,), inject_nmi),
    Command(
        "send-key",
        "press keys of a domain",
        (
            DOMAIN,
            text("codeset", "what the codes are, default linux", positional=False),
            number("holdtime", "how long to hold them, in milliseconds", positional=False),
            rest("keycode", "codes or names of the keys", required=True),
        ),
        send_key,
        description="The keys are pressed together.",
    ),
    Command(
        "send-process-signal",
        "send a signal to a process of a domain",
        (DOMAIN, data("pid", "number of the process"), data("signame", "name or number of the signal")),
        send_process_signal,
    ),
]
