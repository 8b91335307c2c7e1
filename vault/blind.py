"""Keyed hashes: the blind index (equality look-ups) and the pairwise ids of marketing audiences."""

import hmac
import unicodedata
from uuid import UUID

from vault.keyring import Keyring


def normalise(value: str) -> str:
    """The one form under which equal values are found: NFKC, no blanks or hyphens, upper case."""
    return unicodedata.normalize("NFKC", value).replace(" ", "").replace("-", "").upper()


def blind(keyring: Keyring, column: str, value: str) -> bytes:
    """HMAC-SHA-256 of a normalised value under its column's key. Raises KeyError for an unknown column."""
    return hmac.digest(keyring.blind[column], normalise(value).encode(), "sha256")


def audience_id(keyring: Keyring, recipient: UUID | None, person: UUID) -> UUID:
    """The id under which one recipient (None: the brokerage) knows a person, useless anywhere else (C21)."""
    name = recipient.bytes if recipient else bytes(16)
    return UUID(bytes=hmac.digest(keyring.audience, name + person.bytes, "sha256")[:16])
