"""`cronverifyd cue` against a stand-in for CueAPI: what it shows, changes and writes."""

import json
import stat
from datetime import UTC, datetime

import pytest

from tests.cli.process import has_colour, show, without_style
from tests.cli.process import run as run_process
from tests.cueapi.standin import API_KEY, WEBHOOK_SECRET, Clock, Standin

NOON = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
BACKUP = '[jobs.db-backup]\nschedule = "0 3 * * *"\nmax_duration = "1h"\ngrace = "5m"\n'
REPORT = '[jobs.report]\nschedule = "50 23 * * 1-5"\nmax_duration = "1h"\ngrace = "5m"\n'
BOOT = '[jobs.boot]\nschedule = "@reboot"\n'
NAME = "cronverifyd/testhost/db-backup"
HOOK = 'webhook_url = "https://cron.example.com/verify"'


@pytest.fixture(autouse=True)
def _key(monkeypatch):
    monkeypatch.setenv("CUEAPI_API_KEY", API_KEY)


@pytest.fixture
def service():
    with Standin(Clock(NOON), rate=10_000) as running:
        yield running


@pytest.fixture
def host(place, service):
    """Make a configuration that speaks to the stand-in."""

    def make(jobs=BACKUP, *, transport="worker", more=""):
        cueapi = (
            f'[cueapi]\ntransport = "{transport}"\nbase_url = "{service.url}"\n'
            f'api_key = {{ env = "CUEAPI_API_KEY" }}\n{more}\n'
        )
        here = place(jobs, more=cueapi)
        if transport == "webhook":
            text = here.config.read_text()
            here.config.write_text(text.replace('trigger = "off"', 'trigger = "127.0.0.1:8400"'))
        return here

    return make


def daily(count):
    return "\n".join(f'[jobs.j{n}]\nschedule = "0 {n} * * *"' for n in range(count))


def changes(service):
    return [each.method for each in service.requests if each.method != "GET"]


def test_a_dry_run_shows_what_would_be_done_and_does_nothing(cli, host, service):
    done = cli("cue", "sync", "--dry-run", "--config", host(BACKUP + REPORT + BOOT).config)
    assert (done.code, changes(service)) == (0, [])
    assert f"create   {NAME}  5 4 * * *  UTC  db-backup" in done.lines
    assert "create   cronverifyd/testhost/report  55 0 * * 2-6  UTC  report" in done.lines
    assert "no cue   boot: nobody knows before when this host is booted" in done.lines
    assert "needs 2 cues and up to 54 executions a month" in done.out


def test_a_sync_makes_both_sides_equal_and_a_second_changes_nothing(cli, host, service):
    config = host(BACKUP + REPORT).config
    done = cli("cue", "sync", "--config", config)
    assert done.code == 0
    assert f"created  {NAME}" in done.lines
    assert done.lines[-1] == "both sides are equal"
    assert service.cues[NAME]["payload"]["task"] == "cronverifyd/testhost"
    service.requests.clear()
    again = cli("cue", "sync", "--config", config)
    assert (again.code, changes(service)) == (0, [])
    assert "nothing is to be changed" in again.lines


def test_an_edit_is_shown_as_a_diff(cli, host, service):
    here = host(BACKUP)
    cli("cue", "sync", "--config", here.config)
    here.configure(BACKUP.replace("0 3", "0 4"))
    done = cli("cue", "sync", "--config", here.config)
    assert f"change   {NAME}" in done.lines
    assert "         schedule.cron: 5 4 * * * → 5 5 * * *" in done.lines
    assert f"changed  {NAME}" in done.lines
    here.configure(REPORT)
    done = cli("cue", "sync", "--config", here.config)
    assert f"deleted  {NAME}" in done.lines
    assert list(service.cues) == ["cronverifyd/testhost/report"]


def test_the_json_of_a_sync_says_what_was_made_and_what_is_left(cli, host, service):
    service.provoke("POST", "/v1/cues", 422, body=b'{"detail": "no"}')
    done = cli("cue", "sync", "--json", "--config", host(BACKUP + BOOT).config)
    assert done.code == 1
    said = done.json
    assert said["equal"] is False
    (made,) = said["made"]
    assert (made["do"], made["cue"], made["error"]) == (
        "create",
        NAME,
        "127.0.0.1 answered 422: no",
    )
    assert [each["cue"] for each in said["left"]] == [NAME]
    assert said["without"][0]["job"] == "boot"
    assert said["usage"]["cue_limit"] == 10


