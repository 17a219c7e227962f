"""An installation of which every kind of row can be seen, verified for real, day by day."""

from datetime import timedelta

from tests.builders import at, finished, started
from tests.web.board import Board

DAYS = 20
TODAY = at("2024-05-15T00:00:00")
HOSTILE = (
    "\x1b[31mred\x1b[0m \x1b]0;title\x07 <script>alert(1)</script> <img src=x onerror=alert(2)>"
    " \u202eevil\u202c {{ 7*7 }} </pre></html> \u0000\u0007 javascript:alert(3)\n"
)
JOBS = """
[jobs.db-backup]
schedule = "0 3 * * *"
timezone = "Europe/Paris"
max_duration = "45m"
grace = "5m"
runbook = "https://wiki.example.com/db-backup"
expect = ["duration > 30s", "output lacks 'ERROR'"]

[jobs.invoice-gen]
schedule = "15 2 * * *"
max_duration = "10m"

[jobs."mirror-sync-of-a-name-that-is-longer-than-others.internal"]
schedule = "30 4 * * *"
max_duration = "30m"

[jobs.log-rotate]
schedule = "0 0 * * *"
timezone = "America/New_York"

[jobs.report]
schedule = "0 5 * * 1-5"
tolerate = 3

[jobs.cleanup]
schedule = "every 6h"
max_duration = "20m"
grace = "1m"

[jobs.yearly]
schedule = "0 0 1 1 *"

[jobs.resting]
schedule = "0 1 * * *"
enabled = false
"""


def scene(folder, days=DAYS):
    """Live through some days, and stop at noon of the last one."""
    board = Board(folder, JOBS)
    first = TODAY - timedelta(days=days)
    board.look(first)
    for day in range(days):
        board.look(
            first + timedelta(days=day + 1, hours=11), *_lines(first, day, last=day == days - 1)
        )
    return board


def _lines(first, day, *, last):
    morning = first + timedelta(days=day + 1)
    yield from _ran(
        *("db-backup", morning, 1, 0, 600 + 147 * (day * 7 % 11), day),
        output_tail="pg_dump: ERROR: no space left\n" if day in {11, 12} else "dump complete\n",
        output_lines=1,
        output_bytes=14,
    )
    if not last:
        yield from _ran("invoice-gen", morning, 2, 15, 50 + day * 3 % 17, day)
    status = "failed" if last or day == 9 else "success"
    words = "x" * 300 + "\n" + HOSTILE if status == "failed" else "all in step\n"
    yield from _ran(
        "mirror-sync-of-a-name-that-is-longer-than-others.internal",
        *(morning, 4, 30, 300 + day * 20, day),
        status=status,
        output_tail=words * 4,
        output_bytes=3_200_000,
        **({"exit_code": 23, "error": "rsync: " + HOSTILE} if status == "failed" else {}),
    )
    yield from _ran("log-rotate", morning, 4, 0, 3 + day % 3, day)
    yield from _ran(
        *("report", morning, 5, 0, 5000 if day == 6 else 200, day),
        status="failed" if last or day == 3 else "success",
    )
    for hour in (-12, -6, 0, 6):
        yield from _ran("cleanup", morning, hour, 0, 60 + day, f"{day}.{hour}")


def _ran(job, morning, hour, minute, took_s, run, *, status="success", **keys):
    begun = morning + timedelta(hours=hour, minutes=minute, seconds=2)
    ended = begun + timedelta(seconds=took_s)
    run_id = f"{job[:20]}-{run}"
    yield started(begun.isoformat(), run_id=run_id, job_name=job)
    keys = {"cpu_s": took_s / 3, "max_rss_kb": 48_000 + took_s * 10, "exit_code": 0} | keys
    yield finished(
        ended.isoformat(), status, run_id=run_id, job_name=job, duration_s=float(took_s), **keys
    )
