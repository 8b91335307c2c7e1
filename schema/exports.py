"""Archives of everything stored about a person: asked for here, fetched once from the address that is given (C64)."""

from datetime import datetime
from typing import Annotated

import strawberry

from models.global_ids import NodeType, to_global
from resolvers.global_ids import row_under
from resolvers.payloads import Problem, Write
from resolvers.times import in_shanghai
from resolvers.writing.exports import request_export
from schema.fields import issued, private_input, public, write
from schema.problems import AnyProblem, told

Info = strawberry.Info[Write, None]


@strawberry.type
class ExportArchive:
    """A link: `GET url` with the caller's own access token gives the archive, once, until `expiresAt`."""

    id: strawberry.ID = public()
    url: str = issued()
    expires_at: datetime = public()


RequestExportPayload = Annotated[ExportArchive | AnyProblem, strawberry.union("RequestExportPayload")]


@private_input
class RequestExportInput:
    """`user`: a guardian's ward, by default the caller. `password`: where no second factor was given just now."""

    user: strawberry.ID | None = None
    password: str | None = None


@strawberry.type
class ExportWrites:
    """The root field of archives."""

    @write(heavy=True, secret=True)
    async def request_export(
        self,
        info: Info,
        input: RequestExportInput,  # noqa: A002 - GraphQL's name
    ) -> RequestExportPayload:
        """Ask for an archive of everything stored about oneself or a ward. The link is given once, here (C64)."""
        user = None if input.user is None else row_under(input.user, NodeType.USER, argument="user")
        found = await request_export(info.context, user, password=input.password)
        if isinstance(found, Problem):
            return told(info.context, found)
        receipts = info.context.reader.receipts
        return ExportArchive(
            id=strawberry.ID(to_global(NodeType.RECORD, found.id)),
            url=f"{receipts.issuer if receipts else ''}/exports/{found.token}",
            expires_at=in_shanghai(found.expires_at),
        )
