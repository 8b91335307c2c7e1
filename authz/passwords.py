"""Passwords: which are good enough (C57), and their argon2id hashes.

The rule takes both sides it has to satisfy. GB/T 22239-2019 (8.1.4.1) asks for complexity, read everywhere as eight
characters of three kinds; NIST SP 800-63B asks for length, against lists of common passwords, without rules of
composition. So a password is long (12), or of eight characters and three kinds; neither may be a common one.
"""

import asyncio
import unicodedata
from collections.abc import Iterable
from concurrent.futures import Executor
from functools import cache
from pathlib import Path

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

LONGEST = 256
LONG_ENOUGH = 12
SHORTEST = 8
KINDS = 3
FEWEST_CHARACTERS = 5
"""Different characters: `aaaaaaaaaaaa` is as short as `a`."""
_SHORTEST_NAME = 4
_LOOKALIKES = str.maketrans("@$0135", "asoies")
_COMMON = Path(__file__).parent / "data" / "common-passwords.txt"

# OWASP's second recommendation (19 MiB, two passes, one lane): as strong as its others, and it leaves memory for many.
_ARGON2 = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)


def weakness(password: str, names: Iterable[str]) -> str | None:
    """Why a password is refused, in words for its owner, or None. `names`: the owner's username and phone."""
    # What is short as typed may be long as it counts: one character can stand for eighteen.
    if len(password) > LONGEST or len(text := prepared(password)) > LONGEST:
        return f"It is longer than {LONGEST} characters."
    if len(text) < SHORTEST or (len(text) < LONG_ENOUGH and _kinds(text) < KINDS):
        return (
            f"It needs {LONG_ENOUGH} characters, or {SHORTEST} with {KINDS} kinds among"
            " lower case, upper case, digits and other characters."
        )
    if len(set(text)) < FEWEST_CHARACTERS:
        return f"It needs {FEWEST_CHARACTERS} different characters."
    folded = text.casefold()
    if any(len(name) >= _SHORTEST_NAME and prepared(name).casefold() in folded for name in names):
        return "It contains the username or the phone number."
    if is_common(folded):
        return "It is one of those that are tried first."
    return None


def is_common(folded: str) -> bool:
    """Is a case-folded password listed, as it stands or as a word with digits and signs around it?"""
    plain = folded.translate(_LOOKALIKES)
    return any(form in _common() for text in (folded, plain) for form in (text, _word_within(text)))


def _word_within(text: str) -> str:
    """The text without what is no letter around it."""
    letters = [place for place, one in enumerate(text) if "a" <= one <= "z"]
    return text[letters[0] : letters[-1] + 1] if letters else ""


def prepared(password: str) -> str:
    """The one form in which a password counts, however it was typed: NFKC (NIST SP 800-63B)."""
    return unicodedata.normalize("NFKC", password)


def _kinds(text: str) -> int:
    kinds = (
        str.islower,
        str.isupper,
        str.isdecimal,
        lambda one: not (one.islower() or one.isupper() or one.isdecimal()),
    )
    return sum(any(is_kind(one) for one in text) for is_kind in kinds)


@cache
def _common() -> frozenset[str]:
    lines = _COMMON.read_text(encoding="utf-8").splitlines()
    return frozenset(line for line in lines if line and not line.startswith("#"))


class Hasher:
    """Hashes and checks passwords, in threads of its own: argon2 releases the interpreter while it works."""

    def __init__(self, threads: Executor) -> None:
        """Work in these threads."""
        self._threads = threads
        self._nobodys = _ARGON2.hash("nobody's password")

    async def hash(self, password: str) -> str:
        """The argon2id string of a password."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, _ARGON2.hash, prepared(password))

    async def matches(self, stored: str | None, password: str) -> bool:
        """Is it the password? The work is the same where there is none (no enumeration)."""
        possible = stored is not None and len(password) <= LONGEST
        text = prepared(password) if len(password) <= LONGEST else ""
        against = stored if stored is not None and possible else self._nobodys
        found = await asyncio.get_running_loop().run_in_executor(self._threads, _matches, against, text)
        return found and possible

    def outdated(self, stored: str) -> bool:
        """Was it hashed with other parameters than today's?"""
        return _ARGON2.check_needs_rehash(stored)


def hash_now(password: str) -> str:
    """The argon2id string of a password, on the command line where nobody else waits."""
    return _ARGON2.hash(prepared(password))


def _matches(stored: str, text: str) -> bool:
    try:
        return _ARGON2.verify(stored, text)
    except (VerificationError, InvalidHashError):
        return False
