"""What rules of comparison say: where they speak, which values agree, which items have no partner."""

from __future__ import annotations

import json
import math
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from operator import itemgetter

from rollout.domain.answers import CompareRule
from rollout.gates.answers import Step, number_in, steps_of

DEPTH = 64  # levels of a value that are looked at
_KEY = 64  # characters of a key in a path
_PLAIN_KEY = re.compile(r"[^\W\d][\w-]*")
_ROUNDING = 4 * sys.float_info.epsilon
_NAMES = ((str, "string"), (dict, "object"), (list, "list"))

Items = Sequence[object]
Pair = tuple[object, object]


@dataclass(frozen=True, slots=True)
class Scope:
    """A place in an answer and the rules that speak there.

    Args:
        path: As it is reported.
        rule: The most specific rule that covers the place; None: the structure is compared.
        deeper: Rules for places below it, by the steps that are left; the more specific ones last.
    """

    path: str
    rule: CompareRule | None = None
    deeper: tuple[tuple[tuple[Step, ...], CompareRule], ...] = ()

    @property
    def ignored(self) -> bool:
        """Whether no difference counts that is found right here."""
        return self.rule is not None and self.rule.ignore

    @property
    def blind(self) -> bool:
        """Whether nothing from here on is looked at."""
        return self.ignored and not self.deeper

    @property
    def unordered(self) -> bool:
        """Whether a list here is one without an order; a rule says so of the list or its items."""
        rule, of_items = self.rule, self.item().rule
        named = of_items is not None and of_items is not rule and of_items.unordered
        return named or (rule is not None and rule.unordered)

    def key(self, key: str) -> Scope:
        """The place of an object's value."""
        plain = len(key) <= _KEY and _PLAIN_KEY.fullmatch(key)
        return self._below(key, f".{key}" if plain else f"[{json.dumps(key[:_KEY])}]")

    def item(self, position: int | None = None) -> Scope:
        """The place of a list's item; None: of any, which rules for one position do not cover."""
        return self._below(position, "[*]")

    def _below(self, step: Step, shown: str) -> Scope:
        path = self.path + shown
        if not self.deeper:
            return Scope(path, self.rule)
        met = [(left[1:], rule) for left, rule in self.deeper if _fits(left[0], step)]
        here = [rule for left, rule in met if not left]
        rule = here[-1] if here else self.rule
        return Scope(path, rule, tuple(each for each in met if each[0]))


def _fits(wanted: Step, step: Step) -> bool:
    return wanted == step or (wanted is None and not isinstance(step, str))


def scope_of(rules: Sequence[CompareRule]) -> Scope:
    """The whole answer's scope.

    Raises:
        ValueError: The path of a rule is none.

    >>> scope_of([CompareRule("$.a"), CompareRule("$.a[*].id", ignore=True)]).key("a").item(3).path
    '$.a[*]'
    """
    parsed = [(steps_of(rule.path), rule) for rule in rules]
    here = [rule for steps, rule in parsed if not steps]
    deeper = [each for each in parsed if each[0]]
    deeper.sort(key=lambda each: [step is not None for step in each[0]])
    return Scope("$", here[-1] if here else None, tuple(deeper))


def type_of(value: object) -> str:
    """The type of a JSON value; numbers that are not finite have one of their own.

    >>> type_of(1), type_of(True), type_of(float("nan"))
    ('number', 'boolean', 'not finite')
    """
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number" if math.isfinite(value) else "not finite"
    return next((name for kind, name in _NAMES if isinstance(value, kind)), "null")


def mismatch(before: object, after: object) -> str:
    """The kind of difference between two values of unlike types."""
    return "not_finite" if {type_of(before), type_of(after)} == {"number", "not finite"} else "type"


def same(before: object, after: object, rule: CompareRule) -> bool:
    """Whether two scalars of one type agree.

    >>> same(100, 99.0, CompareRule("$", rel_tolerance=0.01)), same("a", "b", CompareRule("$"))
    (True, False)
    """
    if not isinstance(before, int | float) or not isinstance(after, int | float):
        return before == after
    if not (math.isfinite(before) and math.isfinite(after)):
        return str(before) == str(after)  # NaN, which is not equal to itself
    larger = max(abs(before), abs(after))
    allowed = max(rule.abs_tolerance, rule.rel_tolerance * larger)
    if allowed and not (isinstance(before, int) and isinstance(after, int)):
        allowed += _ROUNDING * larger  # 1.0 and 0.99 are 1 % apart, though not in binary
    return abs(before - after) <= allowed


