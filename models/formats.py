"""Formats of what people type: each function gives the canonical text that is sealed and looked up, or refuses.

The one place that knows the libraries behind these checks; `models/identity_numbers.py` is its other half. Nothing
here is kept, sent or asked of anyone.
"""

import re
import unicodedata
from decimal import Decimal
from typing import NoReturn

import phonenumbers
from email_validator import EmailNotValidError, validate_email
from stdnum import luhn

from vault.blind import normalise

LONGEST_ADDRESS = 200
LONGEST_NAME = 64
LONGEST_EMAIL = 254
"""RFC 5321, 4.5.3.1.3, less the angle brackets."""
MOST_MONEY = Decimal("9999999999.99")

_LONGEST_NUMBER = 64
_CHINA = "CN"
_MOBILE = re.compile(r"1[3-9][0-9]{9}")
_PHONE_TEXT = re.compile(r"\+?[0-9().]+")
_CARD = re.compile(r"[1-9][0-9]{11,18}")
# The Chinese national edition (GB/T 14396-2016 and the clinical edition that extends it): x fills an empty place.
_ICD10_CHINA = re.compile(r"([A-Z][0-9]{2})(?:\.?([0-9X][0-9]{0,2}(?:X[0-9]{3})?))?([+*]?)")
_ICD10_CM = re.compile(r"([A-Z][0-9][0-9A-Z])(?:\.?([0-9A-Z]{1,4}))?([+*]?)")
_HAN = "\u3007\u3400-\u9fff\uf900-\ufaff\U00020000-\U00033fff"
_BLANK_IN_CHINESE = re.compile(f"(?<=[{_HAN}·]) (?=[{_HAN}·])")
_NAME_DOTS = dict.fromkeys(map(ord, "•‧∙⋅・･"), "·")
_NAME_MARKS = frozenset(" ·-.,'’()〇")
_SUPPLEMENTARY_HAN = range(0x20000, 0x34000)
_JOINERS = frozenset("\u200c\u200d")
_AMOUNT = re.compile(r"[0-9]{1,12}(?:\.[0-9]{1,2})?")


class FormatError(ValueError):
    """What a text should have been, in a sentence for whoever typed it; never the text itself."""


def refuse(expected: str) -> NoReturn:
    """Say what is expected. Called outside of `except` blocks: a library's error may hold the value."""
    raise FormatError(expected)


def compact(text: str, expected: str) -> str:
    """The form under which the blind index finds a number: whichever way it was typed, it is the same."""
    if len(text) > _LONGEST_NUMBER:
        refuse(expected)
    return normalise(text)


def mobile_number(text: str) -> str:
    """The eleven digits of a mainland mobile number, with or without +86, blanks and hyphens.

    The numbering plan's shape decides (11 digits from 13 to 19), not the library's list of ranges in use, which lags
    behind what the operators open and test: 174, 179 and 194 are not in it.
    """
    expected = "Give a mobile phone number of the Chinese mainland: 11 digits beginning with 13 to 19."
    found = _parse_phone(text)
    if found is None or not _is_mobile(found):
        refuse(expected)
    return str(found.national_number)


def phone_number(text: str) -> str:
    """A phone somebody can be reached at: a mainland mobile as `mobile_number` has it, any other in E.164.

    Without a country code it is a number of the mainland, a landline with its area code. Numbers outside the mainland's
    mobiles must lie in a range that the library knows to be assigned. Extensions have no place in E.164: refused.
    """
    expected = (
        "Give a phone number: a mainland mobile, a landline with its area code, or + and the country code (+852, +886)."
    )
    found = _parse_phone(text)
    if found is None:
        refuse(expected)
    if _is_mobile(found):
        return str(found.national_number)
    if not phonenumbers.is_valid_number(found):
        refuse(expected)
    return phonenumbers.format_number(found, phonenumbers.PhoneNumberFormat.E164)


def bank_card(text: str) -> str:
    """The 12 to 19 digits of a bank card (ISO/IEC 7812-1) that pass Luhn; between them blanks and hyphens only."""
    expected = "Give the number of a bank card: 12 to 19 digits, blanks and hyphens between them, nothing else."
    digits = compact(text, expected)
    if not _CARD.fullmatch(digits) or not luhn.is_valid(digits):
        refuse(expected)
    return digits


def email(text: str) -> str:
    """An address by RFC 5321 and 6531: the domain in lower case, the local part as typed; nobody is asked for it.

    Fullwidth letters, as Chinese input methods type them, count as the plain ones.
    """
    found = None
    if len(text) <= LONGEST_EMAIL:
        plain = unicodedata.normalize("NFKC", text).strip()
        try:
            found = validate_email(plain, check_deliverability=False)
        except EmailNotValidError:
            pass
        except UnicodeError:  # a half of a surrogate pair
            pass
    if found is None:
        refuse("Give an e-mail address, such as name@example.com.")
    return found.normalized


