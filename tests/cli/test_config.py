"""`config check` and `config import`."""

import stat
from pathlib import Path

import pytest

from tests.cli.place import BACKUP

TUTORIAL = Path(__file__).parents[1] / "fixtures" / "cron_config.json"
BROKEN = """\
[jobs.a]
schedule = "61 * * * *"
grace = "-5m"

[jobs.b]
schedul = "0 3 * * *"
"""
SLACK = '[channels.ops]\nkind = "slack"\nurl = { env = "CRONVERIFYD_TESTS_NO_SUCH" }\n'


@pytest.fixture
def config(tmp_path):
    def write(text):
        path = tmp_path / "config.toml"
        path.write_text(text)
        return path

    return write


def test_a_good_configuration_says_what_it_is_and_0(cli, config):
    path = config(BACKUP + '[channels.ops]\nkind = "console"\n')
    done = cli("config", "check", "--config", path)

    assert done.code == 0
    assert done.out == f"{path}: no problems (1 job; alerts go to ops)\n"
    assert done.err == ""


def test_its_document_when_all_is_well(cli, config):
    path = config(BACKUP + '[channels.ops]\nkind = "console"\n')
    done = cli("config", "check", "--json", "--config", path)

    assert (done.code, done.err) == (0, "")
    assert done.json == {"ok": True, "problems": [], "warnings": []}


def test_all_problems_are_listed_at_once_with_their_lines_and_2(cli, config):
    path = config(BROKEN)
    done = cli("--config", path, "config", "check")

    assert (done.code, done.out) == (2, "")
    assert [line.split(": ")[1:3] for line in done.err.splitlines()] == [
        [f"{path}:2", "jobs.a.schedule"],
        [f"{path}:3", "jobs.a.grace"],
        [f"{path}:5", "jobs.b.schedule"],
        [f"{path}:6", "jobs.b.schedul"],
    ]
    assert 'did you mean "schedule"?' in done.err


def test_its_document_lists_the_same_problems(cli, config):
    path = config(BROKEN)
    done = cli("config", "check", "--json", "--config", path)
    said = cli("config", "check", "--config", path).err

    assert done.code == 2
    assert done.json.keys() == {"ok", "problems", "warnings"}
    assert done.json["ok"] is False
    assert [f"cronverifyd: {problem}" for problem in done.json["problems"]] == said.splitlines()


def test_a_warning_is_shown_and_changes_nothing(cli, config):
    path = config(SLACK + BACKUP)
    done = cli("config", "check", "--config", path)
    document = cli("config", "check", "--json", "--config", path).json

    assert done.code == 0
    assert done.err.startswith(f"cronverifyd: warning: {path}:3: channels.ops.url: ")
    assert document["ok"] is True
    assert [f"cronverifyd: warning: {text}\n" for text in document["warnings"]] == [done.err]


def test_a_file_that_is_no_toml_is_one_problem(cli, config):
    path = config("[jobs.a\n")
    done = cli("config", "check", "--json", "--config", path)

    assert done.code == 2
    (problem,) = done.json["problems"]
    assert problem.startswith(f"{path}:1: not valid TOML")


def test_an_import_goes_to_stdout_and_loads(cli, config, monkeypatch):
    monkeypatch.delenv("CUEAPI_WEBHOOK_SECRET", raising=False)
    done = cli("config", "import", TUTORIAL)
    path = config(done.out)
    checked = cli("config", "check", "--config", path)

    assert (done.code, done.err) == (0, "")
    assert checked.code == 0
    assert "no problems (10 jobs; alerts go to console)" in checked.out
    assert "CUEAPI_WEBHOOK_SECRET" in checked.err


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(("config", "import", TUTORIAL, "-o", "{}"), id="-o"),
        pytest.param(("config", "import", "--output", "{}", TUTORIAL), id="--output"),
        pytest.param(("config", "import", TUTORIAL, "--config", "{}"), id="--config after"),
        pytest.param(("--config", "{}", "config", "import", TUTORIAL), id="--config before"),
    ],
)
def test_an_import_goes_to_a_new_file_and_loads(cli, tmp_path, monkeypatch, arguments):
    monkeypatch.setenv("CUEAPI_WEBHOOK_SECRET", "a secret of the tests")
    monkeypatch.setenv("SLACK_WEBHOOK_URL", "http://127.0.0.1:1/services/T0/B0/x")
    new = tmp_path / "new.toml"
    done = cli(*(str(argument).format(new) for argument in arguments))
    checked = cli("config", "check", "--config", new)

    assert (done.code, done.out) == (0, "")
    assert done.err == f"wrote {new}; try: cronverifyd config check --config {new}\n"
    assert stat.S_IMODE(new.stat().st_mode) == 0o640
    assert (checked.code, checked.err) == (0, "")
    assert checked.out == f"{new}: no problems (10 jobs; alerts go to slack)\n"


def test_an_import_leaves_a_file_that_is_there_alone(cli, config):
    path = config("# mine\n")
    done = cli("config", "import", TUTORIAL, "-o", path)

    assert done.code == 2
    assert done.err == f"cronverifyd: {path}: is there already\ntry: name a new file\n"
    assert path.read_text() == "# mine\n"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param(None, "cannot be read: No such file or directory", id="not there"),
        pytest.param(b"\xff{}", "is not UTF-8 at byte 0", id="not UTF-8"),
        pytest.param(b"{", "not valid JSON", id="not JSON"),
        pytest.param(b'{"jobs": [{"name": "a"}]}', "cron_utc: missing", id="half a job"),
    ],
)
def test_what_cannot_be_imported_is_2_and_writes_nothing(cli, tmp_path, content, said):
    source, new = tmp_path / "cron_config.json", tmp_path / "new.toml"
    if content is not None:
        source.write_bytes(content)
    done = cli("config", "import", source, "-o", new)

    assert done.code == 2
    assert done.err.startswith(f"cronverifyd: {source}:")
    assert said in done.err
    assert not new.exists()


def test_an_import_that_cannot_be_written_is_2(cli, tmp_path):
    done = cli("config", "import", TUTORIAL, "-o", tmp_path / "none" / "new.toml")

    assert done.code == 2
    assert done.err == (
        f"cronverifyd: {tmp_path}/none/new.toml: cannot be written: No such file or directory\n"
    )
