"""Global ids: opaque text that names one row of one type, for every client the same but for audiences."""

import base64
import binascii
from enum import IntEnum
from uuid import UUID

_CHARACTERS = 23
"""Of 17 bytes, without padding."""
_LAST = frozenset("AEIMQUYcgkosw048")
"""What the last one may be: it holds four bits, and two that are zero."""
_STANDARD = str.maketrans("-_", "+/")


class NodeType(IntEnum):
    """The types that have global ids. The number stands in the id: append only."""

    USER = 1
    DEVICE = 2
    POLICY = 3
    BENEFICIARY = 4
    CLAIM = 5
    CONSENT = 6
    AUDIENCE_USER = 7
    """A User under the id that one marketing recipient knows (C21)."""
    RECORD = 8
    """A row that decisions rest on and the API does not serve: accounts, links, cases (fixtures only)."""
    SESSION = 9
    """One of the caller's own sessions."""


_TYPES = {one.value: one for one in NodeType}


def to_global(node_type: NodeType, row: UUID) -> str:
    """The opaque id of a row: base64url of one type byte and the row's 16 bytes."""
    return base64.urlsafe_b64encode(bytes((node_type,)) + row.bytes)[:-1].decode()


def from_global(text: str) -> tuple[NodeType, UUID] | None:
    """Type and row of an opaque id, or None if the text is none: every row has one id of each type."""
    raw = _bytes(text)
    found = raw and _TYPES.get(raw[0])
    return (found, UUID(bytes=raw[1:])) if raw and found else None


def type_of(text: str) -> NodeType | None:
    """The type of an opaque id, or None if the text is none."""
    raw = _bytes(text)
    return _TYPES.get(raw[0]) if raw else None


def _bytes(text: str) -> bytes | None:
    if len(text) != _CHARACTERS or text[-1] not in _LAST or "+" in text or "/" in text:
        return None
    try:
        return binascii.a2b_base64(text.translate(_STANDARD) + "=", strict_mode=True)
    except ValueError:
        return None
