"""Where two answers differ: by structure, by rules, and whatever the bodies hold."""

import json
import math
import random
from dataclasses import replace

import pytest
from hypothesis import given, settings, strategies as st

from rollout.domain.answers import CompareRule, Difference, Said
from rollout.domain.measure import Agreement
from rollout.gates import compare
from rollout.gates.compare import differences, tallied, tallied_with_noise
from tests.steps import at_most

QUICK = settings(max_examples=40)
ALL = (CompareRule("$"),)
UNORDERED = (CompareRule("$", unordered=True),)
JSON = "application/json"

scalars = (
    st.none() | st.booleans() | st.integers(-3, 3) | st.floats() | st.text("abé\ud800", max_size=2)
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from("abc"), inner),
    max_leaves=12,
)
rules = st.lists(
    st.builds(
        CompareRule,
        st.sampled_from(["$", "$.a", "$[*]", "$[0]", "$.a[*]", "$[*].b", "$.a.b[*].c"]),
        st.sampled_from([0.0, 0.1, 0.5]),
        st.sampled_from([0.0, 0.5, 2.0]),
        st.booleans(),
        st.booleans(),
    ),
    max_size=4,
)
answers = st.builds(
    Said,
    st.sampled_from([0, 200, 200, 200, 404, 500]),
    st.binary(max_size=12) | values.map(lambda value: json.dumps(value).encode()),
    st.sampled_from(["", JSON, "text/plain", "image/png"]),
    st.sampled_from([True, True, False]),
)


def said(value, status=200):
    return Said(status, json.dumps(value).encode(), JSON)


def kinds(before, after, some=()):
    return {(each.path, each.kind) for each in differences(said(before), said(after), some)}


def widened(some, rel, absolute):
    return [
        replace(
            rule,
            rel_tolerance=min(rule.rel_tolerance + rel, 0.9),
            abs_tolerance=rule.abs_tolerance + absolute,
        )
        for rule in some
    ]


# Status and kind of body


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (500, 200, ("500", "200")),
        (200, 429, ("200", "429")),
        (200, 0, ("200", "no answer")),
        (200, 201, ("200", "201")),
        (404, 200, ("404", "200")),
        (500, 503, None),
        (0, 408, None),
        (404, 404, None),
    ],
)
def test_a_status_differs_unless_both_are_errors(before, after, expected):
    found = differences(Said(before), Said(after), ALL)

    assert found == ((Difference("status", "status", *expected),) if expected else ())


def test_after_two_errors_or_another_status_bodies_are_not_compared():
    assert kinds({"a": 1}, {"a": 1}, ALL) == set()
    assert differences(said("a", 500), said([], 502), ALL) == ()
    assert len(differences(said("a", 200), said([], 404), ALL)) == 1


@pytest.mark.parametrize(
    ("before", "after", "shown"),
    [
        ((b"{}", JSON), (b"{}", "text/plain"), (JSON, "text/plain")),
        ((b"{}", JSON), (b"<p>", JSON), (JSON, f"{JSON}: text")),
        ((b"{}", ""), (b"hello", ""), ("no content type: json", "no content type: text")),
        ((b"hello", ""), (b"\xff", ""), ("no content type: text", "no content type: binary")),
        ((b"{}", "text/html"), (b"\xff", "image/png"), ("text/html", "image/png")),
    ],
)
def test_another_kind_of_body_differs(before, after, shown):
    found = differences(Said(200, *before), Said(200, *after), ())

    assert found == (Difference("$", "content_type", *shown),)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ((b"{}", JSON), (b"{ }", "application/problem+json; charset=utf-8")),
        ((b"{}", JSON), (b"{ }", "")),
        ((b"a", "text/plain"), (b"b", "text/html")),
        ((b"a", "image/png"), (b"b", "image/jpeg")),
        ((b"", JSON), (b"", "text/plain")),
    ],
)
def test_the_same_kind_under_another_name_does_not(before, after):
    assert differences(Said(200, *before), Said(200, *after), ()) == ()


