import io
import json
from collections import Counter, defaultdict
from datetime import date
from decimal import Decimal
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.demo.plaintext import PlainLines
from models.demo.population import population
from models.formats import (
    LONGEST_ADDRESS,
    LONGEST_NAME,
    MOST_MONEY,
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
from models.people import IdType, age
from tests.models.typing_habits import (
    CARDS,
    EIGHTEEN,
    KEYRING,
    MOBILES,
    READERS,
    SHORT_TEXT,
    TODAY,
    outcome,
    read_id,
    refused,
    ways_of_typing,
)
from vault.blind import audience_id, blind, normalise

# --- the blind index finds what was typed any way ---


@given(ways_of_typing(EIGHTEEN.map(lambda one: one[1])))
def test_the_blind_index_finds_an_identity_number_whichever_way_it_was_typed(pair):
    number, typed = pair
    kind = {"8": IdType.HK_MACAU_TAIWAN_PERMIT, "9": IdType.FOREIGNER_PERMIT}.get(number[0], IdType.RESIDENT_ID)
    canonical = read_id(kind, typed[:64]).number if len(typed) <= 64 else number
    assert canonical == number == normalise(number)
    assert blind(KEYRING, "id_number", typed) == blind(KEYRING, "id_number", canonical)


@given(ways_of_typing(CARDS), ways_of_typing(MOBILES))
def test_the_blind_index_finds_cards_and_mobiles_whichever_way_they_were_typed(card, mobile):
    for (number, typed), reader, column in ((card, bank_card, "bank_card"), (mobile, mobile_number, "phone")):
        if len(typed) <= 64:
            assert reader(typed) == number
        assert blind(KEYRING, column, typed) == blind(KEYRING, column, number)


# --- phones ---


@given(ways_of_typing(MOBILES), st.sampled_from(("", "+86", "0086", "+86 ", "＋８６", "00-86 ", "86", "0")))
def test_every_mobile_number_of_the_plan_is_accepted_with_and_without_its_country(pair, prefix):
    number, typed = pair
    if len(prefix + typed) <= 64:
        assert mobile_number(prefix + typed) == phone_number(prefix + typed) == number


def test_no_range_of_mobiles_is_left_out():
    for prefix in range(1300, 2000):
        assert mobile_number(f"{prefix}2345678") == f"{prefix}2345678"


@pytest.mark.parametrize("number", ["17915009469", "17908123456", "17901234567"])
def test_a_mobile_number_is_not_read_as_a_carriers_prefix(number):
    for written in (number, f"+86 {number}", f"0086{number}", f"0{number}"):
        assert mobile_number(written) == phone_number(written) == number


@pytest.mark.parametrize(
    "typed, number",
    [
        ("010-6234-5678", "+861062345678"),
        ("(0571) 8765 4321", "+8657187654321"),
        ("+86 21 6234 5678", "+862162345678"),
        ("+852 9123 4567", "+85291234567"),
        ("00852-2123-4567", "+85221234567"),
        ("+853 6612 3456", "+85366123456"),
        ("+886 912 345 678", "+886912345678"),
        ("+1 (202) 555-0123", "+12025550123"),
        ("＋４４ ２０ ７９４６ ０９５８", "+442079460958"),
        ("138.0013.8000", "13800138000"),
    ],
)
def test_contact_phones_are_kept_as_mainland_mobiles_or_in_e164(typed, number):
    assert phone_number(typed) == number
    assert phone_number(number) == number


@pytest.mark.parametrize(
    "text",
    [
        "", "+", "12345678", "12700000004", "1380013800", "138001380001", "13800138000a", "1-800-FLOWERS", "110",
        "13800138000;ext=1", "tel:13800138000", "13800138000 13800138001", "+999123456789", "١٣٨٠٠١٣٨٠٠٠", "1" * 500,
        "+86" * 30, "\ud800", "13800138000\n",
    ],
)  # fmt: skip
def test_what_is_no_phone_is_refused(text):
    refused(mobile_number, text)
    refused(phone_number, text)


@pytest.mark.parametrize("text", ["010-62345678", "+85291234567", "+85217700000004", "+8613800138"])
def test_only_mainland_mobiles_are_mobile_numbers(text):
    refused(mobile_number, text)


# --- cards ---


@given(CARDS, st.data())
def test_a_card_with_one_wrong_digit_is_refused(card, data):
    assert bank_card(card) == card
    place = data.draw(st.integers(0, len(card) - 1))
    wrong = data.draw(st.sampled_from(sorted(set("0123456789") - {card[place]})))
    refused(bank_card, card[:place] + wrong + card[place + 1 :])


@given(CARDS)
def test_swapped_digits_of_a_card_are_refused_as_far_as_luhn_sees_them(card):
    for left in range(len(card) - 1):
        if card[left] != card[left + 1] and {card[left], card[left + 1]} != {"0", "9"}:
            refused(bank_card, card[:left] + card[left + 1] + card[left] + card[left + 2 :])


@pytest.mark.parametrize(
    "text",
    [
        "", "0" * 16, "4111 1111 1111 1112", "4111111111111111a", "4111.1111.1111.1111", "4111111111111111 CVV 123",
        "41111111119", "4" * 400, "卡4111111111111111", "٤١١١١١١١١١١١١١١١", "6222021234567890123/0528",
    ],
)  # fmt: skip
def test_what_is_no_card_is_refused(text):
    refused(bank_card, text)


# --- e-mail, ICD-10, money ---


@pytest.mark.parametrize(
    "typed, kept",
    [
        ("zhang@example.com", "zhang@example.com"),
        (" Zhang.San+ins@Mail.EXAMPLE.com ", "Zhang.San+ins@mail.example.com"),
        ("ｚｈａｎｇ＠ｅｘａｍｐｌｅ．ｃｏｍ", "zhang@example.com"),
        ("张三@例子.中国", "张三@例子.中国"),
    ],
)
def test_email_addresses_are_kept_with_their_domain_in_lower_case(typed, kept):
    assert email(typed) == kept == email(kept)


@pytest.mark.parametrize(
    "text",
    [
        "", "@", "a", "a@b", "a b@example.com", "a@@example.com", '"a b"@example.com', "A <a@example.com>",
        "a@[10.0.0.1]", "a@localhost", "a\n@example.com", "a\ud800@example.com", "a" * 250 + "@example.com",
    ],
)  # fmt: skip
def test_what_is_no_email_address_is_refused(text):
    refused(email, text)


@pytest.mark.parametrize(
    "typed, kept",
    [
        ("I10", "I10"), ("s06.9", "S06.9"), ("S069", "S06.9"), ("S06.900X001", "S06.900x001"),
        ("s06900x001", "S06.900x001"), ("I10.X00", "I10.x00"), ("i10x00x002", "I10.x00x002"), ("J18.900", "J18.900"),
        ("T36.0X1A", "T36.0X1A"), ("t360x1a", "T36.0X1A"), ("Z3A.49", "Z3A.49"), ("c4a.0", "C4A.0"),
        ("A17.000†", "A17.000+"), ("G01*", "G01*"), ("Ｓ０６．９", "S06.9"),
    ],
)  # fmt: skip
def test_icd10_codes_are_kept_with_their_dot(typed, kept):
    assert icd10(typed) == kept == icd10(kept)


@pytest.mark.parametrize(
    "text", ["", "S0", "S06.", "S06.12345", "069", "左腕骨折", "S06.9 S06.8", "A17.0+G01*", "S" * 99]
)
def test_what_has_not_the_shape_of_an_icd10_code_is_refused(text):
    refused(icd10, text)


@given(st.decimals(0, MOST_MONEY, places=2))
def test_every_amount_to_the_fen_is_kept_exactly(value):
    assert amount(value) == amount(str(abs(value))) == abs(value)
    assert str(amount(value)).partition(".")[2] == str(amount(value))[-2:]


@pytest.mark.parametrize(
    "value",
    [
        "", "-1", "+1", "1.234", "1e3", "1,000", "NaN", "Infinity", ".5", "5.", "10000000000.00", "1 2", "¥5", "٣",
        "1" * 400, Decimal("NaN"), Decimal("-0.01"), Decimal("Infinity"), Decimal("0.001"), Decimal("1E+999999"),
        Decimal("1E-999999"), MOST_MONEY + Decimal("0.01"),
    ],
)  # fmt: skip
def test_what_is_no_amount_is_refused(value):
    refused(amount, value)


def test_the_most_of_an_amount_can_be_told():
    assert amount("100", most=Decimal(100)) == 100
    refused(partial(amount, most=Decimal(100)), "100.01")


# --- names, addresses, texts ---


@pytest.mark.parametrize(
    "typed, kept",
    [
        ("张三", "张三"), (" 张　三 ", "张三"), ("欧阳娜娜", "欧阳娜娜"), ("阿依古丽・买买提", "阿依古丽·买买提"),
        ("阿依古丽 • 买买提", "阿依古丽·买买提"), ("ＪＯＨＮ  Smith", "JOHN Smith"),
        ("Seán O’Neill-Byrne Jr.", "Seán O’Neill-Byrne Jr."),
        ("Nguye\u0302\u0303n", "Nguyễn"), ("刘〇", "刘〇"), ("\U00030edd某", "\U00030edd某"),
        ("\U0002ebf0\U0002ebf1", "\U0002ebf0\U0002ebf1"),
        ("Иван Петров", "Иван Петров"), ("金민준", "金민준"),
    ],
)  # fmt: skip
def test_names_of_any_script_are_kept(typed, kept):
    assert person_name(typed) == kept == person_name(kept)


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "张", "张3", "张三13800138000", "张三\n李四", "张\u200b三", "<b>张三</b>", "张三!", "·张三", "😀😀",
        "\ud800三", "a" * (LONGEST_NAME + 1), "\ufdfa" * LONGEST_NAME, "张①",
    ],
)  # fmt: skip
def test_what_is_no_name_is_refused(text):
    refused(person_name, text)


