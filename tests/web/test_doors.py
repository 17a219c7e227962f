"""Who may pull the trigger, and who may not."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.datastructures import Headers

from cronverifyd.cue.signature import sign
from cronverifyd.errors import ConfigError
from cronverifyd.web.doors import Doors

NOW = datetime(2026, 11, 24, 11, 0, 45, tzinfo=UTC)
STAMP = str(int(NOW.timestamp()))
BODY = b'{"payload": {}}'
DOORS = Doors(("whsec_new", "whsec_old"), "open sesame")


def signed(secret="whsec_new", timestamp=STAMP, body=BODY):
    return [
        ("X-CueAPI-Signature", sign(secret, timestamp, body)),
        ("X-CueAPI-Timestamp", timestamp),
    ]


@pytest.mark.parametrize(
    ("doors", "headers"),
    [
        pytest.param(DOORS, [("X-Cue-Secret", "open sesame")], id="shared secret"),
        pytest.param(DOORS, [("x-cue-secret", "open sesame")], id="in lower case"),
        pytest.param(DOORS, signed(), id="signature"),
        pytest.param(DOORS, signed("whsec_old"), id="signature of the old secret"),
        pytest.param(DOORS, [*signed(), ("X-Cue-Secret", "x")], id="signature, wrong secret"),
        pytest.param(
            DOORS, [*signed("x"), ("X-Cue-Secret", "open sesame")], id="secret, wrong signature"
        ),
        pytest.param(Doors((), "s"), [("X-Cue-Secret", "s")], id="a shared secret only"),
        pytest.param(Doors(("w",), None), signed("w"), id="a signing secret only"),
        pytest.param(
            Doors((), "Schlüssel"),
            [("X-Cue-Secret", "Schlüssel".encode().decode("latin-1"))],
            id="not ASCII, as WSGI hands it over",
        ),
    ],
)
def test_who_knows_a_secret_may_come_in(doors, headers):
    assert doors.admits(Headers(headers), BODY, NOW)


@pytest.mark.parametrize(
    ("doors", "headers"),
    [
        pytest.param(DOORS, [], id="nothing"),
        pytest.param(DOORS, [("X-Cue-Secret", "")], id="empty secret"),
        pytest.param(DOORS, [("X-Cue-Secret", "open")], id="the beginning of it"),
        pytest.param(DOORS, [("X-Cue-Secret", "open sesame ")], id="more than it"),
        pytest.param(DOORS, [("X-Cue-Secret", "öffne dich")], id="not ASCII"),
        pytest.param(DOORS, [("X-Cue-Secret", "€\ud800")], id="not Latin-1"),
        pytest.param(DOORS, [("X-Cue-Secret", "open sesame")] * 2, id="twice"),
        pytest.param(
            DOORS, [("X-Cue-Secret", "open sesame, open sesame")], id="twice, joined by the server"
        ),
        pytest.param(DOORS, [("X-Cue-Secret", "whsec_new")], id="a signing secret, shown"),
        pytest.param(DOORS, signed("open sesame"), id="signed with the shared secret"),
        pytest.param(DOORS, signed(body=b"{}"), id="signature of another body"),
        pytest.param(DOORS, signed()[:1], id="signature without its timestamp"),
        pytest.param(DOORS, signed() * 2, id="signature twice"),
        pytest.param(DOORS, signed(timestamp=str(int(STAMP) - 301)), id="too old"),
        pytest.param(Doors(("w",), None), [("X-Cue-Secret", "")], id="no shared secret: empty"),
        pytest.param(Doors(("w",), None), [("X-Cue-Secret", "None")], id="no shared secret: None"),
        pytest.param(Doors((), "s"), signed(""), id="no signing secret"),
    ],
)
def test_everybody_else_stays_out(doors, headers):
    assert not doors.admits(Headers(headers), BODY, NOW)


def test_a_delivery_opens_the_door_for_five_minutes_only():
    assert DOORS.admits(Headers(signed()), BODY, NOW + timedelta(seconds=300))
    assert not DOORS.admits(Headers(signed()), BODY, NOW + timedelta(seconds=301))


@pytest.mark.parametrize(
    ("signing", "shared"),
    [
        pytest.param((), None, id="none"),
        pytest.param((), "", id="an empty one"),
        pytest.param((), " \n", id="a blank one"),
        pytest.param(("",), None, id="an empty signing secret"),
        pytest.param(("whsec_new", ""), "s", id="an empty one among others"),
        pytest.param(("whsec_new",), "", id="an empty shared one beside a signing one"),
    ],
)
def test_without_a_secret_there_are_no_doors(signing, shared):
    with pytest.raises(ConfigError, match="anybody could pull it"):
        Doors(signing, shared)


@given(st.text())
def test_no_header_makes_it_raise(value):
    headers = Headers()
    for name in ("X-Cue-Secret", "X-CueAPI-Signature", "X-CueAPI-Timestamp"):
        headers.add(name, value.replace("\n", "").replace("\r", ""))
    assert not DOORS.admits(headers, BODY, NOW)