def same_body(before: object, after: object, rule: CompareRule) -> bool:
    """Whether two texts agree, as numbers if both are, or two strings of bytes."""
    if isinstance(before, str) and isinstance(after, str):
        ours, theirs = number_in(before), number_in(after)
        if ours is not None and theirs is not None:
            return before == after or same(ours, theirs, rule)
    return before == after


def alone(before: Items, after: Items, key: Callable[[object], str]) -> Pair | None:
    """The first item of each list that the other, as long, has no match for; None: all have one."""
    more = Counter(map(key, before))
    more.subtract(map(key, after))
    if not any(more.values()):
        return None
    ours = next(each for each in before if more[key(each)] > 0)
    return ours, next(each for each in after if more[key(each)] < 0)


def apart(before: Items, after: Items, rule: CompareRule) -> Pair | None:
    """As `alone`, of numbers within tolerances.

    Sorted lists are paired in order: if a pairing exists then so does this one, since the numbers
    that agree with a number are an interval whose ends rise with it (tolerances below 100 %).
    """
    ours = sorted(each for each in before if isinstance(each, int | float))
    theirs = sorted(each for each in after if isinstance(each, int | float))
    pairs = zip(ours, theirs, strict=True)
    return next(((one, other) for one, other in pairs if not same(one, other, rule)), None)


def partnerless(
    before: Items, after: Items, agree: Callable[[object, object], bool]
) -> Pair | None:
    """As `alone`, of items that agree or not: a perfect matching, by augmenting paths."""
    ours, theirs = _ranked(before), _ranked(after)
    fits = cache(lambda row, at: agree(ours[row][1], theirs[at][1]))
    held = _identical(ours, theirs)
    for row in sorted({*range(len(ours))} - {*held.values()}):
        if not _augmented(held, row, len(theirs), fits):
            free = next(at for at in range(len(theirs)) if at not in held)
            return ours[row][1], theirs[free][1]
    return None


def _ranked(items: Items) -> list[tuple[str, object]]:
    return sorted(((_canonical(each), each) for each in items), key=itemgetter(0))


def _identical(
    ours: Sequence[tuple[str, object]], theirs: Sequence[tuple[str, object]]
) -> dict[int, int]:
    """Rank of each of ``theirs`` -> that of the same one of ``ours``, as long as there are some."""
    rows: dict[str, list[int]] = {}
    for row, (text, _) in enumerate(ours):
        rows.setdefault(text, []).append(row)
    return {at: rows[text].pop() for at, (text, _) in enumerate(theirs) if rows.get(text)}


def _augmented(
    held: dict[int, int], first: int, size: int, fits: Callable[[int, int], bool]
) -> bool:
    """Find a place for the row ``first``, moving other rows; whether there is one."""
    reached: dict[int, int] = {}
    rows = [first]
    for row in rows:  # grows below
        for at in _outwards(row, size):
            if at in reached or not fits(row, at):
                continue
            reached[at] = row
            if at not in held:
                _move(held, reached, at)
                return True
            rows.append(held[at])
    return False


def _outwards(start: int, size: int) -> Iterator[int]:
    # Items that agree are likely to have about the same rank.
    for step in range(size):
        yield from (at for at in {start - step, start + step} if 0 <= at < size)


def _move(held: dict[int, int], reached: Mapping[int, int], free: int) -> None:
    place_of = {row: at for at, row in held.items()}
    place: int | None = free
    while place is not None:
        held[place] = reached[place]
        place = place_of.get(held[place])


def _canonical(value: object, depth: int = 0) -> str:
    if depth > DEPTH:
        return ""
    if isinstance(value, dict):
        parts = (f"{json.dumps(key)}:{_canonical(value[key], depth + 1)}" for key in sorted(value))
        return "{" + ",".join(parts) + "}"
    if isinstance(value, list):
        return "[" + ",".join(_canonical(each, depth + 1) for each in value) + "]"
    return json.dumps(value)
