"""Frozen values to plain JSON data and back, by their type hints.

A member of a union of dataclasses carries its class name under ``is``. Floats survive bit for bit,
because Python's JSON writes the shortest text that reads back as the same float.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from enum import Enum
from functools import cache
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

T = TypeVar("T")
Reader = Callable[[Any], Any]
TAG = "is"
_SCALARS = (int, float, str, bool)


def encode(value: object) -> Any:
    """Plain JSON data for a value made of dataclasses, enums, tuples, mappings and scalars."""
    kind = type(value)
    if value is None or kind in _SCALARS:  # most of what evidence is made of
        return value
    members = _members(kind)  # type: ignore[arg-type]  # mypy: `cache` wants a key with an instance's hash
    if members is not None:
        body: dict[str, object] = {TAG: kind.__name__}
        for name, default in members:
            held = getattr(value, name)
            if default is MISSING or held != default:
                body[name] = encode(held)
        return body
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return {str(key): encode(held) for key, held in value.items()}
    if isinstance(value, tuple | list):
        return [encode(held) for held in value]
    if isinstance(value, bytes):
        return value.decode("latin-1")
    return value


def decode(kind: type[T], data: Any) -> T:
    """The value of type ``kind`` that ``encode`` turned into ``data``.

    Raises:
        ValueError: the data does not fit the type.
    """
    made: T = _reader(kind)(data)  # type: ignore[arg-type]  # mypy: as for _members in encode
    return made


# How each type is read is worked out once: a journal has few types and very many values.


@cache
def _reader(kind: Any) -> Reader:
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        return _union_reader(get_args(kind))
    if origin is tuple:
        one = _reader(get_args(kind)[0])
        return lambda data: tuple([one(held) for held in data])
    if origin is not None and issubclass(origin, Mapping):
        key, held_kind = get_args(kind)
        held = _reader(held_kind)
        return lambda data: {key(name): held(value) for name, value in data.items()}
    if kind in _SCALARS:
        return _scalar_reader(kind)
    if not isinstance(kind, type) or kind is object:
        return _as_it_is
    if is_dataclass(kind):
        return _dataclass_reader(kind)
    if issubclass(kind, Enum):
        return kind
    return _bytes if kind is bytes else _as_it_is


def _as_it_is(data: Any) -> Any:
    return data


def _bytes(data: Any) -> bytes:
    found: bytes = data.encode("latin-1")
    return found


def _scalar_reader(kind: type) -> Reader:
    def read(data: Any) -> Any:
        found = type(data)
        if found is kind:
            return data
        if kind is float and found is int:
            return float(data)
        raise ValueError(f"{data!r} is no {kind.__name__}")

    return read


def _union_reader(members: tuple[Any, ...]) -> Reader:
    named = {each.__name__: each for each in members if isinstance(each, type)}
    rest = next(each for each in members if each is not type(None))

    def read(data: Any) -> Any:
        if data is None:
            return None
        if isinstance(data, dict) and TAG in data:
            if data[TAG] not in named:
                raise ValueError(f"{data[TAG]} is none of {members}")
            return _reader(named[data[TAG]])(data)
        return _reader(rest)(data)

    return read


def _dataclass_reader(kind: type) -> Reader:
    def read(data: Any) -> Any:
        if not isinstance(data, dict):
            raise ValueError(f"{kind.__name__} is written as a mapping, not {data!r}")
        readers = _readers(kind)  # not before: a type may be a part of itself
        return kind(**{n: readers[n](held) for n, held in data.items() if n in readers})

    return read


@cache
def _members(kind: type) -> tuple[tuple[str, object], ...] | None:
    """Names and defaults of a dataclass's fields; None for another type."""
    return tuple((e.name, e.default) for e in fields(kind)) if is_dataclass(kind) else None


@cache
def _readers(kind: type) -> dict[str, Reader]:
    """How each field of a dataclass is read."""
    hints = get_type_hints(kind)
    return {each.name: _reader(hints[each.name]) for each in fields(kind)}
