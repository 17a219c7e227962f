"""A stand-in for CueAPI, a client for it, and a plan to sync."""

from datetime import UTC, datetime

import pytest

from cronverifyd.cue.client import CueApi
from cronverifyd.cue.plan import plan, read_usage
from cronverifyd.cue.sync import Done, sync
from cronverifyd.cue.wanted import Setting
from tests.cueapi.standin import Clock, Standin

NOON = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
WEBHOOK = Setting(
    instance="web1", transport="webhook", url="https://cron.example.com/verify", secret="s3cret"
)
WORKER = Setting(instance="web1", transport="worker")


@pytest.fixture
def clock():
    return Clock(NOON)


@pytest.fixture
def service(clock):
    with Standin(clock, rate=10_000, allow_loopback=True) as running:
        yield running


@pytest.fixture
def client(service):
    with CueApi(service.url, service.api_key) as client:
        yield client


@pytest.fixture
def syncing(service, client):
    """Sync jobs to the end; give the errors, the plan that is left, and what was asked."""

    def run(*jobs, setting=WEBHOOK):
        usage = read_usage(client.usage())

        def look(cues):
            return plan(jobs, setting, cues, usage)

        first = look(client.cues())
        service.requests.clear()
        told = list(sync(client, first, look))
        errors = [each.error for each in told if isinstance(each, Done) and each.error]
        return errors, told[-1].plan

    return run
