"""Line numbers of keys, checked against documents whose lines are marked."""

import time
import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cronverifyd.config.locate import locate


def test_each_key_and_table_has_the_line_on_which_it_stands():
    text = """\
title = "x"

[daemon]          # a comment with [brackets] and "quotes
state_dir = "state"
[jobs.a]
schedule = "0 3 * * *"
  grace = '5m'
"""
    assert locate(text) == {
        ("title",): 1,
        ("daemon",): 3,
        ("daemon", "state_dir"): 4,
        ("jobs",): 5,
        ("jobs", "a"): 5,
        ("jobs", "a", "schedule"): 6,
        ("jobs", "a", "grace"): 7,
    }


@pytest.mark.parametrize(
    ("text", "keys", "line"),
    [
        pytest.param('\n"a.b".c = 1', ("a.b", "c"), 2, id="a quoted key with a dot"),
        pytest.param("[jobs.'x y']\nz = 1", ("jobs", "x y", "z"), 2, id="a quoted header"),
        pytest.param("a.b.c = 1\na.b.d = 2", ("a", "b", "d"), 2, id="a dotted key"),
        pytest.param("a.b.c = 1\na.b.d = 2", ("a", "b"), 1, id="the table that one implies"),
        pytest.param("\na = { b = { c = 1 } }", ("a", "b", "c"), 2, id="inside an inline table"),
        pytest.param("a = [\n 1, # ]\n 2,\n]\nb = 1", ("b",), 5, id="after an array of lines"),
        pytest.param("a = [\n 1,\n { b = 2 } ]", ("a", 1, "b"), 1, id="inside an array of lines"),
        pytest.param('a = """\n[x]\nb = 1\n"""\nb = 2', ("b",), 5, id="after a long string"),
        pytest.param('a = """x""" \nb = 2', ("b",), 2, id="after a long string on one line"),
        pytest.param('a = """\n\\"""x\n"""\nb = 2', ("b",), 4, id="an escaped quote in a string"),
        pytest.param(
            'a = """\nx"""""\nb = 2', ("b",), 3, id="a string that ends with its own quotes"
        ),
        pytest.param("a = '''\n\"\n'''\nb = 2", ("b",), 4, id="a long literal string"),
        pytest.param("a = '\"'\nb = '#'\nc = ''\nd = 1", ("d",), 4, id="literal strings"),
        pytest.param('a = "[\\"{"\nb = 1', ("b",), 2, id="brackets and quotes in a string"),
        pytest.param("a = 1\r\n\r\nb = 2\r\n", ("b",), 3, id="windows line ends"),
        pytest.param("[[a]]\nx = 1\n[[a]]\nx = 2", ("a", 1, "x"), 4, id="an array of tables"),
        pytest.param(
            "[[a]]\n[a.b]\n[[a]]\n[a.b]\ny = 1", ("a", 1, "b", "y"), 5, id="a table in one"
        ),
        pytest.param("[[a]]\n[[a.b]]\n[[a]]\n[[a.b]]\n", ("a", 1, "b", 0), 4, id="an array in one"),
        pytest.param("[a.b]\nx = 1\n[a]\ny = 1", ("a",), 3, id="a header after its child's"),
    ],
)
def test_a_key_is_found_in_every_way_of_writing_it(text, keys, line):
    tomllib.loads(text)
    assert locate(text)[keys] == line


_BARE = st.text("abcXYZ09_-", min_size=1, max_size=5)
_NOISE = st.sampled_from(
    ["1", '"#["', "'\"{'", "[1,\n2]", '"""\n] """', "'''\n'''", "{ k = [1, 2] }", "[\n# ]\n]"]
)


@given(st.dictionaries(_BARE, st.dictionaries(_BARE, _NOISE, max_size=4), max_size=5))
def test_any_document_is_cut_where_it_was_put_together(tables):
    text, expected = "", {}
    for table, values in tables.items():
        expected[(table,)] = text.count("\n") + 1
        text += f"[{table}]  # [\n"
        for key, value in values.items():
            expected[(table, key)] = text.count("\n") + 1
            text += f"{key} = {value}\n"
    tomllib.loads(text)
    assert {keys: line for keys, line in locate(text).items() if keys in expected} == expected


def test_a_long_array_takes_time_in_proportion_to_its_length():
    def seconds(length):
        text = "a = [\n" + '{ file = "x]" },\n' * length + "]\nb = 1\n"
        start = time.perf_counter()
        assert locate(text)[("b",)] == length + 3
        return time.perf_counter() - start

    seconds(100)
    assert seconds(20_000) < 40 * seconds(2_000)
