"""The command `partner …`: what it accepts, and what it does on the owner's connection."""

import argparse
import json
from datetime import date, datetime, time, timedelta, timezone
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from authz.commands import Call, Done, OperatorRefusedError, add_command
from authz.oauth.agreements import VALID
from authz.oauth.registration import (
    Terms,
    add_keys,
    agree,
    attest,
    end_agreement,
    end_key,
    register,
    withdraw,
    withdraw_attestation,
)
from models.vocabulary import Category, Purpose, from_bits, to_bits

_SHANGHAI = timezone(timedelta(hours=8), "Asia/Shanghai")
"""A date is a day there, as in the policies; it has had no summer time since 1991."""
_LARGEST_FILE = 64 * 1024

_LIST = f"""
SELECT o.code, o.kind, o.privacy_policy,
  (SELECT json_agg(json_build_object(
     'reference', a.reference, 'responsibility', a.responsibility, 'purposes', a.purposes, 'categories', a.categories,
     'from', a.valid_from, 'to', a.valid_to, 'attested', a.attested_at,
     'attested_until', a.attested_until, 'ended', a.ended_at, 'valid', {VALID}
   ) ORDER BY a.reference) FROM agreement a WHERE a.organization_id = o.id),
  (SELECT json_agg(json_build_object(
     'client', c.id, 'contact', c.contact, 'secret', c.secret_hash IS NOT NULL, 'registered', c.registered_at,
     'ended', c.ended_at, 'keys', coalesce((SELECT json_agg(json_build_object(
       'kid', k.kid, 'kty', k.jwk ->> 'kty', 'registered', k.registered_at, 'ended', k.ended_at
     ) ORDER BY k.id) FROM partner_key k WHERE k.client_id = c.id), '[]')
   ) ORDER BY c.registered_at, c.id) FROM partner_client c WHERE c.organization_id = o.id)
FROM organization o WHERE o.kind <> 'BROKER' ORDER BY o.code
"""

_SET_POLICY = "UPDATE organization SET privacy_policy = $2 WHERE code = $1 RETURNING id"
_LONGEST_ADDRESS = 200


def accept_partner(parser: argparse.ArgumentParser) -> None:
    """Declare `partner`'s subcommands; each sets `act`, to be awaited with a Call."""
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    command = partial(add_command, commands)
    option = command("agree", _agree, "record an agreement")
    option("--org", metavar="CODE", required=True)
    option("--reference", required=True)
    option("--purpose", type=Purpose, choices=list(Purpose), nargs="+", action="extend", required=True)
    option("--category", type=Category, choices=list(Category), nargs="*", action="extend", default=[])
    option("--from", dest="valid_from", metavar="DATE", type=_begin, help="by default now")
    option("--to", dest="valid_to", metavar="DATE", type=_end, required=True, help="the last day, or a time")
    option("--processor", action="store_true", help="acts for the brokerage only, not as an independent controller")
    option("--attested", action="store_true", help="an affiliate has attested that its policy protects equally")
    command("end", _end_agreement, "end an agreement and its tokens")("--reference", required=True)
    option = command("attest", _attest, "an affiliate's attestation that its policy protects equally")
    option("--reference", required=True)
    option("--until", metavar="DATE", type=_end, help="the last day, or a time; by default until it is withdrawn")
    option("--withdraw", action="store_true", help="it attests no more: its tokens are refused within a second")
    option = command("register", _register, "register a client and its public keys")
    option("--org", metavar="CODE", required=True)
    option("--contact", required=True, help="who runs the client: an address or a number")
    option("--keys", type=Path, metavar="FILE", help="a JWK or JWK Set of public keys")
    option("--secret", action="store_true", help="demo mode only: a shared secret instead of keys")
    option = command("add-key", _add_key, "register further public keys of a client")
    option("--client", metavar="ID", required=True)
    option("--keys", type=Path, metavar="FILE", required=True)
    option = command("end-key", _end_key, "end a key of a client")
    option("--client", metavar="ID", required=True)
    option("--kid", required=True)
    option("--lost", action="store_true", help="somebody else may have it: the tokens it brought end as well")
    command("withdraw", _withdraw, "end a client and its tokens")("--client", metavar="ID", required=True)
    option = command("policy", _policy, "where an organization publishes its own privacy policy")
    option("--org", metavar="CODE", required=True)
    option("--url", type=_address, required=True, metavar="URL", help="of https")
    command("list", _list, "list partners with their agreements, clients and keys")


def _begin(text: str) -> datetime:
    return _time(text, time.min)


def _end(text: str) -> datetime:
    return _time(text, time.max)


def _time(text: str, of_day: time) -> datetime:
    """A day's begin or end in Shanghai, or a time with its offset (RFC 3339)."""
    try:
        moment = datetime.fromisoformat(text) if "T" in text else None
        if moment is None:
            return datetime.combine(date.fromisoformat(text), of_day, _SHANGHAI)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise argparse.ArgumentTypeError("a date such as 2027-12-31, or a time such as 2027-12-31T18:00:00+08:00")
    return moment


