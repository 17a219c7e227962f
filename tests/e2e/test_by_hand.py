"""What people do by hand, on a daemon that runs: ack, mute, unmute, drill; and the heartbeat."""

import json

import pytest

from tests.e2e.daemon import Daemon, run_cronverifyd, wait_until
from tests.tell.receiver import receiving, says

JOB = '[jobs.a]\nschedule = "every 1h"\n'


def ask(running, *arguments):
    return run_cronverifyd(*arguments, "--config", running.config)


def test_a_mute_is_silent_and_its_end_tells_what_is_still_bad(daemon, slack):
    running = daemon(JOB)
    done = ask(running, "mute", "a", "--for", "1h", "--reason", "new disk")
    assert (done.returncode, done.stderr) == (0, "")
    running.append({"job": "a", "status": "failed"})
    wait_until(
        lambda: json.loads(ask(running, "status", "--json").stdout)["mutes"][0]["swallowed"],
        10,
        "the mute swallows the alert",
    )
    assert slack.titles == []
    done = ask(running, "unmute", "a")
    assert done.stdout == "the mute of a is over; it swallowed 1 message\n"
    slack.wait_for("a failed", within_s=5)


def test_an_acknowledged_incident_is_shown_so(daemon, slack):
    running = daemon(JOB)
    running.append({"job": "a", "status": "failed"})
    slack.wait_for("a failed", within_s=5)
    assert ask(running, "ack", "a").returncode == 0
    (job,) = json.loads(ask(running, "status", "--json").stdout)["jobs"]
    assert job["incident"]["acked"] is True


def test_what_the_daemon_refuses_is_said_in_its_words(daemon):
    running = daemon(JOB)
    done = ask(running, "ack", "a")
    assert done.returncode == 2
    assert done.stderr == (
        "cronverifyd: a has no open incident: there is nothing to acknowledge\n"
        "try: cronverifyd status shows what is open\n"
    )


def test_a_drill_goes_through_the_whole_chain(daemon, slack):
    running = daemon(JOB)
    done = ask(running, "drill", "--json")
    document = json.loads(done.stdout)
    assert (done.returncode, document["ok"]) == (0, True)
    assert [link["link"] for link in document["links"]] == [
        "daemon",
        "wrapper",
        "database",
        "channel ops",
    ]
    slack.wait_for("DRILL: alerts of testhost arrive here; nothing is wrong", within_s=1)
    status = json.loads(ask(running, "status", "--json").stdout)
    assert (status["healthy"], status["unproven"]) == (True, [])


@pytest.mark.parametrize("answer", [404, 500], ids=["refuses", "is broken"])
def test_a_channel_that_does_not_take_it_is_named_and_1(daemon, slack, answer):
    slack.answers = [answer]
    running = daemon(JOB)
    done = ask(running, "drill", "--timeout", "3")
    assert done.returncode == 1
    assert f"channel ops: 127.0.0.1 answered {answer}" in done.stdout
    assert done.stdout.endswith("the chain is broken: see above\n")


def test_without_a_daemon_all_else_is_tried_and_1(daemon, slack):
    running = daemon(JOB)
    running.stop()
    done = ask(running, "drill")
    assert done.returncode == 1
    assert "channel ops: took it" in done.stdout
    assert "daemon: none runs: nobody watches" in done.stdout
    slack.wait_for("DRILL: alerts of testhost arrive here; nothing is wrong", within_s=1)


def test_the_heart_beats_while_the_chain_holds_and_says_why_when_not(tmp_path, slack):
    with receiving() as heart:
        heart.answers = {"/ping/x": says(200), "/ping/x/fail": says(200)}
        jobs = f'{JOB}[heartbeat]\nurl = "{heart.url("/ping/x")}"\nevery = "2s"\n'
        with Daemon(tmp_path, jobs, slack) as running:
            wait_until(lambda: heart.received, 20, "a heartbeat")
            path, reason = heart.received[0]
            assert path == "/ping/x/fail"
            assert reason == "channel ops has taken no message yet (cronverifyd drill sends one)"
            assert ask(running, "drill").returncode == 0
            wait_until(lambda: ("/ping/x", None) in heart.received, 20, "a good heartbeat")
        assert "/ping/x" not in running.log
