"""The console's two languages: which one a reader wants, and its messages."""

import re
import tomllib
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from pathlib import Path

_FOLDER = Path(__file__).parent / "messages"
_WORD = re.compile(r"(?<![\w.])[A-Za-z_]+(?![\w.])")
"""A word that stands alone: no part of a coordinate."""
_VOCABULARIES = ("role", "purpose", "relation", "basis", "category", "action")


class Language(StrEnum):
    """A language by its tag (BCP 47), as it stands in `lang`."""

    ENGLISH = "en"
    CHINESE = "zh-CN"

    @property
    def word(self) -> str:
        """Without the region: `zh`."""
        return self.value.partition("-")[0]


@dataclass(frozen=True, slots=True)
class Messages:
    """The messages of one language."""

    language: Language
    texts: dict[str, str] = field(repr=False)
    api: dict[str, str] = field(default_factory=dict, repr=False)
    """What the API says, by its codes; empty in English, in which it speaks itself."""

    def __call__(self, key: str, **given: object) -> str:
        """A message with what it names put in. Raises KeyError for one that is not there."""
        return self.texts[key].format(**given) if given else self.texts[key]

    def of(self, table: str, code: str, **given: object) -> str | None:
        """What a code of the API means; None in English, and for one that is not translated."""
        text = self.api.get(f"{table}.{code}")
        return text.format(**given) if text and given else text

    def words(self, line: str) -> str:
        """A line of words of the vocabularies, such as `assigned + contract_open: REVEAL`; as it is in English."""
        return _WORD.sub(lambda found: self._word(found[0]), line) if self.api else line

    def _word(self, word: str) -> str:
        keys = (f"{table}.{word}" for table in _VOCABULARIES)
        said = next((self.texts[key] for key in keys if key in self.texts), word)
        return self.api.get(f"word.{word}", said)


@cache
def messages(language: Language) -> Messages:
    """All messages of a language; a key is its table and name, `nav.matrix`."""
    api = _FOLDER / f"api.{language.word}.toml"
    return Messages(language, _read(_FOLDER / f"{language.word}.toml"), _read(api) if api.exists() else {})


def _read(path: Path) -> dict[str, str]:
    tables = tomllib.loads(path.read_text(encoding="utf-8"))
    return {f"{table}.{key}": text for table, rows in tables.items() for key, text in rows.items()}


def wanted(chosen: str | None, accepted: str) -> Language:
    """The language of a reader: as chosen before, else the first of `Accept-Language` that there is, else English."""
    for tag in (chosen or "", *_by_weight(accepted)):
        for language in Language:
            if tag.lower().partition("-")[0] == language.word:
                return language
    return Language.ENGLISH


def _by_weight(accepted: str) -> list[str]:
    """The tags of a header, the most wanted first (RFC 9110, 12.5.4); what is not wanted or malformed is left out."""
    found = []
    for piece in accepted.split(",")[:20]:
        tag, _, weight = piece.partition(";")
        try:
            number = float(weight.strip().removeprefix("q=") or 1)
        except ValueError:
            continue
        if number > 0:
            found.append((-number, tag.strip()))
    return [tag for _, tag in sorted(found, key=lambda one: one[0])]
