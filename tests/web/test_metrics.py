"""Metrics: what Prometheus reads of a state that was verified for real."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_open
from prometheus_client.parser import text_string_to_metric_families as parse_plain

from cronverifyd.model import Delivery, DeliveryResult, Verdict
from tests.builders import at, finished, started
from tests.cli.place import BACKUP
from tests.web.board import YESTERDAY, Board, failing, good

RULES = Path(__file__).parents[2] / "packaging" / "prometheus-rules.yml"
RETRY = Delivery(result=DeliveryResult.RETRY, error="answered 503")
OTHER = '[jobs.other]\nschedule = "0 4 * * *"\n'
SECOND = '[channels.mail]\nkind = "console"\n'
OPEN = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"


def scrape(board, **headers):
    """Read all samples: name and labels (without `path`) to value."""
    text = board.get("/metrics", **headers).text
    return {
        (sample.name, *sorted(value for key, value in sample.labels.items() if key != "path")): (
            sample.value
        )
        for family in parse_plain(text)
        for sample in family.samples
    }


def seconds(text):
    return at(text).timestamp()


def test_the_verdict_is_one_and_all_others_are_nought(board):
    failing(board)
    found = scrape(board)
    states = {
        verdict: found["cronverifyd_job_verdict", *sorted(("db-backup", verdict))]
        for verdict in Verdict
    }
    assert states == dict.fromkeys(Verdict, 0) | {Verdict.FAILED: 1}
    assert found["cronverifyd_job_incident_open", "db-backup"] == 1
    assert found["cronverifyd_incidents_open",] == 1
    assert found["cronverifyd_healthy",] == 0


def test_the_last_run_of_a_job_that_is_well(board):
    good(board)
    found = scrape(board)
    assert found["cronverifyd_healthy",] == found["cronverifyd_ready",] == 1
    assert found["cronverifyd_job_last_run_duration_seconds", "db-backup"] == 600.5
    assert found["cronverifyd_job_start_delay_seconds", "db-backup"] == 0
    assert found["cronverifyd_job_lateness_seconds", "db-backup"] == 0
    assert found["cronverifyd_job_slot_timestamp_seconds", "db-backup"] == seconds("03:00")
    assert found["cronverifyd_job_last_success_timestamp_seconds", "db-backup"] == seconds("03:10")
    assert found["cronverifyd_job_next_slot_timestamp_seconds", "db-backup"] == seconds(
        "2024-05-16T03:00:00"
    )


@pytest.mark.parametrize(
    ("lines", "late_s"),
    [
        pytest.param([], 7 * 3600 + 55 * 60, id="missed, still"),
        pytest.param([finished("04:10", started_at="03:00")], 300, id="late"),
        pytest.param([finished("03:10")], 0, id="in time"),
        pytest.param([finished("03:10", "failed")], 7 * 3600 + 55 * 60, id="failed, still"),
    ],
)
def test_lateness_is_how_far_the_deadline_was_or_is_overstepped(board, lines, late_s):
    board.look(YESTERDAY)
    board.look("04:11", *lines)
    assert scrape(board)["cronverifyd_job_lateness_seconds", "db-backup"] == late_s


def test_a_job_that_never_ran_has_no_samples_of_runs(tmp_path):
    board = Board(tmp_path, OTHER)
    board.look("00:30")
    board.now = "00:31"
    found = scrape(board)
    assert found["cronverifyd_job_lateness_seconds", "other"] == 0
    assert ("cronverifyd_job_last_success_timestamp_seconds", "other") not in found
    assert ("cronverifyd_job_last_run_duration_seconds", "other") not in found
    assert ("cronverifyd_job_slot_timestamp_seconds", "other") not in found


def test_a_message_that_waits_ages(board):
    failing(board)
    board.look("03:31", finished("03:30", run_id="r2"), delivery=RETRY)
    found = scrape(board)
    assert found["cronverifyd_outbox_oldest_seconds", "ops"] == seconds("12:00") - seconds("03:31")
    assert found["cronverifyd_outbox_messages", "failed", "ops"] == 1
    assert found["cronverifyd_outbox_messages", "ops", "sent"] == 1
    assert found["cronverifyd_outbox_messages", "dead", "ops"] == 0
    proven = found["cronverifyd_channel_last_delivery_timestamp_seconds", "ops"]
    assert proven == seconds("03:11")


def test_a_channel_that_never_had_a_message_is_there_without_a_proof(tmp_path):
    board = Board(tmp_path, more=SECOND)
    board.look("00:30")
    found = scrape(board)
    assert found["cronverifyd_outbox_oldest_seconds", "mail"] == 0
    assert found["cronverifyd_outbox_messages", "mail", "new"] == 0
    assert ("cronverifyd_channel_last_delivery_timestamp_seconds", "mail") not in found


def test_a_channel_that_left_the_configuration_is_no_label_any_more(board):
    failing(board)
    board.place.config.write_text(
        board.place.config.read_text().replace("channels.ops", "channels.new")
    )
    board.reload()
    assert not [key for key in scrape(board) if "ops" in key[1:]]


def test_bytes_that_were_not_read_yet_are_lag(board):
    good(board)
    assert scrape(board)["cronverifyd_outcome_file_lag_bytes",] == 0
    line = started("2024-05-16T03:00:00")
    board.place.append(line)
    assert scrape(board)["cronverifyd_outcome_file_lag_bytes",] == len(line)
    looked = scrape(board)["cronverifyd_outcome_file_looked_at_timestamp_seconds",]
    assert looked == seconds("03:11")


def test_of_a_file_that_took_another_s_place_nothing_was_read(board):
    good(board)
    board.place.outcomes.rename(board.place.outcomes.with_suffix(".1"))
    board.place.append(b"{}\n")
    assert scrape(board)["cronverifyd_outcome_file_lag_bytes",] == 3
    board.place.outcomes.unlink()
    assert scrape(board)["cronverifyd_outcome_file_lag_bytes",] == 0


def test_lines_that_were_not_outcomes_are_counted(board):
    board.look(YESTERDAY, b"nonsense\n", b"{}\n")
    assert scrape(board)["cronverifyd_rejected_lines_total",] == 2


def test_slots_that_nobody_judged_are_told(board):
    good(board)
    board.now = "2024-05-16T12:00:00+00:00"
    found = scrape(board)
    assert found["cronverifyd_unverified_jobs",] == 1
    assert found["cronverifyd_healthy",] == 0


def test_a_chain_that_is_not_proven_is_not_ready(board):
    good(board)
    board.turns = False
    assert scrape(board)["cronverifyd_ready",] == 0


def test_jobs_that_stand_in_no_configuration_are_no_labels(board):
    good(board)
    board.look("03:12", *(finished("03:12", run_id=f"r{n}", job_name=f"x{n}") for n in range(50)))
    assert not [key for key in scrape(board) if any(label.startswith("x") for label in key[1:])]


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        (OPEN, "application/openmetrics-text; version=1.0.0; charset=utf-8"),
        ("text/plain,application/openmetrics-text;q=0.9", "text/plain; version=0.0.4"),
        ("text/plain", "text/plain; version=0.0.4; charset=utf-8"),
        ("*/*", "text/plain; version=0.0.4; charset=utf-8"),
        ("image/png", "text/plain; version=0.0.4; charset=utf-8"),
        ("application/openmetrics-text;version=x", "application/openmetrics-text; version=1.0.0"),
        ("text/plain;version=9.9.9;escaping=allow-utf-8", "text/plain; version=0.0.4"),
    ],
)
def test_the_format_is_the_one_that_is_asked_for(board, accept, kind):
    good(board)
    response = board.get("/metrics", Accept=accept)
    assert response.content_type.startswith(kind)
    parse = parse_open if "openmetrics" in kind else parse_plain
    assert {"cronverifyd_build", "cronverifyd_job_verdict"} <= {
        family.name.removesuffix("_info") for family in parse(response.text)
    }


def promtool(*arguments: str, **given):
    """Run Prometheus's own checker; give its exit code and what it said on stderr."""
    if shutil.which("promtool") is None:
        pytest.skip("promtool is not installed (Debian package prometheus)")
    done = subprocess.run(
        ["promtool", *arguments], capture_output=True, timeout=60, check=False, **given
    )
    return done.returncode, done.stderr.decode()


