"""Relay connections: pages over rows, with signed opaque cursors."""

from typing import Generic, TypeVar

import strawberry

from schema.fields import edge, public

Row = TypeVar("Row")


@strawberry.type
class PageInfo:
    """Where a page stands in its connection."""

    has_next_page: bool = public()
    has_previous_page: bool = public()
    start_cursor: str | None = public()
    end_cursor: str | None = public()


@strawberry.type
class Edge(Generic[Row]):
    """One row of a page."""

    cursor: str = public()
    node: Row = edge()


@strawberry.type
class Connection(Generic[Row]):
    """One page of rows. `totalCount` is null where counting is not allowed (marketing)."""

    edges: list[Edge[Row]] = edge()
    page_info: PageInfo = edge()
    total_count: int | None = public()
