"""What an answer says is read, labelled and summed without guessing."""

import json
import math

import pytest
from hypothesis import given, settings, strategies as st

from rollout.domain.answers import Said
from rollout.domain.criteria import Custom
from rollout.domain.measure import Sums
from rollout.gates import answers
from rollout.gates.answers import NUMBERS, OTHER, TINY, Bins, Kind
from rollout.stats import betting

QUICK = settings(max_examples=50)
numbers = st.floats(allow_nan=False, allow_infinity=False)
customs = st.builds(
    Custom,
    st.just("m"),
    st.sampled_from(["ratio", "mean"]),
    st.sampled_from(["$", "$.a", "$[0]", "$[*]"]),
    st.none() | st.text(max_size=3),
    st.none() | numbers,
    st.none() | numbers,
    low=st.none() | st.floats(-10, 0),
    high=st.none() | st.floats(1, 10),
)


def said(value, **more):
    return Said(200, json.dumps(value).encode(), "application/json", **more)


def label(value, path=""):
    return answers.outputs_of(said(value), path)


# Bodies


@pytest.mark.parametrize(
    ("content_type", "body", "kind"),
    [
        ("application/json", b"[1]", Kind.JSON),
        ("Application/JSON; charset=utf-8", b"[1]", Kind.JSON),
        ("application/problem+json", b"{}", Kind.JSON),
        ("application/json", b"<html>", Kind.TEXT),
        ("application/json", b"\xff\xfe\xfa", Kind.BINARY),
        ("application/json", b"[" * 100_000, Kind.TEXT),
        ("application/json", b"9" * 10_000, Kind.JSON),
        ("text/plain", b"[1]", Kind.TEXT),
        ("text/csv", b"\xff", Kind.TEXT),
        ("image/png", b"[1]", Kind.BINARY),
        ("", b"[1]", Kind.JSON),
        ("", b"hello", Kind.TEXT),
        ("", b"\xff\xfe\xfa", Kind.BINARY),
    ],
)
def test_a_body_is_of_the_kind_that_its_content_type_names_if_it_is_one(content_type, body, kind):
    assert answers.read(Said(200, body, content_type)).kind is kind


@pytest.mark.parametrize("status", [0, 408, 424, 429, 500, 503, 599])
def test_an_answer_that_the_model_owes_is_an_error(status):
    assert answers.failed(Said(status))


@pytest.mark.parametrize("status", [200, 204, 302, 400, 404, 422])
def test_any_other_status_is_an_answer(status):
    assert not answers.failed(Said(status))


@pytest.mark.parametrize(
    ("path", "steps"),
    [
        ("", ()),
        ("$", ()),
        ("$.a-b[12].c", ("a-b", 12, "c")),
        ("$[*].größe", (None, "größe")),
        (r'$["a b"]["\"]\""]', ("a b", '"]"')),
    ],
)
def test_paths_name_keys_and_positions(path, steps):
    assert answers.steps_of(path) == steps


@pytest.mark.parametrize("path", ["$.", "$.a b", "$[-1]", "$[x]", "x", "$..a", r'$["\x"]'])
def test_what_is_no_path_is_refused(path):
    with pytest.raises(ValueError, match=r"path|escape"):
        answers.steps_of(path)


# Labels


