"""Key codes of other worlds as QEMU's key numbers: AT sets 1 to 3, macOS, USB, Windows; Linux and XT are near to them.

From public tables: HID usage page 7, Windows' virtual keys, the scan code sets of AT keyboards, Carbon's virtual key codes.
"""

from __future__ import annotations

import functools

from kvasir.errors import InternalError, InvalidArg

LINUX, XT, ATSET1, ATSET2, ATSET3, OS_X, XT_KBD, USB, WIN32, QNUM = range(10)
NAMES = ("linux", "xt", "atset1", "atset2", "atset3", "os_x", "xt_kbd", "usb", "win32", "qnum")

EXTENDED = {
    96: 0x9C, 97: 0x9D, 98: 0xB5, 99: 0x54, 100: 0xB8, 102: 0xC7, 103: 0xC8, 104: 0xC9, 105: 0xCB, 106: 0xCD, 107: 0xCF,
    108: 0xD0, 109: 0xD1, 110: 0xD2, 111: 0xD3, 113: 0xA0, 114: 0xAE, 115: 0xB0, 116: 0xDE, 117: 0x59, 119: 0xC6,
    121: 0x7E, 125: 0xDB, 126: 0xDC, 127: 0xDD, 142: 0xDF, 143: 0xE3, 163: 0x99, 164: 0xA2, 165: 0x90, 166: 0xA4,
}  # fmt: skip
"""Linux's codes beyond the 88 that equal set 1."""

COLUMNS = {USB: 1, WIN32: 2, OS_X: 3, ATSET2: 4, ATSET3: 5}
TABLE = """
1 29 1b 35 76 08;2 1e 31 12 16 16;3 1f 32 13 1e 1e;4 20 33 14 26 26;5 21 34 15 25 25;6 22 35 17 2e 2e;7 23 36 16 36 36
8 24 37 1a 3d 3d;9 25 38 1c 3e 3e;10 26 39 19 46 46;11 27 30 1d 45 45;12 2d bd 1b 4e 4e;13 2e bb 18 55 55
14 2a 08 33 66 66;15 2b 09 30 0d 0d;16 14 51 0c 15 15;17 1a 57 0d 1d 1d;18 08 45 0e 24 24;19 15 52 0f 2d 2d
20 17 54 11 2c 2c;21 1c 59 10 35 35;22 18 55 20 3c 3c;23 0c 49 22 43 43;24 12 4f 1f 44 44;25 13 50 23 4d 4d
26 2f db 21 54 54;27 30 dd 1e 5b 5b;28 28 0d 24 5a 5a;29 e0 a2 3b 14 11;30 04 41 00 1c 1c;31 16 53 01 1b 1b
32 07 44 02 23 23;33 09 46 03 2b 2b;34 0a 47 05 34 34;35 0b 48 04 33 33;36 0d 4a 26 3b 3b;37 0e 4b 28 42 42
38 0f 4c 25 4b 4b;39 33 ba 29 4c 4c;40 34 de 27 52 52;41 35 c0 32 0e 0e;42 e1 a0 38 12 12;43 31 dc 2a 5d 5c
44 1d 5a 06 1a 1a;45 1b 58 07 22 22;46 06 43 08 21 21;47 19 56 09 2a 2a;48 05 42 0b 32 32;49 11 4e 2d 31 31
50 10 4d 2e 3a 3a;51 36 bc 2b 41 41;52 37 be 2f 49 49;53 38 bf 2c 4a 4a;54 e5 a1 3c 59 59;55 55 6a 43 7c 7e
56 e2 a4 3a 11 19;57 2c 20 31 29 29;58 39 14 39 58 14;59 3a 70 7a 05 07;60 3b 71 78 06 0f;61 3c 72 63 04 17
62 3d 73 76 0c 1f;63 3e 74 60 03 27;64 3f 75 61 0b 2f;65 40 76 62 83 37;66 41 77 64 0a 3f;67 42 78 65 01 47
68 43 79 6d 09 4f;69 53 90 47 77 76;70 47 91 - 7e 5f;71 5f 67 59 6c 6c;72 60 68 5b 75 75;73 61 69 5c 7d 7d
74 56 6d 4e 7b 84;75 5c 64 56 6b 6b;76 5d 65 57 73 73;77 5e 66 58 74 74;78 57 6b 45 79 7c;79 59 61 53 69 69
80 5a 62 54 72 72;81 5b 63 55 7a 7a;82 62 60 52 70 70;83 63 6e 41 71 71;86 64 e2 0a 61 13;87 44 7a 67 78 56
88 45 7b 6f 07 5e;96 58 - 4c e05a 79;97 e4 a3 3e e014 58;98 54 6f 4b e04a 77;100 e6 a5 3d e011 39
102 4a 24 73 e06c 6e;103 52 26 7e e075 63;104 4b 21 74 e07d 6f;105 50 25 7b e06b 61;106 4f 27 7c e074 6a
107 4d 23 77 e069 65;108 51 28 7d e072 60;109 4e 22 79 e07a 6d;110 49 2d 72 e070 67;111 4c 2e 75 e071 64
125 e3 5b 37 e01f 8b;126 e7 5c 36 e027 8c;127 65 5d 6e e02f 8d
"""
"""Linux's code (decimal), then USB, Windows, macOS, AT set 2, AT set 3 (hexadecimal)."""


@functools.cache
def _codes(codeset: int) -> dict[int, int]:
    """Linux's code of each code of a set."""
    at = COLUMNS[codeset]
    found: dict[int, int] = {}
    for row in TABLE.replace("\n", ";").split(";"):
        words = row.split()
        if words and words[at] != "-":
            found.setdefault(int(words[at], 16), int(words[0]))
    return found


def number(codeset: int, code: int) -> int:
    """QEMU's number of a key. Raises InvalidArg, InternalError."""
    if not LINUX <= codeset <= QNUM:
        raise InvalidArg(f"Unsupported codeset '{codeset}'")
    if codeset == QNUM:
        return code
    wrong = InternalError(f"cannot translate keycode {code} of {NAMES[codeset]} codeset to qnum keycode")
    if codeset in COLUMNS:
        linux = _codes(codeset).get(code)
        if linux is None:
            raise wrong
        return EXTENDED.get(linux, linux)
    if codeset == LINUX:
        code = EXTENDED.get(code, code)
    elif code >> 8 == 0xE0:
        code = code & 0x7F | 0x80
    elif codeset in (XT, ATSET1) and code > 0x7F:
        raise wrong
    if not 0 <= code <= 0xFF:
        raise wrong
    return code
