"""Global ids: opaque text that names one row of one type, for every client the same but for audiences."""

import base64
import binascii
from enum import IntEnum
from uuid import UUID

_LENGTH = 17


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


def to_global(node_type: NodeType, row: UUID) -> str:
    """The opaque id of a row: base64url of one type byte and the row's 16 bytes."""
    return base64.urlsafe_b64encode(bytes((node_type,)) + row.bytes)[:-1].decode()


def from_global(text: str) -> tuple[NodeType, UUID] | None:
    """Type and row of an opaque id, or None if the text is none."""
    try:
        raw = base64.b64decode(text + "=", altchars=b"-_", validate=True)
        if len(raw) != _LENGTH:
            return None
        found = NodeType(raw[0]), UUID(bytes=raw[1:])
    except (binascii.Error, ValueError):
        return None
    return found if to_global(*found) == text else None
