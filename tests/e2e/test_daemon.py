"""The life of the daemon: how it starts, reloads, stops, and what keeps it from running."""

import re
import signal
import socket
import stat

import pytest

from tests.e2e.daemon import Daemon, run_cronverifyd
from tests.e2e.slack import HANGS

DAILY = """
[jobs.{0}]
schedule = "0 3 * * *"
"""
BROKEN = "[jobs.broken]\nschedule = 'never'\n"


def watched(running):
    return [job["job"] for job in running.status()["jobs"]]


def test_the_manager_hears_ready_then_the_watchdogs_word_then_stopping(daemon):
    running = daemon(DAILY.format("a"))
    running.wait_for_notice("WATCHDOG=1", 7)
    running.wait_for_notice("WATCHDOG=1", 7)
    running.process.send_signal(signal.SIGTERM)
    running.wait_for_notice("STOPPING=1", 2)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda n: n.name)
def test_it_stops_well_and_leaves_a_database_in_one_piece(daemon, number):
    running = daemon(DAILY.format("a"))
    running.process.send_signal(number)
    assert running.process.wait(2) == 0
    assert "stopped" in running.log
    assert not (running.state / "cronverifyd.sqlite3-wal").exists()


def test_it_stops_in_time_while_slack_hangs_and_tells_again_after_the_next_start(daemon, slack):
    slack.answers = [HANGS, 200]
    running = daemon(DAILY.format("a"))
    running.append(job="a", status="failed")
    slack.wait_for("a failed", within_s=5)
    running.stop()

    running.start()
    slack.wait_until(lambda messages: len(messages) == 2, within_s=5)
    running.wait_until_delivered(5)

    assert [message.may_repeat for message in slack.messages] == [False, True]
    assert len({message.incident for message in slack.messages}) == 1


def test_a_channel_that_hangs_delays_no_other(tmp_path, slack):
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}/services/T0/B0/deaf"
        jobs = f'[channels.deaf]\nkind = "slack"\nurl = "{url}"\n' + DAILY.format("a")
        with Daemon(tmp_path, jobs, slack) as running:
            running.append(job="a", status="failed")
            slack.wait_for("a failed", within_s=5)


def test_sighup_brings_an_edited_configuration_into_force(daemon, slack):
    running = daemon(DAILY.format("old"))
    running.configure(DAILY.format("old") + DAILY.format("new"))
    running.process.send_signal(signal.SIGHUP)
    running.wait_for_notice("READY=1", 5)
    running.append(job="new", status="failed")

    slack.wait_for("new failed", within_s=5)
    assert watched(running) == ["old", "new"]


def test_saving_the_file_is_enough(daemon, slack):
    running = daemon(DAILY.format("old"))
    running.configure(DAILY.format("new"))
    running.wait_for_notice("READY=1", 10)
    running.append({"job": "old", "status": "failed"}, {"job": "new", "status": "failed"})

    slack.wait_for("new failed", within_s=5)
    # What nobody watches any more is a warning once, and no failure.
    assert slack.titles == ["old ran and stands in no configuration", "new failed"]


def test_a_broken_edit_leaves_the_old_configuration_in_force_and_is_told_once(daemon, slack):
    running = daemon(DAILY.format("old"))
    running.configure(BROKEN)
    running.process.send_signal(signal.SIGHUP)
    slack.wait_until(lambda messages: len(messages) == 1, within_s=5)
    running.process.send_signal(signal.SIGHUP)
    running.append(job="old", status="failed")
    slack.wait_for("old failed", within_s=5)
    running.verify()
    running.wait_for_notice("WATCHDOG=1", 7)

    notice = slack.messages[0]
    assert "the configuration before it stays in force" in notice.title
    assert re.search(r"config\.toml:\d+: jobs\.broken\.schedule: ", notice.whole)
    assert slack.titles == [notice.title, "old failed"]


@pytest.mark.parametrize(
    ("edit", "what"),
    [
        pytest.param(
            lambda text, _: text.replace('shared_secret = "a secret of the tests"', MISSING),
            "cueapi.shared_secret",
            id="a secret that is nowhere",
        ),
        pytest.param(
            lambda text, taken: re.sub(r"127\.0\.0\.1:\d+\"", f'127.0.0.1:{taken}"', text, count=1),
            "cannot listen on",
            id="a port that is taken",
        ),
        pytest.param(
            lambda text, _: text.replace("[daemon]", '[daemon]\nstate_dir = "config.toml"'),
            "config.toml",
            id="a state folder that is a file",
        ),
    ],
)
def test_an_edit_that_could_not_be_started_leaves_the_old_one_in_force(daemon, slack, edit, what):
    running = daemon(DAILY.format("old"))
    with socket.create_server(("127.0.0.1", 0)) as other:
        text = running.config.read_text()
        edited = edit(text, other.getsockname()[1])
        assert edited != text
        running.config.write_text(edited)
        running.process.send_signal(signal.SIGHUP)
        slack.wait_until(lambda messages: len(messages) == 1, within_s=5)

    assert what in slack.messages[0].whole
    assert running.verify()[0] == 200


