"""Option strings of ``virt-install``: ``value,key=value,key.sub=value`` to paths of the document.

Sub-options are spelled as the XML path (``backend.type`` is ``backend/@type``); which paths there are comes from the
field tables of the element classes, so a new field is a new sub-option. Old spellings stand in ``spellings``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import import_module
from typing import Any

from . import tree
from .spellings import OPTIONS, Option

TRUE = {"yes", "on", "true", "1", "y"}
FALSE = {"no", "off", "false", "0", "n"}


class OptionError(ValueError):
    """A wrong option; the text names it."""


def split(value: str) -> list[tuple[str, str | None]]:
    """Split at commas outside of quotes into (key, value); a lone word has value None. ``,,`` is a comma."""
    out: list[tuple[str, str | None]] = []
    for word in _words(value):
        key, eq, rest = word.partition("=")
        out.append((key.strip(), rest if eq else None))
    return out


def _words(value: str) -> Iterator[str]:
    word, quote, i = "", "", 0
    while i < len(value):
        c = value[i]
        if quote:
            if c == quote:
                quote = ""
            else:
                word += c
        elif c in "\"'" and (not word or word.endswith("=")):
            quote = c
        elif c == ",":
            if value[i + 1 : i + 2] == ",":
                word += ","
                i += 1
            else:
                if word:
                    yield word
                word = ""
        else:
            word += c
        i += 1
    if quote:
        raise OptionError(f"No closing quotation in {value!r}")
    if word:
        yield word


def load(where: str) -> Any:
    """The class at ``module:Name``."""
    module, _, name = where.partition(":")
    return getattr(import_module(module), name)


_TABLES: dict[Any, dict[str, tuple[str, Any]]] = {}


def paths(cls: Any) -> dict[str, tuple[str, Any]]:
    """Dotted sub-option -> (path, field) for every field of a class, its variants and its sub-elements.

    A list's elements are spelled with a star: ``source.host*.name``.
    """
    if cls not in _TABLES:
        _TABLES[cls] = dict(_walk(cls, "", "", 0))
    return _TABLES[cls]


def _walk(cls: Any, dotted: str, path: str, depth: int) -> Iterator[tuple[str, tuple[str, Any]]]:
    if depth > 4:
        return
    for field in cls.FIELDS.values():
        if field.kind in ("attr", "text", "flag", "scaled", "texts"):
            spelled = field.path.replace("/@", ".").replace("@", "").replace("/", ".").strip(".")
            star = "*" if field.kind == "texts" else ""
            full = "." if field.path == "." else field.path
            yield f"{dotted}{spelled}{star}" or ".", (f"{path}{full}{star}", field)
            if field.kind == "scaled":
                yield f"{dotted}{spelled}.unit", (f"{path}{full}/@unit", None)
        elif field.kind == "variant":
            for part in field.table.values():
                yield from _walk(part, dotted, path, depth)
        elif field.kind in ("child", "children"):
            star = "*" if field.kind == "children" else ""
            spelled = field.path.replace("/", ".")
            yield from _walk_model(field.model, f"{dotted}{spelled}{star}.", f"{path}{field.path}{star}/", depth + 1)


def _walk_model(model: Any, dotted: str, path: str, depth: int) -> Iterator[tuple[str, tuple[str, Any]]]:
    yield from _walk(model, dotted, path, depth)
    for part in getattr(import_module(model.__module__), "KINDS", {}).values() if model.TAG == "address" else ():
        yield from _walk(part, dotted, path, depth)


def lookup(table: dict[str, tuple[str, Any]], key: str) -> tuple[str, Any] | None:
    """The path and field that a sub-option means; numbers in list steps (``host0.name``) become indexes."""
    if key in table:
        return table[key]
    numbers: list[str] = []
    generic = ".".join(_generic(step, numbers) for step in key.split("."))
    for candidate in (generic, _first_star(table, key)):
        if candidate in table:
            path, field = table[candidate]
            for number in numbers or ["0"] * path.count("*"):
                path = path.replace("*", f"[{int(number)}]", 1)
            return path.replace("*", ""), field
    return None


def _generic(step: str, numbers: list[str]) -> str:
    match = re.fullmatch(r"(.*?)(?:\[(\d+)\]|(\d+))", step)
    if not match:
        return step
    numbers.append(match[2] or match[3])
    return f"{match[1]}*"


def _first_star(table: dict[str, tuple[str, Any]], key: str) -> str:
    """``listens.type`` for ``listens*.type``: the first element of a list when no number is given."""
    for candidate in table:
        if "*" in candidate and candidate.replace("*", "") == key:
            return candidate
    return ""


def put(node: tree.Node, path: str, field: Any, key: str, value: str | None, option: str) -> None:
    """Set one sub-option in the document, its value turned to the field's words and checked."""
    if field is not None and field.kind == "flag":
        on = value is None or value.lower() in TRUE
        if not on and value is not None and value.lower() not in FALSE:
            raise OptionError(f"Error: --{option} {key}={value}: {key} must be 'yes' or 'no'")
        if on:
            tree.find(node, path, make=True)
        else:
            tree.put(node, path, None)
        return
    text = value if value is not None else "yes"
    words: tuple[str, ...] = getattr(getattr(field, "type", None), "words", ())
    if len(words) == 2 and set(words) in ({"yes", "no"}, {"on", "off"}):
        lower = text.lower()
        if lower not in TRUE | FALSE:
            raise OptionError(f"Error: --{option} {key}={text}: {key} must be 'yes' or 'no'")
        text = words[0] if lower in TRUE else words[1]
    elif field is not None and field.kind in ("attr", "text", "texts"):
        try:
            field.type.read(text)
        except (KeyError, ValueError):
            expected = f" (one of {', '.join(words)})" if words else ""
            raise OptionError(f"Error: --{option} {key}={text}: invalid value for '{key}'{expected}") from None
    if path.endswith("."):
        path = path.rstrip("./")
    if not path:
        node.text = text
    else:
        tree.put(node, path, text)


