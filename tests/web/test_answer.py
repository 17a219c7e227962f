"""The JSON answer that the trigger, the control socket and `check --json` share."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from cronverifyd.model import BadJob, Verdict, Verified
from cronverifyd.web.answer import answer

SLOT = datetime(2026, 11, 24, 6, 0, tzinfo=ZoneInfo("Europe/Paris"))


def bad(job="invoice-gen", **changed):
    given = {"slot": SLOT, "verdict": Verdict.FAILED, "issue": "exit code 1", "error": None}
    return BadJob(job=job, **(given | changed))


@pytest.mark.parametrize(
    ("checked", "result"),
    [
        (10, "10 jobs checked, all well"),
        (1, "1 job checked, all well"),
        (0, "0 jobs checked, all well"),
    ],
)
def test_when_all_is_well_it_says_so(checked, result):
    assert answer(Verified(checked=checked)) == {
        "success": True,
        "result": result,
        "checked": checked,
        "failures": 0,
        "details": [],
    }


def test_a_bad_job_is_named_with_its_slot_in_its_own_zone():
    assert answer(Verified(checked=10, details=(bad(error="disk full"),))) == {
        "success": False,
        "result": "10 jobs checked, 1 not well: invoice-gen",
        "checked": 10,
        "failures": 1,
        "details": [
            {
                "job": "invoice-gen",
                "slot": "2026-11-24T06:00:00+01:00",
                "verdict": "failed",
                "issue": "exit code 1",
                "error": "disk full",
            }
        ],
    }


def test_the_sentence_names_fifteen_jobs_and_fits_what_cueapi_keeps():
    details = tuple(bad("j" * 98 + f"{n:02}") for n in range(40))
    told = answer(Verified(checked=40, details=details))
    assert told["result"].endswith("14 and 25 more")
    assert len(told["result"]) < 2_000
    assert len(told["details"]) == told["failures"] == 40
