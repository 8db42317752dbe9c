"""Option strings of ``virt-install`` and ``virt-xml`` to paths of the document.

Sub-options are spelled as the XML path (``backend.type`` is ``backend/@type``); which paths there are comes from the
field tables of the element classes, so a new field is a new sub-option. Old spellings stand in ``spellings``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from importlib import import_module
from typing import Any

from . import grammar, tree
from .grammar import OptionError, split
from .spellings import OPTIONS, Option

__all__ = ["OptionError", "apply", "introspect", "lookup", "match", "paths", "split"]


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
            yield f"{dotted}{spelled}{star}".rstrip(".") or ".", (f"{path}{full}{star}", field)
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
        return _fill(*table[key], [])
    steps = key.split(".")
    for candidate, numbers in _readings(steps):
        if candidate in table:
            return _fill(*table[candidate], numbers)
    return None


def _fill(path: str, field: Any, numbers: list[str]) -> tuple[str, Any]:
    for number in numbers + ["0"] * path.count("*"):
        path = path.replace("*", f"[{int(number)}]", 1)
    return path, field


def _readings(steps: list[str]) -> Iterator[tuple[str, list[str]]]:
    """Each step may be a list's element, numbered or not: ``host2``, ``host[2]``, ``host``."""
    if not steps:
        yield "", []
        return
    head, rest = steps[0], steps[1:]
    found = re.fullmatch(r"(.*?)(?:\[(\d+)\]|(\d+))", head)
    choices: list[tuple[str, list[str]]] = [(head, []), (f"{head}*", ["0"])]
    if found:
        choices.append((f"{found[1]}*", [found[2] or found[3]]))
    for tail, more in _readings(rest):
        for name, number in choices:
            yield (f"{name}.{tail}" if tail else name), number + more


def _value(field: Any, key: str, value: str | None) -> str | bool | None:
    """The document's word for what the option says; a bool for elements that stand or do not. None takes away."""
    if not value:
        return None
    kind = getattr(field, "kind", "")
    if kind == "flag":
        return bool(grammar.switch(key, value))
    words: tuple[str, ...] = getattr(getattr(field, "type", None), "words", ())
    if len(words) == 2 and set(words) in ({"yes", "no"}, {"on", "off"}):
        return words[0] if grammar.switch(key, value) else words[1]
    if kind == "scaled" or getattr(getattr(field, "type", None), "json", {}).get("type") == "integer":
        number = grammar.whole(key, value)
        return str(number) if kind == "scaled" or not value.lower().startswith("0x") else value
    return value


def put(node: tree.Node, path: str, field: Any, key: str, value: str | None) -> None:
    """Set one sub-option in the document."""
    path, word = _mark(path, key, value) if field is None else (path, _value(field, key, value))
    if path.endswith("."):
        path = path.rstrip("./")
    if word is True:
        tree.find(node, path, make=True)
    elif word is False:
        tree.put(node, path, None)
    elif not path:
        node.text = str(word) if word is not None else None
    else:
        tree.put(node, path, word)


def _mark(path: str, key: str, value: str | None) -> tuple[str, str | bool | None]:
    """Paths without a field table: ``name/`` is an element that stands or not, ``:on`` and ``:yes`` are switches, ``:int`` a number."""
    if path.endswith("/"):
        return path.rstrip("/"), bool(grammar.switch(key, value))
    path, _, kind = path.partition(":")
    if not kind or not value:
        return path, value or None
    if kind == "int":
        grammar.whole(key, value)
        return path, value
    said = grammar.switch(key, value)
    return path, {"on": ("off", "on"), "yes": ("no", "yes")}[kind][bool(said)]


def target(about: Option, key: str) -> tuple[str, Any] | None:
    """Path (relative to the option's element) and field of a sub-option that is a plain path."""
    for old, new in about.numbered:
        key = re.sub(rf"\A{old}(?=\d*(\.|\Z))", new, key)
    name = about.old.get(key, key)
    found = lookup(paths(load(about.model)) if about.model else {}, about.prefix + name)
    if found is None:
        return _extra(about, name)
    path, field = found
    if about.strip:
        path = re.sub(rf"\A{about.strip}", "", path)
    return path, field


def _extra(about: Option, name: str) -> tuple[str, Any] | None:
    if name in about.extra:
        return about.extra[name], None
    for pattern, path in about.extra_lists:
        hit = re.fullmatch(pattern, name)
        if hit:
            return path.format(*(int(g or 0) for g in hit.groups())), None
    return None


def handler_of(about: Option, key: str) -> Any:
    return about.special.get(key) or next((h for p, h in about.patterns if re.match(p, key)), None)


def known(about: Option, key: str) -> bool:
    return (
        key == "clearxml"
        or key in about.listed
        or bool(_XPATH.fullmatch(key) or handler_of(about, key) or target(about, key))
    )


_XPATH = re.compile(r"xpath(\d*)\.(delete|set|create|value)")


def _plain(key: str) -> str:
    """A word without the numbers of list elements."""
    return re.sub(r"\d+(?=\.|\Z)", "", key)