def test_a_change_that_failed_is_said_with_what_to_try(cli, host, service):
    body = b'{"error": {"code": "cue_limit_exceeded", "message": "Limit reached"}}'
    service.provoke("POST", "/v1/cues", 403, body=body)
    done = cli("cue", "sync", "--config", host().config)
    assert done.code == 1
    assert f"failed   to create {NAME}: 127.0.0.1 answered 403: Limit reached" in done.lines
    assert "         try: delete cues that nobody needs, or take a larger plan" in done.lines
    assert done.lines[-1] == "1 change left undone"


def test_what_does_not_fit_is_said_before_anything_is_changed(cli, host, service):
    done = cli("cue", "sync", "--config", host(daily(11)).config)
    assert done.code == 1
    warned = next(n for n, line in enumerate(done.lines) if line.startswith("warning"))
    made = next(n for n, line in enumerate(done.lines) if line.startswith("created"))
    assert warned < made
    assert "2 jobs will have no cue, for the plan has no room: j8, j9" in done.out
    assert len(service.cues) == 9


def test_status_shows_both_sides(cli, host, service):
    here = host(BACKUP + REPORT)
    before = cli("cue", "status", "--json", "--config", here.config)
    assert (before.code, before.json["equal"]) == (1, False)
    assert [cue["state"] for cue in before.json["cues"]] == ["absent", "absent"]
    cli("cue", "sync", "--config", here.config)
    assert cli("cue", "status", "--config", here.config).code == 0
    here.configure(BACKUP.replace("0 3", "0 4") + BOOT)
    after = cli("cue", "status", "--json", "--config", here.config)
    states = {cue["cue"].rpartition("/")[2]: cue["state"] for cue in after.json["cues"]}
    assert (after.code, states) == (1, {"db-backup": "differs", "report": "unwanted"})
    (backup, _) = after.json["cues"]
    assert (backup["schedule"], backup["schedule_there"]) == ("5 5 * * *", "5 4 * * *")
    assert backup["differences"] == ["schedule.cron: 5 4 * * * → 5 5 * * *"]
    table = cli("cue", "status", "--config", here.config, now="2026-05-04T12:00:00+00:00")
    assert "in 16 h 5 min" in table.out
    assert "try: cronverifyd cue sync" in table.lines[-1]
    assert changes(service) == ["POST", "POST"]


def test_a_paused_cue_is_a_difference_and_is_resumed(cli, host, service):
    here = host()
    cli("cue", "sync", "--config", here.config)
    (cue,) = service.account.cues.values()
    service.account.patch(cue, {"status": "paused"}, NOON)
    shown = cli("cue", "status", "--config", here.config)
    assert (shown.code, "paused" in shown.out) == (1, True)
    assert "status: paused → active" in cli("cue", "sync", "--config", here.config).out
    assert service.cues[NAME]["status"] == "active"


def test_the_webhook_transport_sends_the_shared_secret_and_shows_it_nowhere(
    cli, host, service, monkeypatch
):
    monkeypatch.setenv("SHARED", "s3cret-of-ours")
    here = host(transport="webhook", more=f'{HOOK}\nshared_secret = {{ env = "SHARED" }}')
    said = cli("cue", "sync", "--json", "--config", here.config)
    assert service.cues[NAME]["callback"]["headers"] == {"X-Cue-Secret": "s3cret-of-ours"}
    monkeypatch.setenv("SHARED", "another-s3cret")
    words = cli("cue", "sync", "--config", here.config)
    assert "callback.headers.X-Cue-Secret: [redacted] → [redacted]" in words.out
    assert "s3cret" not in said.out + said.err + words.out + words.err


def test_without_a_transport_our_cues_are_deleted(cli, host, service):
    here = host()
    cli("cue", "sync", "--config", here.config)
    text = here.config.read_text()
    here.config.write_text(text.replace('transport = "worker"', 'transport = "off"'))
    assert cli("cue", "sync", "--config", here.config).code == 0
    assert service.cues == {}


# ---- what is wrong, and what to try -----------------------------------------------------------


def test_without_a_key_nothing_can_be_asked(cli, place):
    done = cli("cue", "status", "--config", place().config)
    assert done.code == 2
    assert "cueapi.api_key: missing" in done.err
    assert "try: api_key = {" in done.err


def test_a_key_that_is_not_found_is_named_by_its_place(cli, host, monkeypatch):
    monkeypatch.delenv("CUEAPI_API_KEY")
    done = cli("cue", "sync", "--config", host().config)
    assert done.code == 2
    assert "cueapi.api_key: secret not found" in done.err


def test_a_webhook_needs_an_address_to_deliver_to(cli, host):
    done = cli("cue", "sync", "--config", host(transport="webhook").config)
    assert done.code == 2
    assert "cueapi.webhook_url: missing" in done.err
    assert "try: " in done.err


def test_a_shared_secret_that_is_not_found_is_not_taken_for_none(cli, host, service):
    more = f'{HOOK}\nshared_secret = {{ env = "NOT_THERE" }}'
    done = cli("cue", "sync", "--config", host(transport="webhook", more=more).config)
    assert (done.code, changes(service)) == (2, [])


