"""The command `ledger reindex`: makes what is asked of the ledger again from its rows, or compares the two."""

from typing import Any

from authz.commands import Call, Done, OperatorRefusedError, add_command
from ledger.index import rebuild
from ledger.index_check import compare


def accept_reindex(commands: Any) -> None:  # noqa: ANN401 - argparse's own
    """Declare `ledger reindex`."""
    option = add_command(commands, "reindex", _reindex, "make the index of the ledger again from its rows")
    option("--check", action="store_true", help="change nothing: compare the index with the rows")


async def _reindex(call: Call) -> Done:
    return await reindex(call.connection, check=call.arguments.check)


async def reindex(connection: Any, *, check: bool) -> Done:  # noqa: ANN401 - asyncpg's proxy
    """Make the index again, or compare it. Raises OperatorRefusedError where it is not what the rows say."""
    if not check:
        rows = await rebuild(connection)
        return Done({"rows": rows}, f"The index is made again, of {rows} rows.")
    found = await compare(connection)
    if found.places:
        message = (
            f"The index is not what the ledger says, in {found.places} places, the first at leaf {found.first}:"
            " find out who may write as the owner of the database, then run `needful ledger reindex`."
        )
        raise OperatorRefusedError(message)
    return Done({"rows": found.rows, "differences": 0}, f"The index is what the ledger says, in {found.rows} rows.")
