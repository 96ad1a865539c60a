"""The small words and signs of a picture: durations, moments, shares, bars, meters."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import assert_never

from rollout.domain.endpoint import (
    CreateEndpoint,
    DeleteDeployment,
    Effect,
    PutDeployment,
    ScaleDeployment,
    SetSplit,
)
from rollout.domain.outcome import outcome
from rollout.domain.plan import (
    Approve,
    Bootstrap,
    Create,
    Delete,
    Mirror,
    Preflight,
    Scale,
    Shift,
    Smoke,
    Stage,
    Wait,
)
from rollout.domain.run import Phase, Run, Split
from rollout.domain.units import spell_duration
from rollout.domain.verdict import CheckJudgement

CELLS = 20  # of a whole bar
_SPARKS = "▁▂▃▄▅▆▇█"
_HUGE = 1e6
_ENDED = {"deadline": "too late", "preflight_failed": "refused by its pre-checks"}


def moment(at: float) -> str:
    """A time as RFC 3339 has it, in UTC, to the second.

    >>> moment(0.5)
    '1970-01-01T00:00:00Z'
    """
    return datetime.fromtimestamp(int(at), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def instant(at: float) -> str:
    """The same to the millisecond.

    >>> instant(0.5)
    '1970-01-01T00:00:00.500Z'
    """
    spelt = datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")
    return spelt.replace("+00:00", "Z")


def nothing_to_do(run: Run) -> str:
    """What is said of work that ``run`` did already, or took back."""
    when = f" at {moment(run.ended)}" if run.ended else ""
    if run.phase is Phase.UNDONE:
        return f"Nothing to do: {run.author} took this very work back by {run.id}{when}."
    word = outcome(run)
    how = _ENDED.get(word, word.replace("_", " "))
    return f"Nothing to do: {run.id} did this very work and was {how}{when}."


def lapse(seconds: float) -> str:
    """A stretch of time as a stop watch shows it.

    >>> lapse(9.4), lapse(544), lapse(6730)
    ('0:09', '9:04', '1:52:10')
    """
    minutes, rest = divmod(int(max(0.0, seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def bar(share: float, *, cells: int = CELLS, whole: bool = True) -> str:
    """A share of 0..1 as a bar; with ``whole`` the empty part is drawn too.

    >>> bar(0.9), bar(0.1, whole=False)
    ('██████████████████░░', '██')
    """
    full = round(min(1.0, max(0.0, share)) * cells)
    full = max(1, full) if share > 0 else 0
    return "█" * full + ("░" * (cells - full) if whole else "")


def sparks(shares: Sequence[float]) -> str:
    """A few shares of 0..1 as a little curve.

    >>> sparks([0.0, 0.3, 1.0])
    '▁▃█'
    """
    top = len(_SPARKS) - 1
    return "".join(_SPARKS[round(min(1.0, max(0.0, share)) * top)] for share in shares)


def percent(share: float) -> str:
    """A share as whole percents, never rounded up to all.

    >>> percent(0.714), percent(0.999)
    ('71 %', '99 %')
    """
    return f"{int(share * 100 + 1e-9)} %"


def value(check: CheckJudgement, held: float | None) -> str:
    """A check's value as its metric is read: a rate in percent, a quantile in milliseconds."""
    if held is None:
        return "-"
    match check.unit:
        case "seconds" | "minutes":
            return f"{held * 1000:.0f} ms" if held < 1 else f"{held:.2f} s"
        case "mean":
            return f"{held:,.5g}"
        case "index":
            return f"PSI {held:.3f}"
        case _:
            return f"{held * 100:.2f} %"


def ratio(check: CheckJudgement) -> str:
    """The ratio of the two arms with its interval, or nothing.

    >>> from rollout.domain.verdict import Verdict
    >>> ratio(CheckJudgement("error_rate", "", Verdict.FAIL, ratio=10.3, ratio_low=4.1, ratio_high=27))
    'ratio 10.3 [4.1, 27]'
    """
    if check.ratio is None:
        low = check.ratio_low
        return f"ratio at least {low:.2g}" if low else ""
    if check.ratio_low is None or check.ratio_high is None:
        return f"ratio {check.ratio:.3g}"
    return f"ratio {check.ratio:.3g} [{_bound(check.ratio_low)}, {_bound(check.ratio_high)}]"


def _bound(held: float) -> str:
    if held > _HUGE:
        return "any"
    return f"{held:.0f}" if held >= 100 else f"{held:.2g}"  # noqa: PLR2004 - three digits


def number(held: float) -> str:
    """Evidence as a person reads it.

    >>> number(214.4), number(0.0312), number(1e30)
    ('214', '0.031', 'over a million')
    """
    if held >= _HUGE:
        return "over a million"
    return f"{held:,.0f}" if held >= 100 else f"{held:.2g}"  # noqa: PLR2004 - three digits


def plural(count: int, word: str) -> str:
    """``1 stage``, ``2 stages``."""
    return f"{count:,} {word}" if count == 1 else f"{count:,} {word}s"


def has_logs(text: str) -> bool:
    """Whether collected logs are some; where there were none, they say why instead.

    >>> has_logs("started"), has_logs("(no logs: There is no deployment 'green'.)")
    (True, False)
    """
    return bool(text) and not text.startswith("(no logs: ")


def title(stage: Stage, run: Run) -> str:
    """A stage in words, with the deployments' own names."""
    kind = type(stage.work).__name__.lower()
    match stage.work:
        case Bootstrap() | Preflight() | Approve():
            return kind
        case Scale(role, instances):
            return f"{kind} {run.name(role)} to {instances}"
        case Create(role) | Smoke(role) | Delete(role):
            return f"{kind} {run.name(role)}"
        case Mirror(share) | Shift(share):
            return f"{kind} {share} %"
        case Wait(seconds):
            return f"{kind} {spell_duration(seconds)}"
        case _:
            assert_never(stage.work)


def order(effect: Effect) -> str:
    """What is asked of the endpoint, in words."""
    match effect:
        case CreateEndpoint():
            return "create the endpoint"
        case PutDeployment(_, name):
            return f"create {name}"
        case ScaleDeployment(name, instances):
            return f"scale {name} to {instances}"
        case SetSplit(traffic, mirror):
            return f"set traffic {Split(traffic, mirror)}"
        case DeleteDeployment(name):
            return f"delete {name}"
        case _:
            assert_never(effect)
