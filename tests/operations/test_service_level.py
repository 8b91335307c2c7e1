"""The service level: a floor that an operator sets, counted exactly, and an alarm when it is broken (C54)."""

import asyncio
import threading
from types import SimpleNamespace

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from authz.seen import seen_in
from models.database import connect_once
from models.installation import InstallationError
from resolvers.operating.observing import Observed, Observers
from resolvers.operating.service_level import SLOTS, LevelWatch, ServiceLevel, Window
from tests.conftest import TLS
from tests.operations.conftest import until

DOCUMENT = "{ claims(first: 1) { edges { node { id diagnosis } } } }"


@given(
    st.sampled_from([3.0, 60.0, 300.0]),
    st.lists(st.tuples(st.integers(0, 2 * SLOTS), st.sampled_from([0.1, 0.5, 0.9]), st.booleans()), max_size=60),
    st.integers(0, 2 * SLOTS),
)
def test_the_window_counts_as_naively_as_one_can(seconds, events, later):
    window, width = Window(seconds), seconds / SLOTS
    events = sorted(events)
    for slot, part, good in events:
        window.add((slot + part) * width, good=good)
    now = (events[-1][0] if events else 0) + later
    within = [good for slot, _, good in events if now - SLOTS < slot <= now]
    assert window.counts((now + 0.95) * width) == (len(within), within.count(False))


FLOORS = ["100% under 1s over 5m", "0% under 1s over 5m", "99% under 0ms over 5m", "99%", "on", "99 under 1s over 5m"]
TIMES = ["99% under 1s over 2000m", "99% under 1s over 0s", "99% under 1 s over 5m", "99% under 1s over 5d"]


@pytest.mark.parametrize("text", FLOORS + TIMES)
def test_a_floor_that_cannot_be_is_refused_with_an_example(text):
    with pytest.raises(InstallationError, match="NEEDFUL_SERVICE_LEVEL must be off, or a floor such as"):
        ServiceLevel.read({"NEEDFUL_SERVICE_LEVEL": text})


def test_a_floor_may_be_switched_off():
    assert ServiceLevel.read({"NEEDFUL_SERVICE_LEVEL": "off"}) is None


def watched(percent="99"):
    heard = []
    floor = ServiceLevel.read({"NEEDFUL_SERVICE_LEVEL": f"{percent}% under 500ms over 60s"})
    watch = LevelWatch(floor, lambda code, **detail: heard.append((code, detail)))
    return watch, heard


def test_below_the_floor_one_alarm_sounds_until_it_has_recovered():
    watch, heard = watched()
    for second in range(10):
        watch.add(second, seconds=0.6, failed=False)
        watch.check(second)
    assert [code for code, _ in heard] == ["SERVICE_LEVEL"]
    assert heard[0][1] == {"percent": 0.0, "requests": 2}
    watch.check(200)
    assert not watch.below
    for second in (300, 301):
        watch.add(second, seconds=0.1, failed=True)
        watch.check(second)
    assert len(heard) == 2


FEW = [("99", 1, 0, False), ("99", 2, 0, True), ("99.9", 1, 99, False), ("90", 10, 0, False), ("90", 11, 0, True)]
MANY = [("99", 10, 990, False), ("99", 11, 989, True)]


@pytest.mark.parametrize("percent, slow, quick, below", FEW + MANY)
def test_one_slow_answer_is_no_alarm_and_more_than_the_floor_allows_are(percent, slow, quick, below):
    watch, heard = watched(percent)
    for place in range(slow + quick):
        watch.add(1.0, seconds=0.6 if place < slow else 0.1, failed=False)
    watch.check(1.0)
    assert bool(heard) is below


def judged(act, *, wait=0.0, path="/graphql"):
    """Whether a request on which an application acts so counts as good; `wait` is what its client takes to send it."""

    class Level:
        def add(self, _, *, seconds, failed):
            found.append(not failed and seconds <= 0.1)

    async def app(scope, receive, send):
        await receive()
        status = await act(seen_in(scope)) or 200
        await send({"type": "http.response.start", "status": status, "headers": []})

    async def receive():
        await asyncio.sleep(wait)

    async def send(_):
        await asyncio.sleep(wait)

    found = []
    silent = SimpleNamespace(request=lambda *_: None, decided=lambda *_: None, note=lambda *_: None)
    observers = Observers(silent, silent, Level(), frozenset())
    asyncio.run(Observed(app, lambda: observers)({"type": "http", "path": path, "method": "POST"}, receive, send))
    return found


async def quick(_):
    pass


async def slow(_):
    await asyncio.sleep(0.15)


async def withheld(seen):
    seen.cells = {("REVEAL", None): 3, ("DENY", "UNAVAILABLE"): 2}


async def unavailable(seen):
    seen.code = "UNAVAILABLE"  # with application/json a 200


async def refused(seen):
    seen.code = "RULESET_BEHIND"
    return 503


async def broken(_):
    return 500


GOOD = [quick, refused]
BAD = [slow, withheld, unavailable, broken]


@pytest.mark.parametrize("act, good", [*((act, True) for act in GOOD), *((act, False) for act in BAD)])
def test_an_answer_is_bad_if_it_was_slow_or_failed_for_our_reasons(act, good):
    assert judged(act) == [good]


def test_a_client_that_is_slow_to_send_or_to_take_is_not_held_against_the_service():
    assert judged(quick, wait=0.15) == [True]


def test_probes_and_metrics_do_not_count():
    assert judged(slow, path="/readyz") == []


def test_c54_injected_latency_is_heard_at_the_hook_in_the_log_the_metrics_and_the_ledger(operated, operated_handler):
    until(lambda: operated.counted("needful_service_level_below") == 0.0)
    alarms = operated.counted("needful_alarms_total", code="SERVICE_LEVEL")
    hooked, rows = len(operated.hook.bodies), len(operated.rows("ALARM"))

    async def hold_up(begun, done):
        owner = await connect_once(operated.database.owner)
        async with owner.transaction():
            await owner.execute("LOCK TABLE claim IN ACCESS EXCLUSIVE MODE")
            begun.set()
            await asyncio.to_thread(done.wait)
        await owner.close()

    begun, done = threading.Event(), threading.Event()
    holding = threading.Thread(target=lambda: asyncio.run(hold_up(begun, done)))
    holding.start()
    begun.wait()

    def ask():
        sent = {"Authorization": f"Bearer {operated_handler}"}
        httpx.post(operated.url, json={"query": DOCUMENT}, headers=sent, verify=TLS, timeout=20)

    asking = [threading.Thread(target=ask) for _ in range(12)]
    for one in asking:
        one.start()
    done.wait(0.6)
    done.set()
    for one in (*asking, holding):
        one.join()

    told = until(lambda: [one for one in operated.hook.bodies[hooked:] if one["code"] == "SERVICE_LEVEL"])
    assert set(told[0]) == {"code", "at", "detail"}
    assert told[0]["detail"]["requests"] >= 2
    lines = [one for one in operated.logged("needful.alarms") if one.get("code") == "SERVICE_LEVEL"]
    assert {one["level"] for one in lines} == {"ERROR"}
    assert operated.counted("needful_alarms_total", code="SERVICE_LEVEL") > alarms
    assert operated.counted("needful_service_level_below") == 1.0
    row = until(lambda: operated.rows("ALARM")[rows:])[0]
    assert (row["code"], row["detail"]["requests"] >= 2) == ("SERVICE_LEVEL", True)
    # It is over by itself once the window has passed, and the log says so.
    until(lambda: operated.counted("needful_service_level_below") == 0.0)
    until(lambda: operated.logged("needful.service_level"))
