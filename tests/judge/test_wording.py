"""Words for people."""

import pytest

from cronverifyd.judge.wording import clock, plural, quoted
from tests.builders import at


@pytest.mark.parametrize(
    ("instant", "zone", "words"),
    [
        pytest.param("03:00:07.9", "UTC", "03:00:07", id="the same day"),
        pytest.param("2024-05-16T00:00:00", "UTC", "2024-05-16 00:00:00", id="the next day"),
        pytest.param("23:30", "Europe/Paris", "2024-05-16 01:30:00", id="the next day there"),
        pytest.param("03:00", "Europe/Paris", "05:00:00", id="in the job's zone"),
    ],
)
def test_an_instant_is_a_time_of_day_and_bears_a_date_on_another_day(instant, zone, words):
    assert clock(at(instant), zone, near=at("03:00")) == words


@pytest.mark.parametrize(("count", "words"), [(0, "0 slots"), (1, "1 slot"), (2, "2 slots")])
def test_one_thing_is_no_plural(count, words):
    assert plural(count, "slot") == words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("success", '"success"', id="a word"),
        pytest.param("", '""', id="nothing"),
        pytest.param(" a\n\tb\u2028c ", '"a b c"', id="on one line"),
        pytest.param("x" * 10, f'"{"x" * 10}"', id="just short enough"),
        pytest.param("x" * 11, f'"{"x" * 9}…"', id="too long"),
    ],
)
def test_a_job_s_own_word_is_quoted_short_and_on_one_line(text, words):
    assert quoted(text, 10) == words
