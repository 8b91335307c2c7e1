"""The catalogue of coordinates: a schema field is public, sensitive (category, data subject), a write, or a count."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from authz.vocabulary import DataSubject
from models.vocabulary import Category


@dataclass(frozen=True, slots=True)
class Coordinate:
    """One sensitive field: `Claim.diagnosis`, of category HEALTH, a datum of the INSURED."""

    name: str
    category: Category
    of: DataSubject


class Catalogue(dict[str, Coordinate]):
    """The sensitive coordinates by name; and in `writes` the root fields that write, `Mutation.submitClaim`.

    In `counts` are root fields that count rows which nobody is shown: `Query.claimStatistics`. A name that is in none
    of them is public or unknown.
    """

    def __init__(
        self, sensitive: Mapping[str, Coordinate], *, writes: Iterable[str] = (), counts: Iterable[str] = ()
    ) -> None:
        """Never changed once made."""
        super().__init__(sensitive)
        self.writes = frozenset(writes)
        self.counts = frozenset(counts)

    def knows(self, name: str) -> bool:
        """Can a rule be about this name?"""
        return name in self or name in self.writes or name in self.counts

    def covers(self, coordinate: str, obj: str) -> bool:
        """Is a rule's object this coordinate or its category?"""
        found = self.get(coordinate)
        return obj == coordinate or (found is not None and obj == found.category.value)