@pytest.mark.parametrize("content_type", [JSON, "text/plain", "image/png", ""])
def test_an_empty_body_against_one_that_is_not_differs(content_type):
    full, empty = Said(200, b"1", content_type), Said(200, b"", content_type)

    assert [each.kind for each in differences(full, empty, ())] == ["missing"]
    assert [each.kind for each in differences(empty, full, ())] == ["added"]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (Said(200, b"[1, 2", JSON, whole=False), Said(200, b"{}", JSON), ()),
        (Said(200, b"[1, 2", whole=False), Said(200, b"text", "text/plain"), ()),
        (Said(200, b"", JSON, whole=False), Said(200, b"{}", JSON), ()),
        (Said(200, b"[1, 2", JSON, whole=False), Said(200, b"x", "text/plain"), ("content_type",)),
        (Said(200, b"[" + b"1," * (1 << 20), JSON), Said(200, b"{}", JSON), ()),
    ],
)
def test_a_body_that_is_cut_off_differs_in_its_declared_kind_at_most(before, after, expected):
    assert tuple(each.kind for each in differences(before, after, ALL)) == expected
    assert tuple(each.kind for each in differences(after, before, ALL)) == expected


# Structure


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (1, 2, set()),
        (1, 2.5, set()),
        ("a", "b", set()),
        ([1, 2], [3, 4], set()),
        ({"a": 1, "b": [2]}, {"b": [3], "a": 4}, set()),
        (1, "1", {("$", "type")}),
        (1, True, {("$", "type")}),
        (None, 0, {("$", "type")}),
        ([], {}, {("$", "type")}),
        ({"a": 1}, {"b": 1}, {("$.a", "missing"), ("$.b", "added")}),
        ({"a": {"b": None}}, {"a": {}}, {("$.a.b", "missing")}),
        ([1, 2], [1], {("$", "length")}),
        ([[1], [2]], [[1], [2, 3]], {("$[*]", "length")}),
        ([1, 2, "x"], [1, "2"], {("$", "length"), ("$[*]", "type")}),
        ([1.0], [math.nan], {("$[*]", "not_finite")}),
        ([math.inf], [1], {("$[*]", "not_finite")}),
        ([math.inf], [math.nan], set()),
        ([{"a": 1}, {"a": 2}], [{"a": "1"}, {"a": "2"}], {("$[*].a", "type")}),
        ({"a b": 1, "é": 2}, {}, {('$["a b"]', "missing"), ("$.é", "missing")}),
        ({"x" * 99: 1}, {}, {('$["' + "x" * 64 + '"]', "missing")}),
    ],
)
def test_without_rules_structure_is_compared(before, after, expected):
    assert kinds(before, after) == expected


def test_numbers_too_large_to_be_numbers_are_not_finite():
    assert [
        each.kind
        for huge in (b"1e999", b"9" * 5000)
        for each in differences(Said(200, huge, JSON), said(1), ())
    ] == ["not_finite", "not_finite"]


def test_a_list_whose_items_all_differ_is_one_difference():
    found = differences(said([*range(1000)]), said([*range(1, 1001)]), ALL)

    assert found == (Difference("$[*]", "value", "0", "1"),)


def test_values_are_shown_short_and_on_one_line():
    long = {"text": "line\nbreak\u2028" * 100, "odd": "\ud800"}

    (found,) = differences(said({"a": long}), said({"a": 1}), ())

    assert found.candidate == "1"
    assert len(found.baseline) == 200
    assert len(found.baseline.splitlines()) == 1
    found.baseline.encode()


# Rules


