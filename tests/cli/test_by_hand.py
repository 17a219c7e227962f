"""`ack`, `mute` and `unmute`, without a daemon; with one, tests/e2e/test_alerts.py does it."""

import os
import shutil

import pytest

from cronverifyd import wrap
from tests.builders import finished
from tests.cli.place import Place
from tests.cli.process import run


@pytest.fixture
def failing(place):
    here = place()
    here.look("2024-05-14T12:00:00+00:00")
    here.look("03:11", finished("03:10", "failed"))
    return here


def incident(here, cli):
    (job,) = cli("status", "--json", "--config", here.config, now="03:13").json["jobs"]
    return job["incident"]


def test_an_incident_that_is_acknowledged_is_shown_so(failing, cli):
    done = cli("ack", "db-backup", "--config", failing.config, now="03:12")
    assert (done.code, done.err) == (0, "")
    known = incident(failing, cli)
    assert known["acked"] is True
    assert done.out == (
        f"db-backup: incident {known['id']} is acknowledged (1 bad slot);"
        " nobody is reminded until it is over\n"
    )
    shown = cli("status", "--config", failing.config, now="03:13").out
    assert "1 bad slot, acknowledged" in shown


def test_it_is_acknowledged_by_its_id_and_told_in_json(failing, cli):
    name = incident(failing, cli)["id"]
    done = cli("ack", name, "--json", "--config", failing.config, now="03:12")
    assert done.json["incidents"] == [
        {
            "id": name,
            "job": "db-backup",
            "since": "2024-05-15T03:11:00+00:00",
            "slots": 1,
            "acked": True,
        }
    ]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        pytest.param(["ack", "nope"], 'no job and no open incident "nope"', id="ack of nobody"),
        pytest.param(["ack"], "Missing argument 'JOB...'", id="ack of nothing"),
        pytest.param(["mute", "nope", "--for", "1h"], 'no job "nope"', id="mute of nobody"),
        pytest.param(["mute", "--for", "1h"], "name one job, or --all", id="mute of nothing"),
        pytest.param(
            ["mute", "db-backup", "--all", "--for", "1h"], "name one job, or --all", id="both"
        ),
        pytest.param(["mute", "db-backup"], "Missing option '--for'", id="mute without an end"),
        pytest.param(
            ["mute", "db-backup", "--for", "2"], 'must be a duration such as "90s"', id="no unit"
        ),
        pytest.param(["mute", "db-backup", "--for", "31d"], "at most 30 days", id="too long"),
        pytest.param(["unmute", "nope"], 'no job "nope"', id="unmute of nobody"),
    ],
)
def test_what_makes_no_sense_is_refused_in_words(failing, cli, arguments, words):
    done = cli(*arguments, "--config", failing.config, now="03:12")
    assert (done.code, done.out) == (2, "")
    assert words in done.err


def test_a_mute_is_shown_until_it_is_over_and_says_what_it_swallowed(place, cli):
    here = place()
    here.look("2024-05-14T12:00:00+00:00")
    where = ("--config", here.config)
    done = cli("mute", "db-backup", "--for", "2h", "--reason", "new disk", *where, now="02:00")
    assert done.out == "db-backup is muted until 04:00 (UTC); it is judged as ever\n"
    here.look("03:11", finished("03:10", "failed"))
    status = cli("status", "--json", *where, now="03:12").json
    assert (status["healthy"], status["jobs"][0]["muted_until"]) == (
        False,
        "2024-05-15T04:00:00+00:00",
    )
    assert [(m["job"], m["reason"], m["swallowed"]) for m in status["mutes"]] == [
        ("db-backup", "new disk", 1)
    ]
    shown = cli("status", *where, now="03:12").out
    assert "db-backup: muted until 04:00" in shown
    assert "(new disk); 1 message swallowed" in shown
    told = {
        e["kind"]: e["text"] for e in cli("why", "db-backup", "--json", *where).json["evidence"]
    }
    assert told["muted"].startswith("it is muted until Wed 2024-05-15 04:00:00 +0000")
    assert told["muted"].endswith("(new disk); 1 message swallowed")
    (row,) = cli("alerts", "--json", *where).json["alerts"]
    assert (row["state"], row["next_try"]) == ("muted", None)
    assert "kept back until the mute ends" in cli("alerts", *where).out
    done = cli("unmute", "db-backup", *where, now="03:20")
    assert done.out == "the mute of db-backup is over; it swallowed 1 message\n"
    assert "[CRITICAL] 1 thing not well on testhost" in done.err
    assert cli("unmute", "db-backup", *where, now="03:21").out == "db-backup was not muted\n"


def test_everything_is_muted_at_once(place, cli):
    here = place()
    here.look("2024-05-14T12:00:00+00:00")
    where = ("--config", here.config)
    done = cli("mute", "--all", "--for", "90m", "--json", *where, now="02:00")
    assert (done.json["mute"]["job"], done.json["mute"]["until"]) == (
        None,
        "2024-05-15T03:30:00+00:00",
    )
    assert "everything: muted until 03:30" in cli("status", *where, now="02:01").out
    assert cli("unmute", "--all", *where, now="02:05").out.startswith("the mute of everything")


def test_a_drill_of_roots_leaves_none_of_its_files_in_a_state_of_another(open_folder, nobody):
    here = Place(open_folder)
    os.chown(here.state, nobody.uid, nobody.gid)
    wrapper = open_folder / "cronverify-wrap"
    shutil.copy(wrap.__file__, wrapper)
    wrapper.chmod(0o755)
    given = nobody.as_root
    env = given["env"] | {"PATH": f"{open_folder}:{os.environ['PATH']}"}
    done = run("drill", "--config", here.config, python=given["python"], env=env)
    assert "wrapper: the job failed as it was meant to" in done.out
    assert "channel ops: took it" in done.out
    owners = {path.name: path.stat().st_uid for path in here.state.iterdir()}
    assert "outcomes.jsonl" in owners
    assert set(owners.values()) == {nobody.uid}
