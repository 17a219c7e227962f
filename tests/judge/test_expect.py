"""Assertions: what can be written, what is refused and where, and what a run makes of them."""

import math
import re
from time import perf_counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cronverifyd.judge.expect import ExpectError, evaluate, parse
from cronverifyd.judge.subjects import OPERATORS, SUBJECTS, Quantity, subject_of
from cronverifyd.model import Run
from tests.builders import run

REFERS_BACK = "the pattern refers back to a group, which patterns in linear time cannot do"
KIB_16 = "x" * 16_384
CUT = {"output_tail": KIB_16, "output_bytes": 3_000_000}
COMPARISONS = "== != < <= > >="
SEARCHES = "contains lacks =~ !~"


def ended(**changed):
    return run("03:00", "03:05", **changed)


def judged(text, **changed):
    return evaluate(parse(text), ended(**changed))


# ---- what can be written


@pytest.mark.parametrize(
    ("text", "subject", "operator", "wanted"),
    [
        pytest.param("duration > 30s", "duration", ">", 30, id="a duration"),
        pytest.param("cpu<=1h30m", "cpu", "<=", 5_400, id="no spaces"),
        pytest.param("  exit_code  ==  0 ", "exit_code", "==", 0, id="many spaces"),
        pytest.param("exit_code != -1", "exit_code", "!=", -1, id="a negative number"),
        pytest.param("max_rss < 1.5GiB", "max_rss", "<", 1_610_612_736, id="a binary size"),
        pytest.param("output_bytes >= 10MB", "output_bytes", ">=", 10_000_000, id="a decimal size"),
        pytest.param("output_bytes >= 512", "output_bytes", ">=", 512, id="plain bytes"),
        pytest.param("output_lines >= 3", "output_lines", ">=", 3, id="a count"),
        pytest.param("metric.rows >= 1", "metric.rows", ">=", 1, id="a metric"),
        pytest.param("metric.a-b.c > -0.5", "metric.a-b.c", ">", -0.5, id="a decimal number"),
        pytest.param("metric.rows<1e6", "metric.rows", "<", 1_000_000, id="an exponent"),
        pytest.param("status == no-rows", "status", "==", "no-rows", id="a bare word"),
        pytest.param("status == 'no rows'", "status", "==", "no rows", id="single quotes"),
        pytest.param('error contains "it\'s"', "error", "contains", "it's", id="double quotes"),
        pytest.param("output contains'a'", "output", "contains", "a", id="a quote ends a word"),
        pytest.param(
            r"output lacks 'a\'\"\\\n\r\tb'", "output", "lacks", "a'\"\\\n\r\tb", id="escapes"
        ),
        pytest.param("signal == term", "signal", "==", "SIGTERM", id="a signal by its short name"),
        pytest.param("output !~/a\\/b/i", "output", "!~", "/a\\/b/i", id="a pattern"),
        pytest.param("output_tail =~ /=~ 'x'/", "output_tail", "=~", "/=~ 'x'/", id="odd pattern"),
    ],
)
def test_an_assertion_is_a_subject_an_operator_and_a_value(text, subject, operator, wanted):
    read = parse(text)
    assert (read.subject, read.operator, read.wanted) == (subject, operator, wanted)
    assert read.text == text
    assert (read.pattern is not None) == (operator in {"=~", "!~"})


def test_the_same_text_is_read_once():
    assert parse("output =~ /only once/") is parse("output =~ /only once/")


