"""``check``, ``verify`` and ``diff``: a closer look at gates and what they rest on."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

import pytest

from rollout.cli.exits import Exit
from rollout.domain import events as e
from rollout.domain.answers import Difference, Example
from rollout.domain.measure import Agreement, Interval
from rollout.domain.verdict import Judgement, Verdict
from rollout.runtime.journal import Journal, read_entry
from tests.unit.cli.scene import Scene
from tests.unit.cli.test_apply import AUTO

STREAM = "fake/churn"


@pytest.fixture
def done(scene: Scene) -> Scene:
    """A run that has ended."""
    assert scene.call(*AUTO).code == 0
    return scene


def test_a_run_is_verified(done: Scene) -> None:
    told = done.call("verify")

    assert told.code == 0
    assert "in one hash chain" in told.out
    assert "verdicts recomputed" in told.out


def test_verify_as_data(done: Scene) -> None:
    data = json.loads(done.call("verify", "-o", "json").out)

    assert (data["outcome"], data["code"], data["mismatches"]) == ("verified", 0, [])
    assert data["verdicts"] > 0
    assert len(data["head"]) == 64


def test_a_verdict_that_was_edited_is_found(done: Scene) -> None:
    """Edited with its hash chain made anew, as somebody would who wants to hide it."""
    records = done.shelf.events[STREAM]
    at = next(
        seq
        for seq, each in enumerate(records)
        if isinstance(read_entry(each).event, e.Measured) and b'"verdict":"pass"' in each.body
    )
    forged = records[at].body.replace(b'"verdict":"pass"', b'"verdict":"fail"', 1)
    records[at] = replace(records[at], body=forged)
    for before, seq in enumerate(range(at + 1, len(records))):
        old = json.loads(records[seq].body)
        old["prev"] = hashlib.sha256(records[at + before].body).hexdigest()
        body = json.dumps(old, separators=(",", ":")).encode()
        records[seq] = replace(records[seq], body=body)

    told = done.call("verify")

    assert told.code == Exit.ERROR
    assert f"entry {at}: " in told.out
    assert "rollout events r-" in told.err


def test_an_entry_that_was_edited_without_its_chain_is_found(done: Scene) -> None:
    records = done.shelf.events[STREAM]
    records[2] = replace(records[2], body=records[2].body.replace(b'"by":"ada', b'"by":"eve'))

    told = done.call("verify")

    assert told.code == Exit.ERROR
    assert "The journal was edited." in told.err


def test_diff_says_that_nothing_was_compared(done: Scene) -> None:
    told = done.call("diff")

    assert told.code == 0
    assert "No answers were compared in r-" in told.out


def test_diff_shows_an_example_of_each_kind(done: Scene) -> None:
    found = Example(Difference("$[*]", "type", "152.1", "null"), "200 [152.1]", "200 [null]")
    journal = Journal(done.store(), STREAM, "ada")
    journal.refresh()
    journal.take()
    seen = Interval(0, 1, {}, {"": Agreement(8, 3, fields={"$[*] type": 3})})
    journal.append(e.Measured((seen,), "c", {}, Judgement("shadow", Verdict.RUNNING, "")))
    journal.append(e.AnswersDiffered("mirror", (found,)))

    told = done.call("diff")
    data = json.loads(done.call("diff", "-o", "json").out)

    assert "3 of 8" in told.out
    assert "$[*]  type" in told.out
    assert "green  null" in told.out
    assert data["groups"][0]["example"]["difference"]["candidate"] == "null"


def test_check_judges_the_gate_on_the_split_as_it_is(scene: Scene) -> None:
    scene.world.serve("green")
    scene.world.by_hand({"blue": 50, "green": 50})

    told = scene.call("check", "canary", str(scene.plan), "--for", "10m")

    assert told.code == 0, told.err
    assert "gate canary: pass" in told.out
    assert scene.world.writes == []


def test_check_of_a_bad_candidate_as_data(scene: Scene) -> None:
    scene.world.serve("green")
    scene.world.by_hand({"blue": 50, "green": 50})
    scene.world.behave("green", error_rate=0.5)

    told = scene.call("check", "canary", str(scene.plan), "-o", "json")

    data = json.loads(told.out)
    assert (told.code, data["outcome"]) == (Exit.HELD, "fail")
    assert data["checks"][0]["check"] == "error_rate"


def test_check_that_was_too_short_says_how_to_look_longer(scene: Scene) -> None:
    scene.world.serve("green")
    scene.world.by_hand({"blue": 50, "green": 50})

    told = scene.call("check", "canary", str(scene.plan), "--for", "2s")

    assert told.code == Exit.INCONCLUSIVE
    assert f"rollout check canary {scene.plan} --for 4s" in told.err


def test_check_of_an_unknown_gate_names_the_gates(scene: Scene) -> None:
    told = scene.call("check", "cannary", str(scene.plan))

    assert told.code == Exit.USAGE
    assert "no gate 'cannary'" in told.err
