"""Lines of the outcome file: what is taken, what is refused, and with which reason."""

import json
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cronverifyd.errors import OutcomeError
from cronverifyd.judge.outcome import _KEYS, MAX_LINE_BYTES, MAX_TAIL_BYTES, decode
from cronverifyd.model import Event, EventKind


def line(**keys: Any) -> bytes:
    return json.dumps({"job": "db-backup", "status": "success"} | keys).encode()


def refused(text: bytes) -> str:
    with pytest.raises(OutcomeError) as caught:
        decode(text)
    return str(caught.value)


def test_the_shortest_line_by_hand_is_a_finish():
    event = decode(b'{"job":"invoice-gen","status":"success"}')
    assert event == Event(job="invoice-gen", kind=EventKind.FINISH, status="success")


def test_every_key_reaches_its_field():
    told = {
        "run": "r1",
        "status": "partial",
        "exit_code": 3,
        "signal": "SIGTERM",
        "error": "disk full",
        "duration_s": 600.5,
        "cpu_s": 12.25,
        "max_rss_kb": 10240.0,
        "metrics": {"rows": 1423, "ratio": 0.5},
        "output_tail": "dump\u0085complete\n",
        "output_bytes": 14,
        "output_lines": 1,
        "host": "web1",
        "user": "postgres",
        "uid": 113,
        "pid": 4242,
        "pid_start": 99,
        "wrapper_pid": 4241,
        "boot": "8f0c1a7e",
        "command": "pg_dump -Fc db",
    }
    times = {
        "at": "2024-05-15T03:10:00.25+02:00",
        "started_at": 1_715_734_800,
        "slot": "2024-05-15T03:00:00+02:00",
        "run_date": "2024-05-15",
    }
    assert decode(line(v=1, event="finish", **told, **times)) == Event(
        job="db-backup",
        kind=EventKind.FINISH,
        at=datetime(2024, 5, 15, 1, 10, 0, 250_000, tzinfo=UTC),
        started_at=datetime(2024, 5, 15, 1, 0, tzinfo=UTC),
        slot=datetime(2024, 5, 15, 1, 0, tzinfo=UTC),
        run_date=date(2024, 5, 15),
        **told,
    )


def test_aliases_stand_for_their_keys():
    event = decode(
        b'{"job_name":"a","status":"failed","error_message":"boom","completed_at":1715734800}'
    )
    assert (event.job, event.error) == ("a", "boom")
    assert event.at == datetime(2024, 5, 15, 1, 0, tzinfo=UTC)
    assert event.extra is None


def test_a_key_wins_over_its_alias_in_either_order():
    keys = {"job": "a", "error": "key", "at": 1, "status": "failed"}
    aliases = {"job_name": "not/a name", "error_message": "alias", "completed_at": "not a time"}
    for both in (keys | aliases, aliases | keys):
        event = decode(json.dumps(both).encode())
        assert (event.job, event.error, event.at.timestamp()) == ("a", "key", 1)
        assert event.extra is None


def test_an_alias_serves_where_its_key_is_null():
    assert decode(b'{"job":null,"job_name":"a","status":"success"}').job == "a"


def test_null_and_empty_strings_are_absent_but_empty_output_is_output():
    event = decode(line(run="", user="", error="", exit_code=None, at=None, output_tail=""))
    assert event == Event(job="db-backup", kind=EventKind.FINISH, status="success", output_tail="")


def test_unknown_keys_are_kept_as_json():
    event = decode(line(team="ß", parts=[1, {"a": 2}]))
    assert json.loads(event.extra) == {"team": "ß", "parts": [1, {"a": 2}]}


@pytest.mark.parametrize(
    ("keys", "kind"),
    [
        pytest.param({"event": "start"}, EventKind.START, id="says start"),
        pytest.param({"event": "finish", "status": "running"}, EventKind.FINISH, id="event wins"),
        pytest.param({"status": "running"}, EventKind.START, id="running"),
        pytest.param({"status": "pending"}, EventKind.START, id="pending"),
        pytest.param({"status": "success"}, EventKind.FINISH, id="success"),
        pytest.param({"status": "Running late"}, EventKind.FINISH, id="a word of its own"),
        pytest.param({"status": None, "exit_code": 0}, EventKind.FINISH, id="no status"),
    ],
)
def test_the_kind_is_what_the_line_says_or_what_its_status_implies(keys, kind):
    assert decode(line(**keys)).kind is kind