# ---- what is refused, and where


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        pytest.param("", "column 1: a subject is missing, such as duration", id="nothing"),
        pytest.param("  > 3", "column 3: a subject is missing, such as duration", id="no subject"),
        pytest.param(
            " duratoin > 30s",
            'column 2: "duratoin" is not a subject: did you mean duration?',
            id="a subject misspelt",
        ),
        pytest.param(
            "rows > 3",
            'column 1: "rows" is not a subject: use status, exit_code, signal, duration, cpu,'
            " max_rss, output, output_tail, output_lines, output_bytes, error or metric.NAME",
            id="no such subject",
        ),
        pytest.param(
            "metrics.rows > 3",
            'column 1: "metrics.rows" is not a subject: did you mean metric.NAME?',
            id="metrics",
        ),
        pytest.param(
            "metric. > 3",
            "column 1: metric. takes a name of letters, digits and _ . : / -",
            id="a metric without a name",
        ),
        pytest.param(
            "duration",
            f"column 9: an operator is missing: duration takes {COMPARISONS}",
            id="no operator",
        ),
        pytest.param(
            "duration contains 'x'",
            f'column 10: "contains" does not fit duration: duration takes {COMPARISONS}',
            id="an operator for texts",
        ),
        pytest.param(
            "output > 'x'",
            f'column 8: ">" does not fit output: output takes {SEARCHES}',
            id="an operator for numbers",
        ),
        pytest.param(
            "exit_code = 0",
            f'column 11: "=" is not an operator: exit_code takes {COMPARISONS}',
            id="no operator at all",
        ),
        pytest.param(
            "cpu > 30 sec",
            'column 7: "30 sec" is not a duration (s, m, h, d, ms)',
            id="an unknown unit of time",
        ),
        pytest.param(
            "cpu > 1h 30m",
            'column 7: "1h 30m" is not a duration (s, m, h, d, ms): write 1h30m',
            id="a space in a duration",
        ),
        pytest.param(
            "duration > -5s",
            'column 12: "-5s" is not a duration (s, m, h, d, ms)',
            id="a negative duration",
        ),
        pytest.param(
            "max_rss < 10XB",
            'column 11: "10XB" is not a size (bytes, kB, MB, GB, TB, KiB, MiB, GiB, TiB)',
            id="an unknown unit of size",
        ),
        pytest.param(
            "max_rss < 10 MB",
            'column 11: "10 MB" is not a size (bytes, kB, MB, GB, TB, KiB, MiB, GiB, TiB):'
            " write 10MB",
            id="a space in a size",
        ),
        pytest.param(
            "exit_code == 1.5",
            'column 14: "1.5" is not a whole number',
            id="half an exit code",
        ),
        pytest.param("metric.x > nan", 'column 12: "nan" is not a number', id="nan"),
        pytest.param("metric.x > -inf", 'column 12: "-inf" is not a number', id="infinite"),
        pytest.param("metric.x > 1e999", 'column 12: "1e999" is too large', id="nearly infinite"),
        pytest.param(
            "duration > " + "9" * 400 + "s",
            'column 12: "' + "9" * 59 + '…" is too large',
            id="a duration without end",
        ),
        pytest.param(
            "duration >",
            "column 11: a duration (s, m, h, d, ms) is missing after >, such as 1h30m",
            id="no duration",
        ),
        pytest.param(
            "output contains",
            "column 16: a text is missing after contains, such as 'done'",
            id="no text",
        ),
        pytest.param(
            "output =~ ",
            "column 11: =~ takes a pattern between slashes, such as /ERROR/",
            id="no pattern",
        ),
        pytest.param(
            "exit_code == 0 and duration > 3s",
            'column 16: "and duration > 3s" is left over: one string holds one assertion',
            id="two assertions",
        ),
        pytest.param(
            "status == success now",
            'column 19: "now" is left over: one string holds one assertion',
            id="two words",
        ),
        pytest.param(
            "output contains 'a' b",
            'column 21: "b" is left over: one string holds one assertion',
            id="more after a quote",
        ),
        pytest.param(
            "output =~ /a/ b",
            'column 15: "b" is left over: one string holds one assertion',
            id="more after a pattern",
        ),
        pytest.param(
            "output contains 'dump",
            "column 17: the quote ' is never closed",
            id="an open quote",
        ),
        pytest.param(
            "status == \"a'", 'column 11: the quote " is never closed', id="the other quote"
        ),
        pytest.param(
            "output contains dump",
            'column 17: contains takes a text in quotes, not "dump"',
            id="no quotes",
        ),
        pytest.param(
            "status contains /x/",
            'column 17: contains takes a text in quotes, not "/x/"; patterns are for =~ and !~',
            id="a pattern for a text",
        ),
        pytest.param(
            "output lacks ''", "column 14: an empty text says nothing", id="an empty text"
        ),
        pytest.param(
            r"output lacks 'a\qb'",
            r"""column 16: "\q" is not an escape: \\ \' \" \n \r \t are""",
            id="an unknown escape",
        ),
        pytest.param(
            "output =~ 'x'",
            "column 11: =~ takes a pattern between slashes, such as /ERROR/, not \"'x'\"",
            id="a text for a pattern",
        ),
        pytest.param(
            "output =~ /a\\/",
            "column 11: the pattern is never closed: it ends with a /",
            id="an open pattern",
        ),
        pytest.param("output !~ //", "column 11: an empty pattern says nothing", id="no pattern"),
        pytest.param(
            "output !~ /a/gi",
            'column 14: "gi" is not a flag; the only one is i (ignore case)',
            id="unknown flags",
        ),
        pytest.param(
            "output !~ /ab[c/",
            'column 14: the pattern cannot be read: missing ]: "[c"',
            id="an open bracket",
        ),
        pytest.param(
            "output !~ /(ab/",
            'column 12: the pattern cannot be read: missing ): "(ab"',
            id="an open parenthesis",
        ),
        pytest.param(
            "output !~ /ab**/i",
            'column 14: the pattern cannot be read: bad repetition operator: "**"',
            id="a star too many",
        ),
        pytest.param(
            r"output =~ /(a)\1/",
            f"column 15: {REFERS_BACK}",
            id="a back-reference",
        ),
        pytest.param(
            "output =~ /(?P<a>b)(?P=a)/",
            f"column 20: {REFERS_BACK}",
            id="a back-reference by name",
        ),
        pytest.param(
            "output =~ /a(?=b)/",
            "column 13: (?= looks around, which patterns in linear time cannot do",
            id="a look ahead",
        ),
        pytest.param(
            "output =~ /(?<!a)b/",
            "column 12: (?<! looks around, which patterns in linear time cannot do",
            id="a look behind",
        ),
        pytest.param(
            r"output =~ /\pL{900}/",
            "column 12: the pattern is too large: repeat less in it",
            id="a pattern that would take much memory",
        ),
        pytest.param(
            "output =~ /\ud800/",
            "column 12: half a surrogate pair is not a character",
            id="half a character",
        ),
        pytest.param(
            "output lacks '" + "x" * 4_000,
            "column 4001: is longer than 4000 characters",
            id="much too long",
        ),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_column(text, sentence):
    with pytest.raises(ExpectError) as refused:
        parse(text)
    assert str(refused.value) == sentence
    assert sentence.startswith(f"column {refused.value.column}: ")


