"""The command `relays …`: how many numbers there are, new ones for old, and whom one leads to (C21)."""

import argparse
from collections.abc import Mapping

from authz.commands import Call, Done, OperatorRefusedError, add_command
from models.formats import FormatError, mobile_number
from privacy.relay_keeping import RELAY_DAYS
from privacy.relay_numbers import RANGE, span_of
from privacy.relays import Relays, Settled, resolve, rotate

MOST_DAYS = 3_650
_COUNTS = """
SELECT coalesce(o.code, 'BROKER') AS organization, count(*) FILTER (WHERE v.ended_at IS NULL) AS live,
count(*) FILTER (WHERE v.ended_at IS NOT NULL) AS ended
FROM virtual_phone v LEFT JOIN organization o ON o.id = v.organization_id GROUP BY 1 ORDER BY 1
"""


def accept_relays(parser: argparse.ArgumentParser, *, environ: Mapping[str, str]) -> None:
    """Declare `relays`'s subcommands; `environ` sets the range."""
    parser.set_defaults(environ=environ)
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    add_command(commands, "list", _list, "how many numbers each recipient has; never a number")
    option = add_command(commands, "rotate", _rotate, "replace old numbers, end those without a basis", stepwise=True)
    option("--older-than", type=_days, default=RELAY_DAYS, metavar="DAYS", help="by default 30; 0 replaces all")
    option("--dry-run", action="store_true", help="say what it would do, and do nothing")
    option = add_command(commands, "resolve", _resolve, "demo mode only: whom a number leads to, as an exchange asks")
    option("number", metavar="NUMBER")


def _days(text: str) -> int:
    if not text.isdecimal() or int(text[:9]) > MOST_DAYS:
        message = f"days are a number from 0 to {MOST_DAYS}"
        raise argparse.ArgumentTypeError(message)
    return int(text)


def _relays(call: Call) -> Relays:
    return Relays(call.keyring, span_of(call.arguments.environ, demo=call.demo))


async def _list(call: Call) -> Done:
    rows = [dict(row) for row in await call.connection.fetch(_COUNTS)]
    span = _relays(call).span
    found = {"range": span.size if span else 0, "numbers": rows}
    lines = [f"{row['organization']}: {row['live']} live, {row['ended']} ended" for row in rows]
    return Done(found, "\n".join([*lines, f"The range has {found['range']} numbers."]))


async def _rotate(call: Call) -> Done:
    given = call.arguments
    done = await rotate(call.connection, _relays(call), days=given.older_than, now=call.now, dry_run=given.dry_run)
    text = f"{'Would be' if given.dry_run else 'Done'}: {_counts(done)}."
    lacking = done[Settled.EXHAUSTED]
    if lacking:
        text += f" The range has no number left for {lacking} more who are due one: widen {RANGE} and do this again."
    # Not a refusal: what it could do is done.
    return Done({"dry_run": given.dry_run, **_shown(done)}, text, wrong=lacking > 0)


def _shown(done: Mapping[Settled, int]) -> dict[str, int]:
    return {one.value: done[one] for one in Settled if one is not Settled.NOTHING}


def _counts(done: Mapping[Settled, int]) -> str:
    return ", ".join(f"{count} {word}" for word, count in _shown(done).items())


async def _resolve(call: Call) -> Done:
    if not call.demo:
        raise OperatorRefusedError("Outside demo mode no command shows a phone: see docs/audiences.md, the exchange.")
    try:
        number = mobile_number(call.arguments.number)
    except FormatError as refused:
        raise OperatorRefusedError(str(refused)) from None
    found = await resolve(call.connection, _relays(call), number)
    if found is None:
        return Done(None, "It leads to nobody.")
    data = {"organization": found.organization or "BROKER", "phone": found.phone}
    return Done(
        data, f"{data['organization']} reaches {data['phone'] or 'nobody: no phone is known'}.", {}, (found.person,)
    )
