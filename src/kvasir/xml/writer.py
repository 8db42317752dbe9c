"""Makes the writer of an element class out of its field table; the parser's twin in ``compiler``."""

from __future__ import annotations

from typing import Any

from .compiler import Node, Writer, tree, write_node
from .fields import Field
from .types import STR, Type


class WriterMaker:
    """Writes ``attrs(o, form)`` and ``body(o, out, pad, form)``."""

    def __init__(self, cls: Any) -> None:
        self.cls, self.w = cls, Writer()

    def make(self) -> tuple[Any, Any, str]:
        w, root = self.w, tree(self.cls)
        w(0, "def attrs(o, form):")
        w(1, "h = ''")
        self.attrs(root, 1)
        w(1, "return h")
        w(0, "def body(o, out, pad, form):")
        w(1, "pass")
        self.body(root, 1)
        env = w.build()
        return env["attrs"], env["body"], "\n".join(w.lines)

    def condition(self, field: Field, value: str = "v") -> str:
        parts = [f"{value} is not None"] if field.kind not in ("flag", "children", "texts") else [value]
        if field.secret:
            parts.append("form.secure")
        if field.only == "live":
            parts.append("form.live")
        elif field.only == "inactive":
            parts.append("not form.live")
        elif field.only == "status":
            parts.append("form.status")
        if field.when is not None:
            parts.append(f"{self.w.name(field.when)}(o, form)")
        return " and ".join(parts)

    def word(self, type: Type, value: str = "v") -> str:
        if type is STR:
            return f"esc({value})"
        write = self.w.name(type.write)
        return f"{write}({value})" if type.words or "int" in type.json.get("type", "") else f"esc({write}({value}))"

    def attrs(self, node: Node, depth: int) -> None:
        w = self.w
        for field in node.attrs:
            if field.kind == "variant":
                w(depth, f"v = o.{field.name}")
                w(depth, "if v is not None: h += v.attrs(v, form)")
            elif field.kind == "scaled":
                w(depth, f"v = o.{field.name}")
                w(depth, f"if {self.condition(field)}: h += \" unit='{field.unit}'\"")
            else:
                value = f"{w.name(field.value)}(o)" if field.value else f"o.{field.name}"
                w(depth, f"v = {value}")
                w(
                    depth,
                    f"if {self.condition(field)}: h += f\" {field.path.rpartition('@')[2]}='{{{self.word(field.type)}}}'\"",
                )

    def body(self, node: Node, depth: int) -> None:
        for item in node.body:
            if isinstance(item, Node):
                self.group(item, depth)
            elif item.kind == "variant":
                self.w(depth, f"v = o.{item.name}")
                self.w(depth, "if v is not None: v.body(v, out, pad, form)")
            elif item.kind in ("text", "scaled"):
                if node.tag == self.cls.TAG and item.path == ".":
                    self.own_text(item, depth)
            else:
                self.object(item, depth)

    def own_text(self, field: Field, depth: int) -> None:
        """Text of the element itself: a marked line, joined to the tags by ``Element.write``."""
        w = self.w
        w(depth, f"v = o.{field.name}")
        text = "str(v)" if field.kind == "scaled" else self.word(field.type)
        w(depth, f"if {self.condition(field)}: out.append('\\0' + {text})")

    def group(self, node: Node, depth: int) -> None:
        w, tag = self.w, node.tag
        w(depth, "h = ''")
        self.attrs(node, depth)
        text = node.text()
        inner = [item for item in node.body if item is not text]
        if text is not None:
            value = "v" if text.kind == "scaled" else self.word(text.type)
            w(depth, f"v = o.{text.name}")
            w(depth, f"if {self.condition(text)}: out.append(f'{{pad}}<{tag}{{h}}>{{{value}}}</{tag}>\\n')")
            if not inner:
                w(depth, f"elif h: out.append(f'{{pad}}<{tag}{{h}}/>\\n')")
                return
            w(depth, "else:")  # an element that holds either text or elements
            depth += 1
        if not inner:
            shown = "h"
            if node.flag:
                shown = f"h or ({self.condition(node.flag, f'o.{node.flag.name}')})"
            w(depth, f"if {shown}: out.append(f'{{pad}}<{tag}{{h}}/>\\n')")
            return
        w.count += 1
        mark, head = f"i{w.count}", f"h{w.count}"
        w(depth, f"{mark}, {head} = len(out), h")
        w(depth, "out.append('')")
        w(depth, "pad += '  '")
        self.body(node, depth)
        w(depth, "pad = pad[:-2]")
        w(depth, f"if len(out) > {mark} + 1:")
        w(depth + 1, f"out[{mark}] = f'{{pad}}<{tag}{{{head}}}>\\n'")
        w(depth + 1, f"out.append(f'{{pad}}</{tag}>\\n')")
        shown = head
        if node.flag:
            shown += f" or ({self.condition(node.flag, f'o.{node.flag.name}')})"
        w(depth, f"elif {shown}: out[{mark}] = f'{{pad}}<{tag}{{{head}}}/>\\n'")
        w(depth, f"else: del out[{mark}]")

    def object(self, field: Field, depth: int) -> None:
        w, tag = self.w, field.path.rpartition("/")[2]
        w(depth, f"v = o.{field.name}")
        w(depth, f"if {self.condition(field)}:")
        if field.kind == "child":
            w(depth + 1, f"v.write(out, pad, form, {tag!r})")
        elif field.kind == "children":
            w(depth + 1, f"for x in v: x.write(out, pad, form, {tag!r})")
        elif field.kind == "texts":
            w(depth + 1, f"for x in v: out.append(f'{{pad}}<{tag}>{{{self.word(field.type, 'x')}}}</{tag}>\\n')")
        elif field.kind == "raw":
            w(depth + 1, f"out.append({w.name(write_node)}(v, pad))")
        else:
            w(depth + 1, f"out.append({w.name(field.write)}(v, form, pad))")