def test_a_refused_pattern_leaves_no_noise_on_stderr(capfd):
    with pytest.raises(ExpectError):
        parse("output =~ /(quiet/")
    evaluate(parse("output =~ /.{0,900}b.{0,90}c/"), ended(output_tail=KIB_16))
    assert capfd.readouterr() == ("", "")


# ---- what a run makes of numbers


@pytest.mark.parametrize(
    ("text", "changed", "holds", "sentence", "seen"),
    [
        pytest.param(
            *("duration > 30s", {"duration_s": 4.0}, False),
            *("ran 4 s, expected more than 30 s", "4 s"),
            id="too short",
        ),
        pytest.param(
            *("duration > 30s", {"duration_s": 240.0}, True),
            *("ran 4 min, expected more than 30 s", "4 min"),
            id="long enough",
        ),
        pytest.param(
            *("duration > 30s", {"duration_s": 30.0}, False),
            *("ran 30 s, expected more than 30 s", "30 s"),
            id="just not more",
        ),
        pytest.param(
            *("duration <= 30s", {"duration_s": 30.04}, False),
            *("ran 30.04 s, expected at most 30 s", "30.04 s"),
            id="told apart where rounding would hide it",
        ),
        pytest.param(
            *("cpu < 1m", {"cpu_s": 61.0}, False),
            *("used 1 min 1 s of CPU time, expected less than 1 min", "1 min 1 s"),
            id="much work",
        ),
        pytest.param(
            *("max_rss <= 512MB", {"max_rss_kb": 510_743.0}, False),
            *("used 523 MB of memory at its peak, expected at most 512 MB", "523 MB"),
            id="much memory",
        ),
        pytest.param(
            *("max_rss == 1KiB", {"max_rss_kb": 1.0}, True),
            *("used 1 KiB of memory at its peak, expected 1 KiB", "1 KiB"),
            id="memory is counted in KiB",
        ),
        pytest.param(
            *("exit_code == 0", {"exit_code": 3}, False),
            *("exit code 3, expected 0", "3"),
            id="another exit code",
        ),
        pytest.param(
            *("exit_code != 0", {"exit_code": 0}, False),
            *("exit code 0, expected anything but 0", "0"),
            id="the one exit code",
        ),
        pytest.param(
            *("metric.rows >= 1", {"metrics": {"rows": 0}}, False),
            *("metric rows was 0, expected at least 1", "0"),
            id="no rows",
        ),
        pytest.param(
            *("metric.rows >= 1", {"metrics": {"rows": 1_423.0}}, True),
            *("metric rows was 1423, expected at least 1", "1423"),
            id="rows",
        ),
        pytest.param(
            *("metric.share < 0.3", {"metrics": {"share": 0.1 + 0.2}}, False),
            *(
                "metric share was 0.30000000000000004, expected less than 0.3",
                "0.30000000000000004",
            ),
            id="a metric just above",
        ),
        pytest.param(
            *("metric.n > 9007199254740992", {"metrics": {"n": 2**53 + 1}}, True),
            *("metric n was 9007199254740993, expected more than 9007199254740992",),
            "9007199254740993",
            id="whole numbers beyond a float",
        ),
        pytest.param(
            *("metric.n != 1", {"metrics": {"n": math.nan}}, False),
            *('metric n was "nan", which is no number', '"nan"'),
            id="a metric that is no number",
        ),
        pytest.param(
            *("metric.n != 1", {"metrics": {"n": "many"}}, False),
            *('metric n was "many", which is no number', '"many"'),
            id="a metric that is a word",
        ),
        pytest.param(
            *("output_lines >= 2", {"output_lines": 1}, False),
            *("printed 1 line, expected at least 2 lines", "1 line"),
            id="few lines",
        ),
        pytest.param(
            *("output_bytes < 10MB", {"output_bytes": 3_000_000}, True),
            *("printed 3 MB, expected less than 10 MB", "3 MB"),
            id="few bytes",
        ),
        pytest.param(
            *("output_bytes <= 1MB", {"output_bytes": 1_000_001}, False),
            *("printed 1000001 bytes, expected at most 1000000 bytes", "1000001 bytes"),
            id="a byte too many",
        ),
    ],
)
def test_a_number_is_compared_and_the_sentence_names_both(text, changed, holds, sentence, seen):
    finding = judged(text, **changed)
    assert (finding.holds, finding.sentence, finding.seen) == (holds, sentence, seen)


