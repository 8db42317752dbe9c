"""Makes one parser and one writer for an element class out of its field table, on first use.

The functions are ordinary Python text compiled once, so that a document costs no look-up of a field.
``ElementClass.SOURCE`` shows the text.
"""

from __future__ import annotations

import re
from typing import Any

from kvasir.errors import Code, ConfigUnsupported, Error, InvalidArg, Origin, XmlError

from .fields import Field, clark
from .types import STR, UNITS

_ESCAPES = str.maketrans(
    {"&": "&amp;", "<": "&lt;", ">": "&gt;", "'": "&apos;", '"': "&quot;"}
    | {chr(c): "" for c in range(32) if c not in (9, 10, 13)}
)


_SPECIAL = re.compile("[&<>'\"\x00-\x08\x0b\x0c\x0e-\x1f]").search


def escape(value: str) -> str:
    """Escape as libvirt's buffer does: five characters, and control characters left out."""
    return value.translate(_ESCAPES) if _SPECIAL(value) else value


class Node:
    """One XML element of the class: its own, or one that its field paths pass through."""

    __slots__ = ("attrs", "body", "flag", "kids", "tag")

    def __init__(self, tag: str) -> None:
        self.tag = tag
        self.attrs: list[Field] = []  # attr, scaled (its unit) and variant, in order
        self.body: list[Field | Node] = []  # text, scaled, variant, object fields and nested nodes, in order
        self.kids: dict[str, Node | Field] = {}
        self.flag: Field | None = None

    def at(self, step: str) -> Node:
        kid = self.kids.get(step)
        if kid is None:
            kid = self.kids[step] = Node(step)
            self.body.append(kid)
        if isinstance(kid, Field):
            raise TypeError(f"{step!r} is a field of its own and cannot hold others")
        return kid

    def text(self) -> Field | None:
        for item in self.body:
            if isinstance(item, Field) and item.kind in ("text", "scaled"):
                return item
        return None


def tree(cls: Any) -> Node:
    """Group the fields of a class by the elements that they stand in."""
    root = Node(cls.TAG)
    for field in cls.FIELDS.values():
        _place(root, field)
    return root


def _place(root: Node, field: Field) -> None:
    if field.kind == "runtime":
        return
    if field.kind == "variant":
        root.attrs.append(field)
        root.body.append(field)
        return
    node = root
    steps = field.path.split("/")
    last = steps.pop()
    for step in steps:
        node = node.at(step)
    if field.kind == "attr":
        node.attrs.append(field)
    elif field.kind in ("text", "scaled"):
        node = node if last == "." else node.at(last)
        node.body.append(field)
        if field.kind == "scaled":
            node.attrs.append(field)
    elif field.kind == "flag":
        node.at(last).flag = field
    else:
        if last in node.kids:
            raise TypeError(f"two fields for element {last!r}")
        node.kids[last] = field
        node.body.append(field)


def said_error(words: str) -> Any:
    """The error that a field words itself: XmlError of the domain code, or what the word before a colon chooses."""
    kind, colon, rest = words.partition(":")
    if colon and kind in ("unsupported", "unsupported-storage"):
        return ConfigUnsupported(rest, origin=Origin.DOMAIN if kind == "unsupported" else Origin.STORAGE)
    if colon and kind == "xml":
        return XmlError(rest, origin=Origin.XML)
    return XmlError(words)


def fail_value(field: Field, value: str, tag: str) -> Error:
    """The error for a word that the field's type does not read."""
    if callable(field.error):
        failure: Error = field.error(value)
        return failure
    if field.error:
        said: Error = said_error(field.error.format(value=value, tag=tag))
        return said
    if field.kind == "attr":
        steps = field.path.rpartition("@")
        element = (steps[0].rstrip("/").rpartition("/")[2] or tag).rpartition("}")[2]
        return XmlError(
            f"Invalid value for attribute '{steps[2]}' in element '{element}': {_wrong(field, value)}",
            origin=Origin.XML,
        )
    return XmlError(f"Invalid value for element '{field.path.rpartition('/')[2].strip('.') or tag}': '{value}'")


def _wrong(field: Field, value: str) -> str:
    """How libvirt says what is wrong with a word; a number of the right form but out of bounds has words of its own."""
    said = re.fullmatch(r"\s*([+-]?)(\d+)", value)
    if said and field.type.name == "positiveInteger" and not int(said[2]):
        return "Zero is not permitted"
    if said and field.type.name == "naturalInteger" and said[1] == "-" and int(said[2]) <= 2**31:
        return f"'{value}'. Expected non-negative value"
    return f"'{value}'. {field.type.expected}" if field.type.expected else f"'{value}'."


