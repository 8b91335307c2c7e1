"""The command `product …`: what is sold, and which data items it needs; done on the owner's connection.

A declaration is the gate of collection: what it does not name is refused by applications and claims (C04-C08).
"""

import argparse
import re
from collections.abc import Iterable, Mapping
from uuid import UUID, uuid4

from authz.commands import Call, Done, OperatorRefusedError, add_command, listed, told
from models.organizations import OrganizationKind
from models.products import Part
from resolvers.writing.items import CLAIM_ITEMS, PERSON_ITEMS

LONGEST_NAME = 120
_CODE = re.compile("[A-Z0-9](?:[A-Z0-9_-]{0,30}[A-Z0-9])?")
_OF_PERSON = frozenset({*PERSON_ITEMS, "idNumber"}) - {"region", "nickname"}
_ITEMS: Mapping[Part, frozenset[str]] = {
    Part.POLICYHOLDER: _OF_PERSON,
    Part.INSURED: _OF_PERSON,
    Part.BENEFICIARY: frozenset({"name", "idNumber", "phone"}),
    Part.CLAIM: frozenset({*CLAIM_ITEMS, "occupation"}) - {"diagnosisCode"},
}
"""The items that inputs have, part by part: no other could ever be given. A code only spells a diagnosis otherwise."""
_CLAUSES: Mapping[Part, tuple[str, frozenset[str]]] = {
    Part.POLICYHOLDER: ("C04", frozenset({"name", "idNumber", "phone", "address", "bankCard", "occupation", "email"})),
    Part.INSURED: ("C05", frozenset({"name", "idNumber", "phone", "email", "healthDeclaration", "occupation"})),
    Part.BENEFICIARY: ("C06", _ITEMS[Part.BENEFICIARY]),
    Part.CLAIM: ("C08", _ITEMS[Part.CLAIM]),
}
"""The clause about each part and the items that it names."""
_OTHERS = "C06"
"""The clause about "other necessary items", which only a product's declaration lets in."""

_INSURER = "SELECT id FROM organization WHERE code = $1 AND kind = $2"
_ADD = "INSERT INTO product (id, code, name, insurer_id) VALUES ($1, $2, $3, $4) ON CONFLICT (code) DO NOTHING"
# Two who declare at once do it one after the other.
_PRODUCT = "SELECT id FROM product WHERE code = $1 FOR UPDATE"
_CLEAR = "DELETE FROM product_item WHERE product_id = $1"
_DECLARE = "INSERT INTO product_item (id, product_id, part, item, clause) VALUES ($1, $2, $3, $4, $5)"
_LIST = """
SELECT p.code, p.name, o.code, array(SELECT (i.part || ' ' || i.item)::text FROM product_item i
WHERE i.product_id = p.id ORDER BY i.part, i.item)
FROM product p JOIN organization o ON o.id = p.insurer_id ORDER BY p.code
"""


def accept_product(parser: argparse.ArgumentParser) -> None:
    """Declare `product`'s subcommands."""
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    option = add_command(commands, "add", _add, "put a product on sale")
    option("code", metavar="CODE")
    option("--name", required=True)
    option("--insurer", metavar="CODE", required=True)
    option = add_command(commands, "items", _items, "declare which data a product needs, instead of what it did before")
    option("code", metavar="CODE")
    for part in Part:
        option(f"--{part}", nargs="+", choices=sorted(_ITEMS[part]), action="extend", default=[], metavar="ITEM")
    add_command(commands, "list", _list, "every product with what it needs")


async def _add(call: Call) -> Done:
    given = call.arguments
    name = given.name.strip()
    if not _CODE.fullmatch(given.code):
        raise OperatorRefusedError("A product's code has 1 to 32 capital letters, digits, hyphens and underscores.")
    if not 1 <= len(name) <= LONGEST_NAME or not name.isprintable():
        message = f"A product's name has 1 to {LONGEST_NAME} characters that can be printed."
        raise OperatorRefusedError(message)
    insurer = await call.connection.fetchval(_INSURER, given.insurer, OrganizationKind.INSURER.value)
    if insurer is None:
        message = f"There is no insurer {given.insurer!r}: see `partner list`."
        raise OperatorRefusedError(message)
    if await call.connection.execute(_ADD, uuid4(), given.code, name, insurer) != "INSERT 0 1":
        message = f"There is a product {given.code} already: choose another code, or see `product list`."
        raise OperatorRefusedError(message)
    return told({"code": given.code, "name": name, "insurer": given.insurer})


async def _items(call: Call) -> Done:
    """Replace a declaration, all of it or nothing. Raises OperatorRefusedError."""
    given = call.arguments
    declared = {part: tuple(dict.fromkeys(getattr(given, part.value))) for part in Part}
    if not all(items for part, items in declared.items() if part is not Part.BENEFICIARY):
        raise OperatorRefusedError(
            "Name the items of --policyholder, --insured and --claim; --beneficiary may have none."
        )
    async with call.connection.transaction():
        product: UUID | None = await call.connection.fetchval(_PRODUCT, given.code)
        if product is None:
            message = f"There is no product {given.code!r}: see `product list`."
            raise OperatorRefusedError(message)
        await call.connection.execute(_CLEAR, product)
        rows = [
            (uuid4(), product, part.value, item, clause_of(part, item))
            for part, items in declared.items()
            for item in items
        ]
        await call.connection.executemany(_DECLARE, rows)
    return told({"code": given.code, **{part.value: " ".join(items) for part, items in declared.items() if items}})


async def _list(call: Call) -> Done:
    return listed(
        [
            {"code": code, "name": name, "insurer": insurer, **_by_part(items)}
            for code, name, insurer, items in await call.connection.fetch(_LIST)
        ]
    )


def _by_part(found: Iterable[str]) -> dict[str, str]:
    parts: dict[str, list[str]] = {}
    for one in found:
        part, _, item = one.partition(" ")
        parts.setdefault(part, []).append(item)
    return {part: " ".join(items) for part, items in parts.items()}


def clause_of(part: Part, item: str) -> str:
    """The clause that lets a product's declaration ask for an item."""
    clause, named = _CLAUSES[part]
    return clause if item in named else _OTHERS
