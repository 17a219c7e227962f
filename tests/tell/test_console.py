"""Alerts as plain text."""

import io

from cronverifyd.model import DeliveryResult
from cronverifyd.tell.console import ConsoleSender, render
from tests.tell.builders import alert, failed, notice, recovered


def test_a_failed_run_is_told_whole():
    assert render(failed()) == (
        "[CRITICAL] db-backup failed\n"
        "  due       Tue 24 Nov 2026 03:00 CET (02:00 UTC)\n"
        "  expected  status success by 03:50 CET\n"
        '  seen      ended with status "failed" (exit code 1) at 03:00:04 after 4 s,'
        ' expected "success"\n'
        "  error     pg_dump: connection refused\n"
        "  run       exit code 1, took 4.2 s, started Tue 24 Nov 2026 03:00 CET\n"
        "            | dumping app\n"
        "            | pg_dump: error: connection to server failed\n"
        "  since     Tue 24 Nov 2026 03:00:05 CET, 1 bad slot\n"
        "  look      cronverifyd why db-backup\n"
        "  runbook   https://wiki.example.com/db-backup?a=1&b=2\n"
        "  note      incident k3v7qd2m on web1\n"
    )


def test_a_missed_run_found_late_says_so():
    assert render(alert(found_late=True, may_repeat=True)) == (
        "[CRITICAL] db-backup did not run\n"
        "  due       Tue 24 Nov 2026 03:00 CET (02:00 UTC)\n"
        "  expected  status success by 03:50 CET\n"
        "  seen      no run for it ended by the deadline 03:50:00 and none for it is running\n"
        "  since     Tue 24 Nov 2026 03:50 CET, 1 bad slot\n"
        "  look      cronverifyd why db-backup\n"
        "  note      incident k3v7qd2m on web1\n"
        "  note      found late: it happened while nobody looked\n"
        "  note      may repeat: it may have been sent before a restart\n"
    )


def test_a_recovery_is_told_as_good_news():
    told = render(recovered())
    assert told.startswith("[OK] db-backup is well again\n")
    assert "  lasted    1 d 20 min (since Tue 24 Nov 2026 03:00:05 CET), 3 bad slots\n" in told


def test_a_notice_is_told():
    assert render(notice()) == (
        "[WARNING] 2 lines of an outcome file were rejected\n"
        "            | state/outcomes.jsonl, byte 120: not JSON\n"
        "            | state/outcomes.jsonl, byte 190: no job\n"
        "  try       look at state/rejected.jsonl\n"
        "  note      web1, Tue 24 Nov 2026 02:50 UTC\n"
    )


def test_nothing_of_a_jobs_text_reaches_the_terminal_as_a_command():
    told = render(failed(error="\x1b[2J\x07x\n[OK] y", output_tail="a\rb\x9b1m\n\x1b]0;t\x07"))
    assert {char for char in told if not char.isprintable()} == {"\n"}
    assert "  error     x [OK] y\n" in told


def test_the_sender_writes_at_once():
    stream = io.StringIO()
    delivery = ConsoleSender(stream).send(failed())
    assert delivery.result is DeliveryResult.SENT
    assert stream.getvalue() == render(failed())


def test_a_stream_that_knows_no_umlaut_gets_question_marks():
    stream = io.TextIOWrapper(io.BytesIO(), "ascii", write_through=True)
    assert ConsoleSender(stream).send(failed(error="für 🔴")).result is DeliveryResult.SENT
    assert b"  error     f?r ?\n" in stream.buffer.getvalue()


def test_a_closed_stream_is_tried_again():
    stream = io.StringIO()
    stream.close()
    assert ConsoleSender(stream).send(alert()).result is DeliveryResult.RETRY


def test_a_full_disk_is_tried_again():
    with (
        io.FileIO("/dev/full", "w") as device,
        io.TextIOWrapper(device, "utf-8", write_through=True) as stream,
    ):
        delivery = ConsoleSender(stream).send(alert())
    assert delivery.result is DeliveryResult.RETRY
    assert "No space left" in delivery.error
