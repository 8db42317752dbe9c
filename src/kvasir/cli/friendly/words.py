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
        return value if PLAIN.match(value) and value.lower() not in SPECIAL else json.dumps(value)
    if isinstance(value, dict):
        return "{}"
    if isinstance(value, (list, tuple)):
        return "[]"
    return json.dumps(value)
