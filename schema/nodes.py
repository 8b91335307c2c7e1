"""The Node interface: whatever has a global id."""

import strawberry

from schema.fields import public


@strawberry.interface
class Node:
    """A row that can be asked for by its opaque id."""

    id: strawberry.ID = public()