@pytest.mark.parametrize(
    ("operator", "holds"),
    [
        ("==", (False, True, False)),
        ("!=", (True, False, True)),
        ("<", (True, False, False)),
        ("<=", (True, True, False)),
        (">", (False, False, True)),
        (">=", (False, True, True)),
    ],
)
def test_each_comparison_is_right_below_at_and_above_its_number(operator, holds):
    found = tuple(judged(f"exit_code {operator} 5", exit_code=code).holds for code in (4, 5, 6))
    assert found == holds


# ---- what is missing


@pytest.mark.parametrize(
    ("text", "changed", "sentence"),
    [
        pytest.param(
            *("metric.rows >= 1", {}),
            "no metric rows was reported, expected at least 1",
            id="no metrics",
        ),
        pytest.param(
            *("metric.rows != 1", {"metrics": {"lines": 3}}),
            "no metric rows was reported, expected anything but 1",
            id="another metric",
        ),
        pytest.param(
            *("duration < 30s", {}),
            "no duration is known, expected less than 30 s",
            id="duration",
        ),
        pytest.param("cpu < 1s", {}, "no CPU time is known, expected less than 1 s", id="cpu"),
        pytest.param(
            *("max_rss < 1GB", {}),
            "no peak of memory is known, expected less than 1 GB",
            id="memory",
        ),
        pytest.param("exit_code == 0", {}, "no exit code was reported, expected 0", id="exit code"),
        pytest.param(
            *("exit_code == 0", {"signal": "SIGKILL"}),
            "no exit code was reported (killed by SIGKILL), expected 0",
            id="killed",
        ),
        pytest.param(
            *("signal != SIGKILL", {}),
            'no signal was reported, expected anything but "SIGKILL"',
            id="signal",
        ),
        pytest.param(
            *("error lacks 'disk full'", {}),
            'no error was reported, expected one that lacks "disk full"',
            id="error",
        ),
        pytest.param(
            *("output lacks 'ERROR'", {}),
            'no output was kept, expected output that lacks "ERROR"',
            id="output",
        ),
        pytest.param(
            *("output contains 'done'", {"output_bytes": 3_000_000}),
            'no output was kept of 3 MB, expected output that contains "done"',
            id="output that was dropped",
        ),
        pytest.param(
            *("output_tail !~ /ERROR/", {}),
            "no output was kept, expected output that does not match /ERROR/",
            id="tail",
        ),
        pytest.param(
            *("output_lines < 3", {}),
            "no count of lines was reported, expected less than 3 lines",
            id="lines",
        ),
        pytest.param(
            *("output_bytes < 3kB", {}),
            "no count of bytes was reported, expected less than 3 kB",
            id="bytes",
        ),
    ],
)
def test_an_assertion_whose_subject_is_missing_does_not_hold(text, changed, sentence):
    finding = judged(text, **changed)
    assert (finding.holds, finding.sentence, finding.seen) == (False, sentence, "nothing")


