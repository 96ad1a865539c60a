"""Frozen values to plain JSON data and back, by their type hints.

A member of a union of dataclasses carries its class name under ``is``. Floats survive bit for bit,
because Python's JSON writes the shortest text that reads back as the same float.
"""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from enum import Enum
from functools import cache
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

T = TypeVar("T")
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
    made: T = _decode(kind, data)
    return made


def _decode(kind: Any, data: Any) -> Any:
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        return _union(get_args(kind), data)
    if origin is tuple:
        return tuple(_decode(get_args(kind)[0], held) for held in data)
    if origin is not None and issubclass(origin, Mapping):
        key, held = get_args(kind)
        return {key(name): _decode(held, value) for name, value in data.items()}
    if isinstance(kind, type):
        return _plain(kind, data)
    return data


def _plain(kind: type, data: Any) -> Any:
    if is_dataclass(kind):
        return _dataclass(kind, data)
    if issubclass(kind, Enum):
        return kind(data)
    if kind is bytes:
        return data.encode("latin-1")
    return float(data) if kind is float and data is not None else data


def _union(members: tuple[Any, ...], data: Any) -> Any:
    if data is None:
        return None
    if isinstance(data, Mapping) and TAG in data:
        for member in members:
            if isinstance(member, type) and member.__name__ == data[TAG]:
                return _decode(member, data)
        raise ValueError(f"{data[TAG]} is none of {members}")
    rest = [member for member in members if member is not type(None)]
    return _decode(rest[0], data)


def _dataclass(kind: type, data: Any) -> Any:
    if not isinstance(data, Mapping):
        raise ValueError(f"{kind.__name__} is written as a mapping, not {data!r}")
    hints = _hints(kind)
    return kind(**{name: _decode(hints[name], data[name]) for name in hints if name in data})


@cache
def _members(kind: type) -> tuple[tuple[str, object], ...] | None:
    """Names and defaults of a dataclass's fields; None for another type."""
    return tuple((e.name, e.default) for e in fields(kind)) if is_dataclass(kind) else None


@cache
def _hints(kind: type) -> dict[str, Any]:
    hints = get_type_hints(kind)
    return {each.name: hints[each.name] for each in fields(kind)}
