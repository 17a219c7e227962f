"""What CueAPI is told of an execution, within its limits."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cronverifyd.cue.outcomes import could_not_judge, outcome
from cronverifyd.model import BadJob, GoodJob, Verdict, Verified
from tests.builders import at
from tests.cueapi.rules import read_outcome


def as_it_is(text):
    return text


def good(name, reason="ok: because", run="r1"):
    return GoodJob(job=name, slot=at("03:00"), reason=reason, run=run)


def bad(name, verdict="missed", issue="no sign of a run by 04:05"):
    return BadJob(job=name, slot=at("03:00"), verdict=Verdict(verdict), issue=issue)


def test_a_success_comes_with_its_run_and_the_verdicts_sentence():
    verified = Verified(checked=1, good=(good("a", "ok: ended at 03:12 with exit 0"),))
    assert outcome(verified, as_it_is) == {
        "success": True,
        "result": "1 job checked, all well\na: ok: ended at 03:12 with exit 0",
        "summary": "a: ok: ended at 03:12 with exit 0",
        "external_id": "r1",
        "result_type": "cronverifyd",
        "metadata": {
            "checked": 1,
            "failures": 0,
            "slots": [{"job": "a", "slot": "2024-05-15T03:00:00+00:00", "run": "r1"}],
        },
    }


def test_a_failure_is_an_error_with_a_line_for_each_job():
    details = (bad("b", "failed", "exit 3"), bad("c"))
    said = outcome(Verified(checked=3, details=details, good=(good("a"),)), as_it_is)
    assert said["success"] is False
    assert said["error"].splitlines() == [
        "3 jobs checked, 2 not well",
        "b: failed: exit 3",
        "c: missed: no sign of a run by 04:05",
        "a: ok: because",
    ]
    assert said["summary"] == "3 jobs checked, 2 not well: b, c"
    assert [each["job"] for each in said["metadata"]["slots"]] == ["b", "c", "a"]
    assert "result" not in said


@pytest.mark.parametrize(
    "verified",
    [
        pytest.param(Verified(checked=0), id="no job"),
        pytest.param(Verified(checked=1), id="not judged yet"),
        pytest.param(Verified(checked=1, details=(bad("a"),)), id="not well"),
        pytest.param(Verified(checked=1, good=(good("a", run=None),)), id="no run"),
        pytest.param(Verified(checked=2, good=(good("a"), good("b"))), id="two jobs"),
    ],
)
def test_an_id_is_given_only_where_one_run_is_the_evidence(verified):
    assert "external_id" not in outcome(verified, as_it_is)


def test_every_text_of_a_job_is_cleaned_before_it_is_cut():
    secret = "hunter2" * 400
    details, goods = (bad("a", issue=secret),), (good("b", secret),)

    def clean(text):
        return text.replace(secret, "[redacted]")

    for verified in Verified(checked=1, details=details), Verified(checked=1, good=goods):
        said = outcome(verified, clean)
        assert "hunter" not in json.dumps(said)
        assert "[redacted]" in said["summary"]


TEXT = st.text(max_size=3_000)
NAMES = st.lists(st.text("abc", min_size=1, max_size=100), max_size=40, unique=True)


@settings(deadline=None, max_examples=60)
@given(names=NAMES, reason=TEXT, run=st.none() | TEXT, spoilt=st.integers(0, 40))
def test_whatever_is_said_the_service_takes_it(names, reason, run, spoilt):
    details = tuple(bad(name, issue=reason) for name in names[:spoilt])
    goods = tuple(good(name, reason, run) for name in names[spoilt:])
    said = outcome(Verified(checked=len(names), details=details, good=goods), as_it_is)
    assert read_outcome(json.loads(json.dumps(said))) == said
    assert said["success"] is not bool(details)


@pytest.mark.parametrize("why", ["no answer", "x" * 5_000])
def test_what_could_not_be_judged_is_no_success(why):
    said = read_outcome(could_not_judge(why))
    assert said["success"] is False
    assert said["error"].startswith("could not judge: ")
