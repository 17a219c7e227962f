"""Verdicts that need a real host: killed processes, files that jobs made, files nobody can see."""

import gzip
import json
import os
import signal

from tests.e2e.daemon import run_cronverifyd, wait_until

DAILY = """
[jobs.{0}]
schedule = "0 3 * * *"
max_duration = "20h"
"""
EVERY_5_S = """
[jobs.{0}]
schedule = "every 5s"
max_duration = "2s"
grace = "1s"
"""


def runs(daemon, job):
    done = run_cronverifyd("history", job, "--json", "--config", daemon.config)
    slots = json.loads(done.stdout)["slots"] if done.stdout else []
    return [run for slot in slots for run in slot["runs"]]


def wait_for_start(daemon, job):
    wait_until(lambda: runs(daemon, job), 10, "no start was read")
    return runs(daemon, job)[0]


def test_a_wrapper_and_a_job_that_are_killed_are_told_long_before_the_deadline(
    daemon, slack, wrapped
):
    running = daemon(DAILY.format("db-backup"))
    process = wrapped(running, "db-backup", "sleep", "300")
    wait_for_start(running, "db-backup")
    os.killpg(process.pid, signal.SIGKILL)

    (message,) = slack.wait_for("db-backup was interrupted", within_s=12)

    assert "its end will never be recorded" in message.whole
    assert "is gone" in message.whole
    why = run_cronverifyd("why", "db-backup", "--config", running.config).stdout
    assert "is gone, and so is its wrapper" in why


def test_a_job_that_outlives_its_wrapper_is_told_as_such(daemon, slack, wrapped):
    running = daemon(DAILY.format("db-backup"))
    process = wrapped(running, "db-backup", "sleep", "300")
    wait_for_start(running, "db-backup")
    process.kill()

    (message,) = slack.wait_for("db-backup was interrupted", within_s=12)

    assert "the job itself still ran as process" in message.whole


def test_a_wrapper_that_is_told_to_stop_records_the_end_and_nothing_is_lost(daemon, slack, wrapped):
    running = daemon(DAILY.format("db-backup"))
    process = wrapped(running, "db-backup", "sleep", "300")
    wait_for_start(running, "db-backup")
    process.terminate()

    (message,) = slack.wait_for("db-backup failed", within_s=12)

    assert "SIGTERM" in message.whole
    assert slack.titles == ["db-backup failed"]


def test_a_dump_that_is_cut_short_is_found_though_all_says_success(
    daemon, slack, wrapped, tmp_path
):
    dump = tmp_path / "dump.sql.gz"
    rules = f'[[jobs.db-backup.artifact]]\npath = "{dump}"\nopens = true\n'
    running = daemon(DAILY.format("db-backup") + rules)
    whole = gzip.compress(os.urandom(5_000))
    (tmp_path / "whole").write_bytes(whole)
    cut = f"head -c 3000 {tmp_path}/whole > {dump}; echo dump complete"
    wrapped(running, "db-backup", "sh", "-c", cut)

    (message,) = slack.wait_for("db-backup ended, but what it made is not right", within_s=10)

    assert "dump.sql.gz" in message.whole
    assert "exit code 0" in message.whole
    wrapped(running, "db-backup", "sh", "-c", f"cp {tmp_path}/whole {dump}")
    slack.wait_for("db-backup is well again", within_s=10)


def test_a_check_without_a_daemon_measures_too(daemon, slack, wrapped, tmp_path):
    rules = f'[[jobs.db-backup.artifact]]\npath = "{tmp_path}/report.csv"\n'
    running = daemon(DAILY.format("db-backup") + rules)
    running.stop()
    wrapped(running, "db-backup", "true").wait()

    done = run_cronverifyd("check", "--config", running.config)

    assert done.returncode == 1
    assert f"no file matches {tmp_path}/report.csv" in done.stdout.replace("\n  ", " ")


def test_an_emptied_outcome_file_is_told_and_makes_no_false_miss(daemon, slack):
    running = daemon(DAILY.format("db-backup"))
    running.append(job="db-backup", status="success")
    wait_until(lambda: runs(running, "db-backup"), 10, "the line was not read")
    size = running.outcomes.stat().st_size
    os.truncate(running.outcomes, 0)

    slack.wait_for(f"{running.outcomes} was truncated from {size} to 0 bytes", within_s=12)

    running.append(job="db-backup", status="success")
    wait_until(lambda: len(runs(running, "db-backup")) == 2, 10, "the file is read no more")


def test_a_folder_in_the_place_of_the_outcome_file_is_one_incident(daemon, slack):
    running = daemon(EVERY_5_S.format("a") + EVERY_5_S.format("b"))
    if running.outcomes.exists():
        running.outcomes.unlink()
    running.outcomes.mkdir()

    (message,) = slack.wait_for("cannot see how a, b did", within_s=12)

    assert "is a directory" in message.whole
    wait_until(
        lambda: {j["verdict"] for j in running.status()["jobs"]} == {"unknown"}, 15, "not unknown"
    )
    document = running.status()
    assert document["healthy"] is False
    assert document["cannot_see"]["id"] == message.incident
    assert not any("did not run" in title for title in slack.titles)
    running.outcomes.rmdir()
    slack.wait_for("the outcome files can be seen again", within_s=20)
