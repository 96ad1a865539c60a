"""What a gate will tell, as numbers: chances, times and requests, stage by stage, check by check."""

from __future__ import annotations

from dataclasses import dataclass

from rollout.gates.rules import CheckRule

WANTED = 0.8  # the probability that a gate should have


@dataclass(frozen=True, slots=True)
class Chance:
    """A probability within the gate's time, and seconds until it is 80 % (infinity: never)."""

    probability: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Catch:
    """How a check finds a bad candidate.

    Args:
        effect: How bad it is, in words: ``+0.5pp``.
        chance: That it is rolled back.
        exposed: Mean number of users' requests that it answers until then, or until the gate's
            time is over.
        bad: Those that it answers badly; None: latency, means and predictions, where it is a matter
            of taste.
    """

    effect: str
    chance: Chance
    exposed: float
    bad: float | None


@dataclass(frozen=True, slots=True)
class Crash:
    """How a candidate is found whose every answer fails.

    Args:
        failures: In a row.
        seconds: Until the next look after them.
        exposed: Users' requests that it answers until then.
    """

    failures: int
    seconds: float
    exposed: float


@dataclass(frozen=True, slots=True)
class CheckForecast:
    """What a check will tell; None: nothing, or not known.

    Args:
        name: The check, as a person reads it.
        rule: The check.
        unknown: Why nothing is known; empty: something is.
        catch: A candidate at the margin; against an objective: one twice as bad as allowed.
        doubled: One with a doubled rate, or half more latency.
        smallest: The least effect that is found with 80 % in the gate's time.
        crash: One whose every answer fails.
        passing: A healthy one passes this check.
        no_pass: Why it is not known how a healthy one does.
        healthy: The healthy candidate's rate, against an objective.
        assumed: What it rests on besides the baseline's figures; empty: nothing.
    """

    name: str
    rule: CheckRule
    unknown: str = ""
    catch: Catch | None = None
    doubled: Catch | None = None
    smallest: str | None = None
    crash: Crash | None = None
    passing: Chance | None = None
    no_pass: str = ""
    healthy: float | None = None
    assumed: str = ""


@dataclass(frozen=True, slots=True)
class StageForecast:
    """What a stage's gate will tell.

    Args:
        id: The stage's id.
        title: The stage in words: ``shift 10 %``.
        gate: The gate's name.
        limit: Its time, extensions included, seconds.
        served: Requests a second that the candidate answers.
        live: Its answers go to users; else they are copies.
        checks: Those that decide.
        passing: A healthy candidate passes all of them; None: not known of one of them.
    """

    id: str
    title: str
    gate: str
    limit: float
    served: float
    live: bool
    checks: tuple[CheckForecast, ...]
    passing: Chance | None

    @property
    def crash(self) -> Crash | None:
        """The first check to see a crash."""
        found = [each.crash for each in self.checks if each.crash is not None]
        return min(found, key=lambda each: each.seconds, default=None)
