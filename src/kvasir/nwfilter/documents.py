"""The document of a filter: read with libvirt's checks, written with libvirt's bytes."""

from __future__ import annotations

import re
import uuid as _uuid
from dataclasses import dataclass, field
from typing import Any

from kvasir.errors import Code, ConfigUnsupported, Error, InternalError, InvalidArg, Origin, XmlError
from kvasir.nwfilter import values
from kvasir.nwfilter.protocols import ATTRIBUTES, CHAINS, SPELLINGS
from kvasir.nwfilter.values import PARAMETER_NAME
from kvasir.xml.compiler import escape
from kvasir.xml.reader import check_root
from kvasir.xml.reader import read as read_xml

ACTIONS = ("drop", "accept", "reject", "return", "continue")
DIRECTIONS = ("in", "out", "inout")
DEFAULT_PRIORITY = 500
LEAST, MOST = -1000, 1000
CHAIN_MAX = 12


@dataclass
class Item:
    """An attribute of a rule: its value (or Variable), and whether it stands under match='no'."""

    value: Any
    negated: bool = False


@dataclass
class Rule:
    """One rule: what is to happen to packets of that direction that have all the attributes."""

    action: str
    direction: str
    priority: int = DEFAULT_PRIORITY
    statematch: bool = True
    protocol: str | None = None
    items: dict[str, Item] = field(default_factory=dict)


@dataclass
class Reference:
    """Another filter with its parameters, values in order."""

    filter: str
    parameters: list[tuple[str, str]] = field(default_factory=list)


@dataclass
class Filter:
    """A filter. ``entries`` are rules and references in the order of the document."""

    name: str
    uuid: str
    chain: str = "root"
    priority: int = 0
    entries: list[Rule | Reference] = field(default_factory=list)


def _internal(text: str) -> InternalError:
    return InternalError(text, origin=Origin.NWFILTER)


def read(text: str) -> Filter:
    """A filter by its document. Raises XmlError, InternalError, InvalidArg, ConfigUnsupported as libvirt does."""
    root = read_xml(text, "(nwfilter_definition)")
    check_root(root, "filter")
    name = root.get("name")
    if not name:
        raise _internal("filter has no name")
    if "/" in name or name in (".", ".."):
        raise InvalidArg(f"filter name '{name}' cannot contain '/'", origin=Origin.NWFILTER)
    chain = _chain(root.get("chain", "root"))
    made = Filter(name, _read_uuid(root), chain, _chain_priority(root.get("priority"), chain))
    for node in root:
        if node.tag == "rule":
            made.entries.append(_rule(node))
        elif node.tag == "filterref":
            made.entries.append(reference(node))
    return made


def _read_uuid(root: Any) -> str:
    text = root.findtext("uuid")
    if text is None:
        return str(_uuid.uuid4())
    try:
        return str(_uuid.UUID(text.strip()))
    except ValueError:
        raise XmlError("malformed uuid element", origin=Origin.NWFILTER) from None


def _chain(name: str) -> str:
    if len(name) > CHAIN_MAX:
        text = f"Name of chain is longer than {CHAIN_MAX} characters"
    elif not re.fullmatch(r"[A-Za-z0-9_.:\-]*", name):
        text = "Chain name contains invalid characters"
    elif name == "root" or any(name == base or name.startswith(base + "-") for base in CHAINS if base != "root"):
        return name
    else:
        prefixes = ", ".join(base for base in CHAINS if base != "root")
        text = f"Invalid chain name '{name}'. Please use a chain name called 'root' or any of the following prefixes: {prefixes}"
    raise InvalidArg(text, origin=Origin.NWFILTER)


def base_of(chain: str) -> str:
    """The protocol that a chain is for: ``arp`` of ``arp-xyz``."""
    return chain.partition("-")[0]


def _chain_priority(text: str | None, chain: str) -> int:
    if text is None:
        return CHAINS[base_of(chain)]
    try:
        found = int(text)
    except ValueError:
        raise InvalidArg(f"Could not parse chain priority '{text}'", origin=Origin.NWFILTER) from None
    if not LEAST <= found <= MOST:
        raise InvalidArg(f"Priority '{found}' is outside valid range of [{LEAST},{MOST}]", origin=Origin.NWFILTER)
    return found


def _rule(node: Any) -> Rule:
    action, direction = node.get("action"), node.get("direction")
    if not action:
        raise _internal("rule node requires action attribute")
    if action not in ACTIONS:
        raise ConfigUnsupported("unknown rule action attribute value", origin=Origin.NWFILTER)
    if not direction:
        raise _internal("rule node requires direction attribute")
    if direction not in DIRECTIONS:
        raise ConfigUnsupported("unknown rule direction attribute value", origin=Origin.NWFILTER)
    made = Rule(action, direction)
    try:
        priority = int(node.get("priority", ""))
        made.priority = priority if LEAST <= priority <= MOST else DEFAULT_PRIORITY
    except ValueError:
        made.priority = DEFAULT_PRIORITY
    made.statematch = node.get("statematch", "").lower() not in ("0", "false")
    for child in node:
        if made.protocol is None and child.tag in ATTRIBUTES:
            made.protocol = child.tag
        if child.tag == made.protocol:
            _read_items(made, child)
    _check_ports(made)
    return made


