"""Methods made from the wire's table: ``Domain.blockInfo`` is the procedure ``domain_get_block_info``.

A method that the table explains whole is nowhere written down. ``resolve`` finds the procedure behind a libvirt-python
name and makes the method: the object and its parameters in the table's order, trailing flags and optional arguments left
out when not given, typed parameters as a dict (getters that want the count first are called twice), results that are
objects wrapped. Names that the rule does not find stand in each class's ``NAMES``.
"""

from __future__ import annotations

from kvasir.errors import Error, InvalidArg, Origin
from kvasir.rpc import programs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

OBJECTS = frozenset(("D", "N", "NP", "NF", "NB", "IF", "SP", "SV", "ND", "SE", "CK", "SN"))
TYPED_STRING_OKAY = 4


def snake(name: str) -> str:
    """``blockJobAbort`` -> ``block_job_abort``; ``XMLDesc`` -> ``xml_desc``."""
    out = ""
    for at, letter in enumerate(name):
        if letter.isupper():
            before = name[at - 1 : at]
            after = name[at + 1 : at + 2]
            if before and (before.islower() or before.isdigit() or (before.isupper() and after.islower())):
                out += "_"
            out += letter.lower()
        else:
            out += letter
    return out


def find(prefixes: Sequence[str], name: str, named: str | None) -> programs.Procedure | None:
    """The procedure behind a method's name."""
    if named:
        owner, _, name = named.rpartition(":")
        return {"qemu": programs.QEMU, "lxc": programs.LXC}.get(owner, programs.REMOTE)[name]
    base = snake(name)
    for prefix in prefixes:
        for middle in ("", "get_"):
            try:
                found = programs.REMOTE[prefix + middle + base]
            except KeyError:
                continue
            if not found.event:
                return found
    return None


LIMITS = ("maxnames", "maxids", "maxuuids")
"""Arguments of old lists that libvirt-python fills in itself."""
LIST_MAX = 16384
"""The most that an old list of the wire can carry (of filters: 1,024)."""


def fields(procedure: programs.Procedure, result: bool = False) -> list[tuple[str, str]]:
    """Names and types of a procedure's arguments (or results)."""
    text = procedure._result if result else procedure._args
    return [(name, kind) for name, _, kind in (field.partition(":") for field in text.split())]


def make(procedure: programs.Procedure, bound: bool) -> Callable[..., Any]:
    """The method of a procedure; ``bound``: its first argument is the object itself."""
    wanted = fields(procedure)[1 if bound else 0 :]
    results = fields(procedure, result=True)
    counted = ("nparams", "i") in wanted and results[:1] == [("params", "P[]")]
    listed = ("need_results", "i") in wanted
    if counted or listed:
        wanted = [field for field in wanted if field[0] not in ("nparams", "need_results")]
    limit = next((index for index, field in enumerate(wanted) if field[0] in LIMITS), None)
    if limit is not None:
        del wanted[limit]
    least = len(wanted)
    while least and (wanted[least - 1] == ("flags", "u") or _may_miss(procedure.name, *wanted[least - 1])):
        least -= 1

    def method(self: Any, *given: Any, **named: Any) -> Any:
        values = _arguments(procedure.name, wanted, least, given, named)
        if values and any(kind == "P[]" for _, kind in wanted):
            values = [
                _typed(self, procedure, bound, values[:at], value) if isinstance(value, dict) else value
                for at, value in enumerate(values)
            ]
        if limit is not None:
            values.insert(limit, 1024 if "nwfilter" in procedure.name else LIST_MAX)
        head = [self.handle] if bound else []
        if counted:
            return _counted(self, procedure, head, values)
        if listed:
            at = len(values) - (1 if wanted and wanted[-1][0] == "flags" else 0)
            values.insert(at, 1)
            return self._wrap(self._call(procedure, head + values)[0], results[0][1])
        answer = self._call(procedure, head + values)
        if not results:
            return 0
        if len(results) == 1:
            return self._wrap(answer, results[0][1])
        return [self._wrap(value, kind) for value, (_, kind) in zip(answer, results, strict=True)]

    method.__name__ = procedure.name
    words = [field if at < least else f"{field}=0" for at, (field, _) in enumerate(wanted)]
    method.__doc__ = (
        f"({', '.join(words)}) -> {', '.join(name for name, _ in results) or '0'}: libvirt's {procedure.name}."
    )
    return method


