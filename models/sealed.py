"""The column type of sealed values: it boxes bytes and never opens them."""

from dataclasses import dataclass, field
from typing import Any

from tortoise import fields


@dataclass(frozen=True, slots=True)
class Sealed:
    """An encrypted value as stored. Opening it is an explicit act of the vault."""

    blob: bytes = field(repr=False)


class SealedField(fields.BinaryField[Any]):
    """A nullable BYTEA column that takes and gives `Sealed` and refuses everything else."""

    def __init__(self, *, null: bool = True) -> None:
        """Declare the column; always nullable, since erasing leaves the row (migrations repeat `null`)."""
        super().__init__(null=null)  # type: ignore[call-overload] # Tortoise overloads on a literal

    def to_db_value(self, value: object, instance: object) -> bytes | None:
        """Unbox for storage; a value that was never sealed raises TypeError without showing it."""
        del instance
        if value is None:
            return None
        if not isinstance(value, Sealed):
            message = "a sealed column takes Sealed values only"
            raise TypeError(message)
        return value.blob

    def to_python_value(self, value: Any) -> Sealed | None:  # noqa: ANN401 - Tortoise's own signature
        """Box what the database gave."""
        if value is None or isinstance(value, Sealed):
            return value
        return Sealed(bytes(value))
