"""The worker against the stand-in: what waits is claimed, judged and reported, each once."""

from datetime import timedelta
from itertools import pairwise

import pytest

from cronverifyd.cue.client import CueApi
from cronverifyd.cue.reports import tell
from cronverifyd.cue.worker import HEARTBEAT, POLL, Worker
from cronverifyd.errors import UnavailableError, UnknownJobError
from cronverifyd.model import BadJob, Report, TriggeredBy, Verdict, Verified, Verify
from tests.builders import job
from tests.cue.conftest import NOON, WORKER

TASK = "cronverifyd/web1"
WELL = Verified(checked=1)


class Loop:
    """A main loop that answers, or raises, what it is told to, and reports what it answered."""

    def __init__(self, client):
        self.asked, self.answers, self._client = [], [WELL], client

    def ask(self, message):
        self.asked.append(message)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        assert message.owes_outcome
        report = Report(execution=message.execution, verified=answer)
        assert tell(self._client, report, str).delivery.result == "sent"
        return answer

    def alive(self):
        return True


@pytest.fixture
def loop(client):
    return Loop(client)


@pytest.fixture
def worker(client, loop):
    return Worker(client, loop, TASK)


@pytest.fixture
def due(syncing, service, clock):
    """Have checks waiting: the cues of these jobs, each fired once."""

    def make(*jobs):
        syncing(*(jobs or (job(),)), setting=WORKER)
        clock.pass_(days=1)
        service.turn()
        service.requests.clear()

    return make


def outcomes(service):
    return [each.outcome for each in service.account.executions.values()]


def test_what_waits_is_claimed_judged_and_reported(worker, loop, service, clock, due):
    due()
    assert worker.turn(clock.now()) == POLL
    (execution,) = service.account.executions.values()
    assert loop.asked == [
        Verify(
            jobs=("db-backup",),
            triggered_by=TriggeredBy.CUEAPI,
            execution=execution.id,
            scheduled_for=execution.scheduled_for,
            owes_outcome=True,
        )
    ]
    assert (execution.status, execution.claimed_by) == ("success", TASK)
    assert execution.outcome["result"] == "1 job checked, all well"
    worker.turn(clock.now())
    assert len(loop.asked) == 1


def test_a_job_that_is_not_well_is_reported_as_such(worker, loop, service, clock, due):
    bad = BadJob(job="db-backup", slot=NOON, verdict=Verdict.MISSED, issue="no sign of a run")
    loop.answers = [Verified(checked=1, details=(bad,))]
    due()
    worker.turn(clock.now())
    (said,) = outcomes(service)
    assert (said["success"], "no sign of a run" in said["error"]) == (False, True)


def test_a_joint_cue_asks_after_all_its_jobs(worker, loop, service, clock, due):
    service.account.cue_limit = 1
    due(job(name="a"), job(name="b"))
    worker.turn(clock.now())
    assert loop.asked[0].jobs == ("a", "b")


def test_other_tasks_are_left_to_others(worker, loop, service, clock, client):
    body = {
        "name": "x",
        "transport": "worker",
        "payload": {"task": "other"},
        "schedule": {"type": "recurring", "cron": "0 * * * *"},
    }
    client.fire(client.create(body)["id"])
    worker.turn(clock.now())
    assert (loop.asked, outcomes(service)) == ([], [None])


def test_what_another_worker_took_is_not_judged(worker, loop, service, clock, due):
    due()
    service.provoke("POST", "/v1/executions/.*/claim", 409, body=b'{"detail": "taken"}')
    assert worker.turn(clock.now()) == POLL
    assert (loop.asked, outcomes(service)) == ([], [None])


@pytest.mark.parametrize(
    "answer", [UnknownJobError('no job "db-backup"'), UnavailableError("no answer within 20 s")]
)
def test_what_cannot_be_judged_is_reported_in_time(worker, loop, service, clock, due, answer):
    loop.answers = [answer]
    due()
    for _ in range(60):
        worker.turn(clock.now())
        clock.pass_(seconds=5)
        service.turn()
    (execution,) = service.account.executions.values()
    assert execution.status == "failed"
    assert execution.outcome["error"] == f"could not judge: {answer}"


def test_a_loop_that_was_away_for_a_moment_is_asked_again(worker, loop, service, clock, due):
    loop.answers = [UnavailableError("no answer"), WELL]
    due()
    worker.turn(clock.now())
    assert outcomes(service) == [None]
    worker.turn(clock.now())
    assert [said["success"] for said in outcomes(service)] == [True]


