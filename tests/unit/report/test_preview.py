"""What a plan would do, as text and as data."""

from __future__ import annotations

import json
import math
from dataclasses import replace

from rollout.domain.endpoint import Seen
from rollout.domain.measure import bucket_of
from rollout.gates.power.baseline import Baseline, Basis, Figure
from rollout.gates.power.forecast import Catch, Chance, CheckForecast, Crash, StageForecast
from rollout.gates.rules import compile_rules
from rollout.report.data import preview_data
from rollout.report.preview import plan_table
from rollout.report.rows import text
from rollout.runtime.begin import Course, Standing
from rollout.runtime.outlook import Outlook
from rollout.runtime.preview import Preview
from tests.unit.runtime.values import PLAN

(RULE,) = compile_rules(PLAN).stages[-1].checks
NEVER = Chance(0.0, math.inf)
ERRORS = CheckForecast(
    "error_rate",
    RULE,
    catch=Catch("+0.5pp", Chance(0.806, 2209.0), exposed=9551.2, bad=95.5),
    doubled=Catch("doubled", Chance(0.999, 60.0), exposed=10.0, bad=1.0),
    smallest="+0.34pp",
    crash=Crash(4, 8.0, 4.0),
    passing=Chance(0.42, 7200.0),
)
SLOW = CheckForecast(
    "latency_p99 max 500ms",
    RULE,
    catch=Catch("2 %", NEVER, exposed=3600.0, bad=72.0),
    crash=Crash(2, math.inf, math.inf),
    no_pass="the baseline's latency is not known",
)
ANSWERS = CheckForecast("response_agreement max 1 %", RULE, unknown="no answers are compared here")
MIRRORED = StageForecast("m", "mirror 10 %", "shadow", 600.0, 0.5, False, (ERRORS,), ERRORS.passing)
SHIFTED = StageForecast("s", "shift 10 %", "canary", 3600.0, 1.25, True, (ERRORS, ANSWERS, SLOW), None)  # fmt: skip
BASELINE = Baseline(
    rps=Figure(12.5, Basis.OBSERVED, "the last 1h"),
    error_rate=Figure(0.00123, Basis.OBSERVED, "the last 1h"),
    latency={bucket_of(0.131): 100},
    latency_from=Basis.OBSERVED,
    dispersion=2.34,
)


def preview(*stages, warnings=()):
    standing, seen = Standing(Course.START, "i", None), Seen(exists=True)
    outlook = Outlook(BASELINE, stages, warnings)
    return Preview(PLAN, seen, standing, (), warnings, outlook)


def lines(made):
    return text(plan_table(made, "1", "p.yaml")).splitlines()


def test_power_has_a_line_a_stage_and_a_line_a_check():
    shown = lines(preview(MIRRORED, SHIFTED))

    at = next(at for at, each in enumerate(shown) if each.startswith("Power"))
    assert max(map(len, shown)) <= 100
    assert shown[at : at + 10] == [
        "Power    at 12.5 req/s (the last 1h), 0.12 % errors (the last 1h), p95 132ms (observed), errors in",
        "         clusters of 2.3",
        "    check                  rolls back  chance  80 % in  x2, +50 %  finds    crash  passes  80 % in",
        "  mirror 10 %, gate shadow, 0.5 copies/s: P(pass | healthy) 42 % within 10m, 80 % in 2h",
        "    error_rate             +0.5pp      80 %    37m      >99 %      +0.34pp  8s     42 %    2h",
        "  shift 10 %, gate canary, 1.25 req/s: P(pass | healthy) not estimated",
        "    error_rate             +0.5pp      80 %    37m      >99 %      +0.34pp  8s     42 %    2h",
        "    response_agreement max 1 %: not estimated, for no answers are compared here",
        "    latency_p99 max 500ms  2 %         <1 %    >30d     -          -        >30d   -       -",
        "      its pass is not estimated, for the baseline's latency is not known",
    ]  # fmt: skip


def test_what_checks_assume_is_said_once_and_in_json():
    drifting = replace(ERRORS, name="prediction_drift", assumed="ten classes (assumed)")
    stage = replace(MIRRORED, checks=(ERRORS, drifting, drifting))

    shown = " ".join(" ".join(lines(preview(stage, stage))).split())
    first, second, _ = preview_data(preview(stage))["outlook"]["stages"][0]["checks"]

    assert shown.count("errors in clusters of 2.3, ten classes (assumed)") == 1
    assert shown.count("assumed") == 1
    assert (first["assumed"], second["assumed"]) == (None, "ten classes (assumed)")


def test_exposure_counts_users_and_a_mirror_has_none():
    shown = lines(preview(MIRRORED, SHIFTED))

    at = next(at for at, each in enumerate(shown) if each.startswith("Exposure"))
    assert shown[at : at + 2] == [
        "Exposure mirror 10 %: no user's request, only copies",
        "         shift 10 %: a crash ~4 requests, all answered badly; error_rate +0.5pp ~9,600, ~96 badly",
    ]


def test_nothing_is_said_of_power_without_stages():
    shown = lines(preview())

    assert not [each for each in shown if each.startswith(("Power", "Exposure"))]


def test_a_long_warning_is_wrapped_between_words():
    warning = "word " * 17 + "with 78 % within 1h; else it is held."

    shown = lines(preview(warnings=(warning,)))

    at = next(at for at, each in enumerate(shown) if each.startswith("Warning"))
    assert shown[at] == f"Warning  {'word ' * 17}with"
    assert shown[at + 1] == "         78 % within 1h; else it is held."


def test_in_json_a_time_that_never_comes_is_null():
    data = json.loads(json.dumps(preview_data(preview(SHIFTED)), allow_nan=False))

    (stage,) = data["outlook"]["stages"]
    errors, answers, slow = stage["checks"]
    assert stage["pass"] is None
    assert errors["margin"] == {
        "effect": "+0.5pp",
        "probability": 0.806,
        "seconds_for_80_percent": 2209.0,
        "exposed_requests": 9551.2,
        "bad_answers": 95.5,
    }
    assert answers["not_estimated"] == "no answers are compared here"
    assert slow["margin"]["seconds_for_80_percent"] is None
    assert slow["crash"] == {"failures": 2, "seconds": None, "exposed_requests": None}


def test_without_an_outlook_json_says_so():
    bare = Preview(PLAN, Seen(exists=True), Standing(Course.START, "i", None), ())

    assert preview_data(bare)["outlook"] is None