def apply(option: str, value: str, domain: tree.Node) -> tree.Node:
    """Put one ``--option value`` into the document and return the element that it filled. Raises OptionError."""
    about = OPTIONS[option]
    node = _target(about, domain)
    words = split(value)
    for i, (key, given) in enumerate(words):
        if given is None and i < len(about.first):
            words[i] = (about.first[i], key)
    for key, given in words:
        one(about, option, node, key, given, domain)
    return node


def one(about: Option, option: str, node: tree.Node, key: str, value: str | None, domain: tree.Node) -> None:
    """Set one sub-option: the option's own handling, an old spelling, or the XML path."""
    handler = about.special.get(key) or next((h for p, h in about.patterns if re.match(p, key)), None)
    if handler is not None:
        handler(node, key, value, domain)
        return
    table = paths(load(about.model)) if about.model else {}
    name = about.old.get(key, key)
    found = lookup(table, about.prefix + name)
    if found is None:
        raise OptionError(f"Unknown --{option.replace('_', '-')} options: ['{key}']")
    path, field = found
    path = path[len(about.strip) :] if about.strip and path.startswith(about.strip) else path
    put(node, path, field, key, value, option)


def _target(about: Option, domain: tree.Node) -> tree.Node:
    if about.device:
        devices = tree.find(domain, "devices", make=True)
        assert devices is not None
        return tree.ET.SubElement(devices, about.tag)
    if not about.tag:
        return domain
    node = tree.find(domain, about.tag, make=True)
    assert node is not None
    return node


def introspect(option: str) -> list[str]:
    """The sub-options that ``--option=?`` prints."""
    about = OPTIONS[option]
    names = set(about.special) | set(about.old)
    if about.model:
        for dotted in paths(load(about.model)):
            if dotted.startswith(about.prefix):
                names.add(dotted[len(about.prefix) :].replace("*", "[0-9]*"))
    return sorted(names - {"", "."})
