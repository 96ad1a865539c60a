"""Bytes become data with places, by YAML 1.2, within limits."""

from __future__ import annotations

from pathlib import Path

import pytest

from rollout.domain.diagnostics import Place
from rollout.planfile.text import Document, parse, read
from tests.steps import at_most
from tests.unit.planfile.plans import SMALL, look, told


def document(text: str | bytes, file: str = "plan.yaml") -> Document:
    return parse(text.encode() if isinstance(text, str) else text, file=file)


def only(found: Document) -> str:
    (line,) = told(found.findings)
    return line


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("on", "on"),
        ("no", "no"),
        ("y", "y"),
        ("12:30", "12:30"),
        ("1_000", "1_000"),
        ("2026-01-01", "2026-01-01"),
        ("010", 10),
        ("0o10", 8),
        ("0x1F", 31),
        ("0b1", "0b1"),
        ("+1", 1),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("1.", 1.0),
        ("10%", "10%"),
        ("True", True),
        ("tRUE", "tRUE"),
        ("~", None),
        ("", None),
        ('"010"', "010"),
        ("'true'", "true"),
        ("!!str 12", "12"),
        ("!!int 12", 12),
        ("!!float 12", 12),
        ("=", "="),
    ],
)
def test_a_scalar_stays_what_it_looks_like(written: str, value: object) -> None:
    found = document(f"key: {written}\n")

    assert found.findings == ()
    assert found.data == {"key": value}
    assert type(found.data["key"]) is type(value)


def test_keys_stay_text_too() -> None:
    found = document("on: 1\nno: 2\n12:30: 3\n")

    assert found.data == {"on": 1, "no": 2, "12:30": 3}
    assert found.findings == ()


def test_every_value_and_every_key_has_its_place() -> None:
    found = document("a:\n  - b: 1\n    c:   [x, yy]\n")

    assert found.value(("a",)) == Place("plan.yaml", 2, 3)
    assert found.key(("a",)) == Place("plan.yaml", 1, 1)
    assert found.value(("a", 0)) == Place("plan.yaml", 2, 5)
    assert found.value(("a", 0, "b")) == Place("plan.yaml", 2, 8)
    assert found.key(("a", 0, "c")) == Place("plan.yaml", 3, 5)
    assert found.value(("a", 0, "c", 1)) == Place("plan.yaml", 3, 14)


def test_a_path_that_is_not_there_has_the_place_of_what_is_around_it() -> None:
    found = document("a:\n  b: 1\n")

    assert found.value(("a", "x", "y")) == Place("plan.yaml", 2, 3)
    assert found.key(("a", "x")) == Place("plan.yaml", 2, 3)
    assert Document("gone.yaml").value(("a",)) == Place("gone.yaml", 1, 1)


@pytest.mark.parametrize("line_break", ["\r\n", "\r", "\n"])
def test_lines_are_counted_as_editors_do(line_break: str) -> None:
    found = document(line_break.join(["# é", "a: 1", "b: \u2028 x", "c: 3"]))

    assert found.key(("c",)) == Place("plan.yaml", 4, 1)


def test_a_byte_order_mark_is_no_part_of_the_text() -> None:
    found = document(b"\xef\xbb\xbfa: 1\n")

    assert found.data == {"a": 1}
    assert found.key(("a",)) == Place("plan.yaml", 1, 1)


def test_an_aliased_value_has_the_place_where_it_is_written() -> None:
    found = document("x-a: &a {k: 1}\nb: *a\n")

    assert found.data == {"x-a": {"k": 1}, "b": {"k": 1}}
    assert found.value(("b", "k")) == Place("plan.yaml", 1, 13)


def test_a_merge_takes_over_what_is_not_written() -> None:
    found = document("a: &a {k: 1, l: 1}\nb: &b {l: 2, m: 2}\nc:\n  <<: [*a, *b]\n  k: 3\n")

    assert found.data["c"] == {"k": 3, "l": 1, "m": 2}
    assert found.findings == ()


