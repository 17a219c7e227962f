"""What Slack hears of jobs, through the real daemon."""

import json
import time
from datetime import datetime

from tests.e2e.daemon import Daemon, run_cronverifyd, wait_until

DAILY = """
[jobs.{0}]
schedule = "0 3 * * *"
"""
EVERY_5_S = """
[jobs.{0}]
schedule = "every 5s"
max_duration = "1s"
grace = "500ms"
"""


def test_a_failing_line_is_told_at_once(daemon, slack):
    running = daemon(DAILY.format("invoice-gen"))
    appended = time.time()
    running.append(job="invoice-gen", status="failed", exit_code=3, error="no space left")

    (message,) = slack.wait_for("invoice-gen failed", within_s=5)

    assert message.arrived_at - appended < 0.5
    assert "no space left" in message.whole
    assert "exit code 3" in message.whole
    assert "cronverifyd why invoice-gen" in message.whole


def test_a_script_that_swallows_its_error_is_caught_by_one_line(daemon, slack, wrapped):
    jobs = DAILY.format("db-backup") + "expect = [\"output contains 'dump complete'\"]\n"
    running = daemon(jobs)
    wrapped(running, "db-backup", "sh", "-c", "pg_dump_of_nothing 2>/dev/null; echo bye; exit 0")

    (message,) = slack.wait_for("db-backup ended, but not as expected", within_s=5)

    assert 'output does not contain "dump complete"' in message.whole
    assert "exit code 0" in message.whole


def test_a_job_that_does_not_start_is_told_less_than_2_s_after_its_deadline(daemon, slack):
    running = daemon(EVERY_5_S.format("never-started"))

    (message,) = slack.wait_for("never-started did not run", within_s=12)

    history = run_cronverifyd("history", "never-started", "--json", "--config", running.config)
    deadline = slots(history)[-1]["deadline"]
    assert 0 <= message.arrived_at - datetime.fromisoformat(deadline).timestamp() < 2


def test_one_bad_job_of_three_is_told_once_and_so_is_its_recovery(daemon, slack):
    running = daemon(DAILY.format("good") + DAILY.format("bad") + DAILY.format("silent"))
    running.append(job="good", status="success")
    running.append(job="bad", status="failed")
    slack.wait_for("bad failed", within_s=5)
    running.append(job="bad", status="failed")
    running.verify()
    running.append(job="bad", status="success")
    (recovery,) = slack.wait_for("bad is well again", within_s=5)
    running.append(job="bad", status="success")
    running.verify()
    running.wait_until_delivered(5)
    running.stop()

    opening, _ = slack.messages
    assert slack.titles == ["bad failed", "bad is well again"]
    assert opening.incident == recovery.incident
    assert "2 bad slots" in recovery.whole


def test_a_job_that_hangs_is_told_when_its_window_is_over(daemon, slack, wrapped):
    running = daemon(EVERY_5_S.format("too-slow"))
    wrapped(running, "too-slow", "sleep", "60")

    (message,) = slack.wait_for("too-slow is taking too long", within_s=12)

    assert "still running" in message.whole
    assert run_cronverifyd("status", "--config", running.config).returncode == 1


def test_what_follows_a_message_is_gathered(daemon, slack):
    running = daemon(DAILY.format("first") + DAILY.format("second") + DAILY.format("third"))
    running.configure(
        "".join(DAILY.format(name) for name in ("first", "second", "third")), gather="5s"
    )
    running.restart()
    running.append(job="first", status="failed")
    (first,) = slack.wait_for("first failed", within_s=5)
    running.append({"job": "second", "status": "failed"}, {"job": "third", "status": "failed"})

    (together, same) = slack.wait_for("second failed", "third failed", within_s=15)

    assert together is same
    assert together.title == "2 things not well on testhost"
    assert 4 < together.arrived_at - first.arrived_at < 9


def test_slack_is_told_again_after_an_outage_and_only_until_it_took_the_message(daemon, slack):
    slack.answers = [500, 429, 200]
    running = daemon(DAILY.format("invoice-gen"))
    running.append(job="invoice-gen", status="failed")

    slack.wait_until(lambda messages: len(messages) == 3, within_s=20)
    running.wait_until_delivered(5)
    running.stop()

    assert [message.status for message in slack.messages] == [500, 429, 200]
    assert len({message.incident for message in slack.messages}) == 1


def test_an_outcome_file_that_is_rotated_and_a_restart_lose_and_double_nothing(daemon, slack):
    running = daemon("".join(DAILY.format(f"job-{n}") for n in range(6)))
    running.append(job="job-0", status="failed")
    slack.wait_for("job-0 failed", within_s=5)

    running.append(job="job-1", status="failed")
    running.outcomes.rename(running.state / "outcomes.jsonl.1")
    running.append(job="job-2", status="failed")
    slack.wait_for("job-1 failed", "job-2 failed", within_s=15)
    running.stop()
    running.append(job="job-3", status="failed")
    running.outcomes.rename(running.state / "outcomes.jsonl.2")
    running.append(job="job-4", status="failed")
    running.start()
    running.append(job="job-5", status="failed")
    slack.wait_for("job-3 failed", "job-4 failed", "job-5 failed", within_s=5)
    running.wait_until_delivered(5)
    running.stop()

    assert sorted(slack.titles) == [f"job-{n} failed" for n in range(6)]
    for n in range(6):
        done = run_cronverifyd("history", f"job-{n}", "--json", "--config", running.config)
        assert len(slots(done)) == 1


def test_what_happened_while_the_daemon_was_down_is_found_late_and_told(daemon, slack):
    running = daemon(DAILY.format("invoice-gen"))
    running.stop()
    running.append(job="invoice-gen", status="failed", at=time.time() - 120)
    running.start()

    (message,) = slack.wait_for("invoice-gen failed", within_s=5)

    assert "found late" in message.whole


def test_lines_that_are_no_outcomes_are_told_once_and_stop_nothing(daemon, slack):
    running = daemon(DAILY.format("invoice-gen"))
    with running.outcomes.open("ab") as file:
        file.write(b"not json\n[1]\n")
    running.append(job="invoice-gen", status="failed")
    slack.wait_for("invoice-gen failed", within_s=5)
    with running.outcomes.open("ab") as file:
        file.write(b"not json either\n")
    running.verify()
    running.wait_until_delivered(5)

    assert running.status()["rejected"] == 3
    assert len([title for title in slack.titles if "cannot be read as outcomes" in title]) == 1
    assert len((running.state / "rejected.jsonl").read_bytes().splitlines()) == 3


def test_without_slack_alerts_are_printed_where_the_daemon_runs(tmp_path):
    with Daemon(tmp_path, DAILY.format("invoice-gen")) as running:
        running.append(job="invoice-gen", status="failed")
        wait_until(lambda: "invoice-gen failed" in running.printed, 5, "nothing was printed")

    assert running.printed.startswith("[CRITICAL] invoice-gen failed\n")


def slots(done):
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["slots"]
