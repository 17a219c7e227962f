"""The bodies of `POST /verify`: what each asks for, and what is refused with a sentence."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cronverifyd.cue.delivery import MalformedError, parse
from cronverifyd.model import TriggeredBy, Verify

EXECUTION = "3a367504-9951-4669-85c1-1fddd290d034"


def delivery(payload, **changed):
    envelope = {
        "attempt": 1,
        "cue_id": "cue_bg69b3pr4zqn",
        "execution_id": EXECUTION,
        "name": "cronverifyd/web1/db-backup",
        "payload": payload,
        "scheduled_for": "2026-11-24T11:00:43.884441+00:00",
    }
    return json.dumps(envelope | changed).encode()


@pytest.mark.parametrize(
    ("body", "jobs"),
    [
        pytest.param(b"", None, id="nothing"),
        pytest.param(b"\r\n", None, id="a line end"),
        pytest.param(b"{}", None, id="empty object"),
        pytest.param(b'{"job": "a"}', ("a",), id="one job"),
        pytest.param(b'{"job": "a", "why": "asked"}', ("a",), id="a key of the sender's own"),
        pytest.param(b'{"jobs": ["a", "b"]}', ("a", "b"), id="two jobs"),
        pytest.param(b'{"jobs": ["b", "a", "b"]}', ("b", "a"), id="a job named twice"),
    ],
)
def test_a_plain_request_names_jobs_or_means_all(body, jobs):
    assert parse(body) == Verify(jobs=jobs, triggered_by=TriggeredBy.HTTP)


@pytest.mark.parametrize(
    ("payload", "jobs"),
    [
        pytest.param({"instance": "web1", "job": "a", "v": 1}, ("a",), id="one job"),
        pytest.param({"jobs": ["a", "b"], "v": 1}, ("a", "b"), id="two jobs"),
        pytest.param({}, None, id="empty payload"),
        pytest.param(None, None, id="null payload"),
        pytest.param({"task": "look"}, None, id="payload of a cue made by hand"),
    ],
)
def test_a_delivery_of_cueapi_names_jobs_or_means_all(payload, jobs):
    asked = parse(delivery(payload))
    assert asked == Verify(
        jobs=jobs,
        triggered_by=TriggeredBy.CUEAPI,
        execution=EXECUTION,
        scheduled_for=datetime(2026, 11, 24, 11, 0, 43, 884441, tzinfo=UTC),
        owes_outcome=True,
    )


def test_a_delivery_without_a_payload_means_all():
    asked = parse(b'{"execution_id": "e1", "attempt": 2}')
    assert asked == Verify(triggered_by=TriggeredBy.CUEAPI, execution="e1", owes_outcome=True)


def test_a_payload_without_an_execution_is_not_cueapis():
    assert parse(b'{"payload": {"job": "a"}}') == Verify(jobs=("a",))
    assert parse(b'{"payload": {"job": "a"}, "execution_id": null}') == Verify(jobs=("a",))


@pytest.mark.parametrize(
    ("body", "says"),
    [
        pytest.param(b"job=a", "JSON object", id="a form"),
        pytest.param(b'{"job": "a"', "JSON object", id="cut"),
        pytest.param(b"[]", "JSON object", id="a list"),
        pytest.param(b'"a"', "JSON object", id="a text"),
        pytest.param(b"null", "JSON object", id="null"),
        pytest.param(b'{"job": "\xff"}', "JSON object", id="not UTF-8"),
        pytest.param(b'{"job": "\\ud800"}', "JSON object", id="half a surrogate pair"),
        pytest.param(b'{"a":' * 20_000, "JSON object", id="very deep"),
        pytest.param(b'{"jbo": "a"}', '"job" or "jobs"', id="a slip of the pen"),
        pytest.param(b'{"job": 1}', "job's name", id="number for a job"),
        pytest.param(b'{"job": null}', "job's name", id="null for a job"),
        pytest.param(b'{"job": ""}', "job's name", id="empty name"),
        pytest.param(b'{"job": "a", "jobs": ["b"]}', "either", id="job and jobs"),
        pytest.param(b'{"jobs": "a"}', "list of names", id="text for jobs"),
        pytest.param(b'{"jobs": []}', "at least one", id="no jobs at all"),
        pytest.param(b'{"jobs": null}', "list of names", id="null for jobs"),
        pytest.param(b'{"jobs": ["a", 2]}', "job's name", id="number among jobs"),
        pytest.param(delivery([]), "payload", id="payload is a list"),
        pytest.param(delivery({"job": {}}), "job's name", id="payload's job is an object"),
        pytest.param(delivery({}, execution_id=7), "execution_id", id="execution is a number"),
        pytest.param(delivery({}, execution_id=""), "execution_id", id="execution is empty"),
        pytest.param(delivery({}, execution_id="e" * 201), "execution_id", id="execution too long"),
    ],
)
def test_anything_else_is_refused_with_a_sentence(body, says):
    with pytest.raises(MalformedError, match=says):
        parse(body)


def test_an_execution_id_may_have_200_characters():
    assert parse(delivery({}, execution_id="e" * 200)).execution == "e" * 200


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["job", "jobs", "x"]), inner),
)


@settings(deadline=None)
@given(
    st.dictionaries(st.sampled_from(["job", "jobs", "payload", "execution_id"]), JSON).map(
        lambda document: json.dumps(document).encode()
    )
    | st.binary()
)
def test_whatever_comes_it_is_storable_or_malformed(body):
    try:
        asked = parse(body)
    except MalformedError:
        return
    for text in [*(asked.jobs or ["all"]), asked.execution or "none"]:
        assert text.encode("utf-8")


@pytest.mark.parametrize("when", ['"soon"', "17", '"2026-11-24T11:00:43"', "[]"])
def test_a_time_that_cannot_be_read_is_refused(when):
    with pytest.raises(MalformedError, match="scheduled_for"):
        parse(b'{"execution_id": "e1", "scheduled_for": ' + when.encode() + b"}")