def test_a_run_without_a_status_has_no_status():
    finding = evaluate(parse("status != failed"), Run(run="r1", job="db-backup"))
    assert not finding.holds
    assert finding.sentence == 'no status was reported, expected anything but "failed"'


# ---- what a run makes of texts


@pytest.mark.parametrize(
    ("text", "changed", "holds", "sentence"),
    [
        pytest.param(
            *("status == success", {"status": "failed"}, False),
            'status "failed", expected "success"',
            id="another status",
        ),
        pytest.param(
            *("status == success", {"status": "success"}, True),
            'status "success", expected "success"',
            id="the status",
        ),
        pytest.param(
            *("status != 'no rows'", {"status": "no rows"}, False),
            'status "no rows", expected anything but "no rows"',
            id="a status that must not be",
        ),
        pytest.param(
            *("status == Success", {"status": "success"}, False),
            'status "success", expected "Success"',
            id="case counts",
        ),
        pytest.param(
            *("signal == sigterm", {"signal": "TERM"}, True),
            'signal "SIGTERM", expected "SIGTERM"',
            id="a signal by either name",
        ),
        pytest.param(
            *("error contains 'disk'", {"error": "disk full"}, True),
            'error "disk full" contains "disk"',
            id="an error",
        ),
        pytest.param(
            *("error lacks 'disk'", {"error": "disk full"}, False),
            'error "disk full" contains "disk", which it must not',
            id="an error that must not be",
        ),
        pytest.param(
            *("status =~ /^(ok|fine)$/", {"status": "not ok"}, False),
            'status "not ok" does not match /^(ok|fine)$/',
            id="a pattern",
        ),
        pytest.param(
            *("status !~ /FAIL/i", {"status": "failed"}, False),
            'status "failed" matches /FAIL/i, which it must not',
            id="a pattern that ignores case",
        ),
        pytest.param(
            *("status !~ /FAIL/", {"status": "failed"}, True),
            'status "failed" does not match /FAIL/',
            id="a pattern that does not",
        ),
    ],
)
def test_a_text_is_compared_and_searched(text, changed, holds, sentence):
    finding = judged(text, **changed)
    assert (finding.holds, finding.sentence) == (holds, sentence)


def test_a_hostile_text_is_shortened_and_kept_on_one_line():
    finding = judged("error lacks 'x'", error="x\n" * 5_000, metrics={"x": 1})
    assert "\n" not in finding.sentence
    assert len(finding.sentence) < 150
    assert len(finding.seen) < 90


# ---- the output


