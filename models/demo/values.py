"""Values that pass the checks of the real ones: identity numbers, cards, phone numbers."""

from datetime import date
from operator import mul

from models.demo.draws import Draws, weighted

_ID_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_ID_CHECKS = "10X98765432"
_ID_ZEROS = ord("0") * sum(_ID_WEIGHTS)
_LUHN_DOUBLED = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)
_SERIAL_FACTOR = 7_368_787_411
_SERIAL_SHIFT = 1_234_567_891
_SERIAL_RANGE = 10**10
_PHONE_RANGE = 10**8

_MOBILE_PREFIXES = tuple(
    "130 131 132 133 135 136 137 138 139 150 151 152 153 155 156 157 158 159 166 173 175 176 177 178 180 181 "
    "182 183 185 186 187 188 189 191 193 195 198 199".split(),
)
_RELAY_PREFIXES = ("162", "165", "167", "170", "171")

# Issuer prefix -> length of the whole number, weighted by how common the bank is.
_CARD_ISSUERS = weighted(
    {
        ("622202", 19): 20,
        ("621700", 19): 16,
        ("622848", 19): 18,
        ("621661", 19): 12,
        ("621098", 19): 10,
        ("622262", 19): 6,
        ("621483", 16): 7,
        ("622908", 18): 3,
        ("622622", 16): 3,
        ("621226", 19): 5,
    },
)


def serial(number: int) -> str:
    """Ten digits, different for every number below 10**10, without its order."""
    return f"{(number * _SERIAL_FACTOR + _SERIAL_SHIFT) % _SERIAL_RANGE:010d}"


def id_check(body: str) -> str:
    """The check character of the first 17 digits of a citizen's number (GB 11643, ISO 7064 MOD 11-2)."""
    return _ID_CHECKS[(sum(map(mul, body.encode(), _ID_WEIGHTS)) - _ID_ZEROS) % 11]


def resident_id(area: str, born: date, *, order: int) -> str:
    """A resident identity number; `order` below 1,000 is odd for men, even for women."""
    body = f"{area}{born.year}{born.month:02d}{born.day:02d}{order:03d}"
    return body + id_check(body)


def luhn_check(body: str) -> str:
    """The check digit that completes a card number (ISO/IEC 7812-1)."""
    digits = [int(digit) for digit in reversed(body)]
    return str(-sum([*map(_LUHN_DOUBLED.__getitem__, digits[::2]), *digits[1::2]]) % 10)


def bank_card(draws: Draws) -> str:
    """A debit card number of a large Chinese bank."""
    issuer, length = draws.pick(_CARD_ISSUERS)
    body = issuer + draws.digits(length - len(issuer) - 1)
    return body + luhn_check(body)


def personal_phone(draws: Draws, number: int) -> str:
    """A mobile number that no other person of the demo data has."""
    return f"{draws.one(_MOBILE_PREFIXES)}{(number * _SERIAL_FACTOR + _SERIAL_SHIFT) % _PHONE_RANGE:08d}"


def any_phone(draws: Draws) -> str:
    """A mobile number."""
    return draws.one(_MOBILE_PREFIXES) + draws.digits(8)


def relay_phone(draws: Draws) -> str:
    """A number of a virtual operator."""
    return draws.one(_RELAY_PREFIXES) + draws.digits(8)


def ip_address(draws: Draws) -> str:
    """An address of a Chinese access network, or a documentation address of IPv6 (RFC 3849)."""
    if draws.chance(0.25):
        return f"2001:db8:{draws.getrandbits(16):x}:{draws.getrandbits(16):x}::{draws.getrandbits(16) or 1:x}"
    first = draws.one((36, 58, 101, 112, 117, 119, 121, 123, 180, 183, 218, 222))
    return f"{first}.{draws.number(0, 255)}.{draws.number(0, 255)}.{draws.number(1, 254)}"
