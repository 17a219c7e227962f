"""Durations as people write and read them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cronverifyd.judge.duration import format_duration, parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        pytest.param("90s", 90, id="seconds"),
        pytest.param("15m", 900, id="minutes"),
        pytest.param("1h", 3_600, id="an hour"),
        pytest.param("400d", 34_560_000, id="days"),
        pytest.param("500ms", 0.5, id="milliseconds"),
        pytest.param("1.5h", 5_400, id="a fraction"),
        pytest.param("1h30m", 5_400, id="two units"),
        pytest.param("1d2h3m4s5ms", 93_784.005, id="all units"),
        pytest.param("0s", 0, id="none"),
    ],
)
def test_a_duration_is_read_in_seconds(text, seconds):
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "text",
    ["", "15", "m", "15 m", "-5m", "15M", "1h 30m", "1.h", ".5h", "1e3s", "5m\n", "5min", "1,5h"],
)  # fmt: skip
def test_what_is_no_duration_is_refused_with_an_example(text):
    with pytest.raises(ValueError, match='must be a duration such as "90s", "15m" or "1h30m"'):
        parse_duration(text)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        pytest.param(0, "0 s", id="nothing"),
        pytest.param(0.25, "0.25 s", id="a fraction"),
        pytest.param(4, "4 s", id="seconds"),
        pytest.param(4.26, "4.3 s", id="seconds and a fraction"),
        pytest.param(12.6, "13 s", id="from ten seconds on fractions are rounded"),
        pytest.param(59.7, "1 min", id="rounded up into the next unit"),
        pytest.param(60, "1 min", id="a minute"),
        pytest.param(90, "1 min 30 s", id="two units"),
        pytest.param(5_400, "1 h 30 min", id="hours"),
        pytest.param(3_605, "1 h 5 s", id="a unit left out"),
        pytest.param(93_784, "1 d 2 h", id="never three units"),
        pytest.param(259_200, "3 d", id="days"),
        pytest.param(-90, "1 min 30 s", id="the sign is dropped"),
    ],
)
def test_a_duration_is_said_with_its_two_largest_units(seconds, words):
    assert format_duration(seconds) == words


@given(st.integers(0, 400 * 86_400))
def test_a_whole_duration_that_is_read_back_is_off_by_less_than_its_second_unit(seconds):
    spoken = format_duration(seconds).replace(" min", "m").replace(" ", "")
    units = [unit for unit in "dhms" if unit in spoken]
    smallest_s = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}[units[-1]]
    assert 0 <= seconds - parse_duration(spoken) < smallest_s
