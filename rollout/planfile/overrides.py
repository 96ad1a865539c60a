"""What ``set:`` changes in a deployment's file, with dots or nested, as one nested mapping."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from rollout.planfile.draft import Draft
from rollout.planfile.wording import LATER, Path, shown


class Clash(ValueError):
    """Two keys set the same value, or one sets a part of the other's, or one sets none."""


def nested(given: Mapping[str, object]) -> dict[str, object]:
    """Dotted keys opened; keys further inside stay as they are, for they may hold dots.

    Raises:
        Clash: two keys exclude one another, or a value is none (a secret).

    >>> nested({"instance_count": 2, "request_settings.max_queue_wait_ms": 500})
    {'instance_count': 2, 'request_settings': {'max_queue_wait_ms': 500}}
    """
    found: dict[str, object] = {}
    for key, value in given.items():
        if [*_secrets(value, ())]:
            raise Clash(key)
        _put(found, key, value)
    return found


def _put(found: dict[str, object], key: str, value: object) -> None:
    *outer, last = key.split(".")
    for step in outer:
        found = _inside(found, step)
    _merge(found, last, value)


def _inside(found: dict[str, object], key: str) -> dict[str, object]:
    inside = found.setdefault(key, {})
    if not isinstance(inside, dict):
        raise Clash(key)
    return inside


def _merge(found: dict[str, object], key: str, value: object) -> None:
    if isinstance(value, dict):
        inside = _inside(found, key)
        for each, inner in value.items():
            _merge(inside, each, inner)
    elif key in found:
        raise Clash(key)
    else:
        found[key] = value


def check(draft: Draft, role: str) -> None:
    """Note keys of ``set`` that cannot be meant as they are written."""
    seen: dict[str, object] = {}
    for key, value in draft.mapping(role, "set").items():
        path = (role, "set", key)
        for secret in _secrets(value, path):
            draft.wrong(secret, f"a secret {LATER}", "Remove it.")
        if "[" in key:
            draft.wrong_key(path, "one element of a list cannot be set.", "Set the whole list.")
        elif not all(key.split(".")):
            what = f"{shown(key)} has a dot with no name beside it."
            draft.wrong_key(path, what, "Write it like environment_variables.LEVEL.")
        else:
            try:
                _put(seen, key, value)
            except Clash:
                what = f"another key sets {shown(key)} or a part of it."
                draft.wrong_key(path, what, "Set each value once.")


def _secrets(value: object, path: Path) -> Iterator[Path]:
    if not isinstance(value, dict):
        return
    if list(value) == ["secret"]:
        yield path
    for key, inner in value.items():
        yield from _secrets(inner, (*path, key))
