"""Plain data as YAML: a small writer for what the commands print (dicts, lists, text, numbers, true, false, null)."""

from __future__ import annotations

import json
import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

PLAIN = re.compile(r"[A-Za-z_/][\w ./@+-]*(?<! )\Z", re.ASCII)
SPECIAL = {"true", "false", "yes", "no", "on", "off", "null", "y", "n"}


def yaml(value: Any) -> str:
    """The text of a document, with its last newline. Raises TypeError for what is no plain data."""
    return "\n".join(_block(value, "")) + "\n"


def _block(value: Any, indent: str) -> list[str]:
    if isinstance(value, dict) and value:
        out = []
        for key, item in value.items():
            out += _entry(f"{indent}{_scalar(str(key))}:", item, indent + "  ")
        return out
    if isinstance(value, (list, tuple)) and value:
        out = []
        for item in value:
            lines = _block(item, indent + "  ")
            out += [f"{indent}- {lines[0].lstrip(' ')}", *lines[1:]]
        return out
    return [indent + _scalar(value)]


def _entry(head: str, item: Any, indent: str) -> list[str]:
    if isinstance(item, (dict, list, tuple)) and item:
        return [head, *_block(item, indent)]
    return [f"{head} {_scalar(item)}"]


def _scalar(value: Any) -> str:
    if isinstance(value, str):
        return value if PLAIN.match(value) and value.lower() not in SPECIAL else _quoted(value)
    if isinstance(value, dict):
        return "{}"
    if isinstance(value, (list, tuple)):
        return "[]"
    if isinstance(value, float):
        text = repr(value)  # a number with an exponent and no point is text to readers of YAML 1.1
        return text.replace("e", ".0e") if "e" in text and "." not in text else text
    return json.dumps(value)


def _quoted(text: str) -> str:
    """In double quotes; what is not printable ASCII as YAML's escapes (JSON's pairs for what lies above U+FFFF are none)."""
    out = []
    for char in text:
        number = ord(char)
        if char in '"\\':
            out.append("\\" + char)
        elif 32 <= number < 127:
            out.append(char)
        else:
            out.append(f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}")
    return '"' + "".join(out) + '"'
