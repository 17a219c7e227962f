"""What holds for all commands: help, the configuration's place, exit codes, and the streams."""

import os
import shutil
import subprocess

import pytest

import cronverifyd
from tests.cli.place import BACKUP
from tests.cli.process import run
from tests.e2e.daemon import cronverifyd as command_line
from tests.e2e.daemon import environment

COMMANDS = [
    ("run",),
    ("check",),
    ("status",),
    ("history",),
    ("why",),
    ("config",),
    ("config", "check"),
    ("config", "import"),
    ("demo",),
]
UNCHECKED = (
    "cronverifyd: nobody has checked lately; due and not judged: db-backup\n"
    "try: cronverifyd run, or cronverifyd check\n"
)
OTHER = '[jobs.other]\nschedule = "0 4 * * *"\n'


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_the_help_of_every_command_shows_an_example(cli, command):
    done = cli(*command, "--help")

    assert done.code == 0
    _, _, examples = done.out.partition("Example")
    assert f"cronverifyd {' '.join(command)}" in examples


def test_the_main_help_names_the_commands_and_the_exit_codes(cli):
    done = cli("--help")

    assert done.code == 0
    assert {name for name, *_ in COMMANDS} <= set(done.out.split())
    words = " ".join(done.out.split())
    assert (
        "Exit codes: 0 all well, 1 some job is not well, 2 usage or configuration error, 3 the"
        " daemon or its state cannot be reached, 4 another daemon holds the state." in words
    )


def test_the_version_is_the_packages(cli):
    assert cli("--version").out == f"cronverifyd, version {cronverifyd.__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param((), "Missing command.", id="nothing at all"),
        pytest.param(("config",), "Missing command.", id="half a command"),
        pytest.param(("statsu",), "No such command 'statsu'.", id="no such command"),
        pytest.param(("why",), "Missing argument 'JOB'.", id="no job"),
        pytest.param(("status", "--jsno"), "No such option", id="no such option"),
    ],
)
def test_wrong_usage_is_one_sentence_with_a_remedy_and_2(cli, arguments, said):
    done = cli(*arguments)

    first, second = done.err.splitlines()
    assert done.code == 2
    assert first.startswith(f"cronverifyd: {said}")
    assert second.startswith("try: cronverifyd")
    assert second.endswith(" --help")
    assert done.out == ""


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(("--config", "{}", "status", "--json"), id="before the command"),
        pytest.param(("status", "--config", "{}", "--json"), id="after the command"),
        pytest.param(("status", "--json", "--config={}"), id="at the end"),
        pytest.param(("--config", "none.toml", "status", "--json", "--config", "{}"), id="both"),
    ],
)
def test_the_configuration_may_be_named_before_and_after_the_command(place, cli, arguments):
    here = place()
    here.look("04:00")
    done = cli(*(argument.format(here.config) for argument in arguments), now="04:00")

    assert [job["job"] for job in done.json["jobs"]] == ["db-backup"]


def test_the_environment_names_the_configuration_and_an_option_outdoes_it(place, cli, monkeypatch):
    here = place()
    here.look("04:00")
    other = here.config.with_name("other.toml")
    shutil.copy(here.config, other)
    other.write_text(other.read_text().replace(BACKUP, OTHER))
    monkeypatch.setenv("CRONVERIFYD_CONFIG", str(other))

    assert [job["job"] for job in cli("status", "--json", now="04:00").json["jobs"]] == ["other"]
    named = cli("status", "--json", "--config", here.config, now="04:00")
    assert [job["job"] for job in named.json["jobs"]] == ["db-backup"]


def test_without_a_name_the_configuration_is_that_of_this_folder(place, cli, monkeypatch):
    here = place()
    here.look("04:00")
    monkeypatch.chdir(here.config.parent)

    assert cli("status", now="04:00").code == 0


