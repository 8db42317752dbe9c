"""From a filter and its parameters to rules without variables: references followed, lists of values multiplied out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from kvasir.errors import Code, Error, InternalError, Origin
from kvasir.nwfilter import values
from kvasir.nwfilter.documents import Filter, Item, Reference, Rule
from kvasir.nwfilter.protocols import ATTRIBUTES

Variables = Mapping[str, list[str]]
Finder = Callable[[str], Filter | None]
RESERVED = ("IP", "IPV6", "DHCPSERVER", "DHCPSERVERV6", "MAC")


@dataclass
class Instance:
    """A rule ready to be written: every item has a value. ``chain`` and ``chain_priority`` are its filter's."""

    chain: str
    chain_priority: int
    rule: Rule

    @property
    def priority(self) -> int:
        return self.rule.priority


class MissingVariable(Error):
    """Variables that have no value: ``names``, without what makes them entries of lists."""

    def __init__(self, lacking: Mapping[str, str]) -> None:
        self.names = set(lacking.values())
        text = f"Cannot instantiate filter due to unresolvable variables or unavailable list elements: {', '.join(lacking)}"
        super().__init__(text, code=Code.INTERNAL_ERROR, origin=Origin.NWFILTER, message=f"internal error: {text}")


def walk(
    top: Reference, find: Finder, variables: Variables, path: tuple[str, ...] = ()
) -> Iterator[tuple[Filter, Rule, Variables]]:
    """Every rule below a reference, depth first, with the variables that it sees. Raises where a filter is missing."""
    found = find(top.filter)
    if found is None:
        raise InternalError(f"referenced filter '{top.filter}' is missing", origin=Origin.NWFILTER)
    if found.name in path:
        raise loop()
    mine = merged(variables, top.parameters)
    for entry in found.entries:
        if isinstance(entry, Rule):
            yield found, entry, mine
        else:
            yield from walk(entry, find, mine, (*path, found.name))


def loop() -> Error:
    text = "filter would introduce a loop"
    return Error(text, code=Code.OPERATION_FAILED, origin=Origin.NWFILTER, message=f"operation failed: {text}")


def merged(variables: Variables, parameters: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """Variables with a reference's own parameters: these add to the ones from above and hide none that are there."""
    made: dict[str, list[str]] = {}
    for name, value in parameters:
        made.setdefault(name, []).append(value)
    return {**made, **dict(variables)}


def referenced(name: str, find: Finder) -> set[str]:
    """The names of all filters below one, itself with them."""
    seen, waiting = set(), [name]
    while waiting:
        current = waiting.pop()
        if current in seen:
            continue
        seen.add(current)
        found = find(current)
        if found is not None:
            waiting += [entry.filter for entry in found.entries if isinstance(entry, Reference)]
    return seen


def instances(top: Reference, find: Finder, variables: Variables) -> list[Instance]:
    """All rules of a reference with every combination of values. Raises MissingVariable (with all that lack), InternalError."""
    reached = list(walk(top, find, variables))
    lacking: dict[str, str] = {}
    for _, rule, mine in reached:
        for variable in _used(rule).values():
            if not _values(variable, mine):
                lacking.setdefault(str(variable), variable.name)
    if lacking:
        raise MissingVariable(lacking)
    return [
        Instance(owner.chain, owner.priority, concrete)
        for owner, rule, mine in reached
        for concrete in expand(rule, mine)
    ]


def _used(rule: Rule) -> dict[str, values.Variable]:
    return {name: item.value for name, item in rule.items.items() if isinstance(item.value, values.Variable)}


def _values(variable: values.Variable, variables: Variables) -> list[str]:
    found = variables.get(variable.name, [])
    if variable.index is not None:
        return found[variable.index : variable.index + 1]
    return found


def expand(rule: Rule, variables: Variables) -> Iterator[Rule]:
    """The rule once for each combination: variables of one iterator advance together, different iterators multiply.

    A variable without an iterator has iterator 0, and each has a value. Raises InternalError for a value of the wrong type or for
    lists of one iterator that differ in length.
    """
    used = _used(rule)
    groups: dict[int, list[values.Variable]] = {}
    for variable in used.values():
        if variable.index is None and variable not in groups.setdefault(variable.iterator, []):
            groups[variable.iterator].append(variable)
    for chosen in _combinations(list(groups.values()), variables):
        yield _concrete(rule, used, chosen, variables)


def _combinations(groups: list[list[values.Variable]], variables: Variables) -> Iterator[dict[values.Variable, str]]:
    if not groups:
        yield {}
        return
    first, rest = groups[0], groups[1:]
    lists = [_values(variable, variables) for variable in first]
    if len({len(one) for one in lists}) > 1:
        names = ", ".join(variable.name for variable in first)
        raise InternalError(
            f"Could not create an iterator over the variables {names}: their lists differ in length",
            origin=Origin.NWFILTER,
        )
    for tail in _combinations(rest, variables):
        for row in zip(*lists, strict=True):
            yield {**dict(zip(first, row, strict=True)), **tail}


def _concrete(
    rule: Rule, used: dict[str, values.Variable], chosen: dict[values.Variable, str], variables: Variables
) -> Rule:
    assert rule.protocol is not None or not used
    items = dict(rule.items)
    for name, variable in used.items():
        text = chosen[variable] if variable in chosen else _values(variable, variables)[0]
        kind = ATTRIBUTES[rule.protocol or ""][name]
        items[name] = Item(_value(kind, text, name), items[name].negated)
    return Rule(rule.action, rule.direction, rule.priority, rule.statematch, rule.protocol, items)


def _value(kind: str, text: str, name: str) -> Any:
    try:
        return values.READERS[kind](text)
    except ValueError:
        raise InternalError(f"{name} cannot take the value '{text}' of a variable", origin=Origin.NWFILTER) from None