def test_promtool_has_nothing_to_say(tmp_path):
    board = Board(tmp_path, BACKUP + OTHER)
    failing(board)
    assert promtool("check", "metrics", input=board.get("/metrics").data) == (0, "")


# ---- the alert rules ----------------------------------------------------------------------------


def test_the_rules_are_rules():
    assert promtool("check", "rules", str(RULES)) == (0, "")


def test_the_rules_speak_when_they_should_and_only_then():
    code, said = promtool("test", "rules", "prometheus-rules-test.yml", cwd=Path(__file__).parent)
    assert (code, said) == (0, "")


def test_the_rules_ask_for_what_is_told(board):
    good(board)
    told = {family.name for family in parse_plain(board.get("/metrics").text)}
    told |= {f"{name}_total" for name in told}
    expressions = re.findall(r"expr: (.*)", RULES.read_text())
    asked = {name for text in expressions for name in re.findall(r"cronverifyd_\w+", text)}
    assert len(asked) == 11
    assert asked <= told


def test_the_documented_metrics_are_those_that_are_told(board):
    good(board)
    text = (RULES.parents[1] / "docs" / "STATUS.md").read_text()
    rows = re.findall(r"^\| `(cronverifyd_\w+)` \|([^|]*)\|", text, re.MULTILINE)
    documented = {name: set(re.findall(r"`(\w+)`", labels)) for name, labels in rows}
    told = {
        sample.name: set(sample.labels)
        for family in parse_plain(board.get("/metrics").text)
        for sample in family.samples
    }
    # Here nobody was told anything.
    del documented["cronverifyd_channel_last_delivery_timestamp_seconds"]
    assert told == documented
