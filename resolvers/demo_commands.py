"""The commands `demo` and `situations`, and the data that demo mode starts with."""

import argparse
import errno
import json
import os
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, TextIO
from uuid import UUID

from authz.commands import Done
from authz.default_rules import read_necessity
from authz.rulesets import SnapshotOf
from authz.token_keys import TokenKeys
from authz.tokens import mint, utc_now
from models.database import connect, connect_once
from models.demo.load import LoadReport, load_demo
from models.embedded import Database
from models.installation import Installation, InstallationError
from models.vocabulary import Category, to_bits
from privacy.bring_up import bring_up
from privacy.bundles import bundle_of
from resolvers.serving.startup import check_demo
from resolvers.situations import Example, Finder
from resolvers.wards import wards_of
from vault.keyring import load_or_create
from vault.sealing import KeyCache

DEMO_PEOPLE = 1_000
DEMO_SEED = 1


def demo_only(installation: Installation, what: str) -> None:
    """Raises InstallationError outside demo mode; `what` begins its sentence."""
    if not installation.demo:
        message = f"{what} in demo mode only: set NEEDFUL_DEMO=1 if this installation holds demo data."
        raise InstallationError(message)


async def prepare_demo(installation: Installation, found: Database) -> None:
    """Bring the database up to date, and load demo data into one that holds none of anything.

    Raises InstallationError for an installation made outside demo mode.
    """
    async with _demo_owner(installation, found) as owner:
        if not await owner.fetchval("SELECT EXISTS (SELECT FROM demo_load) OR EXISTS (SELECT FROM person)"):
            keyring = load_or_create(installation.keyring_path, demo=installation.demo)
            await load_demo(owner, keyring=keyring, people=DEMO_PEOPLE, seed=DEMO_SEED, progress=_progress(DEMO_PEOPLE))


@asynccontextmanager
async def _demo_owner(installation: Installation, found: Database) -> AsyncIterator[Any]:
    """The owner's connection to a database that is up to date and may hold demo data."""
    await bring_up(found, now=utc_now())
    owner = await connect_once(found.owner)
    try:
        await check_demo(installation, owner)
        yield owner
    finally:
        await owner.close()


def _progress(people: int) -> Callable[[int], None]:
    return lambda done: _tell(f"demo data: {done} of {people} people")


def _tell(how_far: str) -> None:
    print(how_far, file=sys.stderr, flush=True)  # noqa: T201 - for whoever waits at the terminal


def accept_demo(parser: argparse.ArgumentParser) -> None:
    """Declare `demo`'s arguments."""
    parser.set_defaults(act=_load, only="Demo data are loaded")
    parser.add_argument("--people", type=int, default=DEMO_PEOPLE, metavar="N")
    parser.add_argument("--seed", type=int, default=DEMO_SEED, metavar="S")
    parser.add_argument(
        "--plaintext", type=Path, metavar="FILE", help="also write every row, in the clear, as JSON lines"
    )


async def _load(arguments: argparse.Namespace, installation: Installation, found: Database) -> Done:
    """Replace the demo data. Raises InstallationError, DemoRefused."""
    if arguments.people < 1:
        message = "--people takes a number from 1 on."
        raise InstallationError(message)
    report = await _replace(arguments, installation, found)
    return Done(
        {"people": report.people, "rows": report.rows, "peoplePerSecond": round(report.people_per_second)},
        f"Loaded {report.people} people, {sum(report.rows.values())} rows: {report.people_per_second:.0f} people/s.",
    )


async def _replace(arguments: argparse.Namespace, installation: Installation, found: Database) -> LoadReport:
    async with _demo_owner(installation, found) as owner:
        keyring = load_or_create(installation.keyring_path, demo=installation.demo)
        with _private_file(arguments.plaintext) as plaintext:
            return await load_demo(
                owner,
                keyring=keyring,
                people=arguments.people,
                seed=arguments.seed,
                plaintext=plaintext,
                progress=_progress(arguments.people),
            )


@contextmanager
def _private_file(path: Path | None) -> Iterator[TextIO | None]:
    """A file for its owner only, in place of an earlier one once the block has succeeded."""
    if path is None:
        yield None
        return
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        stream = os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8")
    except OSError as error:
        message = f"{path} cannot be written ({error.strerror}): choose another file."
        raise InstallationError(message) from None
    try:
        with stream:
            yield stream
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def accept_situations(parser: argparse.ArgumentParser, *, snapshot: SnapshotOf) -> None:
    """Declare `situations`' arguments; only running it compiles the default rules."""
    parser.set_defaults(act=partial(_show_situations, snapshot=snapshot), only="Situations are printed")
    parser.add_argument("--plaintext", action="store_true", help="also print what a full reveal would be")


async def _show_situations(
    arguments: argparse.Namespace, installation: Installation, found: Database, *, snapshot: SnapshotOf
) -> Done:
    """For each row of the matrix, a token and rows in which just that row holds. Raises InstallationError."""
    entries = await _situations(installation, found, snapshot=snapshot, plaintext=arguments.plaintext)
    return Done(entries, json.dumps(entries, ensure_ascii=False, indent=1))


async def _situations(
    installation: Installation, found: Database, *, snapshot: SnapshotOf, plaintext: bool
) -> list[dict[str, Any]]:
    await prepare_demo(installation, found)
    keys = KeyCache(load_or_create(installation.keyring_path, demo=installation.demo))
    token_keys = TokenKeys.load_or_create(installation.token_keys_path, demo=installation.demo)
    matrix, bundle = read_necessity(), bundle_of(os.environ)
    async with connect(found.application, shared=False) as pool, pool.acquire() as connection:

        async def wards(person: UUID) -> list[UUID]:
            return await wards_of(connection, person, keys=keys, now=utc_now(), age_of_majority=bundle.age_of_majority)

        finder = Finder(connection, await snapshot(connection), matrix, keys, wards)
        entries = []
        for place, row in enumerate(matrix, start=1):
            _tell(f"situations: {place} of {len(matrix)}")
            example = await finder.example(row, categories=to_bits(set(Category)))
            if example is not None:
                entries.append(_entry(example, token_keys))
                if plaintext:
                    entries[-1]["plain"] = await finder.plain(example)
    return entries


def _entry(example: Example, keys: TokenKeys) -> dict[str, Any]:
    row = example.row
    return {
        "role": row.role.value,
        "purpose": row.purpose.value,
        "relation": row.relation,
        "basis": row.basis,
        "token": mint(keys, example.subject, now=utc_now()),
        **{name: global_id for name, (global_id, _) in example.rows.items()},
    }
