"""Who types a command that only a person may give: whoever's access token it is given (C46).

The command line runs as the owner of the database, whom nobody can tell from anybody else: to approve in somebody's
name there would be one pair of eyes. So a person proves themself as to the API, with a token of their own session.
"""

import os
from pathlib import Path
from typing import Any

from authz.commands import Call, OperatorRefusedError
from authz.standing import Standing, StandingUnknownError
from authz.token_keys import KeyFile
from authz.tokens import DEMO_ISSUER, LONGEST_TEXT, Refused, Verifier
from authz.workbench.acts import Actor
from models.installation import open_installation
from models.vocabulary import STAFF_ROLES, Purpose

TOKEN = "NEEDFUL_TOKEN"  # noqa: S105 - the name of a setting
_USUAL_URL = "http://127.0.0.1:8000"


def accept_token(option: Any) -> None:  # noqa: ANN401 - argparse's own
    """Declare the option that names the token."""
    option("--token-file", metavar="FILE", help=f"holds your own access token; by default it is read from {TOKEN}")


async def person(call: Call) -> Actor:
    """Whose token the command was given. Raises OperatorRefusedError where it is none that stands."""
    text = _text(call.arguments.token_file)
    installation = open_installation(os.environ)
    keys = KeyFile(installation.token_keys_path, demo=installation.demo).keys
    public_url = (os.environ.get("NEEDFUL_PUBLIC_URL") or _USUAL_URL).rstrip("/")
    issuers = frozenset({public_url, *((DEMO_ISSUER,) if installation.demo else ())})
    token = Verifier(keys, issuers=issuers).verify(text, now=call.now)
    if isinstance(token, Refused):
        raise OperatorRefusedError(f"The access token is refused: {token.why}. Log in and take a new one.")
    if token.grant.proof_key is not None or token.subject.role not in STAFF_ROLES or token.subject.caveats:
        raise OperatorRefusedError("That is no token of a member of staff: log in and take one of yours.")
    if Purpose.ADMINISTRATION not in token.subject.purposes:
        raise OperatorRefusedError("The access token does not have the purpose administration: take one that has.")
    why = await _standing(call, token)
    if why is not None:
        raise OperatorRefusedError(f"The access token is refused: {why}. Log in and take a new one.")
    return Actor.of(token.subject, Purpose.ADMINISTRATION)


async def _standing(call: Call, token: Any) -> str | None:  # noqa: ANN401 - a Token
    async def own() -> Any:  # noqa: ANN401 - asyncpg's connection
        return call.connection

    try:
        return await Standing(own).check(token)
    except StandingUnknownError:
        raise OperatorRefusedError("Whether the token still stands cannot be found out: try again.") from None


def _text(file: str | None) -> str:
    """The token's text. Raises OperatorRefusedError."""
    text = os.environ.get(TOKEN, "")
    if file is not None:
        try:
            with Path(file).open(encoding="ascii") as stream:
                text = stream.read(LONGEST_TEXT + 1)
        except (OSError, UnicodeError):
            raise OperatorRefusedError(f"The file {file} cannot be read as a token.") from None
    text = text.strip()
    if not text:
        message = f"This is a person's to do: give your own access token by --token-file FILE or {TOKEN}."
        raise OperatorRefusedError(message)
    return text
