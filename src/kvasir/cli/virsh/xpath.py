"""XPath as far as ``--xpath`` needs it day by day: paths, ``//``, ``*``, attributes, ``text()``, predicates, unions.

    //disk/source/@file    /domain/devices/interface[@type='network'][1]/mac    name | uuid    //disk[target/@dev='vda']

Anything else says what is not understood.
"""

from __future__ import annotations

from kvasir.cli.virsh.grammar import Fail
from kvasir.cli.virsh.xmltree import Node, escape, parse, pretty

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeAlias

    Found: TypeAlias = "Node | str | tuple[str, str]"

VALUES = ("boolean(", "concat(", "count(", "name(", "number(", "string(", "string-length(", "sum(")
"""Functions that give no nodes: libvirt takes expressions of nodes only."""
TOKENS = r"""\s*(//|/|\.\.|\.|@|\||\[|\]|\(|\)|=|!=|\*|'[^']*'|"[^"]*"|[A-Za-z_][\w.:-]*|\d+)"""


def select(document: str, expression: str, wrap: bool) -> str:
    """What an expression selects of a document, as virsh prints it."""
    if expression.strip().startswith(VALUES):
        raise Fail(f"internal error: Incorrect xpath '{expression}'")
    found = Query(expression).run(parse(document))
    if not wrap:
        return "".join(f"{show(item, 0)}\n" for item in found)
    attributes = {item[0]: show(item, 1) for item in found if isinstance(item, tuple)}
    lines = [f"  {show(item, 1)}\n" for item in found if not isinstance(item, tuple)]
    head = f"<nodes{''.join(attributes.values())}"
    return f"{head}>\n{''.join(lines)}</nodes>\n" if lines else f"{head}/>\n"


def show(item: Found, level: int) -> str:
    """A node, text or attribute as XML."""
    if isinstance(item, Node):
        return pretty(item, level)
    if isinstance(item, tuple):
        return f' {item[0]}="{escape(item[1], True)}"'
    return escape(item)


class Query:
    """One expression."""

    def __init__(self, expression: str) -> None:
        import re

        self.expression = expression
        self.tokens: list[str] = []
        at = 0
        text = expression.rstrip()
        pattern = re.compile(TOKENS)
        while at < len(text):
            match = pattern.match(text, at)
            if match is None:
                raise self.wrong()
            self.tokens.append(match.group(1))
            at = match.end()
        self.at = 0
        self.parents: dict[int, Node] = {}

    def wrong(self) -> Fail:
        return Fail(f"XPath expression '{self.expression}' is not understood")

    def peek(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def take(self, wanted: str = "") -> str:
        token = self.peek()
        if not token or (wanted and token != wanted):
            raise self.wrong()
        self.at += 1
        return token

    def run(self, root: Node) -> list[Found]:
        """Everything selected, in the document's order."""
        top = Node("", {})
        top.children.append(root)
        self.note(top)
        found = self.path([root], top)
        while self.peek() == "|":
            self.take()
            for item in self.path([root], top):
                if not any(item is known for known in found):
                    found.append(item)
        if self.peek():
            raise self.wrong()
        return found

    def note(self, node: Node) -> None:
        for child in node.elements():
            self.parents[id(child)] = node
            self.note(child)

    def path(self, start: list[Node], top: Node) -> list[Found]:
        """A location path from its context."""
        nodes: list[Found] = list(start)
        deep = False
        if self.peek() in ("/", "//"):
            deep = self.take() == "//"
            nodes = [top]
        while True:
            nodes = self.step(nodes, deep)
            if self.peek() not in ("/", "//"):
                return nodes
            deep = self.take() == "//"

    def step(self, nodes: list[Found], deep: bool) -> list[Found]:
        context = [node for node in nodes if isinstance(node, Node)]
        if deep:
            context = [inner for node in context for inner in self.within(node)]
        token = self.take()
        if token == ".":
            return list(context)
        if token == "..":
            return [self.parents[id(node)] for node in context if id(node) in self.parents]
        if token == "@":
            name = self.take()
            return [(key, value) for node in context for key, value in node.attributes.items() if name in ("*", key)]
        if token == "text" and self.peek() == "(":
            self.take("(")
            self.take(")")
            return [child for node in context for child in node.children if isinstance(child, str)]
        if not (token == "*" or token[0].isalpha() or token[0] == "_") or self.peek() == "(":
            raise self.wrong()
        groups = [[child for child in node.elements() if token in ("*", child.tag)] for node in context]
        mark = self.at
        kept: list[Found] = []
        for group in groups or [[]]:
            self.at = mark
            while self.peek() == "[":
                group = self.predicate(group)
            kept += group
        return kept

    def within(self, node: Node) -> list[Node]:
        """A node and everything below it."""
        return [node, *(inner for child in node.elements() for inner in self.within(child))]

    def predicate(self, group: list[Node]) -> list[Node]:
        """The nodes that a predicate keeps."""
        self.take("[")
        if self.peek().isdigit():
            place = int(self.take())
            self.take("]")
            return group[place - 1 : place]
        mark = self.at
        kept = []
        for node in group or [Node("", {})]:
            self.at = mark
            if self.holds(node) and group:
                kept.append(node)
            self.take("]")
        return kept

    def holds(self, node: Node) -> bool:
        values = [text_of(item) for item in self.path([node], node)]
        if self.peek() not in ("=", "!="):
            return bool(values)
        operator, literal = self.take(), self.take()
        if literal[0] not in "'\"" and not literal.isdigit():
            raise self.wrong()
        wanted = literal.strip("'\"")
        return any((value == wanted) == (operator == "=") for value in values)


def text_of(item: Found) -> str:
    return item.text if isinstance(item, Node) else item[1] if isinstance(item, tuple) else item