def fail_missing(field: Field, tag: str) -> Error:
    """The error for a required field that the document leaves out."""
    if field.missing is not None:
        failure: Error = field.missing()
        return failure
    if isinstance(field.error, str) and field.error:
        return XmlError(field.error.format(value="", tag=tag))
    if field.kind == "attr":
        steps = field.path.rpartition("@")
        element = (steps[0].rstrip("/").rpartition("/")[2] or tag).rpartition("}")[2]
        return XmlError(f"Missing required attribute '{steps[2]}' in element '{element}'", origin=Origin.XML)
    return XmlError(f"missing element '{field.path}' in element '{tag}'")


def read_scaled(field: Field, value: str, unit: str | None, tag: str) -> int:
    """Read a size to the field's unit, rounded up as libvirt does."""
    try:
        number = int(value.strip())
        if not 0 <= number < 2**64 or not value.strip()[0].isdigit():
            raise ValueError(value)
        factor = UNITS[(unit or field.by).lower()]
    except KeyError:
        raise InvalidArg(f"unknown suffix '{unit}'", origin=Origin.NONE) from None
    except ValueError:
        raise fail_value(field, value, tag) from None
    if number > field.most // factor:
        raise _too_large(f"value too large: {number}{unit or ''}")
    size = -(-number * factor // UNITS[field.unit.lower()])
    if field.unit == "KiB" and size >= 2**53:
        raise _too_large("size value too large")
    return size


def _too_large(text: str) -> Error:
    return Error(text, code=Code.OVERFLOW, origin=Origin.NONE, message=f"numerical overflow: {text}")


def all_text(node: Any) -> str:
    """The text of a node, also where comments or elements cut it."""
    return "".join(node.itertext()) if len(node) else node.text or ""


class Writer:
    """Collects lines of Python and the values that they name."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.env: dict[str, Any] = {"esc": escape, "fail_value": fail_value, "fail_missing": fail_missing,
                                    "read_scaled": read_scaled, "all_text": all_text}  # fmt: skip
        self.count = 0

    def __call__(self, depth: int, line: str) -> None:
        self.lines.append(" " * depth + line)

    def name(self, value: Any) -> str:
        """A name under which the compiled text reaches ``value``."""
        self.count += 1
        self.env[f"s{self.count}"] = value
        return f"s{self.count}"

    def build(self) -> dict[str, Any]:
        exec(compile("\n".join(self.lines), "<element>", "exec"), self.env)
        return self.env


class ParserMaker:
    """Writes ``parse(el, keep)``."""

    def __init__(self, cls: Any) -> None:
        self.cls, self.w = cls, Writer()

    def make(self) -> tuple[Any, str]:
        w, cls = self.w, self.cls
        w.env["new"], w.env["cls"] = cls.__new__, cls
        w(0, "def parse(el, keep=False):")
        w(1, "o = new(cls)")
        w(1, "o._node = el if keep else None")
        for field in cls.FIELDS.values():
            empty = field.empty()
            if field.kind == "runtime" and field.factory:
                w(1, f"o.{field.name} = {w.name(field.factory)}()")
            else:
                w(
                    1,
                    f"o.{field.name} = {empty!r}"
                    if empty in (None, False, [])
                    else f"o.{field.name} = {w.name(empty)}",
                )
        root = tree(cls)
        self.node(root, "el", 1, 0)
        for field in root.body:
            if isinstance(field, Field) and field.kind == "variant":
                w(1, f"v = {w.name(self.variant_parsers(field))}(o.{field.by})")
                w(1, f"if v is not None: o.{field.name} = v(el, keep)")
        for field in cls.FIELDS.values():
            if field.required:
                w(1, f"if o.{field.name} is None: raise fail_missing({w.name(field)}, el.tag)")
        if getattr(cls, "parsed", None) is not None:
            w(1, "o.parsed(el)")
        w(1, "return o")
        return w.build()["parse"], "\n".join(w.lines)

    @staticmethod
    def variant_parsers(field: Field) -> Any:
        def choose(word: Any) -> Any:
            model = field.table.get(word if word is not None else field.default)
            return model.parse if model is not None else None

        return choose

    def node(self, node: Node, el: str, depth: int, level: int) -> None:
        w = self.w
        for field in node.attrs:
            if field.kind == "attr" and field.parse and field.value is None:
                w(depth, f"v = {el}.get({clark(field.path.rpartition('@')[2])!r})")
                w(depth, "if v is not None:")
                self.convert(field, "v", depth + 1)
                if field.there:
                    w(depth, f"else: raise fail_missing({w.name(field)}, el.tag)")
        text = node.text()
        if text is not None:
            w(depth, f"v = all_text({el}) if len({el}) else {el}.text")
            w(depth, "if v:")
            if text.kind == "scaled":
                w(depth + 1, f"o.{text.name} = read_scaled({w.name(text)}, v, {el}.get('unit'), {el}.tag)")
                self.checks(text, depth + 1)
            else:
                self.convert(text, "v", depth + 1)
        if node.flag:
            w(depth, f"o.{node.flag.name} = True")
        if node.kids:
            self.kids(node, el, depth, level)

    def kids(self, node: Node, el: str, depth: int, level: int) -> None:
        w = self.w
        kid, tag = f"c{level}", f"t{level}"
        groups = [step for step, sub in node.kids.items() if isinstance(sub, Node)]
        marks = {step: f"n{level}_{i}" for i, step in enumerate(groups)}
        if marks:
            w(depth, " = ".join(marks.values()) + " = True")
        w(depth, f"for {kid} in {el}:")
        w(depth + 1, f"{tag} = {kid}.tag")
        word = "if"
        for step, sub in node.kids.items():
            mark = f" and {marks[step]}" if isinstance(sub, Node) else ""
            w(depth + 1, f"{word} {tag} == {clark(step)!r}{mark}:")
            word = "elif"
            if isinstance(sub, Node):
                w(depth + 2, f"{marks[step]} = False")
                self.node(sub, kid, depth + 2, level + 1)
            else:
                self.object(sub, kid, depth + 2)

    def object(self, field: Field, kid: str, depth: int) -> None:
        w, name = self.w, field.name
        if field.kind == "children":
            w(depth, f"o.{name}.append({w.name(field.model)}.parse({kid}, keep))")
        elif field.kind == "child":
            w(depth, f"if o.{name} is None: o.{name} = {w.name(field.model)}.parse({kid}, keep)")
        elif field.kind == "texts":
            w(depth, f"v = all_text({kid})")
            if field.type is STR:
                w(depth, f"o.{name}.append(v)")
            else:
                w(depth, f"try: o.{name}.append({w.name(field.type.read)}(v))")
                w(depth, f"except (KeyError, ValueError): raise fail_value({w.name(field)}, v, {kid}.tag) from None")
        elif field.kind == "raw":
            w(depth, f"if o.{name} is None: o.{name} = {w.name(copy_node)}({kid})")
        else:
            w(depth, f"if o.{name} is None: o.{name} = {w.name(field.read)}({kid})")

    def convert(self, field: Field, value: str, depth: int) -> None:
        w = self.w
        if field.type is STR:
            w(depth, f"o.{field.name} = {value}")
        else:
            w(depth, f"try: o.{field.name} = {w.name(field.type.read)}({value})")
            w(depth, f"except (KeyError, ValueError): raise fail_value({w.name(field)}, {value}, el.tag) from None")
        self.checks(field, depth)

    def checks(self, field: Field, depth: int) -> None:
        if field.check is not None:
            w = self.w
            w.env["said_error"] = said_error
            w(depth, f"v = {w.name(field.check)}(o.{field.name})")
            w(depth, "if v: raise said_error(v)")


def copy_node(node: Any) -> Any:
    """A copy of a node that does not keep its document alive, without the blanks between its elements."""
    from copy import deepcopy

    new = deepcopy(node)
    new.tail = None
    for one in new.iter():
        if len(one) and not (one.text or "x").strip():
            one.text = None
        if one is not new and one.tail is not None and not one.tail.strip():
            one.tail = None
    return new


def write_node(node: Any, pad: str) -> str:
    """The node in libxml2's own form at this depth."""
    from lxml import etree

    outer = etree.Element("x")
    place = outer
    for _ in range(len(pad) // 2 - 1):
        place = etree.SubElement(place, "x")
    place.append(copy_node(node))
    if not pad:
        return etree.tostring(node, pretty_print=True, encoding="unicode")
    lines = etree.tostring(outer, pretty_print=True, encoding="unicode")
    depth = len(pad) // 2
    start = 0
    for _ in range(depth):
        start = lines.index("\n", start) + 1
    end = len(lines) - 1
    for _ in range(depth):
        end = lines.rindex("\n", 0, end)
    return lines[start : end + 1]


def clearer(cls: Any) -> Any:
    """The function that sets every field of a new object to what it is when the document says nothing."""
    env: dict[str, Any] = {}
    lines = ["def clear(this):", " this._node = None"]
    for name, field in cls.FIELDS.items():
        if field.many:
            lines.append(f" this.{name} = []")
            continue
        fresh = field.factory is not None
        env[f"empty_{name}"] = field.empty if fresh else field.empty()
        lines.append(f" this.{name} = empty_{name}" + ("()" if fresh else ""))
    exec(compile("\n".join(lines), "<element>", "exec"), env)
    return env["clear"]


def copier(cls: Any, copied: Any) -> Any:
    """The function that copies an object; ``copied`` copies what is no plain value."""
    env: dict[str, Any] = {"new": cls.__new__, "cls": cls, "copied": copied, "copy_node": copy_node}
    lines = ["def copy(this):", " o = new(cls)", " o._node = None"]
    for name, field in cls.FIELDS.items():
        if field.kind in ("attr", "text", "flag", "scaled"):
            lines.append(f" o.{name} = this.{name}")
            continue
        lines.append(f" v = this.{name}")
        lines.append(f" o.{name} = {'copy_node' if field.kind == 'raw' else 'copied'}(v) if v is not None else None")
    exec(compile("\n".join([*lines, " return o"]), "<element>", "exec"), env)
    return env["copy"]