@pytest.mark.parametrize(
    ("keys", "status"),
    [
        pytest.param({"exit_code": 0}, "success", id="exit 0"),
        pytest.param({"exit_code": 1}, "failed", id="exit 1"),
        pytest.param({"exit_code": -9}, "failed", id="exit -9"),
        pytest.param({"signal": "SIGKILL"}, "failed", id="signal"),
        pytest.param({"signal": "SIGKILL", "exit_code": 0}, "failed", id="signal and exit 0"),
        pytest.param({"error": "boom"}, "failed", id="an error alone"),
        pytest.param({"error": "a warning", "exit_code": 0}, "success", id="error and exit 0"),
        pytest.param({"exit_code": 0, "status": "partial"}, "partial", id="its own word"),
    ],
)
def test_a_finish_without_a_status_is_judged_by_how_it_ended(keys, status):
    assert decode(line(**{"status": None} | keys)).status == status


def test_a_finish_that_does_not_say_how_it_ended_is_refused():
    assert "does not say how the run ended" in refused(b'{"job":"a","duration_s":3}')


def test_a_start_needs_no_status():
    assert decode(b'{"job":"a","event":"start"}').status is None


@pytest.mark.parametrize(
    ("value", "instant"),
    [
        pytest.param("2024-05-15T03:00:00Z", "2024-05-15T03:00:00+00:00", id="Z"),
        pytest.param("2024-05-15 03:00:00+02:00", "2024-05-15T01:00:00+00:00", id="a space"),
        pytest.param("2024-05-15T03:00:00+0200", "2024-05-15T01:00:00+00:00", id="date +%z"),
        pytest.param(
            "2024-05-15T03:00:00.123456789Z", "2024-05-15T03:00:00.123456+00:00", id="nanoseconds"
        ),
        pytest.param(1_715_734_800, "2024-05-15T01:00:00+00:00", id="epoch"),
        pytest.param(1_715_734_800.5, "2024-05-15T01:00:00.500000+00:00", id="epoch, fraction"),
        pytest.param(0, "1970-01-01T00:00:00+00:00", id="epoch 0"),
        pytest.param("9998-12-31T23:59:59Z", "9998-12-31T23:59:59+00:00", id="the last second"),
    ],
)
def test_instants_become_utc(value, instant):
    at = decode(line(at=value)).at
    assert at.isoformat() == instant
    assert at.tzinfo is UTC


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        pytest.param({"job": None}, "job: required", id="no job"),
        pytest.param({"job": 7}, "job: must be a job name", id="job a number"),
        pytest.param({"job": "../etc"}, '(got "../etc")', id="job a path"),
        pytest.param({"job": "a\n"}, "job: must be a job name", id="job with a newline"),
        pytest.param({"job": "a" * 101}, "at most 99", id="job too long"),
        pytest.param({"v": 2}, "v: the line is of a newer format", id="newer format"),
        pytest.param({"v": 0}, "v: must be the format version", id="format 0"),
        pytest.param({"v": True}, "v: must be the format version", id="format true"),
        pytest.param({"event": "end"}, 'must be "start" or "finish" (got "end")', id="event"),
        pytest.param({"event": []}, "event: must be", id="event a list"),
        pytest.param({"run": "r" * 65}, "run: must be a string of at most 64", id="run too long"),
        pytest.param({"run": 5}, "a string of at most 64 characters (got 5)", id="run"),
        pytest.param({"status": "s" * 41}, "status: must be a string of at most 40", id="status"),
        pytest.param({"status": True}, "(got true)", id="status true"),
        pytest.param({"exit_code": "1"}, 'exit_code: must be a whole number (got "1")', id="exit"),
        pytest.param({"exit_code": True}, "exit_code: must be a whole number", id="exit true"),
        pytest.param({"exit_code": 1.0}, "exit_code: must be a whole number", id="exit 1.0"),
        pytest.param({"exit_code": 2**63}, "exit_code: must be a whole number", id="exit huge"),
        pytest.param({"signal": 9}, "signal: must be a string (got 9)", id="signal a number"),
        pytest.param({"error": {"a": 1}}, "error: must be a string (got an object)", id="error"),
        pytest.param({"duration_s": -1}, "duration_s: must be a number from 0", id="negative"),
        pytest.param({"duration_s": 1e300}, "duration_s: must be a number from 0 to", id="absurd"),
        pytest.param({"cpu_s": "3"}, "cpu_s: must be a number", id="cpu_s a string"),
        pytest.param({"max_rss_kb": False}, "max_rss_kb: must be a number", id="rss false"),
        pytest.param({"metrics": [1]}, "must be an object of numbers (got a list)", id="list"),
        pytest.param({"metrics": {"n": "7"}}, '"n" must be a finite number, not "7"', id="7"),
        pytest.param({"metrics": {"n": True}}, '"n" must be a finite number', id="metric true"),
        pytest.param({"metrics": {"n": 10**30}}, '"n" must be a finite number', id="metric huge"),
        pytest.param({"output_tail": 5}, "output_tail: must be a string", id="tail a number"),
        pytest.param({"output_bytes": -1}, "a whole number of 0 or more (got -1)", id="bytes"),
        pytest.param({"pid": 2.5}, "pid: must be a whole number", id="pid a fraction"),
        pytest.param({"at": "2024-05-15T03:00:00"}, "at: must bear an offset", id="naive"),
        pytest.param({"at": "2024-05-15"}, "at: must bear an offset", id="only a day"),
        pytest.param({"at": "1715734800"}, "at: must be RFC 3339 such as", id="epoch as a string"),
        pytest.param({"at": "yesterday"}, '(got "yesterday")', id="words"),
        pytest.param({"at": True}, "at: must be RFC 3339", id="at true"),
        pytest.param({"at": [2024]}, "at: must be RFC 3339", id="at a list"),
        pytest.param({"at": 1_715_734_800_000}, "seconds since 1970", id="milliseconds"),
        pytest.param({"at": -1}, "seconds since 1970", id="before 1970"),
        pytest.param({"at": 1e300}, "seconds since 1970", id="absurd epoch"),
        pytest.param({"at": 10**30}, "seconds since 1970", id="huge epoch"),
        pytest.param({"at": "0001-01-01T00:00:00+14:00"}, "years 1970 to 9998", id="before year 1"),
        pytest.param({"at": "9999-12-31T23:59:59-14:00"}, "years 1970 to 9998", id="after 9999"),
        pytest.param({"at": "1969-12-31T23:59:59Z"}, "years 1970 to 9998", id="1969"),
        pytest.param({"completed_at": "x"}, "completed_at: must be", id="the alias is named"),
        pytest.param({"slot": "soon"}, "slot: must be RFC 3339", id="slot"),
        pytest.param({"run_date": "20240515"}, "run_date: must be a day", id="run_date basic"),
        pytest.param({"run_date": "2024-W20-3"}, "run_date: must be a day", id="run_date week"),
        pytest.param({"run_date": "2024-02-30"}, "run_date: must be a day", id="30 February"),
        pytest.param({"run_date": "0001-01-01"}, "run_date: must be a day", id="run_date year 1"),
        pytest.param({"run_date": 20240515}, "run_date: must be a day", id="run_date a number"),
        pytest.param({"host": "h" * 1000, "user": 1}, "user: must be a string", id="user"),
    ],
)  # fmt: skip
def test_a_wrong_value_is_refused_with_its_key_the_rule_and_what_was_got(keys, said):
    assert said in refused(line(**keys))


