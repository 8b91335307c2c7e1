"""What statistics are counted from, once a month (C40)."""

from collections import defaultdict
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from models.statistics import Counts, Dimension
from privacy.jobs import Turn
from privacy.statistics import (
    LEAST,
    MOST_OF_A_PERSON,
    PUBLISHED,
    quarter_text,
    quarters,
)
from privacy.statistics_releases import (
    RELEASE,
    SHANGHAI,
    counted,
    month_of,
    release,
)
from tests.recorded import as_owner
from vault.keyring import load

# What is counted, once a month.


ROWS = {
    Counts.POLICIES: (
        "SELECT p.id, p.holder_id, p.insured_id, o.code AS insurer, d.code AS product, p.status, p.starts_on AS day"
        " FROM policy p JOIN organization o ON o.id = p.insurer_id JOIN product d ON d.id = p.product_id"
    ),
    Counts.CLAIMS: (
        "SELECT c.id, c.holder_id, c.insured_id, o.code AS insurer, d.code AS product, c.status, c.reported_at AS day"
        " FROM claim c JOIN policy p ON p.id = c.policy_id JOIN organization o ON o.id = c.insurer_id"
        " JOIN product d ON d.id = p.product_id"
    ),
}


def rolled_back(server, work):
    """What some work on the owner's connection gives; nothing of it stays."""

    async def run(connection):
        undone = connection.transaction()
        await undone.start()
        try:
            return await work(connection)
        finally:
            await undone.rollback()

    return as_owner(server, run)


@pytest.mark.parametrize("counts", list(Counts))
def test_c40_groups_are_counted_by_persons_of_whom_each_counts_a_few_times_at_most(server, counts):
    month = month_of(datetime.now(UTC))

    async def both(connection):
        return await counted(connection.fetch, counts, month), await connection.fetch(ROWS[counts])

    found, rows = rolled_back(server, both)
    held, insured, groups = defaultdict(list), defaultdict(list), defaultdict(list)
    rows = sorted((row for row in rows if row["status"] != "DRAFT"), key=lambda row: row["id"])
    for row in rows:
        held[row["holder_id"]].append(row["id"])
        insured[row["insured_id"]].append(row["id"])
    for row in rows:
        if row["id"] in held[row["holder_id"]][:MOST_OF_A_PERSON] and (
            row["id"] in insured[row["insured_id"]][:MOST_OF_A_PERSON]
        ):
            day = row["day"].astimezone(SHANGHAI) if isinstance(row["day"], datetime) else row["day"]
            words = {**row, "quarter": day and quarter_text(day)}
            for table in PUBLISHED:
                if Dimension.QUARTER not in table or words["quarter"] in quarters(month):
                    groups[table, tuple(words[one.lower()] for one in table)].append(row)
    person = "holder_id" if counts is Counts.POLICIES else "insured_id"
    wanted = {
        place: (
            len(some),
            len({row[person] for row in some}),
            min(len({row[name] for row in some}) for name in ("holder_id", "insured_id")),
        )
        for place, some in groups.items()
    }
    assert {(one.table, one.cell): (one.number, one.persons, one.fewest) for one in found} == wanted
    assert len(rows) > len(groups[(), ()]) > 50, "some have more policies than count"


def test_c40_a_release_is_made_once_stays_as_it_is_and_a_second_making_has_other_noise(server):
    keyring = load(server.installation.keyring_path)
    now = datetime(2031, 3, 31, 15, 59, tzinfo=UTC)  # a minute before April in Shanghai
    spread = {}

    async def work(connection):
        made = []
        for moment in (now, now + timedelta(seconds=30), now + timedelta(minutes=1)):
            found = await release(connection.fetch, keyring, least=LEAST, now=moment)
            told = await connection.fetch("SELECT * FROM statistics_figure WHERE month = $1", found.month)
            made.append((found, [tuple(row) for row in told]))
            # What changes meanwhile is told by the next release.
            await connection.execute("UPDATE policy SET status = 'LAPSED' WHERE status = 'GRACE'")
        salt = "SELECT salt FROM statistics_release WHERE month = $1"
        spread["first"] = await connection.fetchval(salt, made[0][0].month)
        await connection.execute("TRUNCATE statistics_release CASCADE")
        await release(connection.fetch, keyring, least=LEAST, now=now)
        spread["again"] = await connection.fetchval(salt, made[0][0].month)
        turn = Turn(connection, keyring, None, server.installation, now, print)
        return made, [dict(await RELEASE.work(one)) for one in (turn, replace(turn, now=now + timedelta(days=40)))]

    made, jobs = rolled_back(server, work)
    assert made[0] == made[1]
    assert [found.month for found, _ in made] == [date(2031, 3, 1), date(2031, 3, 1), date(2031, 4, 1)]
    assert made[0][0].next == date(2031, 4, 1)
    assert spread["first"] != spread["again"]
    assert jobs == [{"releases": 0}, {"releases": 1}]
