"""Who takes what is told of a job: by severity, by tags, by the job's own word."""

import pytest

from cronverifyd.config.load import load
from cronverifyd.model import Severity

CHANNELS = """\
[channels.ops]
kind = "console"
severity = ["critical"]
[channels.money]
kind = "console"
tags = ["billing", "payroll"]
"""


@pytest.mark.parametrize(
    ("job", "severity", "channels"),
    [
        pytest.param("", "critical", ["ops"], id="no tag"),
        pytest.param('tags = ["billing"]', "critical", ["ops", "money"], id="a tag"),
        pytest.param(
            'tags = ["billing"]', "info", ["money"], id="a tag, and too low for the other"
        ),
        pytest.param('tags = ["night"]', "critical", ["ops"], id="another tag"),
        pytest.param('channels = ["money"]', "critical", ["money"], id="named by the job"),
        pytest.param('channels = ["ops"]', "info", [], id="named, but too low"),
    ],
)
def test_a_channel_takes_what_it_wants(write, job, severity, channels):
    config = load(write(f'{CHANNELS}[jobs.a]\nschedule = "06:00"\n{job}\n'), environ={})
    assert config.scope().route(Severity(severity), config.jobs["a"]) == channels


def test_what_is_about_no_job_goes_to_channels_without_tags(write):
    config = load(write(CHANNELS + '[jobs.a]\nschedule = "06:00"\n'), environ={})
    assert config.scope().route(Severity.CRITICAL) == ["ops"]


def test_a_job_whose_alerts_nobody_takes_is_warned_of(write):
    config = load(write(CHANNELS + '[jobs.a]\nschedule = "06:00"\nseverity = "info"\n'), environ={})
    assert config.warnings == (
        "config.toml:7: jobs.a: no channel takes its alerts: none wants info ones of it",
    )


def test_a_heartbeat_is_read_with_its_default(write):
    text = '[heartbeat]\nurl = { env = "HEART" }\n[jobs.a]\nschedule = "06:00"\n'
    config = load(write(text), environ={"HEART": "https://hc.example.com/ping/secret"})
    assert (config.heartbeat.url.env, config.heartbeat.every_s) == ("HEART", 60.0)
    assert load(write('[jobs.a]\nschedule = "06:00"\n'), environ={}).heartbeat is None
