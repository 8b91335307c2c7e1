"""The plain lines: every demo row as JSON, values as a full reveal would show them (docs/plaintext.md)."""

import json
from datetime import date, datetime
from typing import TextIO
from uuid import UUID

from models.demo.rows import TABLES, Batch, Cell, Column, Form, Row, Table
from models.demo.timeline import CHINA
from models.global_ids import NodeType, to_global
from models.vocabulary import Role, from_bits

Value = str | int | list[str] | list[dict[str, str]] | None

_LINKS = {
    Form.USER: NodeType.USER,
    Form.POLICY: NodeType.POLICY,
    Form.CLAIM: NodeType.CLAIM,
    Form.CONSENT: NodeType.CONSENT,
    Form.RECORD: NodeType.RECORD,
    Form.AUDIENCE: NodeType.AUDIENCE_USER,
}


class PlainLines:
    """Writes batches as JSON lines; remembers names of organizations, products and staff for later batches."""

    def __init__(self, stream: TextIO) -> None:
        """Write to a text stream, which stays open."""
        self._stream = stream
        self._names: dict[UUID, str] = {}

    def write(self, batch: Batch) -> None:
        """Write a line for every row of a batch."""
        for name in ("organization", "product", "staff"):
            self._names.update({row_id: str(plain[0]) for row_id, _, plain, _ in batch.rows[name]})
        usernames = {owner: texts[0] for _, owner, _, texts in batch.rows["account"]}
        users, items = _users(batch), _items(batch)
        for table in TABLES:
            for row in batch.rows[table.name] if table.line else ():
                line = self._line(table, row)
                _complete(line, row, usernames=usernames, users=users, items=items)
                self._write_line(line)
        for row in batch.rows["staff"]:
            self._write_line(_staff_account(row))

    def _write_line(self, line: dict[str, Value]) -> None:
        self._stream.write(json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n")

    def _line(self, table: Table, row: Row) -> dict[str, Value]:
        row_id, _, plain, texts = row
        line: dict[str, Value] = {
            "type": table.line,
            "id": str(plain[0]) if table.node is None else to_global(table.node, row_id),
        }
        for columns, cells in ((table.plain, plain), (table.sealed, texts)):
            for column, cell in zip(columns, cells, strict=True):
                if column.form is not Form.HIDDEN and not (column.form is Form.AUDIENCE and cell is None):
                    line[column.field] = self._value(column, cell)
        return line

    def _value(self, column: Column, cell: Cell) -> Value:
        match cell:
            case None:
                return None
            case UUID():
                return self._names[cell] if column.form is Form.NAMED else to_global(_LINKS[column.form], cell)
            case datetime():
                return cell.astimezone(CHINA).isoformat()
            case date():
                return cell.isoformat()
            case int():
                return _categories(cell) if column.form is Form.CATEGORIES else cell
            case _:
                return _text(column, str(cell))


def _categories(bits: int) -> list[str]:
    return [category.value.upper() for category in from_bits(bits)]


def _text(column: Column, text: str) -> Value:
    match column.form:
        case Form.UPPER:
            return text.upper()
        case Form.TAGS:
            return [str(tag) for tag in json.loads(text)]
        case _:
            return text


def _users(batch: Batch) -> dict[UUID, list[str]]:
    """The people of each disclosure case."""
    users: dict[UUID, list[str]] = {}
    for _, _, plain, _ in batch.rows["disclosure_person"]:
        case, person = plain
        if isinstance(case, UUID) and isinstance(person, UUID):
            users.setdefault(case, []).append(to_global(NodeType.USER, person))
    return users


def _items(batch: Batch) -> dict[UUID, list[dict[str, str]]]:
    """What each product needs, in the order of the API."""
    found: dict[UUID, list[dict[str, str]]] = {}
    for _, _, (product, part, item, clause), _ in batch.rows["product_item"]:
        if isinstance(product, UUID):
            found.setdefault(product, []).append({"part": str(part).upper(), "item": str(item), "clause": str(clause)})
    return {product: sorted(items, key=lambda one: (one["part"], one["item"])) for product, items in found.items()}


def _complete(
    line: dict[str, Value],
    row: Row,
    *,
    usernames: dict[UUID, str | None],
    users: dict[UUID, list[str]],
    items: dict[UUID, list[dict[str, str]]],
) -> None:
    """Add what stands in other tables: a user's name of login, a product's items, the people of a disclosure case."""
    match line["type"]:
        case "Product":
            line["items"] = items[row[0]]
        case "User":
            line["username"] = usernames.get(row[0])
        case "Account":
            line["role"] = Role.CUSTOMER.value
        case "DisclosureCase":
            line["users"] = users[row[0]]


def _staff_account(row: Row) -> dict[str, Value]:
    row_id, _, (username, role, _), _ = row
    return {
        "type": "Account",
        "id": to_global(NodeType.RECORD, row_id),
        "user": None,
        "openedAt": None,
        "username": str(username),
        "role": str(role),
    }
