"""`check` with a daemon and without one, and what other users can read."""

import fcntl
import os
import stat

import pytest

from tests.builders import line
from tests.cli.place import BACKUP, Place, instant, now
from tests.cli.process import run
from tests.e2e.daemon import Daemon, wait_until

OTHER = '[jobs.invoice-gen]\nschedule = "0 4 * * *"\n'
FAILED = line(status="failed", exit_code=3, error="no space left")
KEYS = {"job", "slot", "verdict", "issue", "error"}


@pytest.fixture
def check(cli):
    return lambda here, *jobs: cli("check", *jobs, "--config", here.config)


def test_without_a_daemon_it_verifies_here_and_tells_slack_once(place, slack, cli, check):
    here = place(BACKUP + OTHER, url=slack.url)
    here.append(FAILED)
    first, second = check(here), check(here)

    assert first.code == second.code == 1
    assert first.lines == second.lines
    assert slack.titles == ["db-backup failed"]
    assert slack.messages[0].incident in cli("why", "db-backup", "--config", here.config).out


def test_it_prints_the_jobs_that_are_not_well(place, check):
    here = place(BACKUP + OTHER)
    here.append(FAILED)
    verdict, issue, error, result = check(here).lines

    assert verdict == "db-backup: failed"
    assert issue.startswith('  ended with status "failed" (exit code 3) between ')
    assert error == "  error: no space left"
    assert result == "2 jobs checked, 1 not well: db-backup"


def test_its_document_has_these_keys_and_no_others(place, check):
    here = place(BACKUP + OTHER)
    here.append(FAILED)
    done = check(here, "--json")

    (detail,) = done.json["details"]
    assert done.code == 1
    assert done.json.keys() == {"checked", "failures", "details"}
    assert (done.json["checked"], done.json["failures"]) == (2, 1)
    assert detail.keys() == KEYS
    assert instant(detail["slot"]) <= now()
    assert (detail["job"], detail["verdict"]) == ("db-backup", "failed")
    assert detail["issue"].endswith(', expected "success"')
    assert detail["error"] == "no space left"


def test_when_all_is_well_it_says_so_and_the_recovery_is_told(place, slack, check):
    here = place(url=slack.url)
    here.append(FAILED)
    check(here)
    here.append(line(status="success"))
    done = check(here)

    assert (done.code, done.out) == (0, "1 job checked, all well\n")
    assert check(here, "--json").json == {"checked": 1, "failures": 0, "details": []}
    assert slack.titles == ["db-backup failed", "db-backup is well again"]


def test_only_the_jobs_that_are_named_are_looked_at(place, check):
    here = place(BACKUP + OTHER)
    here.append(FAILED)

    assert check(here, "invoice-gen").out == "1 job checked, all well\n"
    assert check(here, "invoice-gen", "db-backup", "--json").json["checked"] == 2


def test_a_channel_that_fails_is_said_and_told_by_the_next_check(place, slack, cli, check):
    here = place(url=slack.url)
    slack.answers = [500, 200]
    here.append(FAILED)
    done = check(here)

    assert done.code == 1
    assert done.err == (
        "cronverifyd: channel ops was not told: 127.0.0.1 answered 500 ok\n"
        "try: cronverifyd check again; a daemon tries by itself\n"
    )
    status = cli("status", "--json", "--config", here.config).json
    assert status["undelivered"] == 1

    wait_until(lambda: check(here).err == "" and len(slack.messages) == 2, 10, "not told again")
    assert [message.status for message in slack.messages] == [500, 200]
    assert cli("status", "--json", "--config", here.config).json["undelivered"] == 0


def test_a_channel_that_refuses_is_said_and_not_tried_again(place, slack, check):
    here = place(url=slack.url)
    slack.answers = [404]
    here.append(FAILED)

    assert check(here).err == "cronverifyd: channel ops was not told: 127.0.0.1 answered 404 ok\n"
    assert check(here).err == ""
    assert len(slack.messages) == 1


def test_one_channel_that_fails_keeps_no_other_from_being_told(tmp_path, slack, check):
    dead = '[channels.dead]\nkind = "slack"\nurl = "http://127.0.0.1:1/services/T0/B0/dead"\n'
    here = Place(tmp_path, url=slack.url, more=dead)
    here.append(FAILED)
    done = check(here)

    assert "channel dead was not told: ConnectionError at 127.0.0.1: Connection refused" in done.err
    assert slack.titles == ["db-backup failed"]


def test_a_console_channel_prints_beside_the_answer(place, check):
    here = place()
    here.append(FAILED)
    done = check(here, "--json")

    assert done.json["failures"] == 1
    assert "[CRITICAL] db-backup failed\n" in done.err


def test_a_disabled_job_is_2(place, check):
    done = check(place(BACKUP + "enabled = false\n"), "db-backup")

    assert done.code == 2
    assert done.err.startswith('cronverifyd: job "db-backup" is disabled: nobody verifies it\ntry:')