@pytest.mark.parametrize(
    ("value", "path", "expected"),
    [
        ("cat", "", "=cat"),
        (["cat", "dog"], "$[1]", "=dog"),
        ([{"label": "cat", "score": 1}], "$[*].label", "=cat"),
        ({"b": [[], {"x": "first"}], "a": "second"}, "", "=first"),
        ({"b": 1, "a": ["in a"]}, "$.a", "=in a"),
        (True, "$", "=true"),
        (None, "$", "=null"),
        (math.nan, "$", "=NaN"),
        (math.inf, "$", "=Infinity"),
        ("x" * 64, "$", "=" + "x" * 64),
        ("x" * 65, "$", None),
        ("\ud800", "$", "=\\ud800"),
        (0, "$", "#0"),
        (1, "$", "#425"),
        (-1.0, "$", "#-425"),
        ([], "", None),
        ({"a": 1}, "$.b", None),
        ({"a": 1}, "$[0]", None),
        ([1], "$[1]", None),
        ([1], "$.a", None),
        (1, "$.a", None),
    ],
)
def test_a_prediction_has_one_label(value, path, expected):
    assert label(value, path) == expected


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (Said(200, b"cat", "text/plain"), "=cat"),
        (Said(200, b" 1.0\n", "text/plain"), "#425"),
        (Said(200, b"", "text/plain"), None),
        (Said(200, b"\x89PNG", "image/png"), None),
        (Said(500, b'"cat"'), None),
        (Said(400, b'{"detail": "bad"}'), None),
        (Said(0), None),
        (Said(200, b'"cat"', whole=False), None),
        (Said(200, b"[" * 500 + b"1" + b"]" * 500), "#425"),
    ],
)
def test_only_a_whole_successful_answer_has_a_label(answer, expected):
    assert answers.outputs_of(answer, "") == expected


# Buckets of numbers


@QUICK
@given(numbers, numbers)
def test_buckets_keep_the_order_of_numbers(one, other):
    low, high = sorted([one, other])

    assert answers.value_bucket(low) <= answers.value_bucket(high)
    assert answers.value_bucket(-low) == -answers.value_bucket(low)


@QUICK
@given(numbers)
def test_a_number_lies_within_the_edges_of_its_bucket(number):
    low, high = answers.bucket_edges(answers.value_bucket(number))
    slack = 1e-8 * abs(number)

    assert low - slack <= number <= high + slack
    assert high == TINY or low == -TINY or abs(high - low) <= 0.0501 * max(abs(low), abs(high))


@pytest.mark.parametrize("number", [0, -0.0, TINY, -TINY, 5e-324])
def test_what_is_next_to_zero_counts_as_zero(number):
    assert answers.value_bucket(number) == 0


# Sums


@pytest.mark.parametrize(
    ("asked", "values", "hits"),
    [
        ({"equals": "yes"}, ["yes", "no", "Yes"], 1),
        ({"equals": "1"}, [1, 1.0, "1", "1.0", True, 2], 3),
        ({"equals": "true"}, [True, False, "true", 1], 2),
        ({"equals": "null"}, [None, 0], 1),
        ({"above": 0.5}, [0.5, 0.51, 1, "0.9", True, None, math.nan, math.inf], 3),
        ({"below": 0.5}, [0.5, 0.49, -math.inf], 2),
        ({"above": 0, "below": 1}, [0, 0.5, 1], 1),
    ],
)
def test_a_ratio_counts_the_answers_whose_value_is_as_asked(asked, values, hits):
    custom = Custom("m", "ratio", "$.v", **asked)

    found = answers.sums_of([said({"v": value}) for value in values], custom)

    assert found == Sums(len(values), hits)


def test_a_mean_has_its_moments_and_leaves_out_what_is_no_number():
    values = [1, 2.5, "3", True, None, math.nan, [4]]

    found = answers.sums_of([said([value]) for value in values], Custom("m", "mean", "$[0]"))

    assert found == Sums(3, 7.5, 23.25)


def test_errors_and_answers_without_the_value_are_not_counted():
    given_ = [Said(500, b"1"), Said(0), said({}), said({"v": []}), said({"v": 1}, whole=False)]

    for kind in ("ratio", "mean"):
        assert answers.sums_of(given_, Custom("m", kind, "$.v", equals="1")) == Sums()


