"""A sync against the stand-in: equal at the end, nothing twice, nothing lost."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from cronverifyd.cue.client import KeyRefusedError, ThrottledError
from cronverifyd.cue.signature import verify
from cronverifyd.cue.wanted import Setting
from tests.builders import job
from tests.cue.conftest import WEBHOOK, WORKER

BACKUP = job(timezone="Europe/Paris")
REPORT = job(name="report", schedule="0 6 * * 1-5")
FOREIGN = {
    "name": "mine",
    "transport": "worker",
    "schedule": {"type": "recurring", "cron": "0 0 * * *"},
}


@pytest.fixture
def listener():
    """Take deliveries on loopback and keep them."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.server.got.append((body, dict(self.headers)))
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_):
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.got = []
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield server
        server.shutdown()


def changes(service):
    return [f"{each.method} {each.path}" for each in service.requests if each.method != "GET"]


@pytest.mark.parametrize("setting", [WEBHOOK, WORKER], ids=["webhook", "worker"])
def test_the_second_sync_changes_nothing(syncing, service, setting):
    errors, left = syncing(BACKUP, REPORT, setting=setting)
    assert (errors, left.changes, len(service.cues)) == ([], (), 2)
    assert syncing(BACKUP, REPORT, setting=setting)[0] == []
    assert changes(service) == []


def test_an_edit_is_one_patch_and_a_foreign_cue_stays(syncing, service, client):
    client.create(FOREIGN)
    syncing(BACKUP, REPORT)
    before = service.cues["mine"]
    syncing(BACKUP, job(name="report", schedule="0 7 * * 1-5"))
    (patch,) = service.asked("PATCH")
    assert patch.body == {
        "schedule": {"type": "recurring", "cron": "5 8 * * 1-5", "timezone": "UTC"}
    }
    assert changes(service) == [f"PATCH {patch.path}"]
    syncing()
    assert service.cues == {"mine": before}


def test_a_fire_that_is_due_is_not_lost_by_a_sync(syncing, service, clock, listener):
    here = f"http://127.0.0.1:{listener.server_port}/verify"
    setting = Setting(instance="web1", transport="webhook", url=here)
    syncing(BACKUP, setting=setting)
    clock.pass_(hours=14, minutes=6)  # 04:06 in Paris; the cue was due at 04:05
    other = Setting(instance="web1", transport="webhook", url=here, secret="s")
    assert syncing(BACKUP, setting=other)[0] == []
    assert len(service.asked("PATCH")) == 1
    service.turn()
    ((body, headers),) = listener.got
    assert json.loads(body)["scheduled_for"] == "2026-05-05T02:05:00+00:00"
    given = {"signature": headers["X-CueAPI-Signature"], "body": body, "now": clock.now()}
    assert verify([service.secret], timestamp=headers["X-CueAPI-Timestamp"], **given)
    assert headers["X-Cue-Secret"] == "s"


@pytest.mark.parametrize("after", [True, False], ids=["though it was made", "and nothing done"])
@pytest.mark.parametrize("status", [500, 502, 409])
def test_a_failed_creation_comes_right_after_another_look(syncing, service, status, after):
    service.provoke("POST", "/v1/cues", status, after=after)
    errors, left = syncing(BACKUP)
    assert (len(errors), left.changes) == (1, ())
    assert list(service.cues) == ["cronverifyd/web1/db-backup"]
    assert len(service.asked("POST")) == (1 if after else 2)


@pytest.mark.parametrize("after", [True, False], ids=["though it was made", "and nothing done"])
def test_a_failed_patch_comes_right_after_another_look(syncing, service, after):
    syncing(BACKUP)
    service.provoke("PATCH", "/v1/cues/.*", 500, after=after)
    errors, left = syncing(job())
    assert (len(errors), left.changes) == (1, ())
    assert len(service.asked("PATCH")) == (1 if after else 2)


def test_what_is_refused_is_said_once_and_stops_nothing_else(syncing, service):
    service.provoke("POST", "/v1/cues", 400, body=b'{"detail": "no"}')
    errors, left = syncing(BACKUP, REPORT)
    assert [str(error) for error in errors] == ["127.0.0.1 answered 400: no"]
    assert [change.name for change in left.changes] == ["cronverifyd/web1/db-backup"]
    assert list(service.cues) == ["cronverifyd/web1/report"]


def test_a_lasting_500_is_given_up_after_a_second_try(syncing, service):
    service.provoke("POST", "/v1/cues", 500, times=10)
    errors, left = syncing(BACKUP)
    assert (len(errors), len(left.changes), len(service.asked("POST"))) == (2, 1, 2)


def test_a_room_that_another_took_meanwhile_is_said(syncing, service):
    service.provoke("POST", "/v1/cues", 403, body=b'{"error": {"code": "cue_limit_exceeded"}}')
    errors, left = syncing(BACKUP)
    assert errors[0].remedy.startswith("delete cues")
    assert len(left.changes) == 1


def test_a_cue_that_is_gone_meanwhile_is_made_anew(syncing, service):
    syncing(BACKUP)
    service.provoke("PATCH", "/v1/cues/.*", 404, body=b'{"detail": "gone"}')
    service.account.cues.clear()
    errors, left = syncing(job())
    assert (errors, left.changes) == ([], ())  # it was listed as gone before
    assert len(service.cues) == 1


def test_another_transport_frees_the_name_first(syncing, service):
    service.account.cue_limit = 1
    syncing(BACKUP)
    errors, left = syncing(BACKUP, setting=WORKER)
    assert (errors, left.changes) == ([], ())
    assert [each.method for each in service.requests if each.method != "GET"] == ["DELETE", "POST"]


@pytest.mark.parametrize(("status", "error"), [(401, KeyRefusedError), (429, ThrottledError)])
def test_what_stops_all_is_raised(syncing, service, status, error):
    service.provoke("POST", "/v1/cues", status)
    with pytest.raises(error):
        syncing(BACKUP, REPORT)
    assert len(service.asked("POST")) == 1


def test_after_a_downtime_the_missed_checks_come_with_the_time_that_they_were_due(
    syncing, service, clock, listener
):
    here = f"http://127.0.0.1:{listener.server_port}/verify"
    syncing(BACKUP, setting=Setting(instance="web1", transport="webhook", url=here))
    with service.downtime():
        clock.pass_(days=3)
    for _ in range(4):
        service.turn()
        clock.pass_(seconds=5)
    due = [json.loads(body)["scheduled_for"] for body, _ in listener.got]
    assert due == [f"2026-05-0{day}T02:05:00+00:00" for day in (5, 6, 7)]
