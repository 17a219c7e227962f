"""Configuration files that can be used, and what they mean."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cronverifyd.config.load import load
from cronverifyd.config.schema import SCHEMA, Later, Listed
from cronverifyd.model import Channel, Job, Severity

SAMPLE = Path(__file__).parent.parent.parent / "config.toml"
JOB = '[jobs.a]\nschedule = "0 3 * * *"\n'
HOOK = "https://hooks.slack.com/services/T0/B0/tell-nobody"


def test_a_whole_configuration_becomes_its_pieces(write, tmp_path):
    path = write("""\
[daemon]
state_dir = "/var/lib/cronverifyd"
outcomes = ["outcomes.d/*.jsonl", "/srv/own.jsonl"]
timezone = "Europe/Paris"
instance = "web1"
[listen]
trigger = "[::1]:8400"
status = "off"
[cueapi]
transport = "webhook"
base_url = "https://cue.example.com/"
webhook_url = "https://cron.example.com/verify"
api_key = { env = "KEY" }
signing_secrets = [{ credential = "new", env = "NEW" }, { env = "OLD" }]
shared_secret = { file = "shared" }
fallback_after = "0s"
[channels.ops]
kind = "slack"
url = { env = "HOOK" }
severity = ["critical", "warning"]
[channels.here]
kind = "console"
[alerts]
channels = ["here"]
[jobs.db-backup]
schedule = "0 3 * * *"
timezone = "America/New_York"
max_duration = "45m"
grace = "10m"
start_within = "2m"
expected_status = "done"
severity = "info"
channels = ["ops"]
runbook = "https://wiki.example.com/db-backup"
enabled = false
[jobs.other]
schedule = "06:00"
""")
    Path("shared").write_text("s3cret\n", encoding="utf-8")
    Path("shared").chmod(0o600)
    config = load(
        path, environ={"HOOK": HOOK, "KEY": "cue_sk_1", "NEW": "whsec_a", "OLD": "whsec_b"}
    )

    assert config.path == path
    assert config.warnings == ()
    assert config.daemon.state_dir == Path("/var/lib/cronverifyd")
    assert config.daemon.outcomes == (f"{tmp_path}/outcomes.d/*.jsonl", "/srv/own.jsonl")
    assert (config.daemon.timezone, config.daemon.instance) == ("Europe/Paris", "web1")
    assert config.listen.trigger == ("::1", 8400)
    assert config.cueapi.transport == "webhook"
    assert config.cueapi.base_url == "https://cue.example.com"
    assert config.cueapi.webhook_url == "https://cron.example.com/verify"
    assert config.cueapi.api_key.env == "KEY"
    new, old = config.cueapi.signing_secrets
    assert (new.credential, new.env, old.env) == ("new", "NEW", "OLD")
    assert new.place == "config.toml:14: cueapi.signing_secrets[0]"
    assert config.cueapi.shared_secret.file == f"{tmp_path}/shared"
    assert config.cueapi.fallback_after_s == 0
    assert config.channels["ops"].url.place == "config.toml:19: channels.ops.url"
    assert config.channels["ops"].severity == {Severity.CRITICAL, Severity.WARNING}
    assert config.channels["here"] == Channel(name="here", kind="console")
    assert config.jobs["db-backup"] == Job(
        name="db-backup",
        schedule="0 3 * * *",
        timezone="America/New_York",
        max_duration_s=2700,
        grace_s=600,
        start_within_s=120,
        expected_status="done",
        severity=Severity.INFO,
        channels=("ops",),
        runbook="https://wiki.example.com/db-backup",
        enabled=False,
    )
    assert config.jobs["other"] == Job(
        name="other",
        schedule="06:00",
        timezone="Europe/Paris",
        max_duration_s=3600,
        grace_s=300,
    )
    assert config.route == ("here",)


def test_an_empty_file_has_defaults_and_warnings(write, tmp_path):
    config = load(write('[daemon]\ntimezone = "UTC"\n'), environ={})

    assert config.daemon.state_dir == tmp_path / "state"
    assert config.daemon.outcomes == (f"{tmp_path}/state/outcomes.jsonl",)
    assert config.daemon.instance == os.uname().nodename
    assert config.listen.trigger == ("127.0.0.1", 8400)
    assert config.cueapi.transport == "off"
    assert config.cueapi.base_url == "https://api.cueapi.ai"
    assert (config.cueapi.webhook_url, config.cueapi.api_key) == (None, None)
    assert config.cueapi.signing_secrets == ()
    assert config.cueapi.shared_secret is None
    assert config.cueapi.fallback_after_s == 10
    assert config.channels == {"console": Channel(name="console", kind="console")}
    assert config.jobs == {}
    assert config.warnings == (
        "config.toml: no channels are configured: alerts are printed where the daemon runs",
        "config.toml: no jobs are configured: nothing is watched",
    )


def test_the_sample_configuration_has_no_problem_and_a_job():
    config = load(SAMPLE, environ={})
    assert [warning for warning in config.warnings if "time zone" not in warning] == []
    assert list(config.channels) == ["console"]
    assert [name for name, job in config.jobs.items() if job.enabled]


def test_what_the_sample_has_in_comments_loads_too(write):
    lines = SAMPLE.read_text(encoding="utf-8").splitlines()
    active = [
        line.removeprefix("# ") if line.startswith("# [") or " = " in line else line
        for line in lines
    ]
    config = load(write("\n".join(active)), environ={})
    assert set(config.jobs) == {"hello", "db-backup", "queue-worker"}
    assert {name: channel.kind for name, channel in config.channels.items()} == {
        "console": "console",
        "ops": "slack",
        "hub": "webhook",
        "pager": "command",
        "mail": "email",
        "phone": "apprise",
    }
    assert config.cueapi.transport == "webhook"
    backup = config.jobs["db-backup"]
    assert [window.duration_s for window in backup.maintenance] == [10_800]
    assert [rule.min_size for rule in backup.artifacts] == [10_000_000]


@pytest.mark.parametrize("table", ["jobs", "channels"])
def test_the_sample_shows_every_key_that_a_job_or_a_channel_can_have(table):
    def keys_of(table):
        for key, part in table.keys.items():
            if not isinstance(part, Later):
                yield key
            if isinstance(part, Listed):
                yield from keys_of(part.table)

    sample = SAMPLE.read_text(encoding="utf-8")
    assert [
        key
        for key in keys_of(SCHEMA.keys[table].table)
        if f"{key} = " not in sample and f".{key}]]" not in sample
    ] == []


@pytest.mark.parametrize(
    ("schedule", "max_duration_s", "grace_s"),
    [
        pytest.param("0 3 * * *", 3600, 300, id="daily"),
        pytest.param("0 * * * *", 3600, 300, id="hourly"),
        pytest.param("every 15m", 900, 300, id="a gap of 15 minutes"),
        pytest.param("*/5 * * * *", 300, 150, id="half the gap is less than 5 minutes"),
        pytest.param("every 5s", 5, 2.5, id="the shortest there is"),
    ],
)
def test_the_defaults_of_the_window_follow_the_shortest_gap(
    write, schedule, max_duration_s, grace_s
):
    job = load(write(f'[jobs.a]\nschedule = "{schedule}"\n'), environ={}).jobs["a"]
    assert (job.max_duration_s, job.grace_s) == (max_duration_s, grace_s)


def test_jobs_without_a_route_go_to_every_channel(write):
    text = '[channels]\na.kind = "console"\nb.kind = "console"\n' + JOB
    config = load(write(text), environ={})
    assert config.scope().route(Severity.CRITICAL, config.jobs["a"]) == ["a", "b"]


@pytest.mark.parametrize(
    ("trigger", "address"),
    [
        pytest.param("off", None, id="off"),
        pytest.param("localhost:80", ("localhost", 80), id="a host name"),
        pytest.param("0.0.0.0:65535", ("0.0.0.0", 65535), id="everywhere, as it was written"),
        pytest.param("[::]:8400", ("::", 8400), id="IPv6"),
    ],
)
def test_the_trigger_listens_where_the_operator_wrote(write, trigger, address):
    config = load(write(f'[listen]\ntrigger = "{trigger}"\n'), environ={})
    assert config.listen.trigger == address


def test_a_pattern_in_the_name_of_the_folder_is_none(tmp_path):
    folder = tmp_path / "a[b]*"
    folder.mkdir()
    (folder / "config.toml").write_text(JOB, encoding="utf-8")
    config = load(folder / "config.toml", environ={})
    assert config.daemon.outcomes == (f"{tmp_path}/a[[]b][*]/state/outcomes.jsonl",)
    assert config.daemon.state_dir == folder / "state"


def test_the_zone_of_the_host_is_the_default(write):
    write(JOB)
    program = (
        "from pathlib import Path\n"
        "from cronverifyd.config.load import load\n"
        "print(load(Path('config.toml')).jobs['a'].timezone)\n"
    )
    environ = os.environ | {"TZ": "Asia/Kathmandu", "PYTHONPATH": str(SAMPLE.parent)}
    answer = subprocess.run(
        [sys.executable, "-c", program], env=environ, capture_output=True, text=True, check=True
    )
    assert answer.stdout == "Asia/Kathmandu\n"


# tzlocal looks into /etc, which no test may change: its answer is all that is replaced here.
@pytest.mark.parametrize("name", [None, "Mars/Olympus"], ids=["no name", "an unknown name"])
def test_a_host_whose_zone_has_no_name_is_taken_for_utc_with_a_warning(write, monkeypatch, name):
    monkeypatch.setattr("cronverifyd.config.build.get_localzone_name", lambda: name)
    config = load(write(JOB), environ={})
    assert config.daemon.timezone == "UTC"
    assert (
        "config.toml:1: daemon.timezone: the host's time zone has no name that is known here: "
        "UTC is taken"
    ) in config.warnings


def test_a_service_on_this_host_may_deliver_to_this_host(write):
    text = """\
[cueapi]
base_url = "http://127.0.0.1:8700"
webhook_url = "http://127.0.0.1:8400/verify"
"""
    config = load(write(text), environ={})
    assert config.cueapi.webhook_url == "http://127.0.0.1:8400/verify"