@pytest.mark.parametrize(
    ("rule", "before", "after", "differs"),
    [
        (CompareRule("$"), 1, 1.0, False),
        (CompareRule("$"), 1, 1.0000001, True),
        (CompareRule("$"), 2**60, 2**60 + 1, True),
        (CompareRule("$"), "a", "b", True),
        (CompareRule("$"), True, False, True),
        (CompareRule("$"), None, None, False),
        (CompareRule("$"), math.nan, math.nan, False),
        (CompareRule("$"), math.inf, -math.inf, True),
        (CompareRule("$", rel_tolerance=0.01), 1.0, 0.99, False),
        (CompareRule("$", rel_tolerance=0.01), -100, -101, False),
        (CompareRule("$", rel_tolerance=0.01), -100, -102, True),
        (CompareRule("$", rel_tolerance=0.01), 0, 1e-9, True),
        (CompareRule("$", abs_tolerance=0.01), 0, 0.01, False),
        (CompareRule("$", abs_tolerance=0.01), 0, 0.011, True),
        (CompareRule("$", abs_tolerance=0.01), 2**60, 2**60 + 1, True),
        (CompareRule("$", 0.01, 0.5), 1, 1.5, False),
        (CompareRule("$", 0.01, 0.5), 1000, 1010, False),
        (CompareRule("$", 1.0, 1.0), "a", "b", True),
        (CompareRule("$", ignore=True), 1, "x", False),
        (CompareRule("$.a"), {"a": [1], "b": 1}, {"a": [1], "b": 2}, False),
        (CompareRule("$.a"), {"a": [1]}, {"a": [2]}, True),
        (CompareRule("$.a[*].b"), {"a": [{"b": 1, "c": 1}]}, {"a": [{"b": 1, "c": 2}]}, False),
        (CompareRule("$.a[*].b"), {"a": [{"b": 1}]}, {"a": [{"b": 2}]}, True),
        (CompareRule("$[1]"), [1, 1], [2, 1], False),
        (CompareRule("$[1]"), [1, 1], [1, 2], True),
        (CompareRule('$["a b"]'), {"a b": 1}, {"a b": 2}, True),
        (CompareRule("$.a", ignore=True), {"a": 1}, {}, False),
        (CompareRule("$.a", ignore=True), {"a": {"b": 1}}, {"a": {"b": "x"}}, False),
        (CompareRule("$.a", ignore=True), {"b": 1}, {}, True),
    ],
)
def test_a_rule_has_the_values_it_covers_compared(rule, before, after, differs):
    assert bool(differences(said(before), said(after), [rule])) is differs
    assert bool(differences(said(after), said(before), [rule])) is differs


@pytest.mark.parametrize(
    ("some", "expected"),
    [
        ([CompareRule("$"), CompareRule("$.a", abs_tolerance=1)], set()),
        ([CompareRule("$.a", abs_tolerance=1), CompareRule("$")], set()),
        ([CompareRule("$", abs_tolerance=1), CompareRule("$.a")], {("$.a[*]", "value")}),
        ([CompareRule("$.a[*]", abs_tolerance=1), CompareRule("$.a[0]")], {("$.a[*]", "value")}),
        ([CompareRule("$.a[0]", abs_tolerance=1), CompareRule("$.a[*]")], set()),
        ([CompareRule("$.a"), CompareRule("$.a", abs_tolerance=1)], set()),
        ([CompareRule("$.a", ignore=True), CompareRule("$.a[*]")], {("$.a[*]", "value")}),
        ([CompareRule("$"), CompareRule("$.a[*]", ignore=True)], set()),
    ],
)
def test_the_most_specific_rule_counts_and_of_two_the_later(some, expected):
    assert kinds({"a": [1]}, {"a": [2]}, some) == expected


def test_a_path_that_is_none_is_refused():
    with pytest.raises(ValueError, match="not a path"):
        differences(said(1), said(2), [CompareRule("$.")])


@pytest.mark.parametrize(
    ("content_type", "before", "after", "some", "expected"),
    [
        ("text/plain", b"a", b"b", (), None),
        ("text/plain", b"a", b"b", ALL, "value"),
        ("text/plain", b"1.0", b"1.005\n", [CompareRule("$", 0.01)], None),
        ("text/plain", b"1.0", b"1.05", [CompareRule("$", 0.01)], "value"),
        ("text/plain", b"a", b"b", [CompareRule("$[*]")], None),
        ("image/png", b"a", b"b", (), None),
        ("image/png", b"a", b"b", ALL, "body"),
        ("image/png", b"a", b"b", [CompareRule("$", ignore=True)], None),
    ],
)
def test_text_and_bytes_are_compared_under_a_rule_for_the_whole(
    content_type, before, after, some, expected
):
    found = differences(Said(200, before, content_type), Said(200, after, content_type), some)

    assert [each.kind for each in found] == ([expected] if expected else [])