def test_addresses_are_one_line():
    assert address(" 上海市\n浦东新区\t张江路１号（东）  2室 ") == "上海市 浦东新区 张江路１号（东） 2室"
    assert len(address("路" * LONGEST_ADDRESS)) == LONGEST_ADDRESS
    for text in ("", "abc", "1234", "路" * (LONGEST_ADDRESS + 1), "北京市\x00朝阳区"):
        refused(address, text)


def test_texts_keep_their_lines_and_lose_what_cannot_be_seen():
    assert SHORT_TEXT(" 追尾，\r\n左腕\r疼\u200b痛\u202e。\n") == "追尾，\n左腕\n疼痛。"
    assert SHORT_TEXT("e\u0301" * 40) == "é" * 40
    assert SHORT_TEXT("👨\u200d👩\u200d👧") == "👨\u200d👩\u200d👧"
    for text in ("", " \u200b ", "a\x00b", "a\x1bb", "\udc00", "x" * 41, "é" * 41, "\u200b" * 10_000 + "x"):
        refused(SHORT_TEXT, text)


# --- all of them ---


@given(
    st.sampled_from(sorted(READERS)), st.one_of(st.text(max_size=60), st.text("0123456789+-. xXHM@aA张", max_size=24))
)
def test_any_text_is_canonical_or_refused_and_a_refusal_never_tells_it(name, text):
    reader = READERS[name]
    found = outcome(reader, text)
    if isinstance(found, FormatError):
        assert found.__context__ is found.__cause__ is None
        # Short texts stand in any sentence.
        assert len(text) < 6 or text.strip() not in f"{found!r}{found.args}"
        assert str(found).startswith("Give ")
        return
    kept = getattr(found, "number", found)
    assert getattr(reader(str(kept)), "number", None) == kept or reader(str(kept)) == kept
    str(kept).encode()


