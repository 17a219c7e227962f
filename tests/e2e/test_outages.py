"""Slack is slow, broken, away or forgetful: through the real daemon each alert arrives, once."""

import json
import time

import pytest

from tests.e2e.daemon import run_cronverifyd, wait_until
from tests.e2e.slack import HANGS, RESETS, slack_look_alike

DAILY = '[jobs.{0}]\nschedule = "0 3 * * *"\nchannels = ["{1}"]\n'
SLACK_TOO = '[channels.{0}]\nkind = "slack"\nurl = "{1}"\n'
EVERY_5_S = """
[jobs.never-started]
schedule = "every 5s"
max_duration = "1s"
grace = "500ms"
channels = ["away"]
"""
OUTAGE_S = 6
TRIES_END_WITHIN_S = 30


@pytest.fixture
def pager():
    """Somebody else's Slack."""
    with slack_look_alike() as server:
        yield server


def configuration(pager, *jobs):
    ops = "".join(DAILY.format(job, "ops") for job in jobs)
    return SLACK_TOO.format("pager", pager.url) + ops + DAILY.format("paged", "pager")


def test_each_alert_survives_all_that_a_receiver_can_answer_and_delays_no_other(
    daemon, slack, pager
):
    slack.answers = [500, 500, 500, (429, {"Retry-After": "7"}), 200, RESETS, HANGS, 400, 200]
    running = daemon(configuration(pager, "first", "refused", "last"))

    running.append(job="first", status="failed")
    slack.wait_until(lambda messages: len(messages) == 5, TRIES_END_WITHIN_S)
    running.append(job="refused", status="failed")
    slack.wait_until(lambda messages: len(messages) == 7, TRIES_END_WITHIN_S)
    running.append(job="last", status="failed")
    appended = time.time()
    running.append(job="paged", status="failed")
    (paged,) = pager.wait_for("paged failed", within_s=5)
    assert len(slack.messages) == 7  # it hangs at that moment
    slack.wait_until(lambda messages: len(messages) == 9, TRIES_END_WITHIN_S)
    wait_until(lambda: states(running)["last"] == "sent", 5, "it was not marked")

    assert paged.arrived_at - appended < 2
    assert [message.title for message in slack.messages] == (
        ["first failed"] * 5 + ["refused failed"] * 3 + ["last failed"]
    )
    assert [message.title for message in slack.taken] == ["first failed", "last failed"]
    assert pager.titles == ["paged failed"]
    asked_for, came = slack.messages[3:5]
    assert 6.9 < came.arrived_at - asked_for.arrived_at < 9
    assert {
        (row["job"], row["channel"]): (row["state"], row["tries"]) for row in rows(running)
    } == {
        ("first", "ops"): ("sent", 5),
        ("refused", "ops"): ("dead", 3),
        ("last", "ops"): ("sent", 1),
        ("paged", "pager"): ("sent", 1),
    }


def test_an_alert_that_becomes_due_while_nobody_listens_arrives_once(daemon):
    with slack_look_alike() as away:
        port = away.server_port
    running = daemon(SLACK_TOO.format("away", away.url) + EVERY_5_S)
    (row,) = wait_until(lambda: [each for each in rows(running) if each["tries"]], 15, "no try")
    gone_until = time.monotonic() + OUTAGE_S
    wait_until(lambda: time.monotonic() > gone_until, OUTAGE_S + 1, "time stands still")
    assert row["state"] == "failed"
    assert "Connection refused" in row["error"]

    with slack_look_alike(port) as back:
        (message,) = back.wait_for("never-started did not run", within_s=15)
        running.wait_until_delivered(5)

        assert back.titles == ["never-started did not run"]
        assert not message.may_repeat
        assert message.incident == row["incident"]
        running.stop()
        running.start()
        running.verify()
        running.wait_until_delivered(5)
        assert back.titles == ["never-started did not run"]


def test_killed_in_the_middle_of_a_send_it_tells_that_again_and_nothing_else(daemon, slack, pager):
    slack.answers = [200, HANGS, 200]
    running = daemon(configuration(pager, "before", "during", "after"))
    running.append(job="before", status="failed")
    slack.wait_for("before failed", within_s=5)
    wait_until(lambda: rows(running)[0]["state"] == "sent", 5, "it was not marked")
    running.append(job="during", status="failed")
    slack.wait_for("during failed", within_s=5)
    running.append({"job": "after", "status": "failed"}, {"job": "paged", "status": "failed"})
    pager.wait_for("paged failed", within_s=5)
    wait_until(lambda: states(running)["paged"] == "sent", 5, "it was not marked")
    assert states(running)["during"] == "sending"
    running.kill()
    running.start()
    slack.wait_for("after failed", within_s=10)
    running.wait_until_delivered(5)

    assert slack.titles == ["before failed", "during failed", "during failed", "after failed"]
    _, cut_short, again, _ = slack.messages
    assert [message.may_repeat for message in slack.messages] == [False, False, True, False]
    assert again.incident == cut_short.incident
    assert len({message.incident for message in slack.messages}) == 3
    assert pager.titles == ["paged failed"]
    assert set(states(running).values()) == {"sent"}


def rows(daemon):
    """Give what `alerts` says, but for what is told of this host."""
    done = run_cronverifyd("alerts", "--json", "--config", daemon.config)
    return [row for row in json.loads(done.stdout)["alerts"] if row["job"] is not None]


def states(daemon):
    return {row["job"]: row["state"] for row in rows(daemon)}