# Lists without an order


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ([1, 2, 3], [3, 1, 2], set()),
        ([1, 1, 2], [1, 2, 2], {("$[*]", "value")}),
        (["a", "b", None], [None, "b", "a"], set()),
        (["a", "a", "b"], ["a", "b", "b"], {("$[*]", "value")}),
        ([1, "1"], ["1", "1"], {("$[*]", "type")}),
        ([1, 2], [1, math.nan], {("$[*]", "not_finite")}),
        ([1, True], [True, 1.0], set()),
        ([1, 2], [2], {("$", "length")}),
        ([{"id": 1}, {"id": 2}], [{"id": 2}, {"id": 1}], set()),
        ([{"id": 1}, {"id": 2}], [{"id": 2}, {"id": 3}], {("$[*]", "value")}),
        ([{"id": 1}], [{"no": 1}], {("$[*]", "value")}),
        ([[1, 2], [3]], [[3], [2, 1]], set()),
        ([[1, 2], [3]], [[3], [2, 2]], {("$[*]", "value")}),
    ],
)
def test_an_unordered_list_is_a_multiset(before, after, expected):
    assert kinds(before, after, UNORDERED) == expected
    assert kinds(before, before[::-1], UNORDERED) == set()


def test_a_rule_for_the_items_makes_their_list_unordered_too():
    rule = CompareRule("$.a[*]", abs_tolerance=0.1, unordered=True)

    assert kinds({"a": [1, 2, 3]}, {"a": [3.1, 2.9, 1.0]}, [rule]) == {("$.a[*]", "value")}
    assert kinds({"a": [1, 2, 3]}, {"a": [3.1, 1.9, 1.0]}, [rule]) == set()


def test_ignored_fields_do_not_part_the_items_of_an_unordered_list():
    some = [*UNORDERED, CompareRule("$[*].id", ignore=True)]

    assert (
        kinds([{"id": 7, "v": 1}, {"id": 8, "v": 2}], [{"id": 1, "v": 2}, {"v": 1}], some) == set()
    )


def test_a_pairing_within_the_tolerance_is_found_if_there_is_one():
    """Identical items pair up first here, and must let go of each other again."""
    chain = [CompareRule("$", abs_tolerance=1, unordered=True)]
    before = [{"v": at} for at in range(-1, 40)]
    after = [{"v": at} for at in range(41)]

    assert kinds(before, after, chain) == set()
    assert kinds(before, [*after[:-1], {"v": 42}], chain) == {("$[*]", "value")}


def test_one_item_in_hundreds_without_a_partner_is_found():
    rule = [CompareRule("$", 0.01, unordered=True)]
    before = [{"id": f"{at:03}", "score": at + 1.0} for at in range(300)]
    after = [{"id": f"{at:03}", "score": at + 1.001} for at in reversed(range(300))]

    assert kinds(before, after, rule) == set()
    assert kinds(before, [{"id": "000", "score": 2.0}, *after[:-1]], rule) == {("$[*]", "value")}


@QUICK
@given(st.lists(values, max_size=6), st.randoms(use_true_random=False))
def test_order_means_nothing_in_an_unordered_list(items, rng):
    shuffled = rng.sample(items, len(items))

    assert kinds(items, shuffled, UNORDERED) == set()
    assert kinds({"a": items}, {"a": shuffled}, [CompareRule("$.a", 0.1, unordered=True)]) == set()


# Whatever the answers are


@QUICK
@given(values, rules)
def test_an_answer_never_differs_from_itself(value, some):
    spaced = Said(200, json.dumps(value, indent=1).encode(), JSON)

    assert differences(said(value), said(value), some) == ()
    assert differences(said(value), spaced, some) == ()


@QUICK
@given(answers, answers, rules)
def test_any_two_answers_are_compared_and_differ_in_both_directions_or_none(one, other, some):
    there, back = differences(one, other, some), differences(other, one, some)

    assert bool(there) is bool(back)
    assert {each.path for each in there} == {each.path for each in back}
    for each in there:
        json.dumps([each.path, each.kind, each.baseline, each.candidate]).encode()
        assert len(each.baseline) <= 200
        assert len((each.path + each.baseline + each.candidate).splitlines()) == 1


@QUICK
@given(values, values, rules, st.sampled_from([0.0, 0.1]), st.sampled_from([0.0, 1.0]))
def test_a_larger_tolerance_never_finds_more(one, other, some, rel, absolute):
    strict = kinds(one, other, some)

    assert kinds(one, other, widened(some, rel, absolute)) <= strict


