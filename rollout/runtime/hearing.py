"""What deployments say: answers reduced to the counts that a plan's checks ask for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from rollout.domain.answers import CompareRule, Example, Said
from rollout.domain.criteria import Check, Custom
from rollout.domain.measure import Agreement, Arm, Interval
from rollout.domain.plan import Plan
from rollout.gates import answers, compare, criteria
from rollout.gates.sides import comparison
from rollout.ports.endpoint import Reading
from rollout.ports.probes import Asked, Probes

KEPT = 2048  # characters of an answer in an example
LABELS = 40  # texts that are told apart, of each prediction
LONGEST = 33  # characters of a label; its first one says that it is a text
OTHER_TEXT = "=(other)"


class Silence:
    """Nobody is asked."""

    def start(self) -> None:
        """Nothing."""

    def stop(self) -> None:
        """Nothing."""

    def take(self) -> tuple[Asked, ...]:
        """Nothing was answered."""
        return ()


@dataclass(frozen=True, slots=True)
class Interest:
    """What a plan wants to know of answers.

    Args:
        comparisons: What agreements are filed under -> the rules of comparison.
        predictions: Paths at which predictions stand.
        customs: The custom metrics that are checked.
    """

    comparisons: Mapping[str, tuple[CompareRule, ...]]
    predictions: tuple[str, ...]
    customs: tuple[Custom, ...]

    @classmethod
    def of(cls, plan: Plan) -> Interest:
        """What the plan's checks look at."""
        checks: list[Check] = [each for gate in plan.gates.values() for each in gate.checks]
        metrics = {each.metric for each in checks}
        return cls(
            comparisons={
                comparison(each.compare): each.compare
                for each in checks
                if each.metric == criteria.AGREEMENT
            },
            predictions=tuple(
                dict.fromkeys(each.path for each in checks if each.metric == criteria.DRIFT)
            ),
            customs=tuple(each for each in plan.customs if each.name in metrics),
        )

    @property
    def anything(self) -> bool:
        """Whether any answer is of interest."""
        return bool(self.comparisons or self.predictions or self.customs)


@dataclass(slots=True)
class Hearing:
    """Turns answers into counts, and keeps an example of each way in which they differ.

    Args:
        interest: What the plan wants to know.
        probes: Who asks both deployments the same, where mirrored answers cannot be read.
        examples: How many are kept at most.
        noise: Only requests that the baseline answered twice are compared.
    """

    interest: Interest
    probes: Probes = field(default_factory=Silence)
    examples: int = 20
    noise: bool = False
    _known: dict[str, set[str]] = field(default_factory=dict, init=False)
    _names: dict[str, set[str]] = field(default_factory=dict, init=False)
    _kinds: set[tuple[str, str]] = field(default_factory=set, init=False)
    _fresh: list[Example] = field(default_factory=list, init=False)

    def hear(self, reading: Reading) -> Interval | None:
        """The reading's interval with what its answers say."""
        interval = reading.interval
        if interval is None or not self.interest.anything:
            return interval
        asked = self.probes.take()
        roles = {**interval.arms, **reading.said}
        arms = {
            role: self._arm(interval.arms.get(role, Arm()), reading.said.get(role, ()))
            for role in roles
        }
        agreement = {
            name: found
            for name, rules in self.interest.comparisons.items()
            if (found := self._agreement(name, rules, reading.pairs, asked)).compared
        }
        return replace(interval, arms=arms, agreement=agreement)

    def _arm(self, arm: Arm, said: Sequence[Said]) -> Arm:
        if not said:
            return arm
        outputs = {path: self._labels(said, path) for path in self.interest.predictions}
        sums = {each.name: answers.sums_of(said, each) for each in self.interest.customs}
        return replace(arm, outputs=outputs, sums=sums)

    def _labels(self, said: Sequence[Said], path: str) -> dict[str, int]:
        """Answers by label; of texts only so many and so long, for free text is no class."""
        found: Counter[str] = Counter()
        for each in said:
            label = answers.outputs_of(each, path)
            if label is not None:
                found[self._named(label, path)] += 1
        return dict(found)

    def _named(self, label: str, path: str) -> str:
        if label.startswith("#"):
            return label
        names = self._names.setdefault(path, set())
        if len(label) > LONGEST or (label not in names and len(names) >= LABELS):
            return OTHER_TEXT
        names.add(label)
        return label

    def _agreement(
        self,
        name: str,
        rules: Sequence[CompareRule],
        pairs: Sequence[tuple[Said, Said]],
        asked: Sequence[Asked],
    ) -> Agreement:
        known = self._known.setdefault(name, set())
        if self.noise:
            # Pairs without a second answer would count the baseline's own noise as the candidate's.
            twice = [(each.baseline, each.candidate, each.second) for each in asked if each.second]
            found = compare.tallied_with_noise(twice, rules, known)
        else:
            once = [(each.baseline, each.candidate) for each in asked]
            found = compare.tallied([*pairs, *once], rules, known)
        known.update(found.agreement.fields, found.agreement.field_noise)
        for difference, baseline, candidate in found.examples:
            kind = difference.path, difference.kind
            if kind not in self._kinds and len(self._kinds) < self.examples:
                self._kinds.add(kind)
                self._fresh.append(Example(difference, _text(baseline), _text(candidate)))
        return found.agreement

    def fresh_examples(self) -> tuple[Example, ...]:
        """Examples of differences that were not there when this was asked last."""
        found, self._fresh = tuple(self._fresh), []
        return found


def _text(said: Said) -> str:
    body = said.body[: KEPT + 1].decode("utf-8", "replace")
    whole = f"{said.status} {body[:KEPT]}"
    return whole if len(body) <= KEPT and said.whole else f"{whole}..."
