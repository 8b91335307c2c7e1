"""Numbers of identity documents: their shape and check digit, and what they tell of their holder."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

from stdnum import numdb
from stdnum.iso7064 import mod_11_2

from models.formats import compact, refuse
from models.people import Gender, IdType

_EARLIEST_BIRTH = date(1900, 1, 1)
_EIGHTEEN = re.compile(r"[1-9][0-9]{16}[0-9X]")
_RESIDENCE_AREAS = frozenset({"810000", "820000", "830000"})
_HK_MACAU = re.compile(r"([HM][0-9]{8})(?:[0-9]{2})?")
_TAIWAN = re.compile(r"([0-9]{8})(?:[0-9]{2}(?:\([0-9A-Z]\)|[A-Z])?)?")
_OLD_FOREIGNER = re.compile(r"[A-Z]{3}[0-9]{12}")
_PASSPORT = re.compile(r"(?=[A-Z]*[0-9])[0-9A-Z]{5,9}")
_MRZ_WEIGHTS = (7, 3, 1)


class IdWarning(StrEnum):
    """What is odd about a number that may yet be right."""

    UNKNOWN_AREA = "UNKNOWN_AREA"
    """No county of this code is on the list, which lacks some that there were."""


@dataclass(frozen=True, slots=True)
class Identity:
    """A document's number in its canonical form, and what can be read from it for certain."""

    id_type: IdType
    number: str = field(repr=False)
    birth_date: date | None = field(default=None, repr=False)
    gender: Gender | None = field(default=None, repr=False)
    warnings: tuple[IdWarning, ...] = ()


def identity_number(id_type: IdType, text: str, *, today: date) -> Identity:
    """The number of a document of this type, or FormatError; a birth after `today` or before 1900 is none.

    Blanks, hyphens, fullwidth characters and a lower-case x are as the blind index has them.
    """
    expected, read = _READERS[id_type]
    number = compact(text, expected)
    found = read(number, today)
    if found is None:
        refuse(expected)
    return found


def _resident(number: str, today: date) -> Identity | None:
    # The first digit is the region of GB/T 2260: 8 and 9 stand on permits. Fifteen digits ended with 2012.
    if number[:1] in ("8", "9"):
        return None
    known = any("county" in found for _, found in numdb.get("cn/loc").info(number[:6]))
    return _eighteen(IdType.RESIDENT_ID, number, today, () if known else (IdWarning.UNKNOWN_AREA,))


def _passport(number: str, today: date) -> Identity | None:
    del today
    return Identity(IdType.PASSPORT, number) if _PASSPORT.fullmatch(number) else None


def _hk_macau_taiwan(number: str, today: date) -> Identity | None:
    if number[:6] in _RESIDENCE_AREAS:
        found = _eighteen(IdType.HK_MACAU_TAIWAN_PERMIT, number, today, ())
        if found is not None:
            return found
    # What follows a holder's lifelong number counts renewals and names the office: it changes, the person does not.
    permit = _HK_MACAU.fullmatch(number) or _TAIWAN.fullmatch(number)
    return permit and Identity(IdType.HK_MACAU_TAIWAN_PERMIT, permit[1])


def _foreigner(number: str, today: date) -> Identity | None:
    if number.startswith("9"):
        known = any("province" in found for _, found in numdb.get("cn/loc").info(number[1:3]))
        return _eighteen(IdType.FOREIGNER_PERMIT, number, today, () if known else (IdWarning.UNKNOWN_AREA,))
    # Country, four digits of the first office's area, birth date with a year of two digits, a digit of order, check.
    if not _OLD_FOREIGNER.fullmatch(number) or _mrz_check(number[:-1]) != int(number[-1]):
        return None
    births = [born for century in ("19", "20") if (born := _birth_date(century + number[7:13], today)) is not None]
    if not births:
        return None
    return Identity(IdType.FOREIGNER_PERMIT, number, births[0] if len(births) == 1 else None)


def _eighteen(id_type: IdType, number: str, today: date, warnings: tuple[IdWarning, ...]) -> Identity | None:
    """Area, birth date, order (odd for men) and check character, as GB 11643 has them."""
    if not _EIGHTEEN.fullmatch(number) or not mod_11_2.is_valid(number):
        return None
    born = _birth_date(number[6:14], today)
    gender = Gender.MALE if int(number[16]) % 2 else Gender.FEMALE
    return None if born is None else Identity(id_type, number, born, gender, warnings)


def _birth_date(digits: str, today: date) -> date | None:
    try:
        born = date(int(digits[:4]), int(digits[4:6]), int(digits[6:]))
    except ValueError:
        return None
    return born if _EARLIEST_BIRTH <= born <= today else None


def _mrz_check(body: str) -> int:
    """The check digit of machine-readable travel documents (ICAO Doc 9303-3, 4.9); letters count from A = 10."""
    return sum(int(one, 36) * _MRZ_WEIGHTS[place % 3] for place, one in enumerate(body)) % 10


_READERS: dict[IdType, tuple[str, Callable[[str, date], Identity | None]]] = {
    IdType.RESIDENT_ID: (
        (
            "Give the 18 characters of a resident identity card: area, birth date, order and check character. "
            "Permits beginning with 81, 82, 83 (Hong Kong, Macau, Taiwan) or 9 (foreigners) are types of their own."
        ),
        _resident,
    ),
    IdType.PASSPORT: ("Give the 5 to 9 letters and digits of a passport's number, a digit among them.", _passport),
    IdType.HK_MACAU_TAIWAN_PERMIT: (
        (
            "Give a travel permit's number, H or M with 8 digits or, from Taiwan, 8 digits; or the 18 characters of a "
            "residence permit beginning with 81, 82 or 83."
        ),
        _hk_macau_taiwan,
    ),
    IdType.FOREIGNER_PERMIT: (
        (
            "Give the number of a foreigner's permanent residence permit: 18 characters beginning with 9, or 3 letters "
            "and 12 digits on an older one."
        ),
        _foreigner,
    ),
}
"""What each type expects, and how it is read; GB 11643-1999, GA/T 1186-2023, the rules of the Ministry of Public
Security for travel permits (2010), ICAO Doc 9303-4 (nine characters of a passport's number)."""