@pytest.mark.parametrize("after", [True, False], ids=["though it was recorded", "and nothing done"])
def test_a_report_of_its_own_that_failed_is_made_again(worker, loop, service, clock, due, after):
    loop.answers = [UnknownJobError("no such job")]
    due()
    service.provoke("POST", "/v1/executions/.*/outcome", 502, after=after)
    assert worker.turn(clock.now()) == 2 * POLL
    assert outcomes(service) == [None] or after
    assert worker.turn(clock.now()) == POLL
    worker.turn(clock.now())
    assert [said["success"] for said in outcomes(service)] == [False]
    reports = [each for each in service.asked("POST") if each.path.endswith("/outcome")]
    assert (len(reports), len(loop.asked)) == (2, 1)


def test_a_report_that_is_refused_is_not_made_again(worker, loop, service, clock, due):
    loop.answers = [UnknownJobError("no such job")]
    due()
    service.provoke("POST", "/v1/executions/.*/outcome", 422, body=b'{"detail": "too long"}')
    worker.turn(clock.now())
    worker.turn(clock.now())
    assert len([each for each in service.asked("POST") if each.path.endswith("/outcome")]) == 1


@pytest.mark.parametrize(
    ("status", "result", "retry_after_s"),
    [
        pytest.param(409, "sent", None, id="there already"),
        pytest.param(404, "refused", None, id="no such execution"),
        pytest.param(422, "refused", None, id="not taken"),
        pytest.param(401, "retry", None, id="the key"),
        pytest.param(503, "retry", None, id="away"),
        pytest.param(429, "retry", 60.0, id="too many"),
    ],
)
def test_what_came_of_telling_is_said(service, client, status, result, retry_after_s):
    service.provoke("POST", "/v1/executions/e1/outcome", status, body=b'{"detail": "no"}')
    reported = tell(client, Report(execution="e1", verified=WELL), str)
    assert (reported.execution, reported.delivery.result) == ("e1", result)
    assert reported.delivery.retry_after_s == retry_after_s


def test_a_payload_that_cannot_be_read_is_reported(worker, loop, service, clock, client):
    body = {
        "name": "x",
        "transport": "worker",
        "payload": {"task": TASK, "job": 3},
        "schedule": {"type": "recurring", "cron": "0 * * * *"},
    }
    client.fire(client.create(body)["id"])
    worker.turn(clock.now())
    assert (loop.asked, outcomes(service)[0]["success"]) == ([], False)


def test_it_says_that_it_lives_often_enough(worker, service, clock):
    for _ in range(100):
        worker.turn(clock.now())
        clock.pass_(seconds=5)
    said = [at for at, _ in service.account.heartbeats]
    assert said[0] == NOON
    gaps = {later - sooner for sooner, later in pairwise(said)}
    assert gaps == {HEARTBEAT}
    assert service.account.heartbeats[0][1] == {"worker_id": TASK, "handlers": [TASK]}


def test_a_clock_that_was_set_back_does_not_silence_it(worker, service, clock):
    worker.turn(clock.now())
    clock.set(NOON - timedelta(days=1))
    worker.turn(clock.now())
    assert len(service.account.heartbeats) == 2


def test_a_service_that_is_away_is_asked_less_and_less(worker, service, clock, due):
    due()
    with service.downtime():
        waits = [worker.turn(clock.now()).total_seconds() for _ in range(9)]
    assert waits == [10, 20, 40, 80, 160, 300, 300, 300, 300]
    assert worker.failures == 9
    assert worker.turn(clock.now()) == POLL
    assert (worker.failures, len([said for said in outcomes(service) if said])) == (0, 1)


def test_it_stays_away_as_long_as_429_asks_for(worker, service, clock):
    service.provoke("POST", "/v1/worker/heartbeat", 429, headers={"Retry-After": "45"})
    assert worker.turn(clock.now()) == timedelta(seconds=45)
    assert len(service.requests) == 1


def test_a_minute_of_polling_stays_far_under_the_limit(loop, service, clock):
    service.rate = 60
    with CueApi(service.url, service.api_key) as client:
        worker = Worker(client, loop, TASK)
        for _ in range(60):
            assert worker.turn(clock.now()) == POLL
            clock.pass_(seconds=5)
    assert len(service.requests) <= 13 * 5 + 1


def test_a_key_that_is_not_known_is_no_crash(loop, service, clock):
    with CueApi(service.url, "cue_sk_wrong") as client:
        worker = Worker(client, loop, TASK)
        assert worker.turn(clock.now()) == 2 * POLL