def test_a_long_value_is_shown_shortened():
    assert len(refused(line(at="x" * 10_000))) < 250


def nested(levels: int) -> bytes:
    return b'{"job":"a","status":"success","x":' + b"[" * levels + b"]" * levels + b"}"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param(b"", "is not JSON", id="empty"),
        pytest.param(b"hello", "is not JSON", id="words"),
        pytest.param(b'{"job":"a","status":"succ', "is not JSON", id="torn"),
        pytest.param(b'{"job":"a"}{"job":"b"}', "is not JSON", id="two glued"),
        pytest.param(b'["a"]', "must be a JSON object (got a list)", id="a list"),
        pytest.param(b"7", "must be a JSON object (got 7)", id="a number"),
        pytest.param(b"null", "must be a JSON object (got null)", id="null"),
        pytest.param(b'{"job":"\xff"}', "is not UTF-8", id="not UTF-8"),
        pytest.param(b'{"job":"a","at":NaN}', "is not JSON", id="NaN"),
        pytest.param(b'{"job":"a","x":1e999}', "is not JSON", id="1e999"),
        pytest.param(b'{"job":"a","x":' + b"9" * 6000 + b"}", "is not JSON", id="many digits"),
        pytest.param(nested(30_000), "is nested too deeply", id="nested beyond the parser"),
        pytest.param(nested(40), '"x": is nested more than 32 levels deep', id="nested"),
        pytest.param(nested(900), "nested", id="nested near the parser's limit"),
        pytest.param(b'{"job":"a","x":"\\ud800', "is not JSON", id="torn after half a pair"),
        pytest.param(b"\x00" * 100, "is not JSON", id="a hole in the file"),
        pytest.param(b" " * (MAX_LINE_BYTES + 1), "longer than 65536 bytes (got 65537)", id="long"),
    ],
)  # fmt: skip
def test_a_line_that_is_no_outcome_is_refused_with_a_sentence(text, said):
    assert said in refused(text)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(b"\xef\xbb\xbf" + line(), id="byte order mark"),
        pytest.param(line() + b"\r", id="CR"),
        pytest.param(line() + b"\r\n", id="CR LF"),
        pytest.param(b"  " + line() + b"\t ", id="blanks"),
        pytest.param(line() + b"\n", id="newline"),
    ],
)
def test_what_editors_leave_at_the_ends_is_tolerated(text):
    assert decode(text) == decode(line())


