"""Answers to requests of our own, judged."""

from __future__ import annotations

import pytest

from rollout.domain.plan import Expect, Smoke
from rollout.ports.endpoint import Answer
from rollout.runtime.probe import VERIFY, find, judge_answer, smoke, verify

NUMBER = Expect(json_path="$[0].price", json_type="number")
GOOD = Answer(200, 0.1, "green", b'[{"price": 1.5}]')


class Talker:
    """The part of an endpoint that answers: with the given answers in turn, for ever."""

    def __init__(self, *answers):
        self.answers = answers
        self.asked = []

    def probe(self, body, *, deployment, timeout):
        self.asked.append((body, deployment, timeout))
        return self.answers[(len(self.asked) - 1) % len(self.answers)]


@pytest.mark.parametrize(
    ("answer", "expect", "wrong"),
    [
        (GOOD, Expect(), ""),
        (GOOD, NUMBER, ""),
        (Answer(0, 5.0, error="refused"), Expect(), "no answer: refused"),
        (Answer(500, 0.1, "green", b"KeyError"), Expect(), "status 500, expected 200: 'KeyError'"),
        (Answer(422, 0.1, "green"), Expect(status=422), ""),
        (Answer(200, 0.1, "blue"), Expect(), "answered by blue, not by green"),
        (Answer(200, 0.1, None, b"{}"), Expect(), ""),
        (Answer(200, 2.5), Expect(latency_max=2.0), "took 2s, at most 2s expected"),
        (Answer(200, 0.1, "green", b"oops"), NUMBER, "the answer is not JSON: 'oops'"),
        (Answer(200, 0.1, "green", b"\xff"), NUMBER, "the answer is not JSON: '\N{REPLACEMENT CHARACTER}'"),
        (Answer(200, 0.1, "green", b"[]"), NUMBER, "the answer has nothing at $[0].price: '[]'"),
        (Answer(200, 0.1, "green", b'[{"price": "1"}]'), NUMBER, "$[0].price is no number: "),
        (Answer(200, 0.1, "green", b'[{"price": true}]'), NUMBER, "$[0].price is no number: "),
        (Answer(200, 0.1, "green", b'[{"price": null}]'), Expect(json_path="$[0].price"), ""),
        (Answer(500, 0.1, "green", b"x" * 999), Expect(), f"status 500, expected 200: {'x' * 200!r}..."),
    ],
)  # fmt: skip
def test_what_is_wrong_with_an_answer_is_said_in_a_sentence(answer, expect, wrong):
    said = judge_answer(answer, expect, {"green"})

    assert said.startswith(wrong)
    assert bool(said) is bool(wrong)


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        ("number", b"[1.5]", b'["1"]'),
        ("integer", b"[1]", b"[1.5]"),
        ("string", b'["a"]', b"[1]"),
        ("boolean", b"[false]", b"[0]"),
        ("array", b"[[]]", b"[{}]"),
        ("object", b"[{}]", b"[[]]"),
        ("null", b"[null]", b"[0]"),
    ],
)
def test_types_are_those_of_json(kind, good, bad):
    expect = Expect(json_path="$[0]", json_type=kind)

    assert not judge_answer(Answer(200, 0.1, body=good), expect, set())
    assert judge_answer(Answer(200, 0.1, body=bad), expect, set())


@pytest.mark.parametrize(
    ("value", "path", "found"),
    [
        (7, "$", 7),
        ([1, [2, 3]], "$[1][0]", 2),
        ({"a-b": {"c": 1}}, "$.a-b.c", 1),
    ],
)
def test_a_path_leads_to_a_value(value, path, found):
    assert find(value, path) == found


@pytest.mark.parametrize(
    ("value", "path"), [([], "$[0]"), ({}, "$.a"), ([1], "$.a"), ({"a": 1}, "$[0]"), (None, "$.a")]
)
def test_a_path_that_leads_nowhere_says_so(value, path):
    with pytest.raises(LookupError):
        find(value, path)


def test_a_smoke_test_asks_one_deployment_with_each_body_in_turn():
    talker, beats = Talker(GOOD), []

    tested = smoke(talker, Smoke("candidate", 3), "green", (b"a", b"b"), lambda: beats.append(1))

    assert tested.ok
    assert tested.text == "3 of 3, slowest 100ms"
    assert talker.asked == [(b"a", "green", 10.0), (b"b", "green", 10.0), (b"a", "green", 10.0)]
    assert len(beats) == 3


def test_a_smoke_test_ends_with_the_first_bad_answer():
    talker = Talker(GOOD, Answer(500, 0.1, "green", b"KeyError"))

    tested = smoke(talker, Smoke("candidate", 5), "green", (b"a",), lambda: None)

    assert not tested.ok
    assert tested.text.startswith("request 2 of 5: status 500")
    assert len(talker.asked) == 2


def test_a_smoke_test_without_requests_is_no_good_one():
    assert not smoke(Talker(GOOD), Smoke("candidate", 5), "green", (), lambda: None).ok


@pytest.mark.parametrize(
    ("answers", "ok"),
    [
        ([Answer(200, 0.1, "blue")], True),
        ([Answer(200, 0.1, None)], True),
        ([Answer(200, 0.1, "blue")] * 6 + [Answer(500, 0.1, "blue")] * 4, True),
        ([Answer(200, 0.1, "blue")] * 5 + [Answer(500, 0.1, "blue")] * 5, False),
        ([Answer(200, 0.1, "blue")] * 9 + [Answer(200, 0.1, "green")], False),
        ([Answer(200, 0.1, "blue")] * 9 + [Answer(500, 0.1, "green")], False),
        ([Answer(0, 5.0, error="refused")], False),
    ],
)
def test_a_rollback_is_real_when_the_old_ones_answer_and_nobody_else(answers, ok):
    probed = verify(Talker(*answers), {"blue"}, (b"a",), lambda: None)

    assert probed.ok is ok
    assert probed.text
    assert len(answers) in (1, VERIFY)