@pytest.mark.parametrize("command", [["sync"], ["status"], ["secret", "-o", "x"]])
@pytest.mark.parametrize(
    ("status", "code", "says"),
    [
        pytest.param(401, 2, "try: set cueapi.api_key", id="key"),
        pytest.param(503, 3, "try: ", id="away"),
        pytest.param(404, 2, "see whether cueapi.base_url is right", id="elsewhere"),
    ],
)
def test_the_services_answer_becomes_an_exit_code(cli, host, service, command, status, code, says):
    service.provoke("GET", "/v1/.*", status, body=b'{"detail": "no"}')
    done = cli("cue", *command, "--config", host().config)
    assert (done.code, done.out) == (code, "")
    assert f"cronverifyd: 127.0.0.1 answered {status}: no\n" in done.err
    assert says in done.err
    assert API_KEY not in done.err


def test_a_service_that_cannot_be_reached_is_exit_code_3(cli, host, service):
    here = host()
    text = here.config.read_text()
    here.config.write_text(text.replace(service.url, "http://127.0.0.1:9"))
    done = cli("cue", "status", "--config", here.config)
    assert done.code == 3
    assert "gave no answer" in done.err


def test_429_is_waited_out_and_said(cli, host, service):
    service.provoke("GET", "/v1/usage", 429, headers={"Retry-After": "1"})
    done = cli("cue", "sync", "--config", host().config)
    assert done.code == 0
    assert done.err == "cronverifyd: CueAPI asks to wait 1 s\n"


# ---- the signing secret -----------------------------------------------------------------------


def test_the_signing_secret_goes_into_a_private_file_and_nowhere_else(cli, host, tmp_path):
    config, output = host().config, tmp_path / "webhook_secret"
    done = cli("cue", "secret", "--output", output, "--config", config)
    assert (done.code, done.out) == (0, "")
    assert output.read_text() == f"{WEBHOOK_SECRET}\n"
    assert stat.S_IMODE(output.stat().st_mode) == 0o600
    assert f'try: cueapi.signing_secrets = [{{ file = "{output}" }}]' in done.err
    assert WEBHOOK_SECRET not in done.err
    assert cli("cue", "secret", "--output", output, "--config", config).code == 0


@pytest.mark.parametrize(
    ("content", "mode"),
    [("whsec_old\n", 0o600), (f"{WEBHOOK_SECRET}\n", 0o644), ("", 0o600)],
    ids=["another secret", "open to others", "empty"],
)
def test_a_file_that_is_there_is_left_as_it_is(cli, host, tmp_path, content, mode):
    output = tmp_path / "webhook_secret"
    output.write_text(content)
    output.chmod(mode)
    done = cli("cue", "secret", "--output", output, "--config", host().config)
    assert (done.code, output.read_text()) == (2, content)
    assert "try: name a new file" in done.err


def test_a_link_is_not_followed(cli, host, tmp_path):
    output = tmp_path / "link"
    output.symlink_to(tmp_path / "elsewhere")
    assert cli("cue", "secret", "-o", output, "--config", host().config).code == 2
    assert not (tmp_path / "elsewhere").exists()


def test_a_folder_that_is_not_there_is_said(cli, host, tmp_path):
    done = cli("cue", "secret", "-o", tmp_path / "no" / "x", "--config", host().config)
    assert (done.code, "cannot be written: No such file" in done.err) == (2, True)


# ---- on a terminal ------------------------------------------------------------------------------


def test_a_terminal_has_colour_and_a_pipe_has_none(host, service):
    config = host().config
    code, text = show("cue", "sync", "--config", config, CUEAPI_API_KEY=API_KEY)
    assert (code, has_colour(text)) == (0, True)
    assert "both sides are equal" in without_style(text)
    env = {"CUEAPI_API_KEY": API_KEY}
    done = run_process("cue", "status", "--config", config, env=env)
    assert (done.code, "\x1b" in done.out) == (0, False)
    assert json.loads(run_process("cue", "status", "--json", "--config", config, env=env).out)


def test_hostile_names_of_the_service_move_no_terminal(cli, host, service):
    here = host()
    cli("cue", "sync", "--config", here.config)
    (cue,) = service.account.cues.values()
    cue.shown["name"] = "cronverifyd/testhost/\x1b[2Jx"
    cue.shown["schedule"]["cron"] = "\x1b]0;x\x07"
    cue.shown["description"] = "\x1b[31m"
    done = cli("cue", "status", "--config", here.config)
    assert (done.code, "\x1b" in done.out) == (1, False)
    assert "\x1b" not in cli("cue", "sync", "--config", here.config).out
