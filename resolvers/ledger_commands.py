"""The command `ledger …`: how the ledger is, exports of it and their check, its key, and how long it is kept."""

import argparse
import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

from authz.commands import Done, OperatorRefusedError
from authz.partner_report_commands import accept_partners
from authz.replay_commands import accept_replay
from authz.rulesets import SnapshotOf
from authz.tokens import utc_now
from ledger import verify
from ledger.alarms import WrittenAlarms
from ledger.append import add_alone
from ledger.export import export
from ledger.head_keys import HeadKey
from ledger.heads import HeadsError, SecondPlace
from ledger.retention import RetentionError, check_age, drop_before, least_months, month_of, ranges_before
from ledger.rows import Kind, Operation, Outcome
from ledger.sealer import Sealer, last_head
from ledger.strays import unregistered
from models.database import connect_once
from models.embedded import Database, database
from models.installation import Installation
from models.migrating import migrate
from resolvers.index_commands import accept_reindex

_LAST_MONTH = 12

_SEALER = "SELECT s.at, s.trouble, i.next AS indexed FROM ledger_sealer s, ledger_indexed i"
_WRITERS = """
SELECT w.id, w.last - coalesce(s.last, 0) AS unsealed, coalesce(s.last - s.rows, 0) AS missing,
    (SELECT min(l.at) FROM ledger l WHERE l.writer = w.id AND l.sequence > coalesce(s.last, 0)) AS oldest
FROM ledger_writer w LEFT JOIN (
    SELECT writer, max(sequence) AS last, count(*) AS rows FROM ledger_leaf GROUP BY writer
) s ON s.writer = w.id
WHERE w.last > coalesce(s.rows, 0) ORDER BY w.id
"""

_ALARMS = """
SELECT code, count(*)::int AS number, max(at) AS last FROM ledger_record
WHERE kind = 'ALARM' AND code LIKE 'LEDGER\\_%' AND at > $1 GROUP BY code ORDER BY code
"""
_ALARM_DAYS = 30

Work = Callable[[Any, argparse.Namespace, Installation], Awaitable[Done]]
Run = Callable[[argparse.Namespace, Installation], int]
Show = Callable[[Done, argparse.Namespace], None]


def accept_ledger(
    parser: argparse.ArgumentParser, *, show: Show, environ: Mapping[str, str], snapshot: SnapshotOf
) -> None:
    """Declare `ledger`'s subcommands; `show` prints what one has done, `snapshot` gives the rules in force.

    Those that set `run` end with an exit code.
    """
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    _declare(commands, "status", _on_database(_status, show), "how much is sealed, and what stands in the way")
    option = _declare(commands, "export", _on_database(_export, show), "write what `verify` checks")
    option("file", metavar="FILE", type=Path, help="a new file; nobody else may read it")
    option("--from", metavar="MONTH", dest="since", help="only with the texts from this month on, such as 2026-11")
    option("--to", metavar="MONTH", dest="until", help="and up to this month")
    checking = commands.add_parser("verify", help="check an export against the second place's heads")
    checking.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="print JSON")
    checking.set_defaults(run=lambda arguments, _: verify.run(arguments, print))
    verify.accept(checking)
    _declare(commands, "rotate-key", _on_database(_rotate_key, show), "sign heads with a new key")
    option = _declare(
        commands, "drop", _on_database(partial(_drop, environ=environ), show), "drop the texts of old months"
    )
    option("--before", metavar="MONTH", required=True, help="the first month that is kept")
    accept_partners(commands)
    accept_reindex(commands)
    accept_replay(commands, snapshot=snapshot)


def _declare(commands: Any, name: str, run: Run, summary: str) -> Callable[..., object]:  # noqa: ANN401 - argparse's own
    """Declare a subcommand that runs by itself; its `add_argument`."""
    inner: argparse.ArgumentParser = commands.add_parser(name, help=summary)
    inner.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="print JSON")
    inner.set_defaults(run=run, subcommand=name)
    return inner.add_argument


def _refusal_code(refusal: Exception) -> str:
    return refusal.code if isinstance(refusal, HeadsError) else "REFUSED"


def _on_database(work: Work, show: Show) -> Run:
    def act(arguments: argparse.Namespace, installation: Installation) -> int:
        with database(installation) as found:
            show(asyncio.run(_connected(work, found, arguments, installation)), arguments)
        return 0

    return act


async def _connected(work: Work, found: Database, arguments: argparse.Namespace, installation: Installation) -> Done:
    await migrate(found)
    HeadKey.load_or_create(installation.ledger_key_path, demo=installation.demo)
    owner = await connect_once(found.owner)
    try:
        return await work(owner, arguments, installation)
    except (HeadsError, RetentionError, OperatorRefusedError) as refusal:
        await _record(owner, arguments.subcommand, utc_now(), refused=_refusal_code(refusal))
        raise OperatorRefusedError(str(refusal)) from refusal
    finally:
        await owner.close()


async def _record(
    owner: Any,  # noqa: ANN401 - asyncpg's own
    name: str,
    now: datetime,
    *,
    refused: str | None = None,
    **detail: object,
) -> None:
    outcome = Outcome.REFUSED if refused else Outcome.DONE
    command = {"command": f"ledger {name}", **detail}
    await add_alone(owner, Operation(Kind.COMMAND, uuid4(), now, outcome, refused, detail=command))