def test_a_line_of_64_kib_is_taken_with_its_newline_not_counted():
    frame = len(line(note="n"))
    longest = line(note="n" * (MAX_LINE_BYTES - frame + 1))
    assert len(longest) == MAX_LINE_BYTES
    assert decode(longest + b"\n").job == "db-backup"


@pytest.mark.parametrize(
    ("escaped", "text"),
    [
        pytest.param(rb"\ud800", "\ufffd", id="first half"),
        pytest.param(rb"a\udcffb", "a\ufffdb", id="second half, as Python writes bad bytes"),
        pytest.param(rb"\uD83D\uDE00", "😀", id="a pair"),
        pytest.param(rb"\ud800\ud83d\ude00\ude00", "\ufffd😀\ufffd", id="halves around a pair"),
        pytest.param(rb"\\ud800", r"\ud800", id="an escaped backslash"),
        pytest.param(rb"\\\ud800", "\\\ufffd", id="a half after an escaped backslash"),
        pytest.param(rb"\u0000\u2028", "\0\u2028", id="other escapes"),
    ],
)
def test_half_a_surrogate_pair_becomes_a_replacement_character(escaped, text):
    tail = decode(rb'{"job":"a","status":"success","output_tail":"%s"}' % escaped).output_tail
    assert tail == text


def test_a_tail_that_is_too_long_loses_its_beginning_not_the_finish():
    tail = "ü" * MAX_TAIL_BYTES + "end"
    event = decode(f'{{"job":"a","status":"success","output_tail":"{tail}"}}'.encode())
    assert event.status == "success"
    assert event.output_tail.endswith("üend")
    assert MAX_TAIL_BYTES - 1 <= len(event.output_tail.encode()) <= MAX_TAIL_BYTES
    assert event.output_bytes == 2 * MAX_TAIL_BYTES + 3


def test_a_cut_tail_leaves_the_writers_own_count_alone():
    assert decode(line(output_tail="x" * 20_000, output_bytes=9)).output_bytes == 9


def test_a_tail_of_16_kib_is_kept_whole():
    event = decode(line(output_tail="x" * MAX_TAIL_BYTES))
    assert (event.output_tail, event.output_bytes) == ("x" * MAX_TAIL_BYTES, None)


def test_a_metric_without_a_value_is_absent():
    assert decode(line(metrics={"rows": None, "files": 2})).metrics == {"files": 2}


KEYS = st.sampled_from([*_KEYS, "other"])
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.text(st.characters(), max_size=20),
    st.datetimes(timezones=st.timezones()).map(datetime.isoformat),
    st.dates().map(date.isoformat),
    st.sampled_from(["a", "start", "success", "running", "2024-05-15T03:00:00Z"]),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)
OBJECTS = st.dictionaries(KEYS, VALUES, max_size=3).map(
    lambda keys: {"job": "a", "status": "success"} | keys
)


def taken(text: bytes) -> Event | None:
    try:
        return decode(text)
    except OutcomeError:
        return None


@given(st.binary())
def test_any_bytes_are_an_event_or_an_outcome_error(text):
    event = taken(text)
    assert event is None or isinstance(event, Event)


@given(OBJECTS)
def test_whatever_is_taken_can_be_stored(keys):
    event = taken(json.dumps(keys).encode())
    if event is not None:
        for instant in (event.at, event.started_at, event.slot):
            assert instant is None or instant.tzinfo is UTC
        for name in Event.__slots__:
            value = getattr(event, name)
            if isinstance(value, str):
                value.encode()
            if type(value) is int:
                assert abs(value) < 2**63


@given(keys=OBJECTS, cut=st.floats(0, 1), junk=st.binary(max_size=3))
def test_a_damaged_line_is_an_event_or_an_outcome_error(keys, cut, junk):
    text = json.dumps(keys, ensure_ascii=False).encode(errors="surrogatepass")
    place = int(len(text) * cut)
    event = taken(text[:place] + junk + text[place:])
    assert event is None or isinstance(event, Event)
