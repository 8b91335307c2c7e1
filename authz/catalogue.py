"""The catalogue of coordinates: every schema field is public, or sensitive with a category and a data subject."""

from collections.abc import Mapping
from dataclasses import dataclass

from authz.vocabulary import DataSubject
from models.vocabulary import Category


@dataclass(frozen=True, slots=True)
class Coordinate:
    """One sensitive field: `Claim.diagnosis`, of category HEALTH, a datum of the INSURED."""

    name: str
    category: Category
    of: DataSubject


Catalogue = Mapping[str, Coordinate]
"""The sensitive coordinates by name; a name that is not in it is public or unknown."""
