"""How a table finds its room."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from cronverifyd.cli.table import Column, hang, lay_out

COLUMNS = (
    Column(title="JOB", least=8),
    Column(title="VERDICT"),
    Column(title="NEXT", drop=2),
    Column(title="STRIP", drop=1),
)
ROWS = [("nightly-export-eu-1", "ok", "in 2 h", "....."), ("b", "missed", "in 10 min", "MM")]


@pytest.mark.parametrize(
    ("room", "lines"),
    [
        pytest.param(
            60,
            [
                "JOB                  VERDICT  NEXT       STRIP",
                "nightly-export-eu-1  ok       in 2 h     .....",
                "b                    missed   in 10 min  MM",
            ],
            id="room enough",
        ),
        pytest.param(
            45,
            [
                "JOB                 VERDICT  NEXT       STRIP",
                "nightly-e…ort-eu-1  ok       in 2 h     .....",
                "b                   missed   in 10 min  MM",
            ],
            id="the name is cut by one",
        ),
        pytest.param(
            34,
            [
                "JOB                 VERDICT  STRIP",
                "nightly-e…ort-eu-1  ok       .....",
                "b                   missed   MM",
            ],
            id="one column gone, the name has its room",
        ),
        pytest.param(
            17,
            ["JOB       VERDICT", "nigh…u-1  ok", "b         missed"],
            id="only what must stay",
        ),
    ],
)
def test_what_matters_least_goes_first(room, lines):
    assert [line.plain for line in lay_out(COLUMNS, ROWS, room)] == lines


@settings(deadline=None)
@given(
    room=st.integers(17, 120),
    rows=st.lists(
        st.tuples(*[st.text("ab日本e\u0301…", max_size=30)] * 2, st.text("x", max_size=9)),
        max_size=4,
    ),
)
def test_no_line_is_wider_than_its_room(room, rows):
    columns = (Column(title="A", least=6), Column(title="B", least=8, drop=1), Column(title="C"))
    lines = lay_out(columns, rows, room)

    assert len(lines) == len(rows) + 1
    assert all(line.cell_len <= room for line in lines)


def test_a_table_without_rows_is_its_heading():
    (heading,) = lay_out(COLUMNS, [], 80)

    assert heading.plain == "JOB  VERDICT  NEXT  STRIP"


def test_what_is_wrapped_is_aligned_behind_its_head():
    out = Console(width=40)
    lines = [line.plain for line in hang("   run  ", "started at 03:00, " * 5, 8, out)]

    assert lines[0] == "   run  started at 03:00, started at"
    assert {line[:8] for line in lines[1:]} == {" " * 8}
    assert all(line[8] != " " for line in lines)
    assert max(map(cell_len, lines)) <= 40


def test_an_empty_text_still_shows_its_head():
    assert [line.plain for line in hang(Text("error: "), "", 7, Console(width=40))] == ["error: "]
