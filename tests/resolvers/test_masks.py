"""Masks: fixed in length, and never more than a district, a surname, four digits."""

import pytest

from models.demo.population import population
from models.vocabulary import Category
from resolvers.masks import DEFAULT_MASKS, mask_address, mask_email, mask_name
from resolvers.wards import is_minor


@pytest.mark.parametrize(
    "address,shown",
    [
        ("北京市海淀区中关村大街1号", "北京市海淀区***"),
        ("广东省广州市天河区体育西路", "广东省广州市天河区***"),
        ("内蒙古自治区呼和浩特市新城区", "内蒙古自治区呼和浩特市新城区***"),
        ("四川绵阳市涪城区胜利街422号金色家园21栋", "四川绵阳市涪城区***"),
        ("广东省东莞市南城街道阳光小区5栋", "广东省东莞市***"),
        ("浙江省杭州市文一路8号门市西区2幢101室", "浙江省杭州市***"),
        ("北京市朝阳路12号杭州大厦东区5单元", "北京市***"),
        ("上海市人民路万科东区3号301", "上海市***"),
        ("某地3号", "***"),
        ("", "***"),
    ],
)
def test_an_address_shows_its_district_at_most(address, shown):
    assert mask_address(address) == shown


@pytest.mark.parametrize(
    "name,shown",
    [("张伟", "张*"), ("欧阳娜娜", "欧阳*"), ("欧阳", "欧*"), ("买买提·艾力", "买*"), ("John Smith", "J*")],
)
def test_a_name_shows_its_surname_at_most(name, shown):
    assert mask_name(name) == shown


@pytest.mark.parametrize(
    "category,value,shown",
    [
        (Category.PHONE, "13800138000", "138****8000"),
        (Category.PHONE, "010-8888", "***********"),
        (Category.PHONE, "12345678", "***********"),
        (Category.GOVERNMENT_ID, "110101199003070011", "1****************1"),
        (Category.GOVERNMENT_ID, "E12345678", "E****************8"),
        (Category.GOVERNMENT_ID, "abc", "******************"),
        (Category.BANK_ACCOUNT, "6228485059030144480", "***************4480"),
        (Category.BANK_ACCOUNT, "12345", "*******************"),
        (Category.OCCUPATION, "护士", "***"),
    ],
)
def test_a_value_too_short_to_hide_anything_is_hidden_whole(category, value, shown):
    assert DEFAULT_MASKS[category](value) == shown


def test_an_email_shows_its_first_character_and_domain():
    assert (mask_email("wei@example.com"), mask_email("none")) == ("w***@example.com", "***")


def test_masks_of_a_category_are_all_of_one_length():
    phones, numbers = set(), set()
    for batch in population(60, 5, audience=lambda *_: None):
        for _, _, _, texts in batch.rows["person"]:
            numbers |= {len(DEFAULT_MASKS[Category.GOVERNMENT_ID](text)) for text in texts[1:2] if text}
            phones |= {len(DEFAULT_MASKS[Category.PHONE](text)) for text in texts[4:5] if text}
    assert (numbers, phones) == ({18}, {11})


def test_the_eighteenth_birthday_is_the_first_day_of_age():
    from datetime import date  # noqa: PLC0415

    assert is_minor("2008-11-24", date(2026, 11, 23), 18)
    assert not is_minor("2008-11-23", date(2026, 11, 23), 18)
    assert is_minor("2008-02-29", date(2026, 2, 28), 18)
    assert not is_minor("2008-02-29", date(2026, 3, 1), 18)
