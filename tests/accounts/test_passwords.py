"""Which passwords are good enough: length, kinds, nobody's own name, none that is tried first (C57)."""

import string
import unicodedata
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authz import passwords
from authz.passwords import is_common, prepared, weakness

NAMES = ("17812345678", "zoe_tester")
KINDS = {"lower": string.ascii_lowercase, "upper": string.ascii_uppercase, "digit": string.digits, "sign": "!#%&*+-=?~"}


@pytest.mark.parametrize(
    "password",
    [
        "correct horse battery staple",
        "tQ8!vnmw",
        "kXw93bnmr",
        "马到成功的人都爱吃苹果和香蕉",
        "zqwvut brmnop",
        "j2Kd92mQ",
    ],
)
def test_long_ones_and_short_ones_of_three_kinds_are_good_enough(password):
    assert weakness(password, NAMES) is None


@pytest.mark.parametrize(
    "password",
    [
        "", "tQ8!vnm", "tqavnmwbrxe", "tqavnmw8", "TQAVNMW8", "a" * 300, "aaaaaaaaaaaa", "abababababab",
        "a1A" * 20 + "x" * 200,
        "password1234", "Password123!", "P@ssw0rd2026", "123456789abc", "woaini1314521", "Woaini520!", "qwertyuiop12",
        "!!iloveyou!!", "1qaz@WSX", "my 17812345678 !", "the zoe_tester 1", "THE ZOE_TESTER 1",
        "Ｐａｓｓｗｏｒｄ１２３", "１７８１２３４５６７８abcd",
    ],
)  # fmt: skip
def test_c57_short_common_and_own_names_are_not(password):
    assert weakness(password, NAMES)


@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=300))
def test_c57_whatever_is_accepted_keeps_every_rule(password):
    if weakness(password, NAMES) is not None:
        return
    text = unicodedata.normalize("NFKC", password)
    assert len(password) <= 256
    assert len(text) >= 8
    assert len(set(text)) >= 5
    assert not any(name in text.casefold() for name in NAMES)


@given(st.sets(st.sampled_from(sorted(KINDS)), min_size=1), st.integers(8, 20), st.integers())
def test_between_eight_and_twelve_characters_three_kinds_are_needed(kinds, length, seed):
    random = Random(seed)  # noqa: S311 - a test's draw
    letters = "".join(KINDS[kind] for kind in sorted(kinds))
    text = "".join(KINDS[kind][random.randrange(10)] for kind in sorted(kinds))
    while len(text) < length or len(set(text)) < 5:
        text += random.choice(letters)
    if is_common(text.casefold()):
        return
    accepted = weakness(text, NAMES) is None
    assert accepted == (len(text) >= 12 or len(kinds) >= 3)


@given(st.sampled_from(sorted(passwords._common())), st.sampled_from(["", "1", "123!", "2026", "!!"]))
def test_a_common_word_stays_common_with_digits_and_signs_around_it(word, around):
    assert is_common(word)
    if word.isalpha():
        assert is_common(f"{around}{word}{around}".casefold())
        assert is_common(f"{word.upper()}{around}".casefold())


def test_the_list_names_its_source_and_is_in_the_form_that_it_is_compared_in():
    text = (Path(passwords.__file__).parent / "data" / "common-passwords.txt").read_text(encoding="utf-8")
    assert "Source: SecLists" in text
    words = passwords._common()
    assert len(words) > 100
    assert all(word == prepared(word).casefold().strip() for word in words)


def test_a_password_is_the_same_however_it_was_composed(desk):
    number = 17_855_550_001
    composed, decomposed = "pâté à l'encre 9", unicodedata.normalize("NFD", "pâté à l'encre 9")
    assert composed != decomposed
    assert desk.sign_up(phone=str(number), username="composer", password=composed)["__typename"] == "SessionTokens"
    assert desk.log_in("composer", decomposed)["__typename"] == "SessionTokens"
