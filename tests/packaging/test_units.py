"""The units as systemd itself judges them, and their words against its words."""

import json
import re
from itertools import pairwise

import pytest

from .conftest import ROOT, needs, run

UNIT = ROOT / "cronverifyd.service"
DEAD = ROOT / "packaging" / "cronverifyd-dead@.service"


@pytest.fixture
def analyze():
    return needs("systemd-analyze")


@pytest.fixture
def placed(tmp_path):
    """Give the units as they are installed under a prefix where their programs are."""
    for place in ("bin/cronverifyd", "lib/cronverifyd/tell-dead"):
        program = tmp_path / place
        program.parent.mkdir(parents=True)
        program.touch(mode=0o755)
    units = tmp_path / "system"
    units.mkdir()
    for unit in (UNIT, DEAD):
        (units / unit.name).write_text(unit.read_text().replace("/usr/local", str(tmp_path)))
    return units


def weights(analyze, unit):
    """Give what weighs on a unit, by setting: sums of tenths, as systemd counts them."""
    done = run(analyze, "security", "--offline=true", "--json=short", unit)
    found = {}
    for row in json.loads(done.stdout):
        if row["exposure"] is not None:
            setting = re.match(r"\w+=", row["name"])[0]
            found[setting] = found.get(setting, 0) + round(float(row["exposure"]) * 10)
    return found


@pytest.mark.parametrize(("unit", "tenths"), [(UNIT, 20), (DEAD, 11)], ids=["daemon", "dead"])
def test_what_a_break_in_could_do_stays_little(analyze, unit, tenths):
    done = run(analyze, "security", "--offline=true", "--no-pager", f"--threshold={tenths}", unit)
    assert done.returncode == 0, done.stdout
    done = run(
        analyze, "security", "--offline=true", "--no-pager", f"--threshold={tenths - 1}", unit
    )
    assert done.returncode != 0, "it is better than that: lower the number"


def test_every_setting_that_weighs_is_explained_in_the_unit(analyze):
    explained = re.findall(r"^# (\w+=) +(\d)\.(\d)   \w", UNIT.read_text(), re.MULTILINE)
    said = {setting: int(whole) * 10 + int(tenth) for setting, whole, tenth in explained}
    assert said == weights(analyze, UNIT)


def test_systemd_finds_no_fault_in_the_units(analyze, placed):
    units = [placed / UNIT.name, placed / "cronverifyd-dead@cronverifyd.service.service"]
    units[1].symlink_to(placed / DEAD.name)
    done = run(analyze, "verify", "--man=no", "--recursive-errors=one", *units)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_a_fault_in_a_unit_would_be_found(analyze, placed):
    unit = placed / UNIT.name
    unit.write_text(unit.read_text().replace("RestartSec=", "RestartSecs="))
    assert "RestartSecs" in run(analyze, "verify", "--man=no", unit).stderr


@pytest.mark.parametrize(
    "line",
    [
        pytest.param("ProtectProc=invisible", id="running jobs would be invisible"),
        pytest.param("PrivateUsers=yes", id="owners of files would be nobody"),
        pytest.param("ProtectHome=yes", id="artifacts in homes would be invisible"),
        pytest.param("PrivateTmp=yes", id="artifacts in /tmp would be invisible"),
        pytest.param("DynamicUser=yes", id="its state would be out of the jobs' reach"),
    ],
)
def test_what_would_blind_the_daemon_is_not_set(line):
    assert line not in UNIT.read_text().splitlines()


def test_every_setting_of_the_sandbox_has_its_reason():
    lines = UNIT.read_text().partition("# --- who it is")[2].partition("[Install]")[0].splitlines()
    bare = [
        line for above, line in pairwise(lines) if line and not line.startswith("#") and not above
    ]
    assert bare == []


@pytest.mark.parametrize("unit", [UNIT, DEAD], ids=["daemon", "dead"])
def test_both_units_read_the_same_credential(unit):
    assert "\nLoadCredential=slack_webhook\n" in unit.read_text()
