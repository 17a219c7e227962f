"""What a sync changes: only what differs, whole, and nothing that is not ours."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cronverifyd.cue.plan import (
    Create,
    Delete,
    Usage,
    differences,
    plan,
    read_usage,
    warnings,
)
from cronverifyd.cue.wanted import Setting
from cronverifyd.model import Severity
from tests.builders import job
from tests.cue.conftest import NOON, WEBHOOK, WORKER
from tests.cueapi.account import Account

FREE = Usage(plan="free", cues=0, cue_limit=10, executions=0, execution_limit=300)
NO_LIMIT = Usage()
BACKUP = job(timezone="Europe/Paris")


def shown(account):
    return account.page(100, 0)["cues"]


def applied(account, found):
    """Make the changes of a plan, as the service would."""
    for change in found.changes:
        if isinstance(change, Create):
            account.create(dict(change.body), NOON)
        elif isinstance(change, Delete):
            account.delete(account.cue(change.id))
        else:
            account.patch(account.cue(change.id), dict(change.groups), NOON)
    return shown(account)


def account_with(*jobs, setting=WEBHOOK):
    account = Account(cue_limit=100)
    applied(account, plan(jobs, setting, [], NO_LIMIT))
    return account


def daily(count, hour=None):
    """Make jobs that are due daily, each at an hour of its own unless one is given."""
    at = [number if hour is None else hour for number in range(count)]
    return [
        job(name=f"j{n:02}", schedule=f"{n if hour is None else 0} {h} * * *")
        for n, h in enumerate(at)
    ]


def test_a_cue_is_made_with_everything_that_the_service_would_choose_otherwise():
    (change,) = plan([BACKUP], WEBHOOK, [], NO_LIMIT).changes
    assert change.body == {
        "name": "cronverifyd/web1/db-backup",
        "description": "managed by cronverifyd",
        "schedule": {"type": "recurring", "cron": "5 4 * * *", "timezone": "Europe/Paris"},
        "transport": "webhook",
        "callback": {
            "url": "https://cron.example.com/verify",
            "method": "POST",
            "headers": {"X-Cue-Secret": "s3cret"},
        },
        "payload": {"job": "db-backup", "instance": "web1", "v": 1},
        "retry": {"max_attempts": 10, "backoff_minutes": [1, 2, 5, 10, 15, 30]},
        "on_failure": {"email": True, "webhook": None, "pause": False},
    }


def test_a_workers_cue_has_a_task_and_no_callback():
    (change,) = plan([BACKUP], WORKER, [], NO_LIMIT).changes
    assert change.body["payload"]["task"] == "cronverifyd/web1"
    assert change.body["transport"] == "worker"
    assert "callback" not in change.body


def test_without_a_shared_secret_no_header_is_sent():
    setting = Setting(instance="web1", transport="webhook", url="https://cron.example.com/")
    (change,) = plan([BACKUP], setting, [], NO_LIMIT).changes
    assert change.body["callback"]["headers"] == {}


@pytest.mark.parametrize("setting", [WEBHOOK, WORKER], ids=["webhook", "worker"])
def test_after_a_sync_nothing_is_to_be_changed(setting):
    jobs = [BACKUP, job(name="b", schedule="50 23 * 6 *"), job(name="c", schedule="every 15m")]
    account = account_with(*jobs, setting=setting)
    found = plan(jobs, setting, shown(account), NO_LIMIT)
    assert found.changes == ()
    names = ["b", "b/2", "c", "db-backup"]
    assert found.same == tuple(f"cronverifyd/web1/{name}" for name in names)


@pytest.mark.parametrize(
    ("url", "as_shown"),
    [
        ("https://cron.example.com", "https://cron.example.com/"),
        ("HTTPS://Cron.Example.COM:443/Verify", "https://cron.example.com/Verify"),
    ],
)
def test_a_url_is_compared_as_the_service_writes_it(url, as_shown):
    setting = Setting(instance="web1", transport="webhook", url=url)
    (cue,) = shown(account_with(BACKUP, setting=setting))
    cue["callback"]["url"] = as_shown
    assert plan([BACKUP], setting, [cue], NO_LIMIT).changes == ()


EDITS = [
    pytest.param({"schedule": "0 4 * * *"}, {}, {"schedule"}, id="schedule"),
    pytest.param({"grace_s": 600.0}, {}, {"schedule"}, id="grace"),
    pytest.param({"timezone": "UTC"}, {}, {"schedule"}, id="zone"),
    pytest.param({"expect": ("exit_code == 0",)}, {}, set(), id="what the service need not know"),
    pytest.param({}, {"url": "https://other.example.com/verify"}, {"callback"}, id="address"),
    pytest.param({}, {"secret": "n3w"}, {"callback"}, id="shared secret"),
    pytest.param({}, {"secret": None}, {"callback"}, id="no shared secret"),
]


@pytest.mark.parametrize(("of_job", "of_setting", "groups"), EDITS)
def test_an_edit_sends_only_the_groups_that_differ_each_whole(of_job, of_setting, groups):
    account = account_with(BACKUP)
    setting = Setting(
        **{"instance": "web1", "transport": "webhook", "url": WEBHOOK.url, "secret": "s3cret"}
        | of_setting
    )
    edited = job(**{"timezone": "Europe/Paris"} | of_job)
    found = plan([edited], setting, shown(account), NO_LIMIT)
    assert {group for change in found.changes for group in change.groups} == groups
    cues = applied(account, found)
    assert plan([edited], setting, cues, NO_LIMIT).changes == ()
    assert cues[0]["schedule"]["timezone"] == edited.timezone


DRIFTS = [
    pytest.param({"description": "mine"}, "description", id="description"),
    pytest.param({"status": "paused"}, "status", id="paused by hand"),
    pytest.param({"retry": {"max_attempts": 3}}, "retry", id="retry"),
    pytest.param({"on_failure": {"pause": True}}, "on_failure", id="pause on failure"),
    pytest.param({"payload": {"job": "x", "instance": "web1", "v": 1}}, "payload", id="payload"),
]


@pytest.mark.parametrize(("drift", "group"), DRIFTS)
def test_what_was_changed_at_the_service_is_put_right(drift, group):
    account = account_with(BACKUP)
    (cue,) = account.cues.values()
    account.patch(cue, drift, NOON)
    found = plan([BACKUP], WEBHOOK, shown(account), NO_LIMIT)
    assert [set(change.groups) for change in found.changes] == [{group}]
    assert plan([BACKUP], WEBHOOK, applied(account, found), NO_LIMIT).changes == ()
    assert account.cues[cue.id].next_run is not None


@pytest.mark.parametrize("group", ["on_failure", "retry", "description"])
def test_a_group_that_the_service_does_not_show_is_not_compared(group):
    (cue,) = shown(account_with(BACKUP))
    del cue[group]
    assert plan([BACKUP], WEBHOOK, [cue], NO_LIMIT).changes == ()


@pytest.mark.parametrize(
    "wanted",
    [[], [job(name="other")], [job(enabled=False, timezone="Europe/Paris")]],
    ids=["none", "another", "disabled"],
)
def test_a_cue_that_no_job_needs_is_deleted(wanted):
    found = plan(wanted, WEBHOOK, shown(account_with(BACKUP)), NO_LIMIT)
    (gone,) = [change for change in found.changes if isinstance(change, Delete)]
    assert (gone.name, gone.why) == ("cronverifyd/web1/db-backup", "no longer wanted")
    assert found.changes[0] is gone  # before anything is made


def test_without_a_transport_all_of_ours_are_deleted():
    setting = Setting(instance="web1", transport="off")
    (gone,) = plan([BACKUP], setting, shown(account_with(BACKUP)), NO_LIMIT).changes
    assert isinstance(gone, Delete)


def test_another_transport_is_a_deletion_and_a_new_cue():
    account = account_with(BACKUP)
    found = plan([BACKUP], WORKER, shown(account), NO_LIMIT)
    assert [type(change) for change in found.changes] == [Delete, Create]
    assert plan([BACKUP], WORKER, applied(account, found), NO_LIMIT).changes == ()


FOREIGN = [
    pytest.param({"name": "mine"}, id="another name"),
    pytest.param({"name": "cronverifyd/web10/a"}, id="another instance"),
    pytest.param({"payload": {}}, id="our prefix without the mark"),
    pytest.param({"payload": {"instance": "web1"}}, id="half the mark"),
    pytest.param({"payload": {"instance": "web2", "v": 1}}, id="another's mark"),
    pytest.param({"payload": None}, id="no payload"),
    pytest.param({"payload": "v"}, id="payload is a text"),
    pytest.param({"name": None}, id="no name"),
]


@pytest.mark.parametrize("changed", FOREIGN)
def test_a_foreign_cue_is_left_alone(changed):
    (cue,) = shown(account_with(job(name="a")))
    found = plan([BACKUP], WEBHOOK, [cue | changed], NO_LIMIT)
    assert [type(change) for change in found.changes] == [Create]
    assert found.foreign == 1


def test_a_name_that_a_foreign_cue_has_is_said_and_not_fought_over():
    (cue,) = shown(account_with(BACKUP))
    found = plan([BACKUP], WEBHOOK, [cue | {"payload": {}}], NO_LIMIT)
    assert (found.changes, found.taken) == ((), ("cronverifyd/web1/db-backup",))
    assert not found.complete


def test_what_no_cue_can_serve_is_named_with_its_reason():
    jobs = [job(name="boot", schedule="@reboot"), job(name="fast", schedule="every 10s"), BACKUP]
    found = plan(jobs, WEBHOOK, [], NO_LIMIT)
    assert [change.name for change in found.changes] == ["cronverifyd/web1/db-backup"]
    assert set(found.wish.without) == {"boot", "fast"}
    assert found.complete


def test_a_name_that_the_service_would_refuse_is_not_tried():
    setting = Setting(instance="w" * 240, transport="worker")
    found = plan([BACKUP], setting, [], NO_LIMIT)
    assert found.changes == ()
    assert "more than 255 characters" in found.wish.without["db-backup"]


# ---- what the plan has room for ---------------------------------------------------------------


def test_nine_daily_jobs_fit_the_free_plan():
    found = plan(daily(9), WEBHOOK, [], FREE)
    assert (len(found.changes), found.monthly, found.wish.shared) == (9, 279, False)
    assert warnings(found, FREE) == []


def test_ten_daily_jobs_do_not_fit_a_month_of_31_days():
    found = plan(daily(10), WEBHOOK, [], FREE)
    assert len(found.wish.cues) == 9
    assert list(found.wish.unfit) == ["j09"]
    assert "needs 1 cue and 31 executions a month" in found.wish.unfit["j09"]
    assert not found.complete
    assert "j09" in warnings(found, FREE)[-1]


def test_jobs_that_fall_due_together_share_a_cue_where_room_is_short():
    found = plan(daily(25, hour=3), WEBHOOK, [], FREE)
    (change,) = found.changes
    assert change.body["payload"]["jobs"] == [f"j{n:02}" for n in range(25)]
    assert change.name.startswith("cronverifyd/web1/~")
    assert found.complete
    assert "share one" in warnings(found, FREE)[0]


def test_where_there_is_room_they_do_not():
    found = plan(daily(25, hour=3), WEBHOOK, [], NO_LIMIT)
    assert (len(found.changes), found.wish.shared) == (25, False)


def test_foreign_cues_take_room_paused_ones_too():
    others = [{"id": str(n), "name": f"x{n}", "status": "paused"} for n in range(4)]
    others += [{"id": "9", "name": "over", "status": "completed"}]
    found = plan(daily(9), WEBHOOK, others, FREE)
    assert (len(found.wish.cues), found.room.cues) == (6, 6)


def test_the_severe_come_first_and_then_the_cheap():
    jobs = [
        job(name="often", schedule="every 15m"),
        job(name="info", severity=Severity.INFO),
        job(name="weekly", schedule="0 5 * * 1"),
        *daily(9),
    ]
    found = plan(jobs, WEBHOOK, [], FREE)
    assert set(found.wish.unfit) == {"often", "info"}


def test_a_shared_cue_whose_jobs_change_is_patched_in_its_payload_alone():
    account = Account()
    jobs = daily(12, hour=3)
    applied(account, plan(jobs, WEBHOOK, [], FREE))
    (change,) = plan(jobs[1:], WEBHOOK, shown(account), FREE).changes
    assert set(change.groups) == {"payload"}


def test_when_a_months_executions_are_nearly_used_it_is_said():
    usage = Usage(executions=285, execution_limit=300)
    (said,) = warnings(plan([BACKUP], WEBHOOK, [], usage), usage)
    assert said == "285 of this month's 300 executions are used"


@pytest.mark.parametrize(
    "document",
    [{}, {"cues": 3}, {"cues": {"limit": "10"}}, {"cues": None, "executions": {"limit": -1}}],
)
def test_a_usage_that_says_nothing_limits_nothing(document):
    assert read_usage(document) == Usage()


# ---- the words ----------------------------------------------------------------------------------


def test_a_patch_is_told_as_a_diff_without_secrets():
    account = account_with(BACKUP)
    setting = Setting(instance="web1", transport="webhook", url=WEBHOOK.url, secret="n3w")
    (change,) = plan([job()], setting, shown(account), NO_LIMIT).changes
    assert differences(change) == [
        "schedule.timezone: Europe/Paris → UTC",
        "callback.headers.X-Cue-Secret: [redacted] → [redacted]",
    ]
    assert "s3cret" not in repr(change)
    assert "n3w" not in repr(change) + repr(setting)


JOBS = st.lists(
    st.builds(
        job,
        name=st.sampled_from("abcdefgh"),
        schedule=st.sampled_from(["0 3 * * *", "0 3 * * 1", "every 15m", "@reboot", "0 5 * 6 *"]),
        grace_s=st.sampled_from([0.0, 300.0, 80_000.0]),
        enabled=st.booleans(),
    ),
    max_size=8,
    unique_by=lambda each: each.name,
)
SETTINGS = st.sampled_from([WEBHOOK, WORKER, Setting(instance="web1", transport="off")])
LIMITS = st.builds(
    Usage,
    cue_limit=st.none() | st.integers(0, 12),
    execution_limit=st.none() | st.integers(0, 4_000),
)


@settings(deadline=None, max_examples=100, suppress_health_check=list(HealthCheck))
@given(states=st.lists(st.tuples(JOBS, SETTINGS, LIMITS), min_size=1, max_size=4))
def test_whatever_was_there_one_sync_is_enough_and_keeps_within_the_limits(states):
    account = Account(cue_limit=1_000)
    account.create(
        {
            "name": "mine",
            "transport": "worker",
            "schedule": {"type": "recurring", "cron": "0 0 * * *"},
        },
        NOON,
    )
    for jobs, setting, usage in states:
        cues = applied(account, plan(jobs, setting, shown(account), usage))
        again = plan(jobs, setting, cues, usage)
        assert again.changes == ()
        assert account.named("mine")
        ours = [cue for cue in cues if cue["name"] != "mine"]
        assert usage.cue_limit is None or len(ours) <= max(0, usage.cue_limit - 1)
        assert usage.execution_limit is None or again.monthly <= usage.execution_limit
        served = {name for cue in again.wish.cues for name in cue.jobs}
        named = served | again.wish.without.keys() | again.wish.unfit.keys()
        on = setting.transport != "off"
        assert named == {each.name for each in jobs if each.enabled and on}
        assert isinstance(again.changes, tuple)
