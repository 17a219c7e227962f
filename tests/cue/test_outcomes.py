"""What CueAPI is told of an execution, within its limits."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cronverifyd.cue.outcomes import could_not_judge, outcome
from cronverifyd.model import BadJob, Judgment, Verdict, Verified
from tests.builders import at, job, judged, slot
from tests.cueapi.rules import read_outcome


def as_it_is(text):
    return text


def of(name, verdict, reason="because", run=None):
    judgment = Judgment(verdict=Verdict(verdict), reason=reason, run=run)
    return judged("03:00", verdict, slot=slot("03:00", job(name=name)), judgment=judgment)


def bad(name, verdict="missed", issue="no sign of a run by 04:05"):
    return BadJob(job=name, slot=at("03:00"), verdict=Verdict(verdict), issue=issue)


def test_a_success_comes_with_its_run_and_the_verdicts_sentence():
    said = outcome(
        Verified(checked=1), [of("a", "ok", "ended at 03:12 with exit 0", "r1")], as_it_is
    )
    assert said == {
        "success": True,
        "result": "1 job checked, all well",
        "summary": "a: ok: ended at 03:12 with exit 0",
        "external_id": "r1",
        "result_type": "cronverifyd",
        "metadata": {
            "checked": 1,
            "failures": 0,
            "slots": [
                {"job": "a", "slot": "2024-05-15T03:00:00+00:00", "verdict": "ok", "run": "r1"}
            ],
        },
    }


def test_a_failure_is_an_error_with_a_line_for_each_job():
    verified = Verified(checked=3, details=(bad("b", "failed", "exit 3"), bad("c")))
    slots = [of("a", "ok", run="r1"), of("b", "failed", run="r2"), of("c", "missed")]
    said = outcome(verified, slots, as_it_is)
    assert said["success"] is False
    assert said["error"].splitlines() == [
        "3 jobs checked, 2 not well",
        "b: failed: exit 3",
        "c: missed: no sign of a run by 04:05",
    ]
    assert said["summary"] == "3 jobs checked, 2 not well: b, c"
    assert said["external_id"] == "r2"
    assert [each["job"] for each in said["metadata"]["slots"]] == ["b", "c", "a"]
    assert "result" not in said


def test_without_a_run_there_is_no_id():
    said = outcome(Verified(checked=1, details=(bad("a"),)), [of("a", "missed")], as_it_is)
    assert "external_id" not in said
    assert "external_id" not in outcome(Verified(checked=0), [], as_it_is)


def test_every_text_of_a_job_is_cleaned_before_it_is_cut():
    def clean(text):
        return text.replace("hunter2" * 100, "[redacted]")

    secret = "hunter2" * 100
    verified = Verified(checked=1, details=(bad("a", issue=secret),))
    said = outcome(verified, [of("a", "failed", secret)], clean)
    assert "hunter" not in json.dumps(said)
    assert "[redacted]" in said["summary"]


TEXT = st.text(max_size=3_000)
NAMES = st.lists(st.text("abc", min_size=1, max_size=100), max_size=40, unique=True)


@settings(deadline=None, max_examples=60)
@given(names=NAMES, reason=TEXT, run=st.none() | TEXT, spoilt=st.integers(0, 40))
def test_whatever_is_said_the_service_takes_it(names, reason, run, spoilt):
    details = tuple(bad(name, issue=reason) for name in names[:spoilt])
    verified = Verified(checked=len(names), details=details)
    slots = [of(name, "failed", reason, run) for name in names]
    said = outcome(verified, slots, as_it_is)
    assert read_outcome(json.loads(json.dumps(said))) == said
    assert said["success"] is not bool(details)


@pytest.mark.parametrize("why", ["no answer", "x" * 5_000])
def test_what_could_not_be_judged_is_no_success(why):
    said = read_outcome(could_not_judge(why))
    assert said["success"] is False
    assert said["error"].startswith("could not judge: ")
