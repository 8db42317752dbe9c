"""Just enough XML for the command line: documents read by expat into nodes, without the 12 ms that ElementTree costs.

Expat is asked for no external entity, and a document type declaration with entities is refused.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any


class Node:
    """An element: name, attributes, elements and texts in it."""

    __slots__ = ("attributes", "children", "tag")

    def __init__(self, tag: str, attributes: dict[str, str]) -> None:
        self.tag = tag
        self.attributes = attributes
        self.children: list[Node | str] = []

    @property
    def text(self) -> str:
        """All text in it."""
        return "".join(child if isinstance(child, str) else child.text for child in self.children)

    def elements(self, tag: str = "") -> Iterator[Node]:
        """The elements directly in it, of one name or all."""
        for child in self.children:
            if isinstance(child, Node) and tag in ("", child.tag):
                yield child

    def all(self, path: str) -> list[Node]:
        """The elements at a path like ``devices/disk``."""
        found = [self]
        for step in path.split("/"):
            found = [child for node in found for child in node.elements(step)]
        return found

    def get(self, path: str) -> str | None:
        """An attribute (``source/@file``) or text (``title``); None when it is not there. The first of several elements."""
        steps, mark, attribute = path.rpartition("@")
        place = steps.rstrip("/") if mark else path
        for node in self.all(place) if place not in ("", ".") else [self]:
            value = node.attributes.get(attribute) if mark else node.text
            if value is not None:
                return value
        return None

    def first(self, place: str, attributes: tuple[str, ...]) -> str | None:
        """The first, in the document's order, of several attributes of the elements at a path."""
        for node in self.all(place):
            for name, value in node.attributes.items():
                if name in attributes:
                    return value
        return None


def parse(text: str) -> Node:
    """A document's root element; ValueError when it is no XML."""
    import pyexpat

    root = Node("", {})
    stack = [root]

    def start(tag: str, attributes: dict[str, str]) -> None:
        node = Node(tag, attributes)
        stack[-1].children.append(node)
        stack.append(node)

    def end(tag: str) -> None:
        stack.pop()

    def data(chunk: str) -> None:
        stack[-1].children.append(chunk)

    def entity(*_: Any) -> None:
        raise ValueError("entities are not allowed")

    parser = pyexpat.ParserCreate()
    parser.ordered_attributes = False
    parser.buffer_text = True
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = data
    parser.EntityDeclHandler = entity
    try:
        parser.Parse(text, True)
    except pyexpat.ExpatError as problem:
        raise ValueError(str(problem)) from None
    return next(root.elements())


def escape(text: str, quote: bool = False) -> str:
    """A text with what XML reserves as entities."""
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return text.replace('"', "&quot;").replace("\n", "&#10;").replace("\t", "&#9;") if quote else text


def pretty(node: Node, level: int = 0) -> str:
    """A node as XML with an indent of two for each level; elements with text of their own stay on one line."""
    texts = [child for child in node.children if isinstance(child, str) and child.strip()]
    inner = list(node.elements())
    if texts or not inner:
        return write(node)
    lines = "".join(f"{'  ' * (level + 1)}{pretty(child, level + 1)}\n" for child in inner)
    head = write(Node(node.tag, node.attributes)).removesuffix("/>")
    return f"{head}>\n{lines}{'  ' * level}</{node.tag}>"


def write(node: Node) -> str:
    """A node as XML, as it was but for quotes."""
    text = f"<{node.tag}" + "".join(f' {name}="{escape(value, True)}"' for name, value in node.attributes.items())
    if not node.children:
        return text + "/>"
    inner = "".join(escape(child) if isinstance(child, str) else write(child) for child in node.children)
    return f"{text}>{inner}</{node.tag}>"