@QUICK
@given(st.lists(st.floats(-9, 9), min_size=1, max_size=6), st.randoms(use_true_random=False))
def test_numbers_moved_within_the_tolerance_agree_in_any_order(numbers, rng):
    moved = [number * (1 + rng.uniform(-0.09, 0.09)) for number in numbers]
    rng.shuffle(moved)

    for wrap in (lambda number: number, lambda number: {"v": number}):
        lists = [[wrap(number) for number in each] for each in (numbers, moved)]
        assert kinds(*lists, [CompareRule("$", 0.1, unordered=True)]) == set()


def flat(count):
    return [{"id": at, "v": [at / 7, at / 3]} for at in range(count)]


def near(shift):
    rng = random.Random(1)  # noqa: S311 - no secrets
    return [{"v": rng.random() + shift} for _ in range(3000)]


HOSTILE = {
    "deep": lambda: (b"[" * 400 + b"1" + b"]" * 400, b"[" * 400 + b"2" + b"]" * 400),
    "too deep": lambda: (b"[" * 200_000, b'{"a":' * 200_000),
    "wide": lambda: (flat(9000), flat(9000)[::-1]),
    "keys": lambda: ({f"k{at}": at for at in range(30_000)}, {}),
    "near": lambda: (near(0.0), near(0.01)),
    "long key": lambda: ({"k" * 900_000: 1}, {"k" * 900_000: "1"}),
    "digits": lambda: (b"9" * 900_000, b"8" * 900_000),
    "strings": lambda: (["x" * 900_000], [["y" * 900_000]]),
}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("some", [(), [CompareRule("$", 0.0, 0.05, unordered=True)]], ids="su")
def test_a_hostile_body_takes_bounded_work(name, some):
    before, after = (
        Said(200, body, JSON) if isinstance(body, bytes) else said(body) for body in HOSTILE[name]()
    )

    with at_most(steps=8_000_000):  # as much as a second or two of one core
        differences(before, after, some)


# Pairs of an interval


def test_pairs_are_counted_by_path_and_kind_with_the_first_example_of_each():
    same, other, worse = said({"a": 1, "b": 2}), said({"a": "x"}), said({"a": None})
    error = Said(500)

    found = tallied([(same, same), (same, other), (same, worse), (same, error), (error, error)], ())

    assert found.agreement == Agreement(
        4, 3, fields={"$.a type": 2, "$.b missing": 2, "status status": 1}
    )
    assert [(each.path, each.kind, after) for each, _, after in found.examples] == [
        ("$.a", "type", other),
        ("$.b", "missing", other),
        ("status", "status", error),
    ]


def test_the_baselines_own_noise_is_told_from_the_candidates_differences():
    one, x, y, both = said([1, 1]), said(["x", 1]), said({}), Said(503)

    found = tallied_with_noise(
        [
            (one, one, one),
            (one, x, one),
            (one, one, x),
            (one, x, x),
            (one, x, y),
            (both, both, both),
            (both, one, both),
        ],
        (),
    )

    assert found.agreement == Agreement(
        compared=6,
        differing=4,
        noisy=3,
        only_candidate=2,
        only_noise=1,
        fields={"$[*] type": 2, "status status": 1},
        field_noise={"$[*] type": 1, "$ type": 1},
    )
    assert [each.path for each, _, _ in found.examples] == ["$[*]", "status"]


def test_ways_are_counted_one_by_one_up_to_a_limit_and_those_known_before_first():
    pairs = [(said({}), said({f"k{at}": 1, "known": 1})) for at in range(200)]

    found = tallied(pairs, (), known=["$.known added"]).agreement

    assert len(found.fields) == compare.FIELDS + 1
    assert found.fields["$.known added"] == 200
    assert found.fields[compare.OTHER] == 200 - 99


@QUICK
@given(st.lists(st.tuples(answers, answers, answers), max_size=6), rules)
def test_counts_of_any_answers_fit_together(triples, some):
    found = tallied_with_noise(triples, some).agreement
    swapped = tallied_with_noise([(one, three, two) for one, two, three in triples], some).agreement

    assert found.differing - found.only_candidate == found.noisy - found.only_noise
    assert found.compared <= len(triples)
    assert max(found.fields.values(), default=0) <= found.differing
    assert (found.only_candidate, found.fields) == (swapped.only_noise, swapped.field_noise)
