"""The part of KQL that the emulator knows is answered as Kusto does, and the rest is refused."""

import math
from datetime import UTC, datetime, timedelta

import pytest

from rollout.emulator.kql.evaluate import Table, evaluate
from rollout.emulator.kql.words import KqlError

NOW = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
COLUMNS = {"At": "datetime", "Name": "string", "Code": "string", "Ms": "int", "Real": "real"}


def row(minute: int, name: str, code: str, ms: int | None, real: float | None = None):
    at = NOW - timedelta(minutes=10) + timedelta(minutes=minute)
    return {"At": at, "Name": name, "Code": code, "Ms": ms, "Real": real}


ROWS = [
    row(0, "blue", "200", 10, 1.5),
    row(1, "blue", "424", 30, 2.5),
    row(2, "green", "200", 20),
    row(3, "green", "", None),
]


def ask(query: str) -> list[list[object]]:
    found = evaluate(query, {"T": Table(COLUMNS, ROWS)}, NOW)
    return [[each[name] for name in found.columns] for each in found.rows]


def value(expression: str) -> object:
    return ask(f"T | take 1 | project X = {expression}")[0][0]


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("1 + 2 * 3", 7),
        ("(1 + 2) * 3", 9),
        ("7 / 2", 3),
        ("-7 / 2", -3),
        ("7 / 2.0", 3.5),
        ("1 / 0", None),
        ("7 % 4", 3),
        ("-2 - 3", -5),
        ("1e-3", 0.001),
        ("ceiling(1.2)", 2.0),
        ("log(0)", None),
        ("log(Ms)", math.log(10)),
        ("toint('12')", 12),
        ("toint('x')", None),
        ("toint(2.9)", 2),
        ("toint(null)", None),
        ("iff(null > 1, 'a', 'b')", "b"),
        ("case(1 > 2, 'a', 2 > 1, 'b', 'c')", "b"),
        ("'A' =~ \"a\"", True),
        ("'A' == 'a'", False),
        ("'A' !~ 'a'", False),
        (r'"a\"b\\cA"', 'a"b\\cA'),
        ("'x' in ('y', 'x')", True),
        ("5 between (1 .. 5)", True),
        ("1h + 30m", timedelta(minutes=90)),
        ("1d / 1h", 24.0),
        ("bin(7, 5)", 5),
        ("bin(-1, 5)", -5),
        ("bin(7.5, 2.0)", 6.0),
        ("bin(datetime(2026-01-01T00:07:31Z), 5m)", datetime(2026, 1, 1, 0, 5, tzinfo=UTC)),
        ("bin(datetime(2026-01-01T00:07:31.250Z), 1500ms)",
         datetime(2026, 1, 1, 0, 7, 30, tzinfo=UTC)),
        ("todatetime('2026-01-01') < datetime(2026-01-02)", True),
        ("now() - ago(5m)", timedelta(minutes=5)),
        ("not(true) or false and true", False),
        ("isempty('') and isnotempty('x')", True),
        ("coalesce(toint('x'), 3)", 3),
        ("strcat('a', 1, null)", "a1"),
    ],
)  # fmt: skip
def test_expressions(expression, expected):
    assert value(expression) == expected


def test_where_keeps_what_is_known_to_hold():
    assert ask("T | where Ms >= 20 | project Ms") == [[30], [20]]
    assert ask("T | where Name has 'blue' and Code != '200' | project Ms") == [[30]]


def test_extend_adds_columns_that_later_steps_see():
    query = "T | extend Bad = iff(toint(Code) >= 400, 1, 0) | where Bad == 1 | project Name, Bad"

    assert ask(query) == [["blue", 1]]


def test_summarize_by_columns_and_bins():
    query = """
        T  // a comment
        | summarize n = count(), bad = countif(toint(Code) >= 400), sum(Ms), max(Ms) by Name
    """

    assert ask(query) == [["blue", 2, 1, 40, 30], ["green", 2, 0, 20, 20]]
    assert [each[1] for each in ask("T | summarize count() by bin(At, 2m)")] == [2, 2]


def test_percentiles_are_values_that_occurred():
    found = evaluate("T | summarize percentiles(Ms, 50, 95)", {"T": Table(COLUMNS, ROWS)}, NOW)

    assert list(found.columns) == ["percentile_Ms_50", "percentile_Ms_95"]
    assert list(found.rows[0].values()) == [20, 30]


def test_a_summary_of_nothing_has_one_row_without_groups_and_none_with_them():
    assert ask("T | where false | summarize n = count(), p = percentile(Ms, 50)") == [[0, None]]
    assert ask("T | where false | summarize count() by Name") == []


def test_rows_in_order_and_the_first_of_them():
    assert ask("T | sort by Ms asc | project Ms | take 2") == [[None], [10]]
    assert ask("T | top 2 by Ms | project Ms") == [[30], [20]]
    assert ask("T | count") == [[4]]


def test_columns_have_types_even_where_there_are_no_rows():
    found = evaluate("T | where false | project At, Ms", {"T": Table(COLUMNS, ROWS)}, NOW)

    assert found.columns == {"At": "datetime", "Ms": "int"}


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("U | take 1", "'U' is no table here"),
        ("T | render timechart", "does not know the operator 'render'"),
        ("T | where series_fit(Ms) > 1", "does not know the function 'series_fit'"),
        ("T | where Nothing > 1", "named 'Nothing'"),
        ("T | where Ms >", "was not expected"),
        ("T | where Ms ! 3", "is not understood"),
        ("T | summarize Ms by Name", "needs an aggregate"),
        ("T | summarize log(Ms)", "needs an aggregate"),
        ("T | where At > datetime(yesterday)", "no datetime"),
        ("T | where At > 3", "not supported"),
        ("T where Ms > 3", "was not expected"),
        ("", "was not expected"),
    ],
)
def test_what_is_not_known_is_refused(query, said):
    with pytest.raises(KqlError, match=said):
        ask(query)
