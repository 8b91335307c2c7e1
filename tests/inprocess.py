"""The service in this process, over the suite's database: asked with subjects as they are, caveats and all."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from app import build_service
from authz.callers import Wanted, find_caller
from authz.subjects import Subject
from models.database import connect, connect_once
from models.vocabulary import Category, Purpose, Role, to_bits
from resolvers.operations import Request, Service
from resolvers.problems import RequestRefusedError
from resolvers.serving.settings import Settings
from schema.build import build_schema
from tests.conftest import GENEROUS
from tests.rules import default_rulesets


@dataclass
class InProcess:
    """A service on one event loop, and what a test asks of it."""

    runner: asyncio.Runner
    pool: Any
    service: Service

    def subject(self, role, *, org=None, user=None, purposes, categories=None, **narrowed) -> Subject:
        """A caller of the demo data; `narrowed` are further fields of Subject."""
        names = set(Category) if categories is None else {Category(name) for name in categories}
        wanted = Wanted(Role(role), [Purpose(name) for name in purposes], to_bits(names), org, user)
        found = self.runner.run(find_caller(self.pool, wanted, keyring=self.service.keyring))
        return replace(found, **narrowed)

    def body(self, subject, document, variables=None, purpose=None, operation_name=None, *, service=None) -> dict:
        """The response's body; of a refusal, its errors."""
        asked = Request(document, operation_name, variables)
        return self.runner.run(_body(service or self.service, asked, subject, purpose and Purpose(purpose)))

    def bodies(self, subject, document, times, *, beside=None) -> list[dict]:
        """As many answers, asked for all at once; `beside` asks for them while it does something."""

        async def at_once():
            asked = Request(document)
            asking = [_body(self.service, asked, subject, None) for _ in range(times)]
            return await (beside(asking) if beside else asyncio.gather(*asking))

        return self.runner.run(at_once())


async def _body(service, asked, subject, purpose):
    try:
        return (await service.answer(asked, subject, purpose)).body
    except RequestRefusedError as refusal:
        return {"data": None, "errors": refusal.errors}


def service_over(server, pool, settings=None) -> Service:
    """A service of a server's installation over a pool, the ledger's connection its own, as patient as the suite's."""
    given = settings or Settings(ledger_milliseconds=int(GENEROUS["NEEDFUL_LEDGER_MILLISECONDS"]))
    own = partial(connect_once, server.database.application)
    rulesets = default_rulesets(build_schema())
    return build_service(server.installation, pool, given, connect=own, rulesets=rulesets)


@contextmanager
def in_process(server) -> Iterator[InProcess]:
    """The service over a server's installation and database."""
    with asyncio.Runner() as runner:
        application = connect(server.database.application, max_size=4, shared=False)
        pool = runner.run(application.__aenter__())
        try:
            service = service_over(server, pool)
            yield InProcess(runner, pool, service)
            runner.run(service.recorder.close())
        finally:
            runner.run(application.__aexit__(None, None, None))


def handler(asked, *caveats) -> Subject:
    """A claims handler, who sees everything masked and some revealed."""
    return asked.subject("claims_handler", purposes=["claim_handling"], caveats=caveats)


def shown(body) -> Counter:
    """Cells by effect."""
    found = Counter()
    for one in body["extensions"]["authorization"]["fields"]:
        found[one["effect"]] += one["count"]
    return found


def effects(body) -> dict[str, set[str]]:
    """Effects by coordinate."""
    found = {}
    for one in body["extensions"]["authorization"]["fields"]:
        found.setdefault(one["coordinate"], set()).add(one["effect"])
    return found


def reasons(body) -> dict[str, set[str]]:
    """Reasons by coordinate."""
    found = {}
    for error in body.get("errors", ()):
        found.setdefault(error["extensions"]["coordinate"], set()).add(error["extensions"]["reason"])
    return found