@asynccontextmanager
async def _sealing(owner: Any, installation: Installation) -> AsyncIterator[Sealer]:  # noqa: ANN401 - asyncpg's own
    """A sealer whose alarms are in the ledger when the block ends."""
    alarms = WrittenAlarms(utc_now)
    place = SecondPlace(installation.ledger_heads_path)
    try:
        yield Sealer(owner, installation.ledger_key_path, place, alarms.sound, utc_now)
    finally:
        await alarms.write(owner)


async def _status(owner: Any, _: argparse.Namespace, installation: Installation) -> Done:  # noqa: ANN401
    head, sealer = await last_head(owner), await owner.fetchrow(_SEALER)
    written, _key = SecondPlace(installation.ledger_heads_path).last()
    writers = await owner.fetch(_WRITERS)
    waiting = [row["oldest"] for row in writers if row["oldest"] is not None]
    hidden = (await unregistered(owner))[0]
    alarms = await owner.fetch(_ALARMS, utc_now() - timedelta(days=_ALARM_DAYS))
    told = {
        "size": head.size if head else 0,
        "head": head.at if head else None,
        "secondPlace": written.size if written else 0,
        "indexed": sealer["indexed"],
        "unsealed": sum(row["unsealed"] for row in writers),
        "lagSeconds": (utc_now() - min(waiting)).total_seconds() if waiting else 0.0,
        "gaps": [{"writer": str(row["id"]), "missing": row["missing"]} for row in writers if row["missing"]],
        # More rows than the register tells of, until the sealer has found them; then there are alarms of it.
        "hidden": [
            {"writer": str(row["id"]), "registered": row["registered"], "newest": row["newest"]} for row in hidden
        ],
        "alarms": {row["code"]: {"number": row["number"], "last": row["last"].isoformat()} for row in alarms},
        "sealerSeen": sealer["at"].isoformat(),
        "trouble": sealer["trouble"],
        "key": HeadKey.load(installation.ledger_key_path).id,
    }
    return Done(told, "\n".join(f"{name}: {value}" for name, value in told.items()))


async def _export(owner: Any, arguments: argparse.Namespace, installation: Installation) -> Done:  # noqa: ANN401
    since = None if arguments.since is None else month_of(arguments.since)
    until = None if arguments.until is None else _after(month_of(arguments.until))
    if since and until and since >= until:
        raise OperatorRefusedError("--from must not be later than --to.")
    if arguments.file.exists() or not arguments.file.absolute().parent.is_dir():
        message = f"{arguments.file} must be a new file in a folder that exists."
        raise OperatorRefusedError(message)
    # An export is known of before there is one.
    months = {"from": arguments.since, "to": arguments.until}
    await _record(owner, "export", utc_now(), **{name: month for name, month in months.items() if month})
    async with _sealing(owner, installation) as sealer:
        await sealer.seal()
    try:
        done = await export(owner, arguments.file, since=since, until=until)
    except OSError as fault:
        message = f"{arguments.file} cannot be written ({fault.strerror}): choose another file."
        raise OperatorRefusedError(message) from fault
    told = {"rows": done.size, "first": done.first, "end": done.end, "heads": done.heads, "file": str(arguments.file)}
    text = f"{done.size} rows, with the texts of those from {done.first} up to {done.end}, and {done.heads} heads."
    return Done(told, text)


def _after(month: date) -> date:
    return date(month.year + month.month // _LAST_MONTH, month.month % _LAST_MONTH + 1, 1)


async def _rotate_key(owner: Any, _: argparse.Namespace, installation: Installation) -> Done:  # noqa: ANN401
    path, now = installation.ledger_key_path, utc_now()
    async with _sealing(owner, installation) as sealer, sealer.alone():
        old = HeadKey.load(path)
        await sealer.publish(old)
        new = old.rotated(now)
        new.save(path)
        # If this is as far as it gets, the sealer announces the key before it signs with it.
        await sealer.publish(new)
    await _record(owner, "rotate-key", now, old=old.id, new=new.id)
    return Done({"old": old.id, "new": new.id}, f"The key {new.id} signs from now on; {old.id} has announced it.")


async def _drop(
    owner: Any,  # noqa: ANN401
    arguments: argparse.Namespace,
    installation: Installation,
    *,
    environ: Mapping[str, str],
) -> Done:
    before, now = month_of(arguments.before), utc_now()
    check_age(before, now=now, least=least_months(environ))
    async with _sealing(owner, installation) as sealer:
        await sealer.seal()
        ranges = await ranges_before(owner, before)
        await _record(owner, "drop", now, before=f"{before:%Y-%m}", dropped=ranges)
        # The record is sealed before anything is gone.
        await sealer.seal()
        partitions = await drop_before(owner, before)
    rows = sum(last - first + 1 for first, last in ranges)
    text = f"Dropped {', '.join(partitions) or 'nothing'}: {rows} rows are kept as hashes from now on."
    return Done({"before": f"{before:%Y-%m}", "partitions": partitions, "hashes": rows}, text)
