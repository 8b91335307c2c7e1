"""The reference's masks."""

import re

COMPOUND_SURNAMES = frozenset(
    (
        *("欧阳", "司马", "上官", "诸葛", "东方", "夏侯", "尉迟", "皇甫", "慕容", "令狐"),
        *("公孙", "司徒", "南宫", "端木", "轩辕", "宇文", "长孙", "独孤", "申屠", "赫连"),
    )
)


def mask(category: str, value: str) -> str:
    """A text value of which only what its category allows is left."""
    return MASKS[category](value) if category in MASKS else "***"


def _mask_name(name: str) -> str:
    compound = "·" not in name and len(name) > len("欧阳") and name[:2] in COMPOUND_SURNAMES
    return name[: 2 if compound else 1] + "*"


def _mask_address(address: str) -> str:
    district = re.match(r".*?市(?:.*?[区县旗])?", address)
    return (district.group() if district else "") + "***"


MASKS = {
    "name": _mask_name,
    "government_id": lambda number: number[0] + "*" * 16 + number[-1],
    "phone": lambda number: number[:3] + "****" + number[-4:],
    "bank_account": lambda number: "*" * 15 + number[-4:],
    "email": lambda email: email[0] + "***@" + email.rsplit("@", 1)[1],
    "address": _mask_address,
}
