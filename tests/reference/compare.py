"""Runs one operation through the product over HTTP and through the reference, and says where they differ."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Protocol

import httpx

from tests.reference.asking import Examined
from tests.reference.callers import Caller
from tests.reference.operations import Operation, callers, operation, pick
from tests.reference.server import examine, normalise
from tests.reference.world import World

PAGES = 3
"""How many pages of a paged operation are asked for."""

PLANTED = 6
"""Shorter values prove nothing when they are found somewhere."""


class Server(Protocol):
    """The running product, as the tests' fixture offers it."""

    def token(
        self,
        *,
        role: str,
        org: str | None = None,
        user: str | None = None,
        purposes: list[str],
        categories: list[str] | None = None,
    ) -> str:
        """Mint a token."""

    def post(
        self,
        document: str,
        variables: Mapping[str, object] | None = None,
        operation_name: str | None = None,
        *,
        token: str,
        purpose: str,
    ) -> httpx.Response:
        """Send one operation."""


class DifferenceError(AssertionError):
    """The product and the reference disagree, or the product shows what the reference denies."""

    def __init__(self, caller: Caller, asked: Operation, page: int, lines: list[str]) -> None:
        """Tell who asked what, so that it can be asked again."""
        told = (str(caller), asked.document, f"{asked.variables}, page {page}", *lines)
        super().__init__("\n".join(told))


@dataclass
class Comparison:
    """A run of generated operations; what it draws depends on the seed alone."""

    server: Server
    world: World
    random: Random
    hidden: set[str] = field(default_factory=set)
    requests: int = 0
    cells: int = 0

    def __post_init__(self) -> None:
        """Choose the callers of this run."""
        self.callers = callers(self.world, self.random)
        self.tokens: dict[tuple[object, ...], str] = {}

    def __str__(self) -> str:
        """What has been compared so far."""
        return f"{self.requests} requests, {self.cells} decisions, {len(self.hidden)} hidden values"

    def step(self) -> None:
        """One operation of one caller, with its further pages."""
        caller = pick(self.random, self.callers)
        self.run(caller, operation(self.world, caller, self.random))

    def run(self, caller: Caller, asked: Operation) -> None:
        """Compare the answers to one operation; each side continues by its own cursors."""
        cursors: tuple[str | None, str | None] = (None, None)
        for page in range(PAGES):
            given = [dict(asked.variables) for _ in cursors]
            if page and asked.paging is not None:
                for variables, cursor in zip(given, cursors, strict=True):
                    variables[asked.paging.variable] = cursor
            expected = examine(self.world, caller, asked.document, given[0], asked.operation_name)
            answered = self.server.post(
                asked.document,
                given[1],
                asked.operation_name,
                token=self.token(caller),
                purpose=caller.purpose,
            )
            self.requests += 1
            if _unreadable(answered):
                raise DifferenceError(caller, asked, page, [f"status {answered.status_code}, no JSON object"])
            self.compare(caller, asked, page, expected, answered)
            if asked.paging is None:
                return
            cursors = _cursor(expected.response, asked), _cursor(answered.json(), asked)
            if None in cursors:
                return

    def compare(self, caller: Caller, asked: Operation, page: int, expected: Examined, got: httpx.Response) -> None:
        """Raise if the answers differ or a hidden value is found in the response."""
        wanted, found = normalise(expected.response), normalise(got.json())
        if wanted != found:
            raise DifferenceError(caller, asked, page, _differences("", wanted, found))
        self.cells += sum(entry[3] for entry in wanted["authorization"].get("fields", ()))
        shown = json.dumps(expected.response, ensure_ascii=False)
        planted = {value for value in expected.hidden if len(value) >= PLANTED and value not in shown}
        self.hidden |= {value for value in planted if not _common(value)}
        sent = got.text + str(got.headers)
        leaked = [value for value in planted if value in sent or json.dumps(value)[1:-1] in sent]
        if leaked:
            raise DifferenceError(caller, asked, page, [f"{len(leaked)} hidden values are in the response"])

    def token(self, caller: Caller) -> str:
        """The caller's token; one serves all purposes of that caller."""
        known = (caller.role, caller.org_code, caller.username, caller.categories, caller.purposes)
        if known not in self.tokens:
            self.tokens[known] = self.server.token(
                role=caller.role,
                org=caller.org_code,
                user=caller.username,
                purposes=list(caller.purposes),
                categories=sorted(caller.categories),
            )
        return self.tokens[known]

    def logged(self, log: str) -> int:
        """How many of the values hidden in this run stand in a log."""
        return sum(value in log for value in self.hidden)


def _unreadable(answered: httpx.Response) -> bool:
    """Is this no GraphQL response at all?"""
    try:
        return not isinstance(answered.json(), dict)
    except ValueError:
        return True


def _common(value: str) -> bool:
    """Could this be a date, an amount or an address of a machine, which a log has anyway?"""
    return re.fullmatch(r"[\d.:TZ+-]{1,10}|\d{4}-\d\d-\d\dT.*|[\d.]+", value) is not None and not value.isdecimal()


def _cursor(response: dict[str, object], asked: Operation) -> str | None:
    found: object = response.get("data")
    for step in asked.paging.path if asked.paging else ():
        found = found.get(step) if isinstance(found, dict) else None
    return found if isinstance(found, str) else None


def _differences(path: str, wanted: object, found: object) -> list[str]:
    """Where two normalised answers differ, one line each."""
    if isinstance(wanted, dict) and isinstance(found, dict) and wanted.keys() == found.keys():
        return [line for key in wanted for line in _differences(f"{path}.{key}", wanted[key], found[key])]
    if isinstance(wanted, list) and isinstance(found, list):
        if len(wanted) == len(found):
            return [
                line
                for position, pair in enumerate(zip(wanted, found, strict=True))
                for line in _differences(f"{path}[{position}]", *pair)
            ]
        lines = [f"{path} only the reference: {item}" for item in wanted if item not in found]
        lines += [f"{path} only the product: {item}" for item in found if item not in wanted]
        return lines or [f"{path}: {len(wanted)} in the reference, {len(found)} in the product"]
    return [] if wanted == found else [f"{path}: reference {wanted!r}, product {found!r}"]