@pytest.mark.parametrize(
    ("text", "output", "holds", "sentence", "seen"),
    [
        pytest.param(
            *("output contains 'dump complete'", "start\ndump complete\n", True),
            *('output contains "dump complete"', '"dump complete"'),
            id="contains",
        ),
        pytest.param(
            *("output contains 'dump complete'", "dump began\n", False),
            *('output does not contain "dump complete"', "11 bytes"),
            id="does not contain",
        ),
        pytest.param(
            *("output contains 'x'", "", False),
            *('output does not contain "x"', "0 bytes"),
            id="empty, and contains nothing",
        ),
        pytest.param(
            *("output lacks 'x'", "", True),
            *('output does not contain "x"', "0 bytes"),
            id="empty, and lacks everything",
        ),
        pytest.param(
            *("output lacks 'ERROR'", "fine\n12:00 ERROR: disk\nmore", False),
            'output contains "ERROR" in "12:00 ERROR: disk", which it must not',
            '"12:00 ERROR: disk"',
            id="shows the line",
        ),
        pytest.param(
            *("output !~ /^(WARN|ERROR)/", "fine\nWARN: disk\n", False),
            'output matches /^(WARN|ERROR)/ in "WARN: disk", which it must not',
            '"WARN: disk"',
            id="a line begins with it",
        ),
        pytest.param(
            *("output !~ /^(WARN|ERROR)/", "no ERROR\n", True),
            *("output does not match /^(WARN|ERROR)/", "9 bytes"),
            id="no line begins with it",
        ),
        pytest.param(
            *("output =~ /rows: [1-9]\\d*$/", "größe\nrows: 40\nbye\n", True),
            'output matches /rows: [1-9]\\d*$/ in "rows: 40"',
            '"rows: 40"',
            id="a line ends with it",
        ),
        pytest.param(
            *(r"output =~ /bye\n\z/", "rows: 40\nbye\n", True),
            r'output matches /bye\n\z/ in "bye"',
            '"bye"',
            id="the end of all",
        ),
        pytest.param(
            *("output =~ /größe/", "é" * 60 + " die größe", True),
            f'output matches /größe/ in "{"é" * 15} die größe"',
            f'"{"é" * 15} die größe"',
            id="far into a long line of more than ASCII",
        ),
        pytest.param(
            *(r"output contains 'a\nb'", "1\nxa\nby\n2", True),
            *('output contains "a b" in "xa by"', '"xa by"'),
            id="over two lines",
        ),
        pytest.param(
            *("output_tail lacks 'x'", "abc", True),
            *('output_tail does not contain "x"', "3 bytes"),
            id="the tail",
        ),
    ],
)
def test_the_whole_output_is_searched(text, output, holds, sentence, seen):
    finding = judged(text, output_tail=output, output_bytes=len(output.encode()))
    assert (finding.holds, finding.sentence, finding.seen) == (holds, sentence, seen)


@pytest.mark.parametrize(
    ("text", "holds", "sentence"),
    [
        pytest.param(
            *("output lacks 'ERROR'", False),
            'saw the last 16 KiB of 3 MB, too little to say that it lacks "ERROR"',
            id="lacks",
        ),
        pytest.param(
            *("output !~ /ERROR/", False),
            "saw the last 16 KiB of 3 MB, too little to say that it does not match /ERROR/",
            id="does not match",
        ),
        pytest.param(
            *("output lacks 'xx'", False),
            'output (the last 16 KiB of 3 MB) contains "xx" in "' + "x" * 79 + '…", which it must'
            " not",
            id="what must not be is found",
        ),
        pytest.param(
            *("output !~ /^x|x$/", False),
            'output (the last 16 KiB of 3 MB) matches /^x|x$/ in "' + "x" * 21 + '", which it must'
            " not",
            id="a pattern that must not match does",
        ),
        pytest.param(
            *("output contains 'dump complete'", False),
            'output (the last 16 KiB of 3 MB) does not contain "dump complete"',
            id="not found",
        ),
        pytest.param(
            *("output =~ /complete$/", False),
            "output (the last 16 KiB of 3 MB) does not match /complete$/",
            id="not matched",
        ),
        pytest.param(
            *("output contains 'xx'", True),
            'output (the last 16 KiB of 3 MB) contains "xx" in "' + "x" * 79 + '…"',
            id="found",
        ),
        pytest.param(
            *("output =~ /x$/", True),
            'output (the last 16 KiB of 3 MB) matches /x$/ in "' + "x" * 21 + '"',
            id="matched",
        ),
        pytest.param(
            *("output =~ /^x/", False),
            "output (the last 16 KiB of 3 MB) does not match /^x/",
            id="the cut is not the beginning of a line",
        ),
        pytest.param(
            *(r"output =~ /\bxx/", False),
            r"output (the last 16 KiB of 3 MB) does not match /\bxx/",
            id="the cut is not the beginning of a word",
        ),
        pytest.param(
            *(r"output =~ /\Ax/", False),
            r"output (the last 16 KiB of 3 MB) does not match /\Ax/",
            id="the cut is not the beginning of the output",
        ),
        pytest.param(
            *("output_tail lacks 'ERROR'", True),
            'output_tail does not contain "ERROR"',
            id="what is written for the tail",
        ),
        pytest.param(
            *("output_tail =~ /^x/", True),
            'output_tail matches /^x/ in "' + "x" * 79 + '…"',
            id="the beginning of the tail",
        ),
        pytest.param(
            *("output_tail !~ /x/", False),
            'output_tail matches /x/ in "' + "x" * 79 + '…", which it must not',
            id="found in the tail",
        ),
    ],
)
def test_output_that_was_cut_proves_what_it_has_and_never_what_it_lacks(text, holds, sentence):
    finding = judged(text, **CUT)
    assert (finding.holds, finding.sentence) == (holds, sentence)


