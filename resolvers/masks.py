"""Masks: what of a value stays readable. Always the same length per category, keeping neither order nor equality."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from models.vocabulary import Category

HIDDEN = "***"
FEWEST_HIDDEN = 4
_TWO_CHARACTER_SURNAMES = frozenset(
    "欧阳 司马 上官 诸葛 东方 夏侯 尉迟 皇甫 慕容 令狐 公孙 司徒 南宫 端木 轩辕 宇文 长孙 独孤 申屠 赫连".split()  # noqa: SIM905
)
_SHORTEST_NAME_WITH_SUCH = 3
_STREET = r"\d路街道巷弄号"
"""What begins a street or a number: nothing from there on is shown."""

_DISTRICT = re.compile(rf"^(?:[^{_STREET}]*?(?:市|州|盟|地区))?[^{_STREET}]{{1,8}}?(?:(?<![小园社校厂])区|县|旗)")
_CHINESE = re.compile(r"[\u3400-\u9fff]*")
_CITY = re.compile(rf"^[^{_STREET}]*?市")


@dataclass(frozen=True, slots=True)
class HeadAndTail:
    """Keep `head` first and `tail` last characters around `stars` asterisks."""

    head: int
    stars: int
    tail: int

    def __call__(self, value: str) -> str:
        """The masked value; one so short that less than `FEWEST_HIDDEN` characters would be hidden is hidden whole."""
        if len(value) < self.head + self.tail + FEWEST_HIDDEN:
            return "*" * (self.head + self.stars + self.tail)
        return value[: self.head] + "*" * self.stars + value[len(value) - self.tail :]


def mask_name(value: str) -> str:
    """The surname and one asterisk, whatever the length of the given name."""
    if "·" in value or not _is_chinese(value):
        return value[:1] + "*"
    double = len(value) >= _SHORTEST_NAME_WITH_SUCH and value[:2] in _TWO_CHARACTER_SURNAMES
    return value[: 2 if double else 1] + "*"


def mask_address(value: str) -> str:
    """The address down to its district."""
    found = _DISTRICT.match(value) or _CITY.match(value)
    return (found.group(0) if found else "") + HIDDEN


def mask_email(value: str) -> str:
    """The first character and the domain."""
    local, at, domain = value.rpartition("@")
    return f"{local[:1]}{HIDDEN}@{domain}" if at else HIDDEN


def mask_whole(value: str) -> str:
    """Nothing of the value."""
    del value
    return HIDDEN


Masks = Mapping[Category, Callable[[str], str]]

DEFAULT_MASKS: Masks = {
    Category.NAME: mask_name,
    Category.GOVERNMENT_ID: HeadAndTail(head=1, stars=16, tail=1),
    Category.PHONE: HeadAndTail(head=3, stars=4, tail=4),
    Category.BANK_ACCOUNT: HeadAndTail(head=0, stars=15, tail=4),
    Category.ADDRESS: mask_address,
    Category.EMAIL: mask_email,
    Category.RELAY: mask_whole,
    Category.OCCUPATION: mask_whole,
    Category.PROFILE: mask_whole,
    Category.ACCOUNT: mask_whole,
}
"""The masks as configured by default; a category without one is never masked."""


def _is_chinese(value: str) -> bool:
    return _CHINESE.fullmatch(value) is not None
