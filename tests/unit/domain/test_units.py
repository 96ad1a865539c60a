"""Quantities as people write them, as tables."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from rollout.domain.units import (
    parse_duration,
    parse_percent,
    parse_points,
    parse_size,
    spell_duration,
    spell_share,
)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("300ms", 0.3),
        ("90s", 90.0),
        ("1.5m", 90.0),
        ("10m", 600.0),
        ("1h30m", 5400.0),
        ("3d", 259200.0),
        ("1d2h3m4s5ms", 93784.005),
        ("0s", 0.0),
    ],
)
def test_a_duration_is_read(text: str, seconds: float) -> None:
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "text", ["", "10", "10 m", " 10m", "10m ", "m", "1h 30m", "-5s", "1w", "10min", "1e3s", "1,5h"]
)
def test_what_is_no_duration_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="like 300ms, 90s, 10m"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("text", "share"), [("10%", 0.1), ("0.5 %", 0.005), ("100%", 1.0), ("0%", 0.0), ("250%", 2.5)]
)
def test_a_percentage_is_read(text: str, share: float) -> None:
    assert parse_percent(text) == pytest.approx(share)


@pytest.mark.parametrize("text", ["", "10", "%", "-1%", "0.5pp", "10%%", "ten%", "1.%", ".5%"])
def test_what_is_no_percentage_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="like 10%"):
        parse_percent(text)


def test_points_are_not_percents() -> None:
    assert parse_points("0.5pp") == pytest.approx(0.005)
    for text in ("0.5%", "0.5", "pp", "-1pp"):
        with pytest.raises(ValueError, match=r"like 0\.5pp"):
            parse_points(text)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("400MB", 400_000_000),
        ("1GB", 10**9),
        ("64 kB", 64_000),
        ("512Mi", 512 * 2**20),
        ("1GiB", 2**30),
        ("1.5KiB", 1536),
    ],
)
def test_a_size_is_read(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "400", "400 bytes", "4mb", "-1MB", "1TB"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="like 400MB"):
        parse_size(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.25, "250ms"),
        (0.0, "0ms"),
        (1.0, "1s"),
        (59.4, "59s"),
        (75.0, "1m15s"),
        (3600.0, "1h"),
        (5400.0, "1h30m"),
        (86400.0, "1d"),
        (90061.0, "1d1h"),
    ],
)
def test_a_duration_is_spelled_with_at_most_two_units(seconds: float, text: str) -> None:
    assert spell_duration(seconds) == text


@given(st.integers(1, 59), st.integers(1, 59))
def test_what_is_spelled_can_be_read_again(minutes: int, seconds: int) -> None:
    whole = minutes * 60 + seconds

    assert parse_duration(spell_duration(whole)) == whole


def test_a_share_is_spelled_in_percent() -> None:
    assert [spell_share(share) for share in (0.1, 1.0, 0.00125, 0.0)] == [
        "10 %",
        "100 %",
        "0.125 %",
        "0 %",
    ]