@pytest.mark.parametrize(
    ("changed", "part"),
    [
        pytest.param({"output_tail": "abc"}, None, id="nobody counted"),
        pytest.param({"output_tail": "abc", "output_bytes": 3}, None, id="all of it"),
        pytest.param({"output_tail": "�", "output_bytes": 1}, None, id="a byte became U+FFFD"),
        pytest.param(
            {"output_tail": "abc", "output_bytes": 4}, "the last 3 bytes of 4 bytes", id="cut"
        ),
        pytest.param(
            {"output_tail": "äb", "output_bytes": 4}, "the last 3 bytes of 4 bytes", id="in bytes"
        ),
        pytest.param(
            {"output_tail": "abc", "output_bytes": 3, "extra": '{"output_cut":true}'},
            "the last 3 bytes of more",
            id="the wrapper says cut",
        ),
        pytest.param(
            {"output_tail": "abc", "output_bytes": 30, "extra": '{"x":[1],"output_cut":false}'},
            None,
            id="the wrapper took out a secret",
        ),
        pytest.param(
            {"output_tail": KIB_16, "output_bytes": 30_000, "extra": '{"output_cut":false}'},
            "the last 16 KiB of 30 kB",
            id="cut when it was read",
        ),
        pytest.param(
            {"output_tail": "abc", "output_bytes": 4, "extra": '{"output_cut":"no"}'},
            "the last 3 bytes of 4 bytes",
            id="a flag that is a word",
        ),
        pytest.param(
            {"output_tail": "abc", "output_bytes": 3, "extra": "{"}, None, id="no JSON at all"
        ),
    ],
)
def test_whether_output_was_wholly_kept_is_said_by_the_wrapper_or_by_its_length(changed, part):
    finding = judged("output lacks 'Z'", **changed)
    if part is None:
        assert finding.holds
    else:
        assert not finding.holds
        assert finding.sentence.startswith(f"saw {part}, too little")


# ---- for every text and every run


@pytest.mark.parametrize(
    "pattern",
    [
        r"(a+)+$",
        r"(a|a)*$",
        r"(.*)*x",
        r"(\pL+\s?)*\z",
        r"(?:(?:.{0,10}){0,10}){0,10}q",
        r".{0,900}b.{0,90}c",
    ],
)
def test_a_pattern_that_would_backtrack_for_ever_ends_soon(pattern):
    read = parse(f"output =~ /{pattern}/")
    outcome = ended(output_tail="a" * 16_383 + "b")
    begin = perf_counter()
    evaluate(read, outcome)
    assert perf_counter() - begin < 3  # 0.4 s on a slow machine; backtracking takes years


