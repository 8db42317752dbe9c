"""Element: a class whose body is the only place where the fields of an XML element are named."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from . import compiler, writer
from .fields import Field
from .form import INACTIVE, Form


class ElementType(type):
    """Collects the fields of a class body; those marked ``last`` stand behind those of the classes below."""

    def __new__(mcs, name: str, bases: tuple[type, ...], body: dict[str, Any], tag: str | None = None) -> Any:
        own = {key: value for key, value in body.items() if isinstance(value, Field)}
        for key, field in own.items():
            del body[key]
            field.name = key
        inherited: dict[str, Field] = {}
        for base in reversed(bases):
            inherited.update(getattr(base, "FIELDS", {}))
        merged = {**inherited, **own}
        ordered = sorted(merged.values(), key=lambda f: f.last)
        new_slots = [key for key in own if key not in inherited]
        if not any(hasattr(base, "FIELDS") for base in bases):
            new_slots.append("_node")
        body["__slots__"] = tuple(new_slots) + tuple(body.get("__slots__", ()))
        cls: Any = super().__new__(mcs, name, bases, body)
        cls.FIELDS = {f.name: f for f in ordered}
        cls._parse = cls._attrs = cls._body = cls._clear = cls._copy = None
        if tag is not None:
            cls.TAG = tag
        for field in own.values():
            field.owner = cls
        return cls


class Element(metaclass=ElementType):
    """Base of every mapped element. See ``fields`` for the words that its body is written in."""

    TAG: ClassVar[str] = ""
    FIELDS: ClassVar[dict[str, Field]] = {}
    _parse: ClassVar[Any] = None
    _attrs: ClassVar[Any] = None
    _body: ClassVar[Any] = None
    _clear: ClassVar[Any] = None
    _copy: ClassVar[Any] = None

    def __init__(self, **values: Any) -> None:
        cls = type(self)
        if cls._clear is None:
            cls._clear = staticmethod(compiler.clearer(cls))
        self._node: Any
        cls._clear(self)
        for name, value in values.items():
            if name not in cls.FIELDS:
                raise TypeError(f"{cls.__name__} has no field {name!r}")
            setattr(self, name, value)

    @classmethod
    def parse(cls, node: Any, keep: bool = False) -> Self:
        """Read the object from a parsed node; ``keep`` remembers the node for ``patch``. Raises XmlError."""
        parser = cls._parse
        if parser is None:
            parser, _ = compiler.ParserMaker(cls).make()
            cls._parse = staticmethod(parser)
        result: Self = parser(node, keep)
        return result

    @classmethod
    def from_xml(cls, document: str | bytes, what: str = "(domain_definition)", *, keep: bool = False) -> Self:
        """Read the object from text. Raises XmlDetail for what is not well formed, XmlError for a wrong root or value."""
        from .reader import check_root, read

        root = read(document, what, keep=keep)
        if cls.TAG:
            check_root(root, cls.TAG)
        return cls.parse(root, keep)

    @classmethod
    def _compile_writer(cls) -> None:
        attrs, body, _ = writer.WriterMaker(cls).make()
        cls._attrs, cls._body = staticmethod(attrs), staticmethod(body)

    @staticmethod
    def attrs(this: Element, form: Form) -> str:
        """The attributes of the start tag; used by the element that this one is a variant part of."""
        cls = type(this)
        if cls._attrs is None:
            cls._compile_writer()
        text: str = cls._attrs(this, form)
        return text

    @staticmethod
    def body(this: Element, out: list[str], pad: str, form: Form) -> None:
        """Append the lines between start and end tag."""
        cls = type(this)
        if cls._body is None:
            cls._compile_writer()
        cls._body(this, out, pad, form)

    def written(self, form: Form) -> Element | None:
        """What to write in this form: itself, a changed copy, or None for nothing. A hook."""
        return self

    def write(self, out: list[str], pad: str, form: Form, tag: str) -> None:
        """Append the whole element in libvirt's text form."""
        this = self.written(form)
        if this is None:
            return
        cls = type(this)
        if cls._attrs is None:
            cls._compile_writer()
        head = f"{pad}<{tag}{cls._attrs(this, form)}"
        mark = len(out)
        out.append("")
        cls._body(this, out, pad + "  ", form)
        if len(out) == mark + 1:
            out[mark] = head + "/>\n"
        elif out[-1].startswith("\0"):
            out[mark] = f"{head}>{out.pop()[1:]}</{tag}>\n"
        else:
            out[mark] = head + ">\n"
            out.append(f"{pad}</{tag}>\n")

    def xml(self, form: Form = INACTIVE, pad: str = "", tag: str = "") -> str:
        """The element as text, byte for byte as libvirt writes it."""
        out: list[str] = []
        self.write(out, pad, form, tag or self.TAG)
        return "".join(out)

    def copy(self) -> Self:
        """A copy that shares nothing with this one but the raw nodes' content."""
        cls = type(self)
        if cls._copy is None:
            cls._copy = staticmethod(compiler.copier(cls, _copied))
        new: Self = cls._copy(self)
        return new

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return NotImplemented
        return all(self._same(field, other) for field in self.FIELDS.values() if field.kind != "runtime")

    __hash__ = None  # type: ignore[assignment]  # mutable

    def _same(self, field: Field, other: Any) -> bool:
        mine, theirs = getattr(self, field.name), getattr(other, field.name)
        if field.kind == "raw" and mine is not None and theirs is not None:
            return compiler.write_node(mine, "") == compiler.write_node(theirs, "")
        return bool(mine == theirs)

    def __repr__(self) -> str:
        said = {n: v for n in self.FIELDS if (v := getattr(self, n, None)) not in (None, [], False)}
        return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in said.items())})"

    def patch(self) -> Any:
        """Put what changed into the tree that the object came from; unknown elements, order and comments stay.

        Only for objects read with ``keep=True``. Returns the node.
        """
        from .patcher import patch

        return patch(self)


def _copied(value: Any) -> Any:
    """The copy of what a field holds that is no plain value."""
    if isinstance(value, Element):
        return value.copy()
    if isinstance(value, list):
        return [one.copy() if isinstance(one, Element) else one for one in value]
    return dict(value) if isinstance(value, dict) else value