@pytest.mark.parametrize(
    "command", [("status",), ("history", "a"), ("why", "a"), ("check",), ("run",)], ids=" ".join
)
def test_a_configuration_that_is_not_there_is_2_for_every_command(cli, tmp_path, command):
    done = cli(*command, "--config", tmp_path / "none.toml")

    assert done.code == 2
    assert f"cronverifyd: {tmp_path}/none.toml: there is no such file\n" in done.err
    assert "\ntry: " in done.err


@pytest.mark.parametrize("command", [("status",), ("history", "a"), ("run",)], ids=" ".join)
def test_a_broken_configuration_is_2_with_all_problems_and_their_lines(cli, tmp_path, command):
    config = tmp_path / "config.toml"
    config.write_text('[jobs.a]\nschedule = "61 * * * *"\ngrace = "-5m"\n')
    done = cli(*command, "--config", config)

    said = done.err.splitlines()
    assert done.code == 2
    assert [line.partition(": jobs.a.")[0] for line in said] == [
        f"cronverifyd: {config}:2",
        f"cronverifyd: {config}:3",
    ]


@pytest.mark.parametrize(
    "command", [("status",), ("history", "db-backup"), ("why", "db-backup")], ids=" ".join
)
def test_without_a_database_it_is_3_with_a_remedy(place, cli, command):
    here = place()
    done = cli(*command, "--config", here.config)

    assert done.code == 3
    assert done.err.startswith(f"cronverifyd: {here.database}: there is no database")
    assert "\ntry: cronverifyd run, or cronverifyd check" in done.err


@pytest.mark.parametrize("command", ["history", "why", "check"])
def test_an_unknown_job_is_2_with_a_suggestion(place, cli, command):
    here = place()
    here.look("04:00")
    done = cli(command, "db-bakup", "--config", here.config)

    assert done.code == 2
    assert done.err == (
        'cronverifyd: no job "db-bakup" (did you mean "db-backup"?)\n'
        "try: cronverifyd status lists the jobs\n"
    )


@pytest.mark.parametrize(
    ("command", "code", "said"),
    [
        pytest.param(("status",), 3, UNCHECKED, id="table"),
        pytest.param(("status", "--json"), 3, UNCHECKED, id="json"),
        pytest.param(("why", "db-backup"), 0, "", id="why"),
        pytest.param(("history", "db-backup"), 0, "", id="history"),
        pytest.param(("config", "check"), 0, "", id="config check"),
    ],
)
def test_a_reader_who_has_seen_enough_changes_nothing(place, command, code, said):
    here = place()
    here.look("04:00")
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        command_line(*command),
        env=environment(CRONVERIFYD_CONFIG=str(here.config)),
        stdout=writer,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        timeout=30,
        check=False,
    )
    os.close(writer)

    assert done.stderr == said
    assert done.returncode == code


@pytest.mark.parametrize("command", [("status",), ("status", "--json")], ids=" ".join)
def test_an_output_that_cannot_be_written_is_one_sentence_and_never_all_well(place, command):
    here = place()
    here.look("04:00")
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            command_line(*command, "--config", here.config),
            env=environment(),
            stdout=full,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            timeout=30,
            check=False,
        )

    assert done.stderr == "cronverifyd: cannot go on: No space left on device\n"
    assert done.returncode == 3


def test_a_closed_output_does_not_change_what_is_found(place):
    here = place()
    here.look("04:00")
    done = subprocess.run(
        ["sh", "-c", 'exec "$@" >&-', "sh", *command_line("status", "--config", here.config)],
        env=environment(),
        stderr=subprocess.PIPE,
        encoding="utf-8",
        timeout=30,
        check=False,
    )

    assert done.stderr.startswith("cronverifyd: nobody has checked lately")
    assert "Traceback" not in done.stderr
    assert done.returncode == 3


def test_a_terminal_that_knows_only_ascii_is_no_error(place):
    here = place(BACKUP.replace("db-backup", "x" * 100))
    here.look("04:00")
    done = run("why", "x" * 100, "--config", here.config, env={"PYTHONIOENCODING": "ascii"})

    assert done.code == 0
    assert done.out.isascii()