def _address(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme != "https" or not parts.hostname or len(text) > _LONGEST_ADDRESS or not text.isprintable():
        message = f"an address of https, of at most {_LONGEST_ADDRESS} characters"
        raise argparse.ArgumentTypeError(message)
    return text


async def _policy(call: Call) -> Done:
    given = call.arguments
    found = await call.connection.fetchval(_SET_POLICY, given.org, given.url)
    if found is None:
        raise OperatorRefusedError("There is no such organization: see `partner list`.")
    return Done({"org": given.org, "privacyPolicy": given.url}, f"{given.org}: {given.url}", {"organization": found})


async def _agree(call: Call) -> Done:
    given = call.arguments
    terms = Terms(
        reference=given.reference,
        purposes=tuple(dict.fromkeys(given.purpose)),
        categories=to_bits(set(given.category)),
        valid_from=given.valid_from or call.now,
        valid_to=given.valid_to,
        processor=given.processor,
        attested=given.attested,
    )
    agreement = await agree(call.connection, given.org, terms=terms, now=call.now)
    valid = await call.connection.fetchval(
        f"SELECT {VALID} FROM agreement a JOIN organization o ON o.id = a.organization_id WHERE a.id = $1", agreement
    )
    text = f"Recorded {given.reference}: it gives tokens."
    if not valid:
        text = f"Recorded {given.reference}: it gives no tokens yet (not begun, or an affiliate's without --attested)."
    return Done(
        {"agreement": str(agreement), "reference": given.reference, "valid": valid}, text, {"agreement": agreement}
    )


async def _end_agreement(call: Call) -> Done:
    reference = call.arguments.reference
    await end_agreement(call.connection, reference)
    return Done({"ended": reference}, f"Ended {reference}: its tokens are dead within a second.")


async def _attest(call: Call) -> Done:
    given = call.arguments
    if given.withdraw:
        if given.until is not None:
            raise OperatorRefusedError("Give --until or --withdraw, not both.")
        await withdraw_attestation(call.connection, given.reference)
        data = {"reference": given.reference, "attested": False}
        return Done(data, f"Withdrew the attestation of {given.reference}: its tokens are refused within a second.")
    await attest(call.connection, given.reference, until=given.until, now=call.now)
    until = given.until and given.until.isoformat()
    data = {"reference": given.reference, "attested": True, "until": until}
    return Done(data, f"Recorded the attestation of {given.reference}{f', until {until}' if until else ''}.")


async def _register(call: Call) -> Done:
    given = call.arguments
    if given.secret and not call.demo:
        raise OperatorRefusedError("Shared secrets exist in demo mode only: register public keys with --keys.")
    if given.secret == (given.keys is not None):
        raise OperatorRefusedError("Give the client's public keys with --keys, or in demo mode --secret instead.")
    keys = None if given.secret else _file(given.keys)
    done = await register(call.connection, given.org, contact=given.contact, keys=keys, now=call.now)
    shown = {"secret": done.secret} if done.secret else {}
    lines = [*(f"Key: {kid}" for kid in done.kids), *(f"Secret, shown this once: {one}" for one in shown.values())]
    data = {"client_id": done.client, "kids": list(done.kids), **shown}
    return Done(data, "\n".join([*lines, done.client]), {"client": done.client})


async def _add_key(call: Call) -> Done:
    given = call.arguments
    kids = await add_keys(call.connection, given.client, keys=_file(given.keys), now=call.now)
    return Done({"client_id": given.client, "kids": list(kids)}, "\n".join(f"Key: {kid}" for kid in kids))


async def _end_key(call: Call) -> Done:
    given = call.arguments
    await end_key(call.connection, given.client, kid=given.kid, lost=given.lost)
    return Done({"client_id": given.client, "ended": given.kid}, f"Ended the key {given.kid}.")


async def _withdraw(call: Call) -> Done:
    client = call.arguments.client
    await withdraw(call.connection, client)
    return Done({"withdrawn": client}, f"Withdrew {client}: its tokens are dead within a second.")


async def _list(call: Call) -> Done:
    partners = [
        {
            "org": code,
            "kind": kind.lower(),
            "privacyPolicy": policy,
            "agreements": [
                {**one, "categories": [category.value for category in from_bits(one["categories"])]}
                for one in json.loads(agreements or "[]")
            ],
            "clients": json.loads(clients or "[]"),
        }
        for code, kind, policy, agreements, clients in await call.connection.fetch(_LIST)
    ]
    return Done(partners, "\n".join(line for partner in partners for line in _lines(partner)))


def _lines(partner: dict[str, Any]) -> list[str]:
    return [
        f"{partner['org']} {partner['kind']}",
        *(
            f"  agreement {one['reference']} {'valid' if one['valid'] else 'not valid'} to {one['to'][:10]}:"
            f" {' '.join(one['purposes'])}; {' '.join(one['categories'])}"
            for one in partner["agreements"]
        ),
        *(
            f"  client {one['client']} {'ended' if one['ended'] else 'live'}, {one['contact']};"
            f" keys: {' '.join(key['kid'] for key in one['keys'] if not key['ended']) or 'none'}"
            for one in partner["clients"]
        ),
    ]


def _file(path: Path) -> object:
    """The JSON of a key file. Raises OperatorRefusedError."""
    try:
        with path.open("rb") as stream:
            content = stream.read(_LARGEST_FILE + 1)
        if len(content) <= _LARGEST_FILE:
            read: object = json.loads(content)
            return read
    except OSError as error:
        raise OperatorRefusedError(f"{path} cannot be read ({error.strerror}): choose another file.") from None
    except (ValueError, RecursionError):
        pass
    raise OperatorRefusedError(f"{path} is not JSON: give a JWK or JWK Set (RFC 7517) of public keys.")
