"""RELAX NG and JSON schema out of the field tables."""

from __future__ import annotations

from typing import Any
from xml.sax.saxutils import quoteattr

from .fields import Field, clark
from .types import STR, Type

OPTIONAL_KINDS = ("attr", "text", "flag", "scaled", "texts", "child", "children", "raw", "custom")


class Shape:
    """What may stand in one element: attributes, text, sub-elements. Variant parts are merged in."""

    def __init__(self) -> None:
        self.attrs: dict[str, list[Field]] = {}
        self.text: list[Field] = []
        self.kids: dict[str, Shape] = {}
        self.models: dict[str, list[Any]] = {}
        self.texts: dict[str, Field] = {}
        self.open: set[str] = set()
        self.many: set[str] = set()

    def add(self, cls: Any) -> Shape:
        for field in cls.FIELDS.values():
            if field.kind == "variant":
                for part in dict.fromkeys(field.table.values()):
                    self.add(part)
            elif field.kind in OPTIONAL_KINDS:
                self._place(field)
        return self

    def _place(self, field: Field) -> None:
        steps = field.path.split("/")
        last = steps.pop()
        node = self
        for step in steps:
            node = node.kids.setdefault(step, Shape())
        if field.kind == "attr" and last.startswith("@xmlns:"):
            return
        if field.kind == "attr":
            node.attrs.setdefault(last[1:], []).append(field)
        elif field.kind == "texts":
            node.texts[last] = field
        elif field.kind in ("child", "children"):
            node.models.setdefault(last, []).append(field.model)
            if field.kind == "children":
                node.many.add(last)
        elif field.kind in ("raw", "custom"):
            node.open.add(last)
        else:
            node = node if last == "." else node.kids.setdefault(last, Shape())
            if field.kind in ("text", "scaled"):
                node.text.append(field)
            if field.kind == "scaled":
                node.attrs.setdefault("unit", [])


def stand_ins(cls: Any) -> list[Any]:
    """The classes that an element of this tag may be of."""
    kinds = getattr(cls, "kinds", None)
    return list(kinds().values()) if kinds is not None else [cls]


def shape(cls: Any) -> Shape:
    """The merged shape of a class and its stand-ins."""
    out = Shape()
    for one in stand_ins(cls):
        out.add(one)
    return out


