"""Small stand-ins for ``enum``, ``collections`` and ``functools``, whose imports take a third of a client's start.

They do what the shared modules (errors, rpc) use of the originals and no more; the type checker sees the originals.
"""

from __future__ import annotations

from _collections import _tuplegetter  # type: ignore[import-not-found]  # the C core of namedtuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any


class _Members(type):
    """The class of classes whose members are numbers with names."""

    _value2member_map_: dict[int, Any]
    __members__: dict[str, Any]

    def __new__(mcs, name: str, bases: tuple[type, ...], space: dict[str, Any]) -> _Members:
        numbers = {key: value for key, value in space.items() if key[0] != "_" and type(value) is int}
        made = super().__new__(mcs, name, bases, {key: value for key, value in space.items() if key not in numbers})
        made.__members__ = {}
        made._value2member_map_ = {}
        for key, number in numbers.items():
            member = made._value2member_map_.get(number)
            if member is None:
                member = int.__new__(made, number)  # type: ignore[arg-type]  # the classes made here are ints
                setattr(member, "name", key)  # noqa: B010  # the checker sees a plain int
                made._value2member_map_[number] = member
            made.__members__[key] = member
            setattr(made, key, member)
        return made

    def __call__(cls, value: int) -> Any:
        try:
            return cls._value2member_map_[value]
        except KeyError:
            raise ValueError(f"{value!r} is not a valid {cls.__name__}") from None

    def __getitem__(cls, name: str) -> Any:
        return cls.__members__[name]

    def __iter__(cls) -> Iterator[Any]:
        return iter(cls._value2member_map_.values())

    def __len__(cls) -> int:
        return len(cls._value2member_map_)

    def __contains__(cls, value: object) -> bool:
        return value in cls._value2member_map_


class IntEnum(int, metaclass=_Members):
    """Numbers with names, like ``enum.IntEnum``."""

    name: str

    @property
    def value(self) -> int:
        return int(self)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}.{self.name}: {int(self)}>"

    def __str__(self) -> str:
        return int.__repr__(self)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (int(self),)


def namedtuple(typename: str, names: Iterable[str]) -> type[Any]:
    """A tuple class with named fields, like ``collections.namedtuple``."""
    fields = tuple(names)
    count = len(fields)

    def new(cls: type[Any], *values: Any, **named: Any) -> Any:
        whole = (*values, *(named.pop(field) for field in fields[len(values) :] if field in named))
        if named or len(whole) != count:
            raise TypeError(f"{typename} takes {count} values: {', '.join(fields)}")
        return tuple.__new__(cls, whole)

    def make(cls: type[Any], values: Iterable[Any]) -> Any:
        found = tuple.__new__(cls, values)
        if len(found) != count:
            raise TypeError(f"Expected {count} arguments, got {len(found)}")
        return found

    def replace(self: Any, **changes: Any) -> Any:
        found = make(type(self), (changes.pop(field, value) for field, value in zip(fields, self, strict=True)))
        if changes:
            raise ValueError(f"Got unexpected field names: {list(changes)!r}")
        return found

    def show(self: Any) -> str:
        return f"{typename}({', '.join(f'{field}={value!r}' for field, value in zip(fields, self, strict=True))})"

    space: dict[str, Any] = {
        "__slots__": (),
        "_fields": fields,
        "__new__": new,
        "_make": classmethod(make),
        "_replace": replace,
        "_asdict": lambda self: dict(zip(fields, self, strict=True)),
        "__repr__": show,
        "__getnewargs__": lambda self: tuple(self),
        "__match_args__": fields,
    }
    for at, field in enumerate(fields):
        space[field] = _tuplegetter(at, f"Alias for field number {at}")
    return type(typename, (tuple,), space)


class cached_property:  # named as the original
    """A property computed once, like ``functools.cached_property``."""

    def __init__(self, compute: Callable[[Any], Any]) -> None:
        self.compute = compute
        self.__doc__ = compute.__doc__

    def __set_name__(self, owner: type[Any], name: str) -> None:
        self.name = name

    def __get__(self, instance: Any, owner: type[Any] | None = None) -> Any:
        if instance is None:
            return self
        value = self.compute(instance)
        instance.__dict__[self.name] = value
        return value
