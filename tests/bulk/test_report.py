"""The report of a bulk send: it adds up, it exports every recipient, it hides numbers where people do not expect them."""

from __future__ import annotations

import csv
import errno
import io
import json
import os
import stat
import tempfile
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest

from callsavvy_async.bulk.chunks import Chunk
from callsavvy_async.bulk.recipients import Recipient, Skipped, SkipReason
from callsavvy_async.bulk.report import BulkReport, ChunkResult, ChunkState, ReportError, StopReason
from callsavvy_async.bulk.spool import IN_MEMORY, Spool
from callsavvy_async.errors import BadRequestError, InvalidRequestError, Outcome
from callsavvy_async.resources.sends import SendReceipt
from tests.profiles import mostly_long


def report_of_three() -> BulkReport:
    report = BulkReport(given=3, input_complete=True)
    one, two = Recipient("+2348000000001", {}, 1), Recipient("+2348000000002", {}, 2)
    receipt = SendReceipt(message_id="m1", cost=Decimal("2.5"))
    report.settle(ChunkResult(Chunk(1, "Hello", (one,)), ChunkState.ACCEPTED, receipt))
    error = BadRequestError(
        "422", endpoint="sendSMS", outcome=Outcome.REJECTED, message="Invalid recipient: +2348000000002"
    )
    report.settle(ChunkResult(Chunk(2, "Hello", (two,)), ChunkState.REJECTED, error=error))
    report.skip(Skipped(3, "=HYPERLINK(1)", SkipReason.INVALID, "it holds letters."))
    return report


def test_it_adds_up_or_raises():
    """The sum of all states is the number given, or check() says by how much it is not."""
    report = report_of_three()
    report.check()
    report.accepted += 1
    with pytest.raises(ReportError, match="3 recipients add up to 4"):
        report.check()


def test_csv_has_one_row_per_recipient_and_runs_nothing(tmp_path):
    """Every recipient, in clear; what a spreadsheet would run is defused; only the owner may read it."""
    path = tmp_path / "report.csv"
    report_of_three().to_csv(path)
    rows = list(csv.DictReader(path.read_text("utf-8-sig").splitlines()))
    assert [(r["row"], r["recipient"], r["outcome"], r["request"], r["message_id"]) for r in rows] == [
        ("1", "+2348000000001", "accepted", "1", "m1"),
        ("2", "+2348000000002", "rejected", "2", ""),
        ("3", "'=HYPERLINK(1)", "skipped: invalid", "", ""),
    ]
    assert "+2348000000002" not in rows[1]["detail"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_jsonl_has_one_object_per_recipient(tmp_path):
    """The same rows as JSON, values as they are."""
    path = tmp_path / "report.jsonl"
    report_of_three().to_jsonl(path)
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    assert [r["recipient"] for r in rows] == ["+2348000000001", "+2348000000002", "=HYPERLINK(1)"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_an_old_file_becomes_private_too(tmp_path):
    """A report written over a file that others could read is closed to them."""
    path = tmp_path / "report.csv"
    path.write_text("old")
    path.chmod(0o644)
    report_of_three().to_csv(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_report_of_one_is_in_the_singular():
    """One recipient, one request, one unit, one 429: each noun agrees with its count."""
    report = BulkReport(given=1, accepted=1, requests=1, cost=Decimal(1), rate_limited=1, input_complete=True)
    assert str(report).splitlines()[:2] == ["1 recipient given", "  1 accepted in 1 request"]
    assert "cost as reported: 1 unit; 0.0 s; 1 rate-limited response" in str(report)


def test_text_and_sums_name_no_number():
    """str, repr and as_dict are for logs: no number, no text."""
    report = report_of_three()
    shown = f"{report} {report!r} {json.dumps(report.as_dict())} {list(report.rows())!r}"
    assert "+234800" not in shown.replace("+234*", "")
    assert "Hello" not in shown
    assert "1 accepted in 2 requests" in str(report)
    assert "1 skipped (1 invalid)" in str(report)
    assert report.as_dict()["cost"] == "2.5"
    assert report.as_dict()["skipped"] == {"invalid": 1}
    assert not report.complete
    assert list(report.message_ids()) == ["m1"]


def test_why_it_stopped_is_said():
    """An early stop and an unread rest stand in the text."""
    report = BulkReport(stopped=StopReason.BALANCE)
    assert "stopped early: the account's balance is used up" in str(report)
    assert "not read to its end" in str(report)
    assert report.as_dict()["stopped"] == "the account's balance is used up"


def test_spool_is_read_while_it_grows():
    """Reading does not disturb writing, in memory and on the disk."""
    spool = Spool()
    count = IN_MEMORY // 40
    for n in range(count):
        spool.append(("accepted", n, None, "", [(n, "+2348000000000")]))
    seen = []
    for line in spool:
        seen.append(line[1])
        if line[1] == 5:
            spool.append(("late", count, None, "", []))
    assert seen == list(range(count + 1))


@pytest.mark.parametrize("room", mostly_long([IN_MEMORY // 2, IN_MEMORY + 5_000, 0], quick=2))
def test_what_a_full_disk_does_not_take_stays_in_memory(room, monkeypatch, tmp_path):
    """Before, while or after the spool moves to the disk: every line is read back, also one that was taken by half."""

    class FullDisk(io.FileIO):
        def write(self, data):
            left = room - self.tell()
            if left <= 0:
                raise OSError(errno.ENOSPC, "full")
            return super().write(bytes(data[:left]))

    monkeypatch.setattr(tempfile, "TemporaryFile", lambda **_: FullDisk(tmp_path / "spool", "w+"))
    spool, count = Spool(), IN_MEMORY // 30
    for n in range(count):
        spool.append(("accepted", n, None, "", [(n, "+2348000000000")]))
    assert [line[1] for line in spool] == list(range(count))


@pytest.mark.parametrize(
    ("cost", "without", "said"),
    [
        ("0", 0, "cost as reported: 0 units"),
        ("4", 0, "cost as reported: 4 units"),
        ("0", 3, "cost: not reported"),
        ("4", 1, "cost: 4 and more (1 reported none)"),
    ],
)
def test_a_cost_that_was_not_reported_is_no_zero(cost: str, without: int, said: str) -> None:
    """WhatsApp answers no cost (quirk Q48): nobody reads "0 units" as "free"."""
    report = BulkReport(cost=Decimal(cost), requests_without_cost=without)
    assert report.reported_cost in said
    assert f"{said}\n" in str(report)
    report.elapsed = 2.0
    assert f"{said}; 2.0 s; 0 rate-limited responses\n" in str(report)


def test_sums_that_no_run_made_have_no_duration() -> None:
    """A journal does not keep it: "0.0 s; 0 rate-limited responses" would be wrong."""
    report = BulkReport()
    assert "rate-limited" not in str(report)
    assert (report.as_dict()["elapsed"], report.as_dict()["rate_limited"]) == (None, None)


def test_a_device_takes_no_report() -> None:
    """A report on a device would be lost; only a file or a pipe is written to."""
    with pytest.raises(InvalidRequestError, match="/dev/null is a device; name a file"):
        report_of_three().to_csv("/dev/null")


def test_a_pipe_takes_a_report(tmp_path):
    """Only a regular file is made private; a pipe keeps its mode."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe, 0o640)
    with ThreadPoolExecutor() as pool:
        read = pool.submit(pipe.read_text, "utf-8-sig")
        report_of_three().to_csv(pipe)
    assert read.result().startswith("row,recipient,outcome")
    assert stat.S_IMODE(pipe.stat().st_mode) == 0o640
