"""The proof of an erasure: the ledger's rows that say it, and that they are in the tree of a signed head (C29)."""

import json
from typing import Any
from uuid import UUID

from ledger import tree
from ledger.proofs import indexes_of, leaf_of, text_of
from ledger.rows import Kind
from ledger.sealer import last_head


async def prove(connection: Any, proof: UUID) -> list[dict[str, Any]]:  # noqa: ANN401 - asyncpg's connection
    """Each sealed erasure under an id: when, of what, on what ground; and whether it is proved. None: an empty list.

    `proved`: the row's text has the leaf's hash, and the path leads to the root that the head signs. `path` is for
    whoever does not take our word for it (RFC 6962, 2.1.1); `ledger verify` checks the heads themselves. Raises the
    database's error, and KeyError where the tree lacks a node.
    """
    head = await last_head(connection)
    if head is None:
        return []
    found = []
    for index in await indexes_of(connection, proof, size=head.size):
        text = await text_of(connection, index)
        if text is None:
            continue
        row = json.loads(text[1])
        if row["kind"] != Kind.ERASURE:
            continue
        leaf = await leaf_of(connection, index, size=head.size)
        hashed = tree.leaf_hash(text[0].encode())
        proved = hashed == leaf.hash and tree.includes(leaf.hash, index, head.size, leaf.path, head.root)
        found.append(
            {
                "proof": str(proof),
                "at": row["at"],
                "erased": ",".join(row["detail"]["erased"]),
                "ground": row["detail"]["ground"],
                "restricted_until": row["detail"].get("restrictedUntil"),
                "leaf": leaf.hash.hex(),
                "index": index,
                "head": head.size,
                "root": head.root.hex(),
                "path": ",".join(one.hex() for one in leaf.path),
                "proved": proved,
            }
        )
    return found
