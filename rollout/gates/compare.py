"""Two answers to one request: where they differ, and how many pairs do.

A new model's values differ on purpose, so without rules only the structure is compared: error or
not, kind of body, keys, types, lengths, finite numbers. A rule has the values at its path compared.

A body may be made to hurt. So one comparison looks at ``NODES`` pairs of values at most, in the
order of sorted keys, and down to ``DEPTH`` levels; what lies beyond counts as equal. Of a body that
is cut off, or longer than ``LARGEST_BODY``, only the declared kind is compared.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from rollout.domain.answers import CompareRule, Difference, Said
from rollout.domain.measure import Agreement
from rollout.gates.answers import LARGEST_BODY, OTHER, Body, Kind, declared, failed, read
from rollout.gates.matching import (
    DEPTH,
    Items,
    Pair,
    Scope,
    alone,
    apart,
    mismatch,
    partnerless,
    same,
    same_body,
    scope_of,
    type_of,
)

NODES = 10_000
FIELDS = 100
SHOWN = 200  # characters of a value

_NOTHING = object()  # where one answer has no value

Example = tuple[Difference, Said, Said]


@dataclass(frozen=True, slots=True)
class Found:
    """What the pairs of an interval show.

    Args:
        agreement: Their counts.
        examples: Of each path and kind, the first difference, with the baseline's and the
            candidate's answer.
    """

    agreement: Agreement
    examples: tuple[Example, ...]


def differences(
    baseline: Said, candidate: Said, rules: Sequence[CompareRule]
) -> tuple[Difference, ...]:
    """Where two answers to one request differ: each path and kind once, its first occurrence.

    An error on one side, another status or another kind of body ends the comparison; so do two
    errors, which are no difference. A rule speaks for its path and all below; the most specific
    one counts, of two for the same path the later. Numbers agree within either tolerance, exactly
    where both are 0; text and binary bodies are compared under a rule for ``$``. An item of an
    unordered list that has no partner is a ``value`` at ``[*]``; a rule makes a list unordered by
    naming it or its items.

    Args:
        baseline: The baseline's answer.
        candidate: The candidate's.
        rules: The plan's; empty: the structure is compared.

    Raises:
        ValueError: A rule's path is none.

    >>> differences(Said(200, b"[1, 2]"), Said(200, b"[3, null]"), ())
    (Difference(path='$[*]', kind='type', baseline='2', candidate='null'),)
    """
    return _compared(baseline, candidate, scope_of(rules))


def tallied(
    pairs: Iterable[tuple[Said, Said]], rules: Sequence[CompareRule], known: Collection[str] = ()
) -> Found:
    """The pairs of an interval, counted. A pair of two errors says nothing and is not counted.

    Args:
        pairs: The baseline's and the candidate's answer to each request.
        rules: As in `differences`.
        known: Paths of earlier intervals; with them there are at most ``FIELDS``, and paths beyond
            count under ``(other)``.
    """
    root, fields = scope_of(rules), _Fields(known)
    compared, differing = 0, 0
    where: Counter[str] = Counter()
    for baseline, candidate in pairs:
        if failed(baseline) and failed(candidate):
            continue
        found = _compared(baseline, candidate, root)
        compared += 1
        differing += bool(found)
        where.update(fields.of(found))
        fields.keep(found, baseline, candidate)
    return Found(
        Agreement(compared, differing, fields=dict(where)), tuple(fields.examples.values())
    )


def tallied_with_noise(
    triples: Iterable[tuple[Said, Said, Said]],
    rules: Sequence[CompareRule],
    known: Collection[str] = (),
) -> Found:
    """As `tallied`, of requests that the baseline answered twice; three errors are not counted.

    Examples are of the differences that the baseline's own second answer does not have.

    Args:
        triples: The baseline's, the candidate's and the baseline's second answer to each request.
        rules: As in `differences`.
        known: As in `tallied`.
    """
    root, fields = scope_of(rules), _Fields(known)
    outcomes: Counter[tuple[bool, bool]] = Counter()
    where: Counter[str] = Counter()
    noise: Counter[str] = Counter()
    for baseline, candidate, second in triples:
        if all(map(failed, (baseline, candidate, second))):
            continue
        ours, theirs = (_compared(baseline, each, root) for each in (candidate, second))
        outcomes[bool(ours), bool(theirs)] += 1
        here, there = fields.of(ours), fields.of(theirs)
        where.update(here - there)
        noise.update(there - here)
        single = [each for each in ours if fields.name(spelled(each)) not in there]
        fields.keep(single, baseline, candidate)
    both = outcomes[True, True]
    agreement = Agreement(
        compared=outcomes.total(),
        differing=both + outcomes[True, False],
        noisy=both + outcomes[False, True],
        only_candidate=outcomes[True, False],
        only_noise=outcomes[False, True],
        fields=dict(where),
        field_noise=dict(noise),
    )
    return Found(agreement, tuple(fields.examples.values()))


def spelled(found: Difference) -> str:
    """What a way of differing is counted under: where, and how.

    >>> spelled(Difference("$[*]", "type", "1", "null"))
    '$[*] type'
    """
    return f"{found.path} {found.kind}"


class _Fields:
    """The ways counted so far, a bounded number, and the first example of each."""

    def __init__(self, known: Collection[str]) -> None:
        self._known = set(known)
        self.examples: dict[tuple[str, str], Example] = {}

    def name(self, path: str) -> str:
        if path not in self._known and len(self._known) >= FIELDS:
            return OTHER
        self._known.add(path)
        return path

    def of(self, found: Iterable[Difference]) -> set[str]:
        return {self.name(spelled(each)) for each in found}

    def keep(self, found: Iterable[Difference], baseline: Said, candidate: Said) -> None:
        for each in found:
            key = (self.name(spelled(each)), each.kind)
            self.examples.setdefault(key, (each, baseline, candidate))


def _compared(baseline: Said, candidate: Said, root: Scope) -> tuple[Difference, ...]:
    if baseline == candidate or (failed(baseline) and failed(candidate)):
        return ()
    if baseline.status != candidate.status:
        before, after = (str(said.status or "no answer") for said in (baseline, candidate))
        return (Difference("status", "status", before, after),)
    if root.blind:
        return ()
    walk = _Walk(NODES)
    if not (_readable(baseline) and _readable(candidate)):
        walk.kinds(root, (baseline, declared(baseline)), (candidate, declared(candidate)))
    elif baseline.body and candidate.body:
        walk.bodies(root, (baseline, read(baseline)), (candidate, read(candidate)))
    elif baseline.body:
        walk.one_sided(root, read(baseline).value, _NOTHING)
    elif candidate.body:
        walk.one_sided(root, _NOTHING, read(candidate).value)
    return tuple(walk.found.values())


def _readable(said: Said) -> bool:
    return said.whole and len(said.body) <= LARGEST_BODY


class _Walk:
    """A comparison under way.

    Args:
        left: How many values may still be looked at.
        most: The comparison ends when it has found this many differences.
    """

    def __init__(self, left: int, most: int = NODES) -> None:
        self.left, self.most = left, most
        self.found: dict[tuple[str, str], Difference] = {}

    @property
    def done(self) -> bool:
        return self.left <= 0 or len(self.found) >= self.most

    def note(self, scope: Scope, kind: str, before: object, after: object) -> None:
        if not scope.ignored and (scope.path, kind) not in self.found:
            shown = _shown(before), _shown(after)
            self.found[scope.path, kind] = Difference(scope.path, kind, *shown)

    def one_sided(self, scope: Scope, before: object, after: object) -> None:
        self.left -= 1
        self.note(scope, "added" if before is _NOTHING else "missing", before, after)

    def kinds(
        self, scope: Scope, before: tuple[Said, Kind | None], after: tuple[Said, Kind | None]
    ) -> None:
        """What kinds two bodies are of, as far as that is known."""
        if scope.ignored or None in (before[1], after[1]) or before[1] is after[1]:
            return
        named = _named(*before), _named(*after)
        self.found[scope.path, "content_type"] = Difference(scope.path, "content_type", *named)

    def bodies(self, scope: Scope, before: tuple[Said, Body], after: tuple[Said, Body]) -> None:
        """Two bodies that are whole."""
        (baseline, ours), (candidate, theirs) = before, after
        if ours.kind is not theirs.kind:
            self.kinds(scope, (baseline, ours.kind), (candidate, theirs.kind))
        elif ours.kind is Kind.JSON:
            self.values(scope, ours.value, theirs.value, 0)
        elif scope.rule is not None and not same_body(ours.value, theirs.value, scope.rule):
            kind = "value" if ours.kind is Kind.TEXT else "body"
            self.note(scope, kind, ours.value, theirs.value)

    def values(self, scope: Scope, before: object, after: object, depth: int) -> None:
        """Two values of JSON at one place, ``depth`` levels down."""
        if self.done or depth > DEPTH or scope.blind:
            return
        self.left -= 1
        if isinstance(before, dict) and isinstance(after, dict):
            self._objects(scope, before, after, depth)
        elif isinstance(before, list) and isinstance(after, list):
            self._lists(scope, before, after, depth)
        elif type_of(before) != type_of(after):
            self.note(scope, mismatch(before, after), before, after)
        elif scope.rule is not None and not same(before, after, scope.rule):
            self.note(scope, "value", before, after)

    def _objects(
        self, scope: Scope, before: Mapping[str, object], after: Mapping[str, object], depth: int
    ) -> None:
        # Sorted, so that both directions stop at the same place.
        for key in sorted(before.keys() | after.keys()):
            if self.done:
                return
            ours, theirs = before.get(key, _NOTHING), after.get(key, _NOTHING)
            if ours is _NOTHING or theirs is _NOTHING:
                self.one_sided(scope.key(key), ours, theirs)
            else:
                self.values(scope.key(key), ours, theirs, depth + 1)

    def _lists(self, scope: Scope, before: Items, after: Items, depth: int) -> None:
        if len(before) != len(after):
            self.note(scope, "length", len(before), len(after))
        if not scope.unordered:
            self._ordered(scope, before, after, depth)
        elif len(before) == len(after):
            self._unordered(scope.item(), before, after, depth)

    def _ordered(self, scope: Scope, before: Items, after: Items, depth: int) -> None:
        alike = all(left[0] is None for left, _ in scope.deeper)
        item = scope.item()
        for at, (ours, theirs) in enumerate(zip(before, after, strict=False)):
            if self.done:
                return
            self.values(item if alike else scope.item(at), ours, theirs, depth + 1)

    def _unordered(self, item: Scope, before: Items, after: Items, depth: int) -> None:
        if item.rule is None or item.rule.ignore:
            return
        unlike = alone(before, after, type_of)
        if unlike is not None:
            self.note(item, mismatch(*unlike), *unlike)
            return
        for kind in dict.fromkeys(map(type_of, before)):
            ours, theirs = ([e for e in items if type_of(e) == kind] for items in (before, after))
            if kind == "number":
                single = apart(ours, theirs, item.rule)
            elif kind in ("object", "list"):
                single = self._partnerless(item, ours, theirs, depth + 1)
            else:
                single = alone(ours, theirs, json.dumps)
            if single is not None:
                self.note(item, "value", *single)

    def _partnerless(self, item: Scope, before: Items, after: Items, depth: int) -> Pair | None:
        def agree(one: object, other: object) -> bool:
            probe = _Walk(self.left, most=1)
            probe.values(item, one, other, depth)
            self.left = probe.left
            if self.left <= 0:
                raise _Spent
            return not probe.found

        try:
            return partnerless(before, after, agree)
        except _Spent:
            return None


class _Spent(Exception):
    """Nothing may be looked at any more."""


def _named(said: Said, kind: Kind | None) -> str:
    """The content type, and what the body is where that is something else."""
    name = said.content_type or "no content type"
    if kind is not None and kind is not declared(said):
        name = f"{name}: {kind.value}"
    return _cut(_line(name), SHOWN)


def _shown(value: object) -> str:
    if value is _NOTHING:
        return ""
    if isinstance(value, bytes):
        return _cut(f"{len(value)} bytes: {value[:SHOWN].hex(' ')}", SHOWN)
    text = ""
    for part in json.JSONEncoder(ensure_ascii=False).iterencode(value):
        text += part[: SHOWN + 1]
        if len(text) > SHOWN:
            break
    return _cut(_line(text), SHOWN)


def _line(text: str) -> str:
    return " ".join(text.encode("utf-8", "backslashreplace").decode("utf-8").splitlines())


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 3] + "..."
