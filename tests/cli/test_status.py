"""`status`: its document, its table and its exit codes."""

from contextlib import closing
from dataclasses import replace

import pytest

from cronverifyd import model
from cronverifyd.store.sqlite import Store
from tests.builders import finished, incident, started
from tests.cli.place import BACKUP, instant, offset_of

KEYS = {
    "job",
    "schedule",
    "timezone",
    "verdict",
    "reason",
    "slot",
    "last_ok",
    "next",
    "deadline",
    "triggered_by",
    "incident",
    "muted_until",
    "strip",
}
ZONES = "".join(
    f'[jobs.{name}]\nschedule = "0 3 * * *"\ntimezone = "{zone}"\n'
    for name, zone in [("tokyo", "Asia/Tokyo"), ("paris", "Europe/Paris"), ("utc", "UTC")]
)


def test_the_document_has_these_keys_and_no_others(place, cli):
    here = place()
    here.look("2024-05-14T12:00:00+00:00")
    here.look("03:11", started("03:00"), finished("03:10"))
    document = cli("status", "--json", "--config", here.config, now="12:00").json

    assert document.pop("now") == "2024-05-15T12:00:00+00:00"
    assert document == {
        "healthy": True,
        "instance": "testhost",
        "unverified": [],
        "cannot_see": None,
        "cron_dead": None,
        "triggers_stopped": None,
        "findings": [],
        "mutes": [],
        "channels": [
            {"channel": "ops", "kind": "console", "last_delivery": None, "waiting_since": None}
        ],
        "unproven": ["channel ops has taken no message yet (cronverifyd drill sends one)"],
        "rejected": 0,
        "undelivered": 0,
        "last_delivery": None,
        "jobs": [
            {
                "job": "db-backup",
                "schedule": "0 3 * * *",
                "timezone": "UTC",
                "verdict": "ok",
                "reason": 'ended with status "success" at 03:10:00 after 10 min',
                "slot": "2024-05-15T03:00:00+00:00",
                "triggered_by": "file",
                "last_ok": "2024-05-15T03:10:00+00:00",
                "next": "2024-05-16T03:00:00+00:00",
                "deadline": "2024-05-15T04:05:00+00:00",
                "incident": None,
                "muted_until": None,
                "strip": ["ok"],
            }
        ],
    }


def test_a_bad_job_is_1_and_has_its_incident(place, cli):
    here = place()
    here.look("2024-05-14T12:00:00+00:00")
    here.look("03:11", started("03:00"), finished("03:10", "failed", exit_code=3))
    done = cli("status", "--json", "--config", here.config, now="12:00")

    (job,) = done.json["jobs"]
    assert done.code == 1
    assert done.json["healthy"] is False
    assert job["verdict"] == "failed"
    assert job["last_ok"] is None
    assert job["incident"].keys() == {"id", "since", "slots", "acked", "cause"}
    assert instant(job["incident"]["since"]) == instant("2024-05-15T03:11:00+00:00")
    assert (job["incident"]["slots"], job["incident"]["acked"]) == (1, False)
    assert instant(done.json["last_delivery"]) == instant("2024-05-15T03:11:00+00:00")


def test_slots_carry_the_offset_of_their_jobs_zone(place, cli):
    here = place(ZONES)
    here.look("2024-05-14T00:00:00+00:00")
    here.look("12:00")
    jobs = cli("status", "--json", "--config", here.config, now="12:00").json["jobs"]

    for key in ("slot", "next", "deadline"):
        assert {job["job"]: offset_of(job[key]) for job in jobs} == {
            "tokyo": "+09:00",
            "paris": "+02:00",
            "utc": "+00:00",
        }
    assert all(job.keys() == KEYS for job in jobs)


def test_the_strip_holds_the_last_14_slots_oldest_first(place, cli):
    here = place()
    here.look("2024-05-01T00:00:00+00:00")
    good = "2024-05-10T03:00:00+00:00"
    here.look("2024-05-10T04:00:00+00:00", finished(good))
    here.look("2024-05-15T04:06:00+00:00")
    (job,) = cli("status", "--json", "--config", here.config, now="12:00").json["jobs"]

    assert job["strip"] == ["missed"] * 8 + ["ok"] + ["missed"] * 5


def test_a_job_that_nobody_has_seen_yet_is_pending_and_in_the_document(place, cli):
    here = place()
    here.look("02:00")
    here.configure(BACKUP + '[jobs.new]\nschedule = "0 4 * * *"\n')
    done = cli("status", "--json", "--config", here.config, now="02:01")
    old, new = done.json["jobs"]

    assert done.code == 0
    assert (old["verdict"], old["slot"], old["strip"]) == ("pending", None, [])
    assert (new["job"], new["verdict"]) == ("new", "pending")
    assert "not seen by the daemon" in new["reason"]


def test_a_disabled_job_is_not_shown(place, cli):
    here = place(BACKUP + "enabled = false\n")
    here.look("02:00")

    assert cli("status", "--json", "--config", here.config, now="12:00").json["jobs"] == []


WITH_START = BACKUP + 'start_within = "2m"\n'
CUEAPI = (
    '[cueapi]\ntransport = "webhook"\nfallback_after = "60s"\n[listen]\ntrigger = "127.0.0.1:1"'
)


