"""Alarms: heard everywhere, never of a person, never a flood, and never in anybody's way."""

import logging
import math
import time
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger import alarms
from ledger.alarm_hook import MOST_WAITING, Hook, check_hook
from ledger.alarms import MOST, Alarms
from models.installation import InstallationError
from models.logs import FIELDS
from resolvers.operating.operating import OperatingSettings
from tests.operations.conftest import Hooked, until

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


class Clock:
    def __init__(self):
        self.now = NOON

    def __call__(self):
        return self.now


def sounding(**more):
    """Alarms, and what they recorded."""
    rows, clock = [], Clock()
    return Alarms(clock, rows.append, **more), rows, clock


def test_an_alarm_is_a_row_a_count_and_one_line_of_the_log(caplog):
    counted = []
    alarms, rows, _ = sounding(count=counted.append)
    with caplog.at_level(logging.ERROR, "needful.alarms"):
        alarms.sound("BUDGET", role="insurer", count=3)
    (row,) = rows
    assert (row.kind, row.code, row.at, row.detail) == ("ALARM", "BUDGET", NOON, {"role": "insurer", "count": 3})
    assert counted == ["BUDGET"]
    (line,) = caplog.records
    assert getattr(line, FIELDS) == {"code": "BUDGET", "role": "insurer", "count": 3}


def test_the_same_is_heard_once_a_minute_and_then_says_how_many_were_held_back():
    counted = []
    alarms, rows, clock = sounding(count=counted.append)
    for _ in range(5):
        alarms.sound("LATE", rows=1)
    alarms.sound("LATE", rows=2)
    assert [row.detail for row in rows] == [{"rows": 1}, {"rows": 2}]
    clock.now += timedelta(seconds=61)
    alarms.sound("LATE", rows=1)
    assert rows[-1].detail == {"rows": 1, "suppressed": 4}
    assert len(counted) == 7


@given(st.sets(st.integers(0, 10_000), min_size=MOST - 5, max_size=MOST + 40))
def test_however_many_there_are_a_minute_has_no_more_than_its_share(details):
    alarms, rows, _ = sounding()
    for one in details:
        alarms.sound("LATE", rows=one)
    assert len(rows) == min(MOST, len(set(details)))


@given(st.one_of(st.text(), st.floats(), st.integers(), st.none(), st.lists(st.text())))
def test_no_detail_can_be_a_sentence_a_name_or_a_number_that_is_none(detail):
    alarms, rows, _ = sounding()
    alarms.sound("ODD", detail=detail)
    (row,) = rows
    told = row.detail["detail"]
    assert told == "?" or isinstance(told, int) or (isinstance(told, float) and math.isfinite(told)) or told.isascii()
    assert " " not in str(told)


@pytest.mark.parametrize("text", ["王伟", "138 0013 8000", "a@b.cn", "x" * 65, "", "two words", "line\nbreak"])
def test_what_may_be_personal_reads_as_a_question_mark(text):
    alarms, rows, _ = sounding()
    alarms.sound("ODD", who=text)
    assert rows[0].detail == {"who": "?"}


def test_an_alarm_never_raises(caplog):
    def broken(*_):
        raise ValueError("13800138000")

    Alarms(Clock(), broken, broken).sound("ODD", x=1)
    Alarms(broken).sound("ODD")
    Alarms(Clock(), broken).sound("no code")
    assert "13800138000" not in caplog.text
    assert "could not be sounded everywhere: ValueError" in caplog.text


@pytest.mark.parametrize("broken", ["count", "record", "log", "hook"])
def test_what_goes_wrong_in_one_place_keeps_an_alarm_from_no_other(broken, caplog, monkeypatch):
    heard = []

    class Place:
        def __init__(self, name):
            self.name = name

        def __call__(self, *_, **__):
            if self.name == broken:
                raise RuntimeError("13800138000")
            heard.append(self.name)

        tell = __call__

    real, log = alarms._log.error, Place("log")
    monkeypatch.setattr(
        alarms._log, "error", lambda text, *given, **_: log() if given == ("LATE",) else real(text, *given)
    )
    Alarms(Clock(), Place("record"), Place("count"), Place("hook")).sound("LATE")
    assert heard == [name for name in ("count", "record", "log", "hook") if name != broken]
    assert "could not be sounded everywhere: RuntimeError" in caplog.text
    assert "13800138000" not in caplog.text


def test_the_hook_is_told_again_until_it_takes_it():
    hooked = Hooked()
    hooked.refuse = 2
    hook = Hook(hooked.url, pauses=(0.01, 0.01))
    begun = time.monotonic()
    Alarms(Clock(), hook=hook).sound("LATE", rows=1)
    assert time.monotonic() - begun < 0.5
    until(lambda: hooked.bodies)
    assert hooked.bodies == [{"code": "LATE", "at": "2026-11-23T12:00:00.000000Z", "detail": {"rows": 1}}]
    hook.close()
    hooked.close()


def test_a_hook_that_does_not_answer_holds_nobody_up_and_its_address_is_in_no_log(caplog):
    hook = Hook("http://127.0.0.1:1/secret", pauses=(0.01,))
    begun = time.monotonic()
    for number in range(3 * MOST_WAITING):
        hook.tell({"code": str(number)})
    hook.close(within=0.2)
    assert time.monotonic() - begun < 2
    assert "an alarm is lost" in caplog.text
    assert "secret" not in caplog.text


CLEAR = ["http://alarms.example.cn/", "ftp://127.0.0.2/", "alarms.example", "http://10.0.0.1/x"]
ODD = ["http://localhost.example.cn", "https://[::1", "http://a b/", "https://x:y/"]


@pytest.mark.parametrize("url", CLEAR + ODD)
def test_a_hook_in_the_clear_on_the_network_is_refused_and_not_repeated(url):
    with pytest.raises(InstallationError, match="NEEDFUL_ALARM_URL must be") as refused:
        OperatingSettings.read({"NEEDFUL_ALARM_URL": url})
    assert url not in str(refused.value)


@pytest.mark.parametrize(
    "url", ["https://alarms.example.cn/x?y=z", "http://127.0.0.1:9/x", "http://[::1]:9/", "http://localhost/"]
)
def test_an_https_hook_and_one_of_this_machine_are_taken(url):
    assert check_hook(url) == url


@pytest.mark.parametrize("lag", ["0", "-1", "x", "1e3", "99999999"])
def test_a_lag_that_cannot_be_is_refused(lag):
    with pytest.raises(InstallationError, match="NEEDFUL_SEALER_LAG must be"):
        OperatingSettings.read({"NEEDFUL_SEALER_LAG": lag})
