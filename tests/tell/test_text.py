"""Text of jobs: inert for terminals and for Slack, and short."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cronverifyd.tell.text import CUT, cut, last_lines, one_line, plain, slack, slack_end

HOSTILE = st.text(
    st.sampled_from("&<>`@:/!|*ab \n\r\t\x00\x07\x1b\x7f\x9b\x9c[]m;0\u202e\u2066\u200b\ud800🔴")
    | st.characters()
)


@pytest.mark.parametrize(
    ("text", "left"),
    [
        pytest.param("dump complete", "dump complete", id="harmless"),
        pytest.param("\x1b[31;1mred\x1b[0m", "red", id="colours"),
        pytest.param("\x1b[2J\x1b[Hgone?", "gone?", id="clear screen"),
        pytest.param("\x1b[?25lx\x1b[6n", "x", id="cursor hidden, position asked"),
        pytest.param("\x9b31mred", "red", id="C1 control sequence"),
        pytest.param("a\x1b]0;title\x07b", "ab", id="window title"),
        pytest.param("a\x1b]52;c;cm0gLXJm\x1b\\b", "ab", id="clipboard"),
        pytest.param("\x1b]8;;http://evil\x1b\\here\x1b]8;;\x1b\\", "here", id="terminal link"),
        pytest.param("a\x1bP1$r\x1b\\b\x1b_x\x1b\\", "ab", id="device control, application"),
        pytest.param("a\x1b]no end\nb\x07c", "ano end\nbc", id="string without an end"),
        pytest.param("a\x1bcb\x1b(Bc", "abc", id="reset, character set"),
        pytest.param("a\x1b", "a", id="escape at the end"),
        pytest.param("pass\b\bword\x00\x07\x7f", "password", id="controls"),
        pytest.param("10%\r20%\r\ndone\x85x\u2028y", "10%\n20%\ndone\nx\ny", id="line ends"),
        pytest.param("a\u202egpj.exe\u2066\u200f", "agpj.exe", id="bidi"),
        pytest.param("in\u200bvi\u2060si\ufeffble\U000e0041", "invisible", id="invisible"),
        pytest.param("a\ud800b", "ab", id="half a surrogate pair"),
        pytest.param("tab\tstays, ü 🔴 too", "tab\tstays, ü 🔴 too", id="what stays"),
    ],
)
def test_nothing_is_left_that_a_terminal_obeys(text, left):
    assert plain(text) == left


@given(HOSTILE)
def test_plain_text_holds_no_control_and_no_invisible_character(text):
    left = plain(text)
    assert {unicodedata.category(char) for char in left if char not in "\n\t"}.isdisjoint(
        {"Cc", "Cf", "Cs"}
    )
    assert plain(left) == left


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("\x1b]" * 100_000, id="strings that never end"),
        pytest.param("\x1b[" + "0;" * 100_000, id="a sequence that never ends"),
        pytest.param("\x1b(" * 100_000, id="character sets"),
    ],
)
def test_hostile_text_costs_no_more_than_its_length(text):
    assert "\x1b" not in plain(text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param("R&D <b> a>b", "R&amp;D &lt;b&gt; a&gt;b", id="the three characters"),
        pytest.param("&amp;", "&amp;amp;", id="an escape is no escape"),
        pytest.param('it\'s "50%" *off*', 'it\'s "50%" *off*', id="and only those"),
        pytest.param(
            "```\n<!channel>", "\u02cb\u02cb\u02cb\n&lt;!channel&gt;", id="end of a fence, mention"
        ),
        pytest.param("<@U024BE7LH>", "&lt;@\u2060U024BE7LH&gt;", id="user"),
        pytest.param("@here @everyone", "@\u2060here @\u2060everyone", id="spoken mention"),
        pytest.param("<http://x|click>", "&lt;http:\u2060//x|click&gt;", id="link"),
    ],
)
def test_slack_finds_no_mention_link_or_fence(text, shown):
    assert slack(text, 3_000) == shown
    assert slack_end(text, 3_000) == shown


@given(HOSTILE, st.integers(min_value=20, max_value=200))
def test_escaped_text_keeps_its_limit_and_its_escapes_whole(text, most):
    for shown in (slack(text, most), slack_end(text, most)):
        assert len(shown) <= most
        assert not set(shown) & set("<>`")
        left = shown
        for escape in ("&amp;", "&lt;", "&gt;"):
            left = left.replace(escape, "")
        assert "&" not in left
        assert "://" not in shown


def test_the_cut_comes_before_the_escape_and_uses_the_room():
    assert slack("&" * 100, 33) == "&amp;" * 5 + CUT
    assert slack_end("&" * 100, 32) == CUT + "\n" + "&amp;" * 4
    assert slack("&" * 6, 30) == "&amp;" * 6


def test_a_cut_says_so():
    assert cut("1234567890", 10) == "1234567890"
    assert cut("12345678901", 10) == "123" + CUT
    assert one_line("  a\n\n b\tc \r", 80) == "a b c"
    assert one_line("x " * 80, 20) == "x x x x x x x" + CUT


def test_the_last_lines_are_kept():
    assert last_lines("a\nb\n", 2, 100) == "a\nb"
    assert last_lines("a\nb\nc\n", 2, 100) == f"{CUT}\nb\nc"
    assert last_lines("a" * 50 + "b" * 50, 5, 50) == f"{CUT}\n" + "b" * 50
    assert last_lines("\n\n", 5, 50) == ""
