"""Identity numbers: what is one of which document, and what it tells of its holder."""

from datetime import date, timedelta
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.demo.values import resident_id
from models.formats import (
    FormatError,
)
from models.identity_numbers import IdWarning, identity_number
from models.people import Gender, IdType
from tests.models.typing_habits import EIGHTEEN, TODAY, read_id, refused


@given(EIGHTEEN)
def test_every_number_of_eighteen_is_accepted_and_tells_birth_date_and_gender(one):
    kind, number, born, order = one
    found = read_id(kind, number)
    assert (found.number, found.birth_date) == (number, born)
    assert found.gender is (Gender.MALE if order % 2 else Gender.FEMALE)
    assert found.warnings == ()


@given(EIGHTEEN, st.data())
def test_one_wrong_digit_or_two_swapped_ones_are_refused(one, data):
    kind, number, _, _ = one
    place = data.draw(st.integers(0, 17))
    wrong = data.draw(st.sampled_from(sorted(set("0123456789X") - {number[place]})))
    refused(partial(read_id, kind), number[:place] + wrong + number[place + 1 :])
    for left in range(17):
        if number[left] != number[left + 1]:
            swapped = number[:left] + number[left + 1] + number[left] + number[left + 2 :]
            refused(partial(read_id, kind), swapped)


@given(EIGHTEEN, st.sampled_from(IdType))
def test_a_number_of_eighteen_belongs_to_one_type_only(one, kind):
    own, number, _, _ = one
    if kind is not own:
        refused(partial(read_id, kind), number)


@given(st.dates(date(1800, 1, 1), date(2199, 12, 31)).filter(lambda day: not date(1900, 1, 1) <= day <= TODAY))
def test_nobody_is_born_after_today_or_before_1900(born):
    refused(partial(read_id, IdType.RESIDENT_ID), resident_id("110101", born, order=7))


def test_the_day_of_birth_is_the_first_day_a_number_can_be_had():
    number = resident_id("110101", TODAY, order=7)
    assert read_id(IdType.RESIDENT_ID, number).birth_date == TODAY
    with pytest.raises(FormatError):
        identity_number(IdType.RESIDENT_ID, number, today=TODAY - timedelta(days=1))


@pytest.mark.parametrize("day", ["19990229", "19991301", "19990001", "19990100", "00000101"])
def test_a_day_that_is_none_is_refused_though_the_check_digit_fits(day):
    from models.demo.values import id_check  # noqa: PLC0415

    body = f"110101{day}001"
    refused(partial(read_id, IdType.RESIDENT_ID), body + id_check(body))


@pytest.mark.parametrize("area", ["110999", "199999", "139900", "700000"])
def test_an_unknown_area_is_a_warning(area):
    found = read_id(IdType.RESIDENT_ID, resident_id(area, date(1990, 3, 7), order=1))
    assert found.warnings == (IdWarning.UNKNOWN_AREA,)


@pytest.mark.parametrize("area", ["800000", "840000", "010101", "911840"])
def test_a_region_that_residents_do_not_have_is_refused(area):
    refused(partial(read_id, IdType.RESIDENT_ID), resident_id(area, date(1990, 3, 7), order=1))


@pytest.mark.parametrize(
    "kind, typed, number",
    [
        (IdType.RESIDENT_ID, "11010519491231002x", "11010519491231002X"),  # GB 11643-1999
        (IdType.RESIDENT_ID, "１１０１０５ １９４９１２３１ ００２ｘ", "11010519491231002X"),
        (IdType.PASSPORT, "e 1234 5678", "E12345678"),
        (IdType.PASSPORT, "EA1234567", "EA1234567"),
        (IdType.PASSPORT, "123456789", "123456789"),
        (IdType.HK_MACAU_TAIWAN_PERMIT, "h12345678", "H12345678"),
        (IdType.HK_MACAU_TAIWAN_PERMIT, "M1234567801", "M12345678"),
        (IdType.HK_MACAU_TAIWAN_PERMIT, "12345678", "12345678"),
        (IdType.HK_MACAU_TAIWAN_PERMIT, "1234567802", "12345678"),
        (IdType.HK_MACAU_TAIWAN_PERMIT, "1234567802（B）", "12345678"),
        (IdType.FOREIGNER_PERMIT, "kaz110090123105", "KAZ110090123105"),
    ],
)
def test_numbers_are_read_as_the_documents_have_them(kind, typed, number):
    assert read_id(kind, typed).number == number


def test_an_older_permit_tells_its_birth_date_only_where_the_century_is_certain():
    assert read_id(IdType.FOREIGNER_PERMIT, "KAZ110090123105").birth_date == date(1990, 12, 31)
    # Born in 1920 or 2020.
    assert read_id(IdType.FOREIGNER_PERMIT, "KAZ110020123104").birth_date is None


@pytest.mark.parametrize("place", range(3, 15))
def test_an_older_permit_with_one_wrong_digit_is_refused(place):
    number = "KAZ110090123105"
    wrong = str((int(number[place]) + 1) % 10)
    refused(partial(read_id, IdType.FOREIGNER_PERMIT), number[:place] + wrong + number[place + 1 :])


@pytest.mark.parametrize(
    "kind, text",
    [
        *((kind, text) for kind in IdType for text in ("", "-", "abc", "张三", "1" * 400, "\x00", "\ud800", "1\n")),
        (IdType.RESIDENT_ID, "110105491231002"),
        (IdType.RESIDENT_ID, "1101051949123100２Xx"),
        (IdType.RESIDENT_ID, "١١٠١٠٥١٩٤٩١٢٣١٠٠٢X"),
        (IdType.RESIDENT_ID, "X10105194912310020"),
        (IdType.PASSPORT, "ABCDEFGH"),
        (IdType.PASSPORT, "E123"),
        (IdType.PASSPORT, "E123456789"),
        (IdType.HK_MACAU_TAIWAN_PERMIT, "H1234567"),
        (IdType.HK_MACAU_TAIWAN_PERMIT, "H123456789"),
        (IdType.HK_MACAU_TAIWAN_PERMIT, "T12345678"),
        (IdType.HK_MACAU_TAIWAN_PERMIT, "123456789"),
        (IdType.FOREIGNER_PERMIT, "KAZ110090133108"),  # month 13, check digit right
        (IdType.FOREIGNER_PERMIT, "KA1110090123105"),
    ],
)
def test_what_is_no_number_of_the_type_is_refused(kind, text):
    refused(partial(read_id, kind), text)


def test_an_identity_shows_nothing_of_its_holder():
    found = read_id(IdType.RESIDENT_ID, "11010519491231002X")
    for hidden in ("1101", "1949", "FEMALE"):
        assert hidden not in repr(found)