def test_a_state_that_another_process_holds_is_4(place, check):
    here = place()
    with (here.state / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = check(here)

    assert done.code == 4
    assert "holds" in done.err
    assert "\ntry: " in done.err


def test_what_it_writes_is_only_its_owners(place, check):
    here = place()
    here.append(FAILED, b"no outcome\n")
    check(here)
    written = {path.name: path.stat().st_mode & 0o077 for path in here.state.iterdir()}

    assert written.pop("outcomes.jsonl") == 0o044
    assert written == dict.fromkeys(
        ("cronverifyd.sqlite3", "journal.jsonl", "rejected.jsonl", "lock"), 0
    )


def test_root_leaves_no_files_of_its_own_in_a_state_of_another(open_folder, nobody, slack):
    here = Place(open_folder, url=slack.url)
    os.chown(here.state, nobody.uid, nobody.gid)
    here.append(FAILED, b"no outcome\n")
    done = run("check", "--config", here.config, **nobody.as_root)

    assert done.code == 1
    assert slack.wait_for("db-backup failed", within_s=1)
    owners = {path.name: path.stat().st_uid for path in here.state.iterdir()}
    assert owners.pop("outcomes.jsonl") == 0
    assert set(owners) == {"cronverifyd.sqlite3", "journal.jsonl", "rejected.jsonl", "lock"}
    assert set(owners.values()) == {nobody.uid}


def test_a_state_folder_that_is_a_file_is_3(place, check):
    here = place()
    here.state.rmdir()
    here.state.touch()
    done = check(here)

    assert done.code == 3
    assert done.err.startswith(f"cronverifyd: {here.state}: cannot be used as state folder: ")


def test_who_may_not_write_the_state_cannot_check(open_folder, nobody):
    here = Place(open_folder)
    here.config.chmod(0o644)
    done = run("check", "--config", here.config, **nobody.itself)

    assert done.code == 3
    assert "Permission denied\ntry: " in done.err


# ---- with a daemon ------------------------------------------------------------------------------


@pytest.fixture
def daemon(tmp_path, slack):
    with Daemon(tmp_path, BACKUP + OTHER, slack) as running:
        yield running


def test_a_daemon_is_asked_and_tells_slack_itself(daemon, slack, check):
    daemon.append(job="db-backup", status="failed", exit_code=3, error="no space left")
    done = check(daemon, "--json")

    assert done.code == 1
    assert done.json.keys() == {"checked", "failures", "details"}
    (detail,) = done.json["details"]
    assert detail.keys() == KEYS
    assert (detail["job"], detail["verdict"]) == ("db-backup", "failed")
    slack.wait_for("db-backup failed", within_s=5)
    assert check(daemon, "invoice-gen").out == "1 job checked, all well\n"
    assert check(daemon, "invoice-gne").code == 2
    daemon.wait_until_delivered(5)
    assert slack.titles == ["db-backup failed"]


def test_the_reading_commands_work_beside_a_daemon(daemon, slack, cli):
    daemon.append(job="db-backup", status="failed")
    slack.wait_for("db-backup failed", within_s=5)
    daemon.wait_until_delivered(5)

    assert cli("status", "--config", daemon.config).code == 1
    assert "told  opened to ops: sent" in cli("why", "db-backup", "--config", daemon.config).out
    assert "failed" in cli("history", "db-backup", "--config", daemon.config).out


def test_after_a_kill_the_socket_that_is_left_over_is_no_daemon(daemon, slack, check):
    daemon.append(job="db-backup", status="success")
    check(daemon)
    daemon.kill()
    assert (daemon.state / "control.sock").exists()
    daemon.append(job="db-backup", status="failed")
    done = check(daemon)

    assert done.code == 1
    assert slack.titles == ["db-backup failed"]
    daemon.start()


def test_who_may_not_use_the_socket_is_told_so_with_3(open_folder, nobody):
    with Daemon(open_folder, BACKUP, cueapi="\n") as running:
        running.config.chmod(0o644)
        done = run("check", "--config", running.config, **nobody.itself)

    assert done.code == 3
    assert done.err == (
        f"cronverifyd: {running.state}/control.sock: Permission denied\n"
        "try: be root or the owner of the state folder\n"
    )


# ---- as another user ----------------------------------------------------------------------------


READING = [("status",), ("history", "db-backup"), ("why", "db-backup")]


def let_read(here):
    here.config.chmod(0o644)
    for path in here.state.iterdir():
        if stat.S_ISREG(path.stat().st_mode):
            path.chmod(0o644)


@pytest.mark.parametrize("command", READING, ids=" ".join)
def test_who_may_read_but_not_write_the_state_reads_it(open_folder, nobody, command):
    here = Place(open_folder)
    here.append(FAILED)
    here.look(now())
    let_read(here)
    before = sorted(path.name for path in here.state.iterdir())
    done = run(*command, "--config", here.config, **nobody.itself)

    assert (done.code, done.err) == (1 if command == ("status",) else 0, "")
    assert "failed" in done.out
    assert sorted(path.name for path in here.state.iterdir()) == before


def test_who_may_read_but_not_write_the_state_reads_it_beside_a_daemon(open_folder, nobody):
    with Daemon(open_folder, BACKUP, cueapi="\n") as running:
        running.append(job="db-backup", status="failed")
        wait_until(lambda: "db-backup failed" in running.printed, 5, "nothing was printed")
        let_read(running)
        done = run("why", "db-backup", "--config", running.config, **nobody.itself)

    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("db-backup is failed: ")


@pytest.mark.parametrize("command", READING, ids=" ".join)
def test_who_may_not_read_the_state_is_told_so_with_3(open_folder, nobody, command):
    here = Place(open_folder)
    here.look(now())
    here.config.chmod(0o644)
    here.database.chmod(0o600)
    done = run(*command, "--config", here.config, **nobody.itself)

    assert done.code == 3
    assert done.err.startswith(f"cronverifyd: {here.database}: cannot be read: ")
    assert done.err.endswith("try: run this as the daemon's user, or as root\n")
