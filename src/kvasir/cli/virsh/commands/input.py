"""Keys and signals for a domain: send-key, inject-nmi, send-process-signal."""

from __future__ import annotations

from kvasir.cli.virsh.grammar import Args, Command, Fail, c_integer, data, number, rest, text
from kvasir.cli.virsh.shared import DOMAIN
from kvasir.cli.virsh.shell import Shell

CODESETS = ("linux", "xt", "atset1", "atset2", "atset3", "os_x", "xt_kbd", "usb", "win32", "qnum")
MOST_KEYS = 16
LINUX_KEYS = """\
RESERVED ESC 1 2 3 4 5 6 7 8 9 0 MINUS EQUAL BACKSPACE TAB Q W E R T Y U I O P LEFTBRACE RIGHTBRACE ENTER
LEFTCTRL A S D F G H J K L SEMICOLON APOSTROPHE GRAVE LEFTSHIFT BACKSLASH Z X C V B N M COMMA DOT SLASH
RIGHTSHIFT KPASTERISK LEFTALT SPACE CAPSLOCK F1 F2 F3 F4 F5 F6 F7 F8 F9 F10 NUMLOCK SCROLLLOCK KP7 KP8 KP9
KPMINUS KP4 KP5 KP6 KPPLUS KP1 KP2 KP3 KP0 KPDOT - ZENKAKUHANKAKU 102ND F11 F12 RO KATAKANA HIRAGANA HENKAN
KATAKANAHIRAGANA MUHENKAN KPJPCOMMA KPENTER RIGHTCTRL KPSLASH SYSRQ RIGHTALT LINEFEED HOME UP PAGEUP LEFT RIGHT
END DOWN PAGEDOWN INSERT DELETE MACRO MUTE VOLUMEDOWN VOLUMEUP POWER KPEQUAL KPPLUSMINUS PAUSE SCALE KPCOMMA
HANGEUL HANJA YEN LEFTMETA RIGHTMETA COMPOSE STOP AGAIN PROPS UNDO FRONT COPY OPEN PASTE FIND CUT HELP MENU CALC
SETUP SLEEP WAKEUP FILE SENDFILE DELETEFILE XFER PROG1 PROG2 WWW MSDOS COFFEE ROTATE_DISPLAY CYCLEWINDOWS MAIL
BOOKMARKS COMPUTER BACK FORWARD CLOSECD EJECTCD EJECTCLOSECD NEXTSONG PLAYPAUSE PREVIOUSSONG STOPCD RECORD
REWIND PHONE ISO CONFIG HOMEPAGE REFRESH EXIT MOVE EDIT SCROLLUP SCROLLDOWN KPLEFTPAREN KPRIGHTPAREN NEW REDO
F13 F14 F15 F16 F17 F18 F19 F20 F21 F22 F23 F24 - - - - - PLAYCD PAUSECD PROG3 PROG4 ALL_APPLICATIONS SUSPEND
CLOSE PLAY FASTFORWARD BASSBOOST PRINT HP CAMERA SOUND QUESTION EMAIL CHAT SEARCH CONNECT FINANCE SPORT SHOP
ALTERASE CANCEL BRIGHTNESSDOWN BRIGHTNESSUP MEDIA SWITCHVIDEOMODE KBDILLUMTOGGLE KBDILLUMDOWN KBDILLUMUP SEND
REPLY FORWARDMAIL SAVE DOCUMENTS BATTERY BLUETOOTH WLAN UWB UNKNOWN VIDEO_NEXT VIDEO_PREV BRIGHTNESS_CYCLE
BRIGHTNESS_AUTO DISPLAY_OFF WWAN RFKILL MICMUTE
"""
"""Names of Linux's key codes (KEY_...), by code; '-' where there is none."""
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
    if codeset == "linux" and word.startswith("KEY_"):
        names = LINUX_KEYS.split()
        if word[4:] in names:
            return names.index(word[4:])
    return None


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