def words(option: str, value: str) -> dict[str, str | None]:
    """The words of an option string as a table, its short forms put into today's words."""
    about = OPTIONS[option]
    if about.whole_string:
        return about.whole_string(value)
    found = grammar.table(
        value,
        about.first,
        lambda key: known(about, key),
        lambda key: _plain(key) in about.commas or bool(_XPATH.fullmatch(key)),
    )
    return about.convert(found) if about.convert else found


def apply(option: str, value: str, domain: tree.Node, node: tree.Node | None = None) -> list[tree.Node]:
    """Put one ``--option value`` into the document and return the elements that it filled.

    ``node`` is an element to edit instead of a new one. Raises OptionError that names the option.
    """
    about = OPTIONS[option]
    if about.stub and value == "none":
        return []
    new = node is None
    try:
        found = words(option, value)
        if about.many and new:
            devices = tree.find(domain, "devices", make=True)
            made = about.many(devices, found, domain)
            if made is not None:
                return list(made)
        if new:
            node = _place(about, domain, found)
        assert node is not None
        unknown = [k for k in found if not known(about, k)]
        if "clearxml" in found:
            said = found.pop("clearxml")
            if not about.edit:
                raise OptionError(f"Don't know how to clearxml for --{option.replace('_', '-')}")
            if grammar.switch("clearxml", said):
                clear(node, leave=bool(found))
        for key in sorted(found, key=lambda k: about.early.index(k) if k in about.early else len(about.early)):
            if key not in unknown:
                one(about, node, key, found[key], domain)
    except OptionError as error:
        raise OptionError(f"Error: --{option.replace('_', '-')} {value}: {error}") from None
    if unknown:
        raise OptionError(f"Unknown --{option.replace('_', '-')} options: {unknown}")
    return [node]


def clear(node: tree.Node, *, leave: bool) -> None:
    """Empty an element, or mark it for removal when nothing is put into it after."""
    tail = node.tail
    node.clear()
    node.tail = tail
    if not leave:
        node.set("_gone", "yes")


def one(about: Option, node: tree.Node, key: str, value: str | None, domain: tree.Node) -> None:
    """Set one sub-option: the option's own handling, an old spelling, or the XML path."""
    if value is None and key not in about.bare:
        raise OptionError(f"Option '{key}' had no value set.")
    action = _XPATH.fullmatch(key)
    if action:
        if not value:
            raise OptionError(f"Option '{key}' had no value set.")
        kept = json.loads(node.get("_xpath") or "{}")
        kept.setdefault(action[1] or "0", {})[action[2]] = value
        node.set("_xpath", json.dumps(kept))
        return
    if value == "default" and key in about.default:
        return
    handler = handler_of(about, key)
    if handler is not None:
        handler(node, key, value, domain)
        return
    found = target(about, key)
    assert found is not None
    put(node, *found, key, value)


def match(option: str, selector: str, node: tree.Node, domain: tree.Node) -> bool:
    """Whether an element has the values that a selector names (``target=vda``). Raises OptionError for unknown words."""
    about = OPTIONS[option]
    for key, value in words(option, selector).items():
        if not known(about, key):
            raise OptionError(f"Unknown --{option.replace('_', '-')} options: ['{key}']")
        if value is None:
            raise OptionError(f"Error: --{option.replace('_', '-')} {selector}: Option '{key}' had no value set.")
        seen = about.seen.get(key)
        if seen is not None:
            if seen(node) != value:
                return False
            continue
        found = target(about, key)
        if found is None:
            raise OptionError(f"Don't know how to match device type '{about.tag}' property '{key}'")
        path, field = found
        path, wanted = _mark(path, key, value) if field is None else (path, _value(field, key, value))
        have: Any = tree.get(node, path.rstrip("./")) if path != "." else node.text
        if isinstance(wanted, bool):
            have = have is not None
        if not _same(have, wanted):
            return False
    return True


def _same(have: Any, wanted: Any) -> bool:
    if have == wanted:
        return True
    try:
        return int(str(have), 0) == int(str(wanted), 0)
    except ValueError:
        return False


def _place(about: Option, domain: tree.Node, found: dict[str, str | None]) -> tree.Node:
    if about.place:
        return about.place(domain, found)
    if about.device:
        devices = tree.find(domain, "devices", make=True)
        assert devices is not None
        return tree.ET.SubElement(devices, about.tag)
    if not about.tag:
        return domain
    node = domain.find(about.tag)
    return node if node is not None else tree.ET.SubElement(domain, about.tag, {"_pad": "yes"})


def introspect(option: str) -> list[str]:
    """The sub-options that ``--option=?`` prints."""
    about = OPTIONS[option]
    names = set(about.special) | set(about.listed) | set(about.old)
    if about.model:
        for dotted in paths(load(about.model)):
            if dotted.startswith(about.prefix):
                names.add(dotted[len(about.prefix) :].replace("*", "[0-9]*"))
    names |= {n for n in about.extra} | {"clearxml"}
    names |= {f"xpath[0-9]*.{word}" for word in ("delete", "set", "create", "value")}
    rank = {"clearxml": 0}
    return sorted(names - {"", "."}, key=lambda n: (rank.get(n, 1 + n.startswith("xpath") * 2), n))
