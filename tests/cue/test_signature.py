"""CueAPI's signature: the vendor's vector, and everything that must not pass for one."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from cueapi import verify_webhook
from freezegun import freeze_time
from hypothesis import given
from hypothesis import strategies as st

from cronverifyd.cue.signature import sign, verify

SECRET = "whsec_0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
TIMESTAMP = "1795518045"
BODY = (
    b'{"attempt": 1, "cue_id": "cue_bg69b3pr4zqn",'
    b' "execution_id": "3a367504-9951-4669-85c1-1fddd290d034", "name": "n",'
    b' "payload": {"job": "nightly-backup"}, "scheduled_for": "2026-11-24T11:00:43.884441+00:00"}'
)
SIGNATURE = "v1=73ebe5d8a7c27fff04819f6a387f650c2d82145e31f0364d209079f4a6bc9a30"
NOW = datetime.fromtimestamp(1795518045, UTC)


def accepted(**changed):
    given = {"signature": SIGNATURE, "timestamp": TIMESTAMP, "body": BODY, "now": NOW} | changed
    return verify(given.pop("secrets", [SECRET]), **given)


def test_the_vector_is_signed_as_cueapi_signs_it():
    assert sign(SECRET, TIMESTAMP, BODY) == SIGNATURE


def test_the_vector_is_accepted():
    assert accepted()


@pytest.mark.parametrize(
    "secrets",
    [
        pytest.param([SECRET, "whsec_new"], id="first of two"),
        pytest.param(["whsec_new", SECRET], id="second of two"),
        pytest.param(["", SECRET], id="beside an empty one"),
    ],
)
def test_during_a_rotation_either_secret_serves(secrets):
    assert accepted(secrets=secrets)


@pytest.mark.parametrize("seconds", [-300, -1, 0, 1, 300])
def test_a_clock_may_be_five_minutes_off(seconds):
    assert accepted(now=NOW + timedelta(seconds=seconds))


@pytest.mark.parametrize("seconds", [-86_400, -301, -300.5, 300.5, 301, 86_400])
def test_an_older_or_newer_delivery_is_refused(seconds):
    assert not accepted(now=NOW + timedelta(seconds=seconds))


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({"signature": None}, id="no signature"),
        pytest.param({"signature": ""}, id="empty signature"),
        pytest.param({"signature": SIGNATURE.removeprefix("v1=")}, id="no version"),
        pytest.param({"signature": SIGNATURE.replace("v1", "v2")}, id="another version"),
        pytest.param({"signature": SIGNATURE.upper()}, id="upper case"),
        pytest.param({"signature": SIGNATURE[:-1]}, id="too short"),
        pytest.param({"signature": SIGNATURE + "0"}, id="too long"),
        pytest.param({"signature": f"{SIGNATURE}, {SIGNATURE}"}, id="twice, joined by a proxy"),
        pytest.param({"signature": "v1=ä\ud800€"}, id="not ASCII"),
        pytest.param({"timestamp": None}, id="no timestamp"),
        pytest.param({"timestamp": ""}, id="empty timestamp"),
        pytest.param({"timestamp": "1795518046"}, id="another timestamp"),
        pytest.param({"timestamp": " 1795518045"}, id="timestamp with a space"),
        pytest.param({"timestamp": "+1795518045"}, id="timestamp with a sign"),
        pytest.param({"timestamp": "1795518045.0"}, id="timestamp with a fraction"),
        pytest.param({"timestamp": "١٧٩٥٥١٨٠٤٥"}, id="timestamp in other digits"),
        pytest.param({"timestamp": "1" * 10_000}, id="timestamp that int() refuses"),
        pytest.param({"body": BODY + b" "}, id="body changed"),
        pytest.param({"body": b""}, id="body empty"),
        pytest.param({"secrets": []}, id="no secret"),
        pytest.param({"secrets": ["whsec_other"]}, id="another secret"),
    ],
)
def test_anything_else_is_refused(changed):
    assert not accepted(**changed)


def test_an_empty_secret_signs_nothing():
    forged = sign("", TIMESTAMP, BODY)
    assert not accepted(secrets=[""], signature=forged)
    assert not accepted(secrets=["", SECRET], signature=forged)


@given(signature=st.text(), timestamp=st.text(), body=st.binary())
def test_no_header_makes_it_raise_and_none_is_guessed(signature, timestamp, body):
    assert not accepted(signature=signature, timestamp=timestamp, body=body)
    assert not accepted(signature=signature)


@given(body=st.binary(), secret=st.text(min_size=1))
def test_what_is_signed_verifies(body, secret):
    signature = sign(secret, TIMESTAMP, body)
    assert accepted(secrets=[secret], signature=signature, body=body)


# ---- the vendor's own check (the published SDK, a test's dependency only) ------------------------


@given(
    document=st.dictionaries(st.text(max_size=8), st.none() | st.integers() | st.text(max_size=20)),
    secret=st.text("abcdef0123456789", min_size=1, max_size=64),
    late_s=st.integers(-400, 400),
    spoilt=st.booleans(),
)
def test_the_published_sdk_agrees_with_ours(document, secret, late_s, spoilt):
    body = json.dumps(document, sort_keys=True).encode()
    signature = sign(secret, TIMESTAMP, body + b" " if spoilt else body)
    now = NOW + timedelta(seconds=late_s)
    with freeze_time(now):
        theirs = verify_webhook(body, signature, secret, TIMESTAMP)
    ours = verify([secret], signature=signature, timestamp=TIMESTAMP, body=body, now=now)
    assert ours is theirs
    assert ours is (abs(late_s) <= 300 and not spoilt)


def test_the_published_sdk_takes_the_vector():
    with freeze_time(NOW):
        assert verify_webhook(BODY, SIGNATURE, SECRET, TIMESTAMP)