def test_json_is_yaml() -> None:
    found = document('{"a":[1,{"b":null}],\n"c":"\\ud83d\\ude00\\/"}', "plan.json")

    assert found.data == {"a": [1, {"b": None}], "c": "😀/"}


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"\xff\xfea\0", "1:1 plan: the file is written in UTF-16. Save it as UTF-8."),
        (b"a: 1\nb: \xe9\n", "2:4 plan: the byte 0xe9 is not UTF-8. Save the file as UTF-8."),
        (b"a: 1\nb: x\0y\n", "2:5 plan: a NUL stands in the text. Remove it."),
        (b"a: \x1b[0m\n", "1:4 plan: the control character U+001B stands in the text. Remove it."),
        (b"a:\n\tb: 1\n", "2:1 plan: a tab indents this line. Indent with spaces."),
        (b'a: "\\ud800"\n', "1:4 a: an escape names half a character. Write the character itself."),
        (
            b"a: &a\n  b: *a\n",
            "2:6 plan: the alias stands inside the value that it names. Write the value out.",
        ),
        (
            b'a: "\\UFFFFFFFF"\n',
            "1:7 plan: the number here is none that YAML knows. Write the character itself.",
        ),
        (
            b"x" * (2**20 + 1),
            "1:1 plan: the file is larger than 1 MiB. Keep request bodies in files of their own.",
        ),
    ],
)
def test_text_that_is_no_plan_is_refused_with_its_place(content: bytes, expected: str) -> None:
    assert only(document(content)) == expected


def test_a_file_of_one_mebibyte_is_read() -> None:
    content = b"a: 1\n#"

    assert document(content + b"x" * (2**20 - len(content))).data == {"a": 1}


def test_a_duplicate_key_names_both_places() -> None:
    found = document("a: 1\nb: 2\na: 3\n")

    assert only(found) == (
        "3:1 a: the key is written twice in one mapping, first in line 1. Keep one of the two."
    )
    assert found.data == {"a": 1, "b": 2}


def test_an_alias_bomb_is_counted_and_not_built() -> None:
    rows = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    rows += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 100)]

    with at_most(steps=100_000):
        found = document("\n".join(rows))

    assert "more than 10,000 values" in only(found)


def test_aliases_within_the_limit_are_written_out() -> None:
    found = document("a: &a [1, 2]\nb: [*a, *a]\n")

    assert found.data["b"] == [[1, 2], [1, 2]]


def test_ten_thousand_values_are_too_many() -> None:
    assert document("[" + "1," * 9_999 + "]").findings == ()
    assert "more than 10,000 values" in only(document("[" + "1," * 10_000 + "]"))


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        "{a: " * 100_000,
        "- " * 100_000,
        "? " * 100_000,
        "a: " + "[" * 3000 + "]" * 3000,
    ],
)
def test_a_depth_bomb_is_refused(text: str) -> None:
    assert "deep in one another" in only(document(text))


def test_a_depth_made_of_aliases_is_refused() -> None:
    rows = ["a0: &a0 [x]", *(f"a{n}: &a{n} [*a{n - 1}]" for n in range(1, 200))]

    assert "deep in one another" in only(document("\n".join(rows)))


def test_sixty_mappings_in_one_another_are_read() -> None:
    assert document("{a: " * 60 + "1" + "}" * 60).findings == ()


def test_a_missing_file_is_a_finding(tmp_path: Path) -> None:
    (tmp_path / "plan.yaml").write_text(SMALL)

    found = read(tmp_path / "plna.yaml")

    assert only(found) == (
        f"1:1 plan: there is no such file. Did you mean '{tmp_path / 'plan.yaml'}'?"
    )
    assert found.data is None


def test_a_folder_is_a_finding(tmp_path: Path) -> None:
    assert only(read(tmp_path)) == "1:1 plan: this is a folder. Name the plan file in it."


@pytest.mark.parametrize("name", ["nowhere/plan.yaml", "x" * 5000, "a\0b"])
def test_a_path_that_cannot_be_is_a_finding(tmp_path: Path, name: str) -> None:
    assert len(read(tmp_path / name).findings) == 1


def test_the_file_is_named_as_the_user_typed_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "plans").mkdir()
    (tmp_path / "plans" / "plan.yaml").write_text("[]")
    monkeypatch.chdir(tmp_path)

    assert read(Path("plans/plan.yaml")).file == "plans/plan.yaml"


def test_nothing_more_is_said_about_a_value_that_could_not_be_read(tmp_path: Path) -> None:
    _, findings = look(tmp_path, SMALL.replace("name: small", "name: !x 5"))

    assert told(findings) == ["3:7 name: the tag !x has no meaning in a plan. Remove it."]
