"""`cronverifyd doctor` as people and programs call it."""

import socket
import time

import pytest

from tests.cli.process import has_colour, run, show, without_style


def test_a_broken_config_is_a_finding_with_its_remedy(installed):
    installed.path.write_text('[daemon]\ninstnce = "x"\n')
    done = run("doctor", "--config", installed.path)
    assert done.code == 1
    assert "bad" in done.out
    assert f"{installed.path}:2: daemon.instnce: unknown key" in done.out
    assert done.lines[-1].startswith("1 bad")


def test_a_config_that_is_not_there_is_a_finding(installed):
    done = run("doctor", "--json", "--config", installed.folder / "no.toml")
    assert done.code == 1
    assert not done.json["healthy"]
    assert done.json["findings"][0]["check"] == "config"
    assert "cronverifyd config import" in done.json["findings"][0]["remedy"]


def test_a_literal_secret_in_an_open_config_comes_with_its_remedy(installed, paste):
    installed.write('[channels.ops]\nkind = "slack"\nurl = "https://hooks.slack.com/services/x"\n')
    installed.path.chmod(0o644)
    done = run("doctor", "--json", "--config", installed.path)
    assert done.code == 1
    fault = next(each for each in done.json["findings"] if each["level"] == "bad")
    assert "holds a secret, and its mode 0644 is too open" in fault["text"]
    assert "hooks.slack.com" not in done.out
    paste(fault["remedy"])
    after = run("doctor", "--json", "--config", installed.path).json["findings"]
    assert not [each for each in after if "too open" in each["text"]]


def test_every_finding_has_its_four_keys_and_is_counted(installed):
    done = run("doctor", "--json", "--config", installed.path)
    said = done.json
    assert all(each.keys() == {"check", "level", "text", "remedy"} for each in said["findings"])
    for level in ("ok", "warning", "bad"):
        assert said[level] == sum(each["level"] == level for each in said["findings"])
    assert said["healthy"] is (said["bad"] == 0)
    assert done.code == (0 if said["healthy"] else 1)


def test_what_is_not_well_has_a_remedy_in_one_line(installed):
    installed.path.chmod(0o666)
    done = run("doctor", "--config", installed.path)
    assert f"         try: chmod o-w {installed.path}" in done.lines


def test_a_terminal_gets_colours_and_remedies_that_are_not_wrapped(installed):
    installed.path.chmod(0o666)
    code, text = show("doctor", "--config", installed.path, columns=40)
    assert code == 1
    assert has_colour(text)
    assert f"try: chmod o-w {installed.path}\n" in without_style(text)


def test_it_changes_nothing(installed):
    def seen():
        return {
            path: (path.stat().st_mtime_ns, path.stat().st_mode, path.read_bytes())
            for path in installed.folder.rglob("*")
            if path.is_file()
        }

    before = seen()
    assert run("doctor", "--config", installed.path).code in {0, 1}
    assert seen() == before


SUBJECTS = {"config", "state", "outcomes", "disk", "cron", "clock", "zone", "limits", "sqlite"}


def test_every_subject_is_looked_at(installed):
    installed.write('[channels.ops]\nkind = "console"\n', listen='trigger = "127.0.0.1:8"\n')
    said = run("doctor", "--json", "--config", installed.path).json["findings"]
    more = {"database", "daemon", "listener", "wrapper", "channel"}
    assert {each["check"] for each in said} >= SUBJECTS | more


def test_an_address_that_swallows_all_costs_some_seconds_only(installed):
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()
        port = deaf.getsockname()[1]
        url = f"http://127.0.0.1:{port}"
        installed.write(
            f'[cueapi]\ntransport = "worker"\nbase_url = "{url}"\napi_key = "k"\n',
            listen=f'trigger = "127.0.0.1:{port}"\nstatus = "off"\n',
        )
        before = time.monotonic()
        code, text = show("doctor", "--config", installed.path)
        assert time.monotonic() - before < 12
    assert code == 1
    assert "looking at what answers" in text
    assert "in other hands" in " ".join(without_style(text).split())


@pytest.mark.parametrize("option", ["-h", "--help"])
def test_its_help_has_an_example(option):
    done = run("doctor", option)
    assert done.code == 0
    assert "cronverifyd doctor --json | jq" in done.out
