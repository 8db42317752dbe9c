"""What goes wrong with a packet or a document: bytes, lengths, fields of the header, pieces."""

from __future__ import annotations

import random
import re
import struct

from kvasir.rpc import frames

WORDS = (
    0,
    1,
    2,
    3,
    7,
    8,
    27,
    28,
    0x7FFFFFFF,
    0x80000000,
    0xFFFFFFFF,
    0xFFFFFFFC,
    4 << 20,
    (4 << 20) + 1,
    32 << 20,
    1 << 20,
)
HEAD = frames.HEADER


def payload(chance: random.Random, data: bytes, other: bytes = b"") -> bytes:
    """Another payload: some bytes changed, cut, doubled, or words of it replaced; ``other`` may lend a piece."""
    out = bytearray(data)
    for _ in range(chance.choice((1, 1, 1, 2, 3, 8))):
        how = chance.randrange(9)
        at = chance.randrange(len(out)) if out else 0
        if how <= 1 and out:
            out[at] ^= 1 << chance.randrange(8)
        elif how == 2 and out:
            out[at] = chance.randrange(256)
        elif how <= 4 and len(out) >= 4:
            at &= ~3
            out[at : at + 4] = struct.pack(">I", chance.choice(WORDS))
        elif how == 5:
            del out[at:]
        elif how == 6:
            out[at:at] = chance.randbytes(chance.choice((1, 4, 4, 8, 64)))
        elif how == 7 and out:
            end = min(len(out), at + 4 * chance.randrange(1, 16))
            out[at:at] = out[at:end]
        elif other:
            start = chance.randrange(len(other)) & ~3
            out[at & ~3 :] = other[start:]
    return bytes(out)


def header(chance: random.Random, packet: bytes) -> bytes:
    """One field of the header is another; the length stays true."""
    fields = list(HEAD.unpack_from(packet))
    which = chance.choice((1, 2, 3, 3, 4, 4, 5, 6, 6))
    if which in (1, 2):
        fields[which] = chance.choice((0, 1, 2, 0x20008086, 0x20008087, 0x06900690, 0x06900687, 0x6B656570, 0xFFFFFFFF))
    elif which == 3:
        fields[3] = chance.choice((0, -1, chance.randrange(460), 1 << 30, chance.randrange(1 << 16)))
    elif which == 4:
        fields[4] = chance.choice((1, 2, 3, 4, 5, 6, 7, -1, 1 << 30))
    elif which == 5:
        fields[5] = chance.randrange(1 << 32)
    else:
        fields[6] = chance.choice((1, 2, 3, -1, 1 << 30))
    return HEAD.pack(*fields) + packet[HEAD.size :]


def length(chance: random.Random, packet: bytes) -> bytes:
    """The length word lies: too small, too large, impossible."""
    size = chance.choice((*WORDS, len(packet) - 1, len(packet) + 1, len(packet) + chance.randrange(64)))
    return struct.pack(">I", size & 0xFFFFFFFF) + packet[4:]


def document(chance: random.Random, text: str) -> str:
    """A document with some letters, numbers, words, elements or attributes changed, lost or doubled."""
    for _ in range(chance.choice((1, 1, 1, 2, 2, 3, 5))):
        text = _once(chance, text) or "<"
    return text


def _once(chance: random.Random, text: str) -> str:
    how = chance.randrange(10)
    place = chance.randrange(len(text))
    if how == 0:
        return text[:place] + text[place + chance.randrange(1, 9) :]
    if how == 1:
        return text[:place] + chr(chance.choice((chance.randrange(1, 0x2FF), 0, 0xD7FF, 0x1F600))) + text[place:]
    if how == 2 and chance.random() < 0.3:
        return text[:place]
    if how in (3, 4):
        return _replace(
            chance,
            text,
            r"\d+",
            ("-1", "0", "1", "99999999999999999999", "4294967296", "x", "", "0x", "1e9", "3.5", " 7 "),
        )
    if how == 5:
        return _replace(
            chance,
            text,
            r"'[^']*'",
            ("''", "'yes'", "'no'", "'none'", "'" + "y" * 4000 + "'", "'&lt;&amp;&#10;'", "'/'", "'..'", "'%s'"),
        )
    if how == 6:  # an element twice, or away
        pieces = list(re.finditer(r"<([\w:]+)[^<>]*/>|<([\w:]+)[^<>]*>[^<>]*</\2>", text))
        if pieces:
            hit = chance.choice(pieces)
            middle = chance.choice(("", hit.group() * 2, hit.group() * 40, f"<x>{hit.group()}</x>"))
            return text[: hit.start()] + middle + text[hit.end() :]
    if how == 7:
        return _replace(
            chance,
            text,
            r" [\w:]+='[^']*'",
            ("", " x='1'", " type='file'", " type='network'", " mode='x'", " xmlns='urn:x'"),
        )
    if how == 8:
        names = sorted(set(re.findall(r"<([\w:]+)", text)))
        if names:
            return _replace(
                chance, text, rf"\b{re.escape(chance.choice(names))}\b", (chance.choice(names), "x", "name", "source")
            )
    return _replace(
        chance,
        text,
        r">[^<>]+<",
        ("><", ">-5<", ">\n<", "><![CDATA[x]]><", ">&#0;<", ">&x;<", "><!-- --><", ">" + "z" * 9000 + "<"),
    )


def _replace(chance: random.Random, text: str, pattern: str, words: tuple[str, ...]) -> str:
    hits = list(re.finditer(pattern, text))
    if not hits:
        return text
    hit = chance.choice(hits)
    return text[: hit.start()] + chance.choice(words) + text[hit.end() :]