MISSING = 'shared_secret = { env = "CRONVERIFYD_TESTS_NO_SUCH_VARIABLE" }'


def test_a_second_daemon_on_the_same_state_says_so_and_ends_with_4(daemon):
    running = daemon(DAILY.format("a"))
    second = run_cronverifyd("run", "--config", running.config)

    assert second.returncode == 4
    assert complaint(second) == (
        f"another cronverifyd (pid {running.process.pid}) holds {running.state}"
    )
    assert running.verify()[0] == 200


def test_a_port_in_use_is_one_sentence_and_2(tmp_path, slack):
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        failed = start_in_vain(tmp_path, slack, DAILY.format("a"), port=taken)

    assert failed.returncode == 2
    assert complaint(failed) == f"cannot listen on 127.0.0.1:{taken}: Address already in use"


def test_a_state_folder_that_may_not_be_written_is_one_sentence_and_3(tmp_path, powerless):
    daemon = Daemon(tmp_path, DAILY.format("a"))
    daemon.state.chmod(0o555)
    failed = run_cronverifyd("run", "--config", daemon.config, before=powerless)

    assert failed.returncode == 3
    assert complaint(failed) == f"{daemon.state}: cannot be used as state folder: Permission denied"


def test_a_database_that_may_not_be_written_is_one_sentence_and_3(tmp_path, powerless):
    daemon = Daemon(tmp_path, DAILY.format("a"))
    (daemon.state / "cronverifyd.sqlite3").touch(mode=0o444)
    failed = run_cronverifyd("run", "--config", daemon.config, before=powerless)

    assert failed.returncode == 3
    assert "cannot be opened for writing" in complaint(failed)


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        pytest.param("[daemon]\ntimezone = \n", 2, "not valid TOML", id="no TOML"),
        pytest.param("[jobs.a]\n\nschedul = '1'\n", 3, "unknown key", id="an unknown key"),
        pytest.param("[jobs.a]\nschedule = '61 * * * *'\n", 2, "jobs.a.schedule", id="no minute"),
    ],
)
def test_a_broken_configuration_is_named_with_its_line_and_2(tmp_path, text, line, what):
    config = tmp_path / "config.toml"
    config.write_text(text)
    failed = run_cronverifyd("run", "--config", config)

    assert failed.returncode == 2
    assert f"cronverifyd: {config}:{line}: " in failed.stderr
    assert what in failed.stderr
    assert "Traceback" not in failed.stderr
    assert not (tmp_path / "state").exists()


def test_no_configuration_is_one_sentence_and_2(tmp_path):
    failed = run_cronverifyd("run", "--config", tmp_path / "none.toml")

    assert failed.returncode == 2
    assert complaint(failed) == f"{tmp_path}/none.toml: there is no such file"


def test_the_secret_that_it_makes_is_only_its_owners_and_nowhere_else(daemon):
    running = daemon(DAILY.format("a"), cueapi="\n")
    path = running.state / "trigger.secret"
    secret = path.read_text().strip()
    status, _ = running.verify(X_Cue_Secret=secret)
    running.stop()

    assert status == 200
    assert len(secret) == 64
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert str(path) in running.log
    assert secret not in running.log + running.printed

    running.start()
    assert path.read_text().strip() == secret
    assert running.verify(X_Cue_Secret=secret)[0] == 200


def test_what_it_writes_is_only_its_owners(daemon, slack):
    running = daemon(DAILY.format("a"), cueapi="\n")
    running.append({"job": "a", "status": "failed"}, {"no": "outcome"})
    slack.wait_for("a failed", within_s=5)
    ours = set(running.state.iterdir()) - {running.outcomes}

    assert {"cronverifyd.sqlite3", "journal.jsonl", "rejected.jsonl", "control.sock", "lock"} <= {
        path.name for path in ours
    }
    open_to_others = {path.name for path in ours if path.stat().st_mode & 0o077}
    assert open_to_others == set()


def test_a_state_folder_that_is_exchanged_under_it_is_still_followed(daemon, slack):
    running = daemon(DAILY.format("a"))
    running.state.rename(running.folder / "gone")
    running.state.mkdir()
    running.append(job="a", status="failed")
    slack.wait_for("a failed", within_s=12)


def test_the_log_has_no_traceback_after_an_ordinary_life(daemon, slack):
    slack.answers = [500, 200]
    running = daemon(DAILY.format("a"))
    running.append(job="a", status="failed")
    slack.wait_until(lambda messages: len(messages) == 2, within_s=5)
    running.wait_until_delivered(5)
    running.stop()

    assert "Traceback" not in running.log
    assert slack.url not in running.log


def start_in_vain(folder, slack, jobs, **given):
    daemon = Daemon(folder, jobs, slack, **given)
    return run_cronverifyd("run", "--config", daemon.config)


def complaint(done):
    """Give the one sentence on stderr that is not a remedy or the log's."""
    said = [line for line in done.stderr.splitlines() if line.startswith("cronverifyd: ")]
    assert "Traceback" not in done.stderr
    assert len(said) == 1, done.stderr
    return said[0].removeprefix("cronverifyd: ")
