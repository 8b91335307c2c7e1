"""What tests of four eyes share: a draft in a database, the people around it, and work that is undone."""

from datetime import UTC, datetime

from authz import ruleset_store
from authz.rules import parse_rule
from authz.tokens import new_subject
from authz.workbench import approvals
from authz.workbench.acts import Actor
from authz.workbench.drafts import Changes
from models.database import connect_once
from models.vocabulary import Purpose, Role
from schema.build import build_schema
from tests.rules import default_snapshot

NOW = datetime(2026, 11, 20, 4, tzinfo=UTC)
CATALOGUE = default_snapshot(build_schema()).catalogue
PEOPLE = {
    "one": Role.SECURITY_ADMIN,
    "two": Role.SECURITY_ADMIN,
    "officer": Role.PRIVACY_OFFICER,
    "auditor": Role.AUDITOR,
}
MACHINE = "machine"


def row(number, *, wide):
    words = ["allow", "customer_service", "policy_service", "assigned", "none", "reveal", "bank_account"]
    return parse_rule([*(words if wide else [*words[:6], "tag"]), f"C{number}"], place="test")


class World:
    """One draft in a database, and the people around it."""

    def __init__(self, connection):
        self.connection = connection
        self.ids = {}
        self.seen = []
        self.rows = 0

    def actor(self, who, role):
        if who == MACHINE:
            return Actor()
        subject = new_subject(role, [Purpose.ADMINISTRATION], categories=0, account=self.ids[who])
        return Actor.of(subject, Purpose.ADMINISTRATION)

    def change(self, *, wide):
        self.rows += 1
        return Changes(add=(row(self.rows, wide=wide),))


async def propose(connection, draft, actor):
    return await approvals.propose(connection, draft, actor=actor, catalogue=CATALOGUE, now=NOW, report=report)


async def report():
    return "{}"


async def overtaken(connection):
    """Somebody else's ruleset comes first."""
    number = await ruleset_store.latest(connection)
    statement = """INSERT INTO ruleset (number, digest, parent, kind, author, reason, manifest, cases, published_at)
    SELECT number + 1, digest, number, 'PUBLISHED', author, reason, manifest, cases, published_at
    FROM ruleset WHERE number = $1"""
    await connection.execute(statement, number)


def run(server, loop, work):
    """Something on the owner's connection, of which nothing stays."""

    found = []

    async def undone():
        connection = await connect_once(server.database.owner)
        try:
            transaction = connection.transaction()
            await transaction.start()
            try:
                found.append(await work(connection))
            finally:
                await transaction.rollback()
        finally:
            await connection.close()

    loop.run_until_complete(undone())
    return found[0]