def icd10(text: str) -> str:
    """The shape of an ICD-10 code, with its dot: `S06.9`, `I10`, `S06.900x001`, `T36.0X1A`; dagger `+`, asterisk `*`.

    A Chinese code keeps the lower-case x of its edition (GB/T 14396), an ICD-10-CM code is upper case throughout.
    Whether there is such a code is not checked.
    """
    expected = "Give one ICD-10 code: a letter, two characters, then a dot and its subdivision, such as S06.900x001."
    plain = compact(text, expected).replace("†", "+")
    found = _ICD10_CHINA.fullmatch(plain)
    if found:
        category, rest, mark = found[1], (found[2] or "").lower(), found[3]
    else:
        found = _ICD10_CM.fullmatch(plain)
        if found is None:
            refuse(expected)
        category, rest, mark = found[1], found[2] or "", found[3]
    return f"{category}.{rest}{mark}" if rest else category + mark


def person_name(text: str) -> str:
    """A name as on a document: Chinese, with `·` between its parts, or of any other script; no digits or signs.

    NFKC; every kind of middle dot is `·`; one blank between words, none inside a Chinese name.
    """
    expected = f"Give a name of 2 to {LONGEST_NAME} letters or characters, without digits and signs."
    plain = unicodedata.normalize("NFKC", _bounded(text, longest=2 * LONGEST_NAME, expected=expected))
    plain = " ".join(filter(None, plain.translate(_NAME_DOTS).split(" ")))
    plain = _BLANK_IN_CHINESE.sub("", plain)
    # A name of one letter or character is an initial or a slip.
    if not 2 <= len(plain) <= LONGEST_NAME or not _is_letter(plain[0]):  # noqa: PLR2004 - as the sentence says
        refuse(expected)
    if not all(_is_letter(one) or one in _NAME_MARKS for one in plain):
        refuse(expected)
    return plain


def address(text: str) -> str:
    """A postal address on one line, NFC, blanks folded; any characters that can be seen, a letter among them."""
    expected = f"Give an address of 4 to {LONGEST_ADDRESS} characters."
    plain = " ".join(free_text(text, longest=LONGEST_ADDRESS, expected=expected).split())
    if len(plain) < 4 or not any(map(_is_letter, plain)):  # noqa: PLR2004 - as the sentence says
        refuse(expected)
    return plain


def free_text(text: str, *, longest: int, expected: str | None = None) -> str:
    """Prose of 1 to `longest` characters, NFC, trimmed; line ends are line feeds; invisible characters are left out.

    Control characters and halves of surrogate pairs are refused: they cannot be stored, shown or written as UTF-8.
    """
    expected = expected or f"Give a text of 1 to {longest} characters, without control characters."
    plain = _bounded(text, longest=2 * longest + 64, expected=expected).replace("\r\n", "\n").replace("\r", "\n")
    plain = unicodedata.normalize("NFC", "".join(one for one in plain if not _is_invisible(one))).strip()
    if not 1 <= len(plain) <= longest or not set(plain) - _JOINERS or any(_is_control(one) for one in plain):
        refuse(expected)
    return plain


def amount(value: str | Decimal, *, most: Decimal = MOST_MONEY) -> Decimal:
    """A sum of money in yuan, from 0 to `most`, to the fen: at most two decimals, no sign, exponent or separators."""
    expected = f"Give an amount from 0 to {most} with at most two decimals, such as 1200.50."
    # A Decimal may hold an exponent of nine digits: never write one out before it is known to be small.
    if isinstance(value, Decimal):
        if not value.is_finite() or abs(value.adjusted()) > _LONGEST_NUMBER:
            refuse(expected)
        text = f"{value:f}"
        text = text.rstrip("0").rstrip(".") if "." in text else text
    else:
        text = unicodedata.normalize("NFKC", _bounded(value, longest=_LONGEST_NUMBER, expected=expected)).strip()
    if not _AMOUNT.fullmatch(text) or Decimal(text) > most:
        refuse(expected)
    return Decimal(text).quantize(Decimal("0.01"))


def _parse_phone(text: str) -> phonenumbers.PhoneNumber | None:
    if len(text) > _LONGEST_NUMBER:
        return None
    plain = normalise(text)
    # The library reads letters as keys, and finds numbers inside of other texts.
    if not _PHONE_TEXT.fullmatch(plain):
        return None
    # And takes 179xx for the prefix of a carrier: a mobile number is read with the country's code.
    mobile = _MOBILE.fullmatch(plain.lstrip("0")) is not None
    try:
        return phonenumbers.parse(f"+86{plain.lstrip('0')}" if mobile else plain, _CHINA)
    except phonenumbers.NumberParseException:
        return None


def _is_mobile(number: phonenumbers.PhoneNumber) -> bool:
    mainland = number.country_code == phonenumbers.country_code_for_region(_CHINA)
    return mainland and _MOBILE.fullmatch(str(number.national_number)) is not None


def _bounded(text: str, *, longest: int, expected: str) -> str:
    # Before any work: a normal form can be many times as long as its text.
    if len(text) > longest:
        refuse(expected)
    return text


def _is_letter(one: str) -> bool:
    # Characters for names were added to Unicode later than this Python's tables, at places long reserved for them.
    return unicodedata.category(one)[0] in "LM" or ord(one) in _SUPPLEMENTARY_HAN


def _is_invisible(one: str) -> bool:
    # Joiners are part of some scripts, and of pictures.
    return unicodedata.category(one) == "Cf" and one not in _JOINERS


def _is_control(one: str) -> bool:
    return unicodedata.category(one) in {"Cc", "Cs"} and one not in "\n\t"