def _check_ports(rule: Rule) -> None:
    """Ports of the layer 2 protocols ip and ipv6 are those of a protocol that has some. Raises InternalError."""
    if rule.protocol not in ("ip", "ipv6") or not {"srcportstart", "srcportend", "dstportstart", "dstportend"} & set(
        rule.items
    ):
        return
    said = rule.items.get("protocol")
    if said is None or said.value not in ("tcp", "udp", "sctp", 33):
        raise _internal(
            f"{'IP' if rule.protocol == 'ip' else 'IPv6'} rule with port specification requires protocol specification with protocol to "
            "be either one of tcp(6), udp(17), dccp(33), or sctp(132)"
        )


def _read_items(rule: Rule, node: Any) -> None:
    assert rule.protocol is not None
    negated = node.get("match") == "no"
    kinds = ATTRIBUTES[rule.protocol]
    for said, text in node.attrib.items():
        name = SPELLINGS.get(said, said)
        if name not in kinds:
            continue
        try:
            value = values.read(kinds[name], text)
        except ValueError:
            raise _internal(f"{said} has illegal value {text}") from None
        rule.items[name] = Item(value, negated)


def reference(node: Any) -> Reference:
    """A ``<filterref>`` of a filter or a binding."""
    name = node.get("filter")
    if not name:
        raise _internal("rule node requires action attribute")
    made = Reference(name)
    for child in node.iterchildren("parameter"):
        key, value = child.get("name"), child.get("value")
        if key and value is not None and PARAMETER_NAME.fullmatch(key) and values._VALUE_CHARS.fullmatch(value):
            made.parameters.append((key, value))
    return made


def write(made: Filter) -> str:
    """The document as ``nwfilter-dumpxml`` shows it."""
    out = [f"<filter name='{escape(made.name)}' chain='{made.chain}'"]
    out.append(f" priority='{made.priority}'>\n" if made.priority else ">\n")
    out.append(f"  <uuid>{made.uuid}</uuid>\n")
    for entry in made.entries:
        out.append(_write_rule(entry) if isinstance(entry, Rule) else write_reference(entry, "  "))
    return "".join(out) + "</filter>\n"


def _write_rule(rule: Rule) -> str:
    head = f"  <rule action='{rule.action}' direction='{rule.direction}' priority='{rule.priority}'"
    head += "" if rule.statematch else " statematch='false'"
    if rule.protocol is None:
        return head + "/>\n"
    lines = []
    for negated in (True, False):
        words = "".join(
            f" {name}='{escape(str(rule.items[name].value))}'"
            for name in ATTRIBUTES[rule.protocol]
            if name in rule.items and rule.items[name].negated == negated
        )
        if words:
            lines.append(f"    <{rule.protocol}{' match=' + chr(39) + 'no' + chr(39) if negated else ''}{words}/>\n")
    return head + ">\n" + ("".join(lines) or f"    <{rule.protocol}/>\n") + "  </rule>\n"


def write_reference(made: Reference, pad: str) -> str:
    """A ``<filterref>``, parameters sorted by name as libvirt keeps them."""
    head = f"{pad}<filterref filter='{escape(made.filter)}'"
    if not made.parameters:
        return head + "/>\n"
    ordered = sorted(made.parameters, key=lambda pair: pair[0])
    lines = "".join(f"{pad}  <parameter name='{key}' value='{escape(value)}'/>\n" for key, value in ordered)
    return f"{head}>\n{lines}{pad}</filterref>\n"


def already(name: str, uuid: str) -> Error:
    """The refusal of a document whose name belongs to another filter."""
    text = f"filter '{name}' already exists with uuid {uuid}"
    return Error(text, code=Code.OPERATION_FAILED, origin=Origin.NWFILTER, message=f"operation failed: {text}")


def validate(text: str) -> None:
    """Refuse what the schema does not have: unknown elements and attributes. Raises XmlError naming it."""
    root = read_xml(text, "(nwfilter_definition)")
    check_root(root, "filter")
    known = {
        "filter": {"name", "chain", "priority"},
        "uuid": set[str](),
        "filterref": {"filter"},
        "parameter": {"name", "value"},
    }
    known["rule"] = {"action", "direction", "priority", "statematch"}
    for node in root.iter():
        if node.tag in ATTRIBUTES and node.getparent() is not None and node.getparent().tag == "rule":
            allowed = {*ATTRIBUTES[node.tag], *SPELLINGS, "match"}
        elif node.tag in known:
            allowed = known[node.tag]
        else:
            raise _invalid(
                f"Element {node.getparent().tag if node.getparent() is not None else ''} has extra content: {node.tag}"
            )
        extra = set(node.keys()) - allowed
        if extra:
            raise _invalid(f"Invalid attribute {sorted(extra)[0]} for element {node.tag}")


def _invalid(text: str) -> Error:
    message = f"XML document failed to validate against schema: Unable to validate doc against /usr/share/libvirt/schemas/nwfilter.rng\n{text}"
    return Error(message, code=Code.XML_INVALID_SCHEMA, origin=Origin.NWFILTER, message=message)