def test_a_bounded_mean_clips_to_its_bounds_and_every_moment_is_of_the_clipped_values():
    custom = Custom("m", "mean", "$", low=0.0, high=2.0)

    found = answers.sums_of([said(value) for value in (-5, 1, 7, math.inf)], custom)

    assert found == Sums(4, 5.0, 9.0, betting.tally([0.0, 1.0, 2.0, 2.0], 0.0, 2.0))


@QUICK
@given(st.lists(st.binary(max_size=20) | numbers.map(lambda n: json.dumps([n]).encode())), customs)
def test_sums_of_any_answers_are_finite_and_consistent(bodies, custom):
    found = answers.sums_of([Said(200, body) for body in bodies], custom)

    assert 0 <= found.count <= len(bodies)
    assert math.isfinite(found.total)
    assert math.isfinite(found.squares)
    assert not found.tally or sum(found.tally.values()) == found.count * betting.UNIT


# Classes


def test_few_answers_draw_no_classes():
    assert answers.binned({"=a": 199}) is None


def test_numbers_fall_into_bins_of_about_as_many_of_the_reference():
    reference = {f"#{answers.value_bucket(0.001 * at)}": 0 for at in range(1, 5000)}
    for at in range(1, 5000):
        reference[f"#{answers.value_bucket(0.001 * at)}"] += 1

    bins = answers.binned(reference)
    found = answers.classed(reference, bins)

    assert len(found) == 10
    assert max(found.values()) < 1.6 * min(found.values())


@pytest.mark.parametrize("often", [0.0, 1.0, -2.5])
def test_a_number_that_is_answered_often_has_a_bin_of_its_own(often):
    at = answers.value_bucket(often)

    bins = answers.binned({f"#{at}": 800, f"#{at + 50}": 100, f"#{at - 50}": 100})
    names = [answers.class_of(f"#{at + step}", bins) for step in (-1, 0, 1)]

    assert len(set(names)) == 3


def test_the_classes_of_zero_have_readable_names():
    bins = answers.binned({"#0": 800, "#425": 200})

    assert answers.class_of("#0", bins) == "0..0"
    assert answers.class_of("#425", bins).startswith("0..")
    assert answers.class_of("#-9", bins) == "..0"


def test_rare_and_unknown_labels_are_one_class_and_classes_are_few():
    reference = {f"=class {at}": 100 - at for at in range(40)} | {"=rare": 1}

    bins = answers.binned(reference)
    found = answers.classed({**reference, "=new": 5, "=NaN": 2}, bins)

    assert len(found) == 20
    assert found[OTHER] == sum(100 - at for at in range(19, 40)) + 1 + 5 + 2
    assert bins == answers.binned(dict(reversed(reference.items())))


def test_numbers_too_few_for_bins_are_one_class():
    bins = answers.binned({"=a": 500, "#1": 3, "#-7": 4})

    assert answers.classed({"#1": 3, "#99": 1}, bins) == {NUMBERS: 4}


labels = st.one_of(
    st.integers(-15_000, 15_000).map(lambda at: f"#{at}"), st.text(max_size=3).map("={}".format)
)


@QUICK
@given(st.dictionaries(labels, st.integers(0, 500), max_size=40), labels)
def test_classes_survive_json_and_are_one_for_every_label(reference, label):
    bins = answers.binned(reference)

    if bins is not None:
        stored: Bins = json.loads(json.dumps(bins))
        assert answers.class_of(label, stored) == answers.class_of(label, bins)
        assert sum(answers.classed(reference, bins).values()) == sum(reference.values())
        assert len(answers.classed(reference, bins)) <= 40
        at = sorted(int(each[1:]) for each in reference if each[0] == "#")
        names = [answers.class_of(f"#{each}", bins) for each in at]
        assert names == sorted(names, key=names.index)


@QUICK
@given(st.binary(max_size=40), st.sampled_from(["", "application/json", "text/plain", "a/b"]))
def test_no_body_breaks_the_reader(body, content_type):
    found = answers.outputs_of(Said(200, body, content_type), "")

    assert found is None or found[0] in "=#"
