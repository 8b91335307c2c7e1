"""How people type numbers and texts: values of every format, drawn and written in the ways that occur."""

from datetime import date
from functools import partial

import pytest
from hypothesis import strategies as st

from models.demo.values import luhn_check, resident_id
from models.formats import (
    FormatError,
    address,
    amount,
    bank_card,
    email,
    free_text,
    icd10,
    mobile_number,
    person_name,
    phone_number,
)
from models.identity_numbers import identity_number
from models.people import IdType
from vault.keyring import generate

TODAY = date(2026, 11, 23)
KEYRING = generate()
SHORT_TEXT = partial(free_text, longest=40)
READERS = {
    "mobile": mobile_number,
    "phone": phone_number,
    "card": bank_card,
    "email": email,
    "icd10": icd10,
    "name": person_name,
    "address": address,
    "text": SHORT_TEXT,
    "amount": amount,
    **{kind.value: partial(identity_number, kind, today=TODAY) for kind in IdType},
}
WIDE = {ord(one): chr(ord(one) + 0xFEE0) for one in "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz+-"}
WIDE[ord(" ")] = "\u3000"


def read_id(kind, text):
    return identity_number(kind, text, today=TODAY)


def refused(reader, text):
    with pytest.raises(FormatError) as caught:
        reader(text)
    return caught.value


def outcome(reader, text):
    try:
        return reader(text)
    except FormatError as refusal:
        return refusal


@st.composite
def ways_of_typing(draw, texts):
    """A number, and a way to type it: blanks and hyphens anywhere, fullwidth characters, either case."""
    number = draw(texts)
    typed = "".join(one + draw(st.sampled_from(("", "", "", " ", "-", " - "))) for one in number)
    return number, draw(st.sampled_from((str, str.lower, lambda text: text.translate(WIDE))))(typed)


BIRTHS = st.dates(date(1900, 1, 1), TODAY)
AREAS = {
    IdType.RESIDENT_ID: st.sampled_from(("110101", "310115", "440305", "510107", "659001", "533103")),
    IdType.HK_MACAU_TAIWAN_PERMIT: st.sampled_from(("810000", "820000", "830000")),
    IdType.FOREIGNER_PERMIT: st.sampled_from(("911840", "931392", "944826")),
}
EIGHTEEN = st.sampled_from(list(AREAS)).flatmap(
    lambda kind: st.builds(
        lambda area, born, order: (kind, resident_id(area, born, order=order), born, order),
        AREAS[kind],
        BIRTHS,
        st.integers(0, 999),
    )
)
MOBILES = st.integers(13_000_000_000, 19_999_999_999).map(str)
CARDS = st.integers(10**10, 10**18 - 1).map(str).map(lambda body: body + luhn_check(body))