NAMES = st.sampled_from([*SUBJECTS, "metric.rows", "metric.", "nothing", ""])
SIGNS = st.sampled_from([*OPERATORS, "=", "is", ""])
VALUES = st.one_of(
    st.text(max_size=20),
    st.sampled_from(["30s", "10MB", "3", "-1.5", "1e308", "word", "'a b'", '"x"', "/x|^$/i"]),
    st.text(max_size=12).map(lambda body: f"/{body}/"),
    st.text(max_size=12).map(lambda body: f"'{body}'"),
)
ASSERTIONS = st.one_of(
    st.text(max_size=40),
    st.builds("{} {} {}".format, NAMES, SIGNS, VALUES),
    st.builds("{}{}{}".format, NAMES, SIGNS, VALUES),
)
SMALL = st.one_of(st.none(), st.floats(), st.integers(-(2**63), 2**63 - 1))
WORDS = st.one_of(st.none(), st.text(st.characters(), max_size=30))
COUNTS = st.one_of(st.none(), st.integers(0, 2**63 - 1))
RUNS = st.builds(
    Run,
    run=st.just("r1"),
    job=st.just("db-backup"),
    status=WORDS,
    exit_code=COUNTS,
    signal=WORDS,
    error=WORDS,
    duration_s=SMALL,
    cpu_s=SMALL,
    max_rss_kb=SMALL,
    metrics=st.one_of(st.none(), st.dictionaries(st.just("rows"), SMALL.filter(bool))),
    output_tail=WORDS,
    output_bytes=COUNTS,
    output_lines=COUNTS,
    extra=st.one_of(WORDS, st.sampled_from(['{"output_cut":true}', "[" * 100_000])),
)


def refusal(text):
    try:
        parse(text)
    except ExpectError as refused:
        return refused
    return None


@given(ASSERTIONS)
def test_any_text_is_read_or_refused_with_a_column_in_it(text):
    refused = refusal(text)
    if refused is None:
        assert parse(text).text == text
    else:
        assert 1 <= refused.column <= len(text) + 1
        assert re.match(rf"column {refused.column}: \S", str(refused))


@st.composite
def readable(draw):
    """Make assertions of which each can be read."""
    subject = draw(st.sampled_from([*SUBJECTS, "metric.rows"]))
    kind = subject_of(subject).kind
    sign = draw(st.sampled_from(kind.operators))
    if isinstance(kind, Quantity):
        values = [kind.example, "0" + kind.example.lstrip("0123456789.")]
    elif sign in {"=~", "!~"}:
        values = ["/^a|b$/", "/./i", r"/\d*/", r"/\A\z/"]
    else:
        values = ["'a'", '"0"', r"'\n'"]
    return f"{subject} {sign} {draw(st.sampled_from(values))}"


@given(readable(), RUNS)
def test_any_run_gets_a_finding_in_one_short_line(text, outcome):
    finding = evaluate(parse(text), outcome)
    assert isinstance(finding.holds, bool)
    assert finding.sentence
    assert finding.seen
    assert "\n" not in finding.sentence
    assert len(finding.sentence) < 500


@given(st.text(min_size=1, max_size=40), st.sampled_from(["'", '"']))
def test_a_text_that_is_quoted_is_read_back_as_it_was(text, quote):
    escaped = text.replace("\\", "\\\\").replace(quote, f"\\{quote}")
    assert parse(f"output contains {quote}{escaped}{quote}").wanted == text


@given(
    st.text("ab\nä", max_size=12),
    st.text("ab\nä", min_size=1, max_size=3),
    st.integers(0, 12),
)
def test_contains_and_lacks_are_true_of_the_whole_whatever_was_cut(output, sought, cut):
    kept = {"output_tail": output[cut:], "output_bytes": len(output.encode())}
    contains = parse(f"output contains '{sought}'")
    lacks = parse(f"output lacks '{sought}'")
    pattern = parse(f"output =~ /{sought}/")
    if evaluate(contains, ended(**kept)).holds:
        assert sought in output
    if evaluate(lacks, ended(**kept)).holds:
        assert sought not in output
    assert evaluate(pattern, ended(**kept)).holds == evaluate(contains, ended(**kept)).holds


@given(st.text("ab\n", max_size=12), st.integers(0, 12), st.sampled_from(["^a", "a$", "^b*$"]))
def test_a_line_pattern_that_holds_for_the_tail_holds_for_the_whole(output, cut, source):
    kept = {"output_tail": output[cut:], "output_bytes": len(output)}
    if judged(f"output =~ /{source}/", **kept).holds:
        assert judged(f"output =~ /{source}/", output_tail=output).holds