@pytest.mark.parametrize(
    ("jobs", "looked", "lines", "now", "code"),
    [
        pytest.param(BACKUP, "02:00", (), "04:05:29", 0, id="the daemon has some seconds"),
        pytest.param(BACKUP, "02:00", (), "04:05:31", 3, id="nobody judged the deadline"),
        pytest.param(BACKUP, "04:05:01", (), "12:00", 1, id="judged, and bad"),
        pytest.param(
            BACKUP, "03:11", (finished("03:10"),), "12:00", 0, id="judged before its deadline"
        ),
        pytest.param(
            BACKUP,
            "03:11",
            (finished("03:10"),),
            "2024-05-16T04:05:31+00:00",
            3,
            id="nobody judged the one after it",
        ),
        pytest.param(
            BACKUP, "04:05:01", (), "2024-05-16T04:05:31+00:00", 3, id="bad, and nobody looks"
        ),
        pytest.param(WITH_START, "02:00", (), "03:02:31", 3, id="nobody judged the start"),
        pytest.param(
            WITH_START, "03:03", (started("03:00"),), "04:05:29", 0, id="running in its window"
        ),
        pytest.param(
            WITH_START, "03:03", (started("03:00"),), "04:05:31", 3, id="nobody saw it overrun"
        ),
    ],
)
def test_a_due_slot_that_was_not_judged_is_3(place, cli, jobs, looked, lines, now, code):
    here = place(jobs)
    here.look("2024-05-15T01:00:00+00:00")
    here.look(looked, *lines)
    done = cli("status", "--json", "--config", here.config, now=now)

    assert done.code == code
    assert done.json["unverified"] == (["db-backup"] if code == 3 else [])
    assert done.json["healthy"] is (code == 0)
    assert ("due and not judged: db-backup\ntry: " in done.err) is (code == 3)


def test_a_daemon_that_waits_for_cueapi_has_the_time_that_it_waits(place, cli):
    here = place(daemon="", more="")
    text = here.config.read_text().replace('[listen]\ntrigger = "off"', CUEAPI)
    here.config.write_text(text.replace('"webhook"\n', '"webhook"\nshared_secret = "s3cret"\n'))
    here.look("01:00")

    assert cli("status", "--config", here.config, now="04:06:29").code == 0
    assert cli("status", "--config", here.config, now="04:06:31").code == 3


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param(BACKUP.replace("0 3", "0 2"), id="another schedule"),
        pytest.param(BACKUP + 'timezone = "Asia/Tokyo"\n', id="another zone"),
    ],
)
def test_a_job_that_the_daemon_knows_otherwise_is_not_owed_yet(place, cli, changed):
    here = place()
    here.look("01:00")
    here.configure(changed)

    assert cli("status", "--config", here.config, now="12:00").code == 0


def test_a_job_that_was_put_back_is_not_owed_until_the_daemon_has_seen_it(place, cli):
    here = place()
    here.look("2024-05-13T01:00:00+00:00")
    here.configure(BACKUP + "enabled = false\n")
    here.look("2024-05-13T02:00:00+00:00")
    here.configure(BACKUP)

    assert cli("status", "--config", here.config, now="12:00").code == 0


def test_the_table_has_a_line_a_job_and_the_reason_of_what_is_not_well(place, cli):
    here = place(BACKUP + '[jobs.invoice-gen]\nschedule = "0 4 * * *"\nmax_duration = "1h"\n')
    here.look("2024-05-14T12:00:00+00:00")
    here.look("03:11", started("03:00"), finished("03:10"), b"no outcome\n")
    here.look("05:06")
    done = cli("status", "--config", here.config, now="12:00")

    heading, good, bad, reason, legend, summary = done.lines
    assert done.code == 1
    assert heading == "JOB          VERDICT  LAST SLOT  LAST OK  NEXT     STRIP"
    assert good == "db-backup    ok       03:00      8 h ago  in 15 h  ."
    assert bad == "invoice-gen  missed   04:00      never    in 16 h  M"
    assert reason.startswith(
        "invoice-gen: no run for it ended by the deadline 05:05:00 and none for it is running;"
        " incident "
    )
    assert reason.endswith(", open for 6 h 54 min, 1 bad slot")
    assert legend.startswith("strip, oldest first: . ok")
    assert summary == (
        "testhost: 2 jobs, 1 not well, 1 line rejected, last message delivered 6 h 54 min ago"
    )


def test_a_slot_of_another_zone_and_day_says_so(place, cli):
    here = place(ZONES)
    here.look("2024-05-14T12:00:00+00:00")
    here.look("16:00")
    table = cli("status", "--config", here.config, now="16:00").out

    assert "\ntokyo  missed   05-15 03:00+0900  never" in table
    assert "\nparis  missed   03:00+0200        never" in table
    assert "\nutc    missed   03:00             never" in table


def test_an_alert_that_reached_nobody_is_counted(place, cli):
    from cronverifyd.model import Delivery, DeliveryResult

    here = place()
    here.look("01:00")
    here.look("04:06", delivery=Delivery(result=DeliveryResult.RETRY, error="timed out"))
    done = cli("status", "--config", here.config, now="12:00")

    assert cli("status", "--json", "--config", here.config, now="12:00").json["undelivered"] == 1
    assert "1 message undelivered, last message delivered never" in done.out


@pytest.mark.parametrize(
    ("subject", "key", "words"),
    [
        (model.CRON, "cron_dead", "cron is not running"),
        (model.CUEAPI, "triggers_stopped", "CueAPI has stopped triggering"),
    ],
)
def test_an_incident_that_is_no_job_s_is_named(place, cli, subject, key, words):
    here = place()
    here.look("01:00")
    with closing(Store(here.state)) as store, store.transaction():
        store.save_incident(replace(incident("02:00", "02:00"), job=subject))
    document = cli("status", "--json", "--config", here.config, now="02:10").json
    done = cli("status", "--config", here.config, now="02:10")

    assert document[key]["since"] == "2024-05-15T02:00:00+00:00"
    assert (document["healthy"], done.code) == (False, 1)
    assert f"{words}: for 10 min; incident {document[key]['id']}" in done.out
