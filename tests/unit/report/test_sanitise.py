from __future__ import annotations

import json

import pytest

from rollout.report.sanitise import clean, clean_tree, compact_json, json_line, line, pretty_json

HOSTILE = [
    "\x1b[2J\x1b[31mred\x1b[0m",
    "\x1b]0;title\x07after",
    "\x1b]8;;http://evil\x1b\\link",
    "\x1bP1$r\x1b\\dcs",
    "\x9b31mc1",
    "\x9d0;title\x9cc1 osc",
    "\x1bc reset",
    "##vso[task.complete result=Failed]",
    "#\x00#vso[task.setvariable variable=x]1",
    "#\x1b[0m#[error]no",
    "###[group]x",
    "::error file=a::b",
    "  ::set-output name=x::y",
    "fine\r::add-mask::fine",
    "fine\u2028::stop-commands::x",
    "text ::notice::x",
    "\x1b[1m::warning::x",
    "a\x7fb\x00c",
    "right\u202eto left",
    "lone \ud800 surrogate",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_foreign_text_obeys_nobody(text: str) -> None:
    made = clean(text)

    assert not any(ord(each) < 32 and each not in "\n\t" for each in made)
    assert not any(0x7F <= ord(each) <= 0x9F for each in made)
    assert "##vso[" not in made
    assert "##[" not in made
    assert not any(each.lstrip().startswith("::") for each in made.splitlines())
    made.encode()


@pytest.mark.parametrize("text", HOSTILE)
def test_cleaning_twice_is_cleaning_once(text: str) -> None:
    assert clean(clean(text)) == clean(text)


def test_an_unfinished_sequence_hides_nothing_after_its_line() -> None:
    assert clean("\x1b]0;no end\nKeyError: 'tenure'") == "\nKeyError: 'tenure'"


def test_harmless_text_stays_as_it_is() -> None:
    text = "std::vector<int> on [::1]:80\n\t# one ## two, 100 % ✔ naïve 日本"

    assert clean(text) == text


def test_a_line_has_no_line_end() -> None:
    assert line("one\r\ntwo\tthree") == "one two three"


@pytest.mark.parametrize("text", [each for each in HOSTILE if "\ud800" not in each])
def test_json_is_safe_and_loses_nothing(text: str) -> None:
    value = {"text": text, "many": [text]}

    for made in (compact_json(value), pretty_json(value)):
        assert json.loads(made) == value
        assert "##" not in made
        assert "\x1b" not in made
        assert "\x7f" not in made


def test_json_has_no_infinity() -> None:
    assert json.loads(compact_json({"a": float("inf"), "b": [float("nan"), 1.5]})) == {
        "a": None,
        "b": [None, 1.5],
    }


def test_a_finished_json_line_keeps_its_values() -> None:
    made = json_line(json.dumps({"text": "##vso[x] ok"}))

    assert "##vso[" not in made
    assert json.loads(made) == {"text": "##vso[x] ok"}


def test_plain_data_is_cleaned_to_its_leaves() -> None:
    assert clean_tree({"a\x1b[1m": ["::x", 1, None, ("\x07",)]}) == {"a": [": :x", 1, None, [""]]}
