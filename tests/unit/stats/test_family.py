"""Names that turn up while a test runs can neither cost its validity nor hide from it."""

import json
import math
import random

import pytest
from hypothesis import given, settings, strategies as st

from rollout.stats import family as families, grid as grids, paired
from rollout.stats.family import FINE_FAIL, FINE_PASS, Cover, Family, Member
from rollout.stats.paired import Pairs

QUICK = settings(max_examples=100)


def test_grids_are_the_documented_ones():
    for grid, nearest, furthest in ((FINE_FAIL, 0.02, 100.0), (FINE_PASS, -0.01, -0.98)):
        assert len(grid.excess) == 24
        assert grid.excess[0] == pytest.approx(nearest)
        assert grid.excess[-1] == pytest.approx(furthest)
        assert math.fsum(map(math.exp, grid.log_weights)) == pytest.approx(1.0)


def fed(family, *intervals, points=0.0):
    for fields, total in intervals:
        family = paired.fields_failing(family, fields, total, points=points)
    return family


def test_the_capital_is_whole_whatever_turns_up():
    family = Family()
    for names in (["b", "a"], ["a"], ["c"], [], ["d", "e", "f"]):
        family = families.joined(family, names)

        weights = math.fsum(member.weight for member in family.members.values())
        assert weights + family.reserve == pytest.approx(1.0)
        assert families.log_e(family) == pytest.approx(0.0, abs=1e-12)
    assert family.members["a"].weight == pytest.approx(1 / 4)
    assert family.members["c"].weight == pytest.approx(1 / 6)
    assert family.members["d"].weight == pytest.approx(1 / 12 / 3)


def test_a_name_is_counted_only_after_the_interval_that_showed_it():
    """A candidate that adds a field to each answer, a new one every time, proves nothing by it."""
    family = Family()
    for at in range(100):
        family = paired.fields_failing(family, {f"f{at}": Pairs(50, 0, 50)}, 50)

    assert families.log_e(family) == pytest.approx(0.0, abs=1e-9)


def test_one_bad_field_among_many_is_found():
    fields = {f"f{at}": Pairs(1, 1, 50) for at in range(20)}
    bad = {**fields, "f7": Pairs(6, 0, 50)}

    family = fed(Family(), (fields, 50), *[(bad, 50)] * 3)

    assert families.log_e(family) > math.log(100)
    parts = {
        name: grids.log_e(FINE_FAIL, member.parts[0]) for name, member in family.members.items()
    }
    assert max(parts, key=parts.__getitem__) == "f7"


def test_a_field_missing_from_an_interval_had_no_difference_in_it():
    known = fed(Family(), ({"f": Pairs(0, 0, 50)}, 50))

    assert fed(known, ({}, 50)) == known
    assert fed(known, ({}, 50), points=0.01) == fed(
        known, ({"f": Pairs(0, 0, 50)}, 50), points=0.01
    )


def test_known_names_share_everything_and_admit_no_other():
    family = families.of_known(["a", "b"])

    assert [member.weight for member in family.members.values()] == [0.5, 0.5]
    assert families.joined(family, ["c"]) == family


def test_names_beyond_the_most_are_ignored_by_the_failing_side_and_stop_a_pass():
    names = [f"f{at:04}" for at in range(families.MOST + 10)]
    found = {name: Pairs(0, 0, 5000) for name in names}

    family = fed(Family(), (found, 5000), (found, 5000))
    cover = paired.fields_passing(families.empty_cover(), found, 5000, 0.01)

    assert len(family.members) == len(cover.members) == families.MOST
    assert cover.full
    assert families.log_s(cover) == 0.0
    assert families.log_s(Cover(cover.unseen, cover.members)) > math.log(20)


def test_a_pass_needs_every_field_and_enough_pairs_for_those_not_seen():
    quiet = {"a": Pairs(1, 1, 500)}

    early = paired.fields_passing(families.empty_cover(), quiet, 500, 0.01)
    late = paired.fields_passing(early, quiet, 1500, 0.01)
    loud = paired.fields_passing(late, {"b": Pairs(60, 10, 500)}, 500, 0.01)

    assert families.log_s(families.empty_cover()) == pytest.approx(0.0, abs=1e-12)
    assert families.log_s(early) < math.log(20) < families.log_s(late)
    assert families.log_s(loud) < 0.0


def test_a_field_that_turns_up_late_is_counted_from_the_start():
    nothing = Pairs(0, 0, 100)
    seen_at_once = seen_late = families.empty_cover()
    for fields in ({"a": nothing}, {"a": nothing}, {"a": Pairs(2, 0, 100)}):
        seen_at_once = paired.fields_passing(seen_at_once, fields, 100, 0.01)
    for fields in ({}, {}, {"a": Pairs(2, 0, 100)}):
        seen_late = paired.fields_passing(seen_late, fields, 100, 0.01)

    assert seen_late == seen_at_once


@QUICK
@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=4, max_size=8))
def test_a_resumed_family_goes_on_bit_by_bit(intervals):
    fields = [({"a": Pairs(x, y, 30), f"f{x}": Pairs(y, x, 30)}, 30) for x, y in intervals]
    first = fed(Family(), *fields[:2])

    text = json.dumps([first.reserve, first.waves, dict(first.members)])
    reserve, waves, members = json.loads(text)
    resumed = Family(
        reserve,
        waves,
        {name: Member(w, tuple(map(tuple, parts))) for name, (w, parts) in members.items()},
    )

    assert fed(resumed, *fields[2:]) == fed(Family(), *fields)


def test_fields_of_a_healthy_candidate_are_blamed_no_more_often_than_allowed():
    """Fields are rare, so that they turn up all the time and mostly by a difference."""
    rng, runs, blamed = random.Random(7), 200, 0  # noqa: S311
    for _ in range(runs):
        family, reached = Family(), False
        for _ in range(40):
            tosses = [(rng.randrange(8), rng.random() < 0.5) for _ in range(4)]
            fields = {
                f"f{at}": Pairs(tosses.count((at, True)), tosses.count((at, False)), 10)
                for at, _ in tosses
            }
            family = paired.fields_failing(family, fields, 10)
            reached = reached or families.log_e(family) >= math.log(10)
        blamed += reached

    assert blamed <= 0.1 * runs + 3 * math.sqrt(0.1 * 0.9 * runs)