@pytest.mark.parametrize(
    "reader, text",
    [
        (mobile_number, "1380013800O"), (phone_number, "+99913800138000"), (bank_card, "4111111111111112"),
        (email, "zhang@@example.com"), (icd10, "S06.1234567"), (person_name, "张三13800138000"), (amount, "-1234567"),
        (partial(read_id, IdType.RESIDENT_ID), "110105194912310021"),
        (partial(read_id, IdType.PASSPORT), "E1234567890"),
    ],
)  # fmt: skip
def test_a_refusal_holds_nothing_of_what_was_typed(reader, text):
    refusal = refused(reader, text)
    assert text not in f"{refusal!r}{refusal.args}{refusal.__notes__ if hasattr(refusal, '__notes__') else ''}"
    assert refusal.__context__ is refusal.__cause__ is None


@pytest.fixture(scope="module")
def demo():
    stream = io.StringIO()
    lines = PlainLines(stream)
    for batch in population(300, 7, audience=partial(audience_id, KEYRING)):
        lines.write(batch)
    by_type = defaultdict(list)
    for line in map(json.loads, stream.getvalue().splitlines()):
        by_type[line["type"]].append(line)
    return by_type


def test_every_value_of_the_demo_data_is_canonical(demo):
    seen = Counter()

    def canonical(reader, row, *names):
        for name in names:
            if row.get(name) is not None:
                assert str(reader(row[name])) == row[name], name
                seen[name] += 1

    for user in demo["User"]:
        identity = read_id(IdType(user["idType"]), user["idNumber"])
        assert (identity.number, identity.warnings) == (user["idNumber"], ())
        assert identity.birth_date in {None, date.fromisoformat(user["birthDate"])}
        assert identity.gender in {None, user["gender"]}
        seen[user["idType"]] += 1
        canonical(mobile_number, user, "phone")
        canonical(email, user, "email")
        canonical(address, user, "address")
        canonical(partial(free_text, longest=500), user, "occupation", "healthDeclaration", "nickname")
    for rows in demo.values():
        for row in rows:
            if row["type"] in {"User", "Beneficiary", "Claim"}:
                canonical(person_name, row, "name", "reporterName", "payeeName")
                canonical(phone_number, row, "phone", "reporterPhone")
                canonical(bank_card, row, "bankCard")
            canonical(amount, row, "premium", "sumInsured", "expenses", "amountClaimed", "amountPaid")
            canonical(phone_number, row, "virtualPhone")
    assert set(seen) >= {*IdType, "phone", "email", "address", "bankCard", "name", "reporterPhone", "premium"}


def test_years_of_age_are_completed_ones():
    assert age(date(2008, 11, 23), TODAY) == 18
    assert age(date(2008, 11, 24), TODAY) == 17
    assert age(date(2008, 2, 29), date(2026, 2, 28)) == 17
    assert age(date(2008, 2, 29), date(2026, 3, 1)) == 18
    assert age(TODAY, TODAY) == 0
