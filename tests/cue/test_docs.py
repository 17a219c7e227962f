"""docs/CUEAPI.md: its examples work, and its table of schedules is what comes out."""

import re
from pathlib import Path

import pytest

from cronverifyd.config.load import load
from cronverifyd.cue.timing import timings
from tests.builders import job

TEXT = (Path(__file__).parents[2] / "docs" / "CUEAPI.md").read_text()
EXAMPLES = re.findall(r"```toml\n(.*?)```", TEXT, re.DOTALL)
TABLE = TEXT.partition("| job (deadline")[2].partition("\n\n")[0].splitlines()[2:]


@pytest.mark.parametrize("example", EXAMPLES, ids=["webhook", "worker"])
def test_an_example_is_a_configuration(tmp_path, example):
    path = tmp_path / "config.toml"
    path.write_text(example)
    environ = {"CUEAPI_API_KEY": "cue_sk_1", "CUEAPI_WEBHOOK_SECRET": "whsec_1"}
    assert load(path, environ=environ).cueapi.transport in example


@pytest.mark.parametrize("row", TABLE)
def test_a_row_of_the_table_of_schedules_is_what_comes_out(row):
    of, _, cues = row.strip("| ").partition(" | ")
    schedule = re.search("`(.*?)`", of)[1]
    zone = "UTC" if "UTC" in of else "Europe/Paris"
    found = timings(job(schedule=schedule, timezone=zone))
    elsewhere = re.search(r"in `(.*?)`", cues)
    crons = [each for each in re.findall("`(.*?)`", cues) if " " in each]
    assert sorted(each.cron for each in found.of) == sorted(crons)
    assert {each.timezone for each in found.of} <= {elsewhere[1] if elsewhere else zone}
    assert bool(found.lack) is cues.startswith("none")