class _Grammar:
    def __init__(self, root: Any) -> None:
        self.defines: dict[str, str] = {}
        self.start = self.define(root, root.TAG)

    def define(self, cls: Any, tag: str) -> str:
        name = f"{cls.__module__.rpartition('.')[2]}.{cls.__name__}.{tag.replace(':', '-')}"
        if name not in self.defines:
            self.defines[name] = ""
            self.defines[name] = self.element(tag, shape(cls))
        return name

    def element(self, tag: str, node: Shape) -> str:
        inside = [f"<optional>{self.attribute(name, fields)}</optional>" for name, fields in node.attrs.items()]
        kids = [self.kid(step, sub, step in node.many) for step, sub in node.kids.items()]
        for step, models in node.models.items():
            if step in node.kids:
                continue
            refs = "".join(f'<ref name="{self.define(m, step)}"/>' for m in dict.fromkeys(models))
            kids.append(f"<zeroOrMore><choice>{refs}</choice></zeroOrMore>")
        kids += [
            f"<zeroOrMore>{self.open_tag(step)}{self.value(f.type)}</element></zeroOrMore>"
            for step, f in node.texts.items()
        ]
        kids += [f"<zeroOrMore>{self.open_tag(step)}<ref name='any'/></element></zeroOrMore>" for step in node.open]
        if node.text and not kids:
            inside.append(f"<choice><empty/>{''.join(dict.fromkeys(self.value(f.type) for f in node.text))}</choice>")
        elif node.text:
            inside.append(f"<interleave><text/>{''.join(kids)}</interleave>")
            kids = []
        if kids:
            inside.append(f"<interleave>{''.join(kids)}</interleave>")
        return f"{self.open_tag(tag)}{''.join(inside) or '<empty/>'}</element>"

    @staticmethod
    def open_tag(tag: str) -> str:
        full = clark(tag)
        if full.startswith("{"):
            namespace, _, local = full[1:].partition("}")
            return f"<element name={quoteattr(local)} ns={quoteattr(namespace)}>"
        return f"<element name={quoteattr(tag)}>"

    def kid(self, step: str, sub: Shape, many: bool) -> str:
        word = "zeroOrMore" if many else "optional"
        return f"<{word}>{self.element(step, sub)}</{word}>"

    def attribute(self, name: str, fields: list[Field]) -> str:
        values = list(dict.fromkeys(self.value(f.type) for f in fields)) or ["<text/>"]
        body = values[0] if len(values) == 1 else f"<choice>{''.join(values)}</choice>"
        return f"<attribute name={quoteattr(name)}>{body}</attribute>"

    @staticmethod
    def value(type: Type) -> str:
        if type.words:
            return "<choice>" + "".join(f"<value>{w}</value>" for w in type.words) + "</choice>"
        if type.pattern:
            return f'<data type="string"><param name="pattern">\\s*({type.pattern})\\s*</param></data>'
        if type is not STR and type.json.get("type") == "integer":
            return '<data type="string"><param name="pattern">\\s*[+\\-]?(0x[0-9a-fA-F]+|[0-9]+)\\s*</param></data>'
        return "<text/>"

    def text(self) -> str:
        any_content = (
            '<define name="any"><zeroOrMore><choice><text/><attribute><anyName/></attribute>'
            '<element><anyName/><ref name="any"/></element></choice></zeroOrMore></define>'
        )
        body = "".join(f'<define name="{n}">{b}</define>' for n, b in self.defines.items())
        return (
            '<grammar xmlns="http://relaxng.org/ns/structure/1.0" datatypeLibrary="http://www.w3.org/2001/XMLSchema-datatypes">'
            f'<start><ref name="{self.start}"/></start>{body}{any_content}</grammar>'
        )


def relax_ng(cls: Any) -> str:
    """The RELAX NG grammar of a document whose root is ``cls``."""
    return _Grammar(cls).text()


def json_schema(cls: Any) -> dict[str, Any]:
    """The JSON schema of a class: one property for each field, sub-elements by reference."""
    definitions: dict[str, Any] = {}
    root = _json_ref(cls, definitions)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **root, "$defs": definitions}


def _json_ref(cls: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    name = cls.__name__
    if name not in definitions:
        definitions[name] = {}
        properties: dict[str, Any] = {}
        for field in cls.FIELDS.values():
            if field.kind != "runtime":
                properties[field.name] = _json_field(field, definitions)
        definitions[name] = {
            "type": "object",
            "description": (cls.__doc__ or "").strip().partition("\n")[0],
            "properties": properties,
            "required": [f.name for f in cls.FIELDS.values() if f.required],
            "additionalProperties": False,
        }
    return {"$ref": f"#/$defs/{name}"}


def _json_field(field: Field, definitions: dict[str, Any]) -> dict[str, Any]:
    if field.kind == "flag" or field.type.name in ("yesno", "onoff", "10"):
        out: dict[str, Any] = {"type": "boolean"}
    elif field.kind == "scaled":
        out = {"type": "integer", "minimum": 0, "x-unit": field.unit}
    elif field.kind == "child":
        out = {"anyOf": [_json_ref(m, definitions) for m in stand_ins(field.model)]}
    elif field.kind == "children":
        out = {"type": "array", "items": {"anyOf": [_json_ref(m, definitions) for m in stand_ins(field.model)]}}
    elif field.kind == "variant":
        out = {"anyOf": [_json_ref(m, definitions) for m in dict.fromkeys(field.table.values())]}
    elif field.kind == "texts":
        out = {"type": "array", "items": dict(field.type.json)}
    elif field.kind in ("raw", "custom"):
        out = {}
    else:
        out = dict(field.type.json)
    if field.doc:
        out["description"] = field.doc
    if field.path:
        out["x-path"] = field.path
    return out