def _may_miss(procedure: str, field: str, kind: str) -> bool:
    return kind.endswith("?") or field in LEFT_OUT.get(procedure, ())


LEFT_OUT = {
    "domain_block_pull": ("bandwidth",),
    "domain_block_rebase": ("bandwidth",),
    "domain_block_commit": ("bandwidth",),
    "domain_block_copy": ("params",),
    "domain_authorized_ssh_keys_set": ("keys",),
}
"""Arguments that libvirt-python fills in with nothing."""


def _arguments(
    name: str, wanted: list[tuple[str, str]], least: int, given: Sequence[Any], named: dict[str, Any]
) -> list[Any]:
    values = [getattr(value, "handle", value) for value in given]
    for field, kind in wanted[len(values) :]:
        if field in named:
            value = named.pop(field)
            values.append(getattr(value, "handle", value))
        elif len(values) >= least:
            values.append(0 if kind in ("u", "L") else [] if kind.endswith("[]") else None)
        else:
            raise TypeError(f"{name}() misses the argument '{field}'")
    if named or len(values) > len(wanted):
        raise TypeError(f"{name}() takes {', '.join(field for field, _ in wanted) or 'no arguments'}")
    return values


def _counted(self: Any, procedure: programs.Procedure, head: list[Any], values: list[Any]) -> dict[str, Any]:
    """Typed parameters by the getters that first tell how many there are."""
    plain, flags = values, []
    if fields(procedure)[-1] == ("flags", "u"):
        plain, flags = values[:-1], [values[-1] | TYPED_STRING_OKAY]
    try:
        answer = self._call(procedure, [*head, *plain, 0, *flags])
    except Error as problem:
        problem.counting = True
        raise
    count = answer if isinstance(answer, int) else answer[-1] if len(answer) > 1 else 0
    if not count:
        return {}
    answer = self._call(procedure, [*head, *plain, count, *flags])
    return dict(answer[0] if isinstance(answer, tuple) else answer)


KINDS = {
    "Int": ("thread_pool_min", "thread_pool_max"),
    "LLong": ("process-id",),
    "ULLong": ("poll_max_ns", "unix-user-id", "unix-group-id", "process-time"),
}
"""Types of numbers that no getter shows."""


def _typed(
    self: Any, procedure: programs.Procedure, bound: bool, before: list[Any], values: dict[str, Any]
) -> list[tuple[str, Any]]:
    """A dict as typed parameters; plain ints get the type that the matching getter shows for what stands ``before``."""
    from kvasir.rpc.typed import Int, LLong, UInt, ULLong

    known: dict[str, Any] = {}
    if any(type(value) is int for value in values.values()) and "_set_" in procedure.name:
        try:
            getter = procedure.name.replace("_set_", "_get_", 1)
            known = make(programs.REMOTE[getter], bound)(self, *before)
        except (KeyError, TypeError):
            known = {}
    pairs = []
    for name, value in values.items():
        if type(value) is int:
            fixed = next((kind for kind, names in KINDS.items() if name in names), None)
            if name in known:
                kind = type(known[name])
            elif fixed:
                kind = {"Int": Int, "LLong": LLong, "ULLong": ULLong}[fixed]
            else:
                kind = UInt if 0 <= value < 1 << 32 else LLong if value < 0 else ULLong
            if kind not in (Int, UInt, LLong, ULLong):
                raise InvalidArg(f"parameter {name} takes no integer", origin=Origin.REMOTE)
            value = kind(value)
        pairs.append((name, value))
    return pairs
