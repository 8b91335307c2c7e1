"""The words of the console: both catalogues say everything, and nothing is said that no page asks for."""

import re
import string

import pytest
from graphql import parse, validate

from authz.reviews import GrantState
from authz.vocabulary import Action, Basis, DataSubject, Reason, Relation
from authz.workbench.acts import RulesRefusal
from authz.workbench.explain import Failed
from authz.workbench.findings import FindingKind, Severity
from authz.workbench.readings import Act
from console.asking import document
from console.languages import Language, messages, wanted
from models.reviews import Decision
from models.rulesets import DraftState, RulesetKind, Verdict
from models.vocabulary import Category, Purpose, Role
from resolvers.payloads import ProblemCode
from resolvers.problems import Code
from schema.build import build_schema
from tests.conftest import ROOT

CONSOLE = ROOT / "console"
VOCABULARIES = {
    "role": Role,
    "purpose": Purpose,
    "category": Category,
    "relation": Relation,
    "basis": Basis,
    "action": Action,
    "subject": DataSubject,
    "grant": GrantState,
    "decision": Decision,
    "draft": DraftState,
    "kind": RulesetKind,
    "verdict": Verdict,
    "severity": Severity,
}


def test_both_catalogues_have_the_same_keys_and_the_same_gaps_to_fill():
    english, chinese = (messages(one).texts for one in Language)
    assert english.keys() == chinese.keys()

    def gaps(text):
        return {name for _, name, _, _ in string.Formatter().parse(text) if name}

    literal = {"preview.variables_wrong"}
    differing = [key for key in english.keys() - literal if gaps(english[key]) != gaps(chinese[key])]
    assert differing == []
    assert [key for key, text in chinese.items() if not re.search("[\u4e00-\u9fff]", text)] == ["frame.other_language"]


@pytest.mark.parametrize("language", list(Language))
def test_every_word_of_every_vocabulary_can_be_said(language):
    say = messages(language)
    assert all(say(f"{table}.{one.value}") for table, words in VOCABULARIES.items() for one in words)
    assert all(say(f"act.{one.name}") for one in Act)
    assert all(say(f"failed.{one.name}") for one in Failed)


def test_what_the_api_says_by_codes_is_translated_wherever_the_console_may_show_it():
    told = messages(Language.CHINESE)
    codes = {*RulesRefusal, *Code, "GRANT_UNKNOWN", "GRANT_LAPSED", "GRANT_NOT_LAPSED", "DAYS_INVALID", "WRITE_DENIED"}
    logins = {"INVALID_CREDENTIALS", "TRY_LATER", "CODE_REQUIRED", "CODE_WRONG", "PASSWORD_CHANGE_REQUIRED"}
    assert all(told.of("problem", one) for one in codes | logins | {"PASSWORD_WEAK", "SESSION_CEILING"})
    assert all(told.of("finding", one) for one in FindingKind)
    assert all(told.of("reason", one) for one in Reason)
    assert messages(Language.ENGLISH).of("problem", "FINDINGS") is None
    assert all(code in set(ProblemCode) | set(Code) for table, _, code in _split(told.api) if table == "problem")


def _split(texts):
    return [key.partition(".") for key in texts]


@pytest.mark.parametrize(
    "line, chinese",
    [
        ("assigned + contract_open: REVEAL", "受指派 + 合同有效: 显示"),
        ("otherwise: DENY", "其他情形: 不显示"),
        ("self any, or any but none consent", "本人 任何, 或 任何 但除 无 同意"),
        ("claims_handler, User.phone, no_filter", "理赔员, User.phone, 不得筛选"),
    ],
)
def test_lines_of_words_are_said_word_by_word(line, chinese):
    assert messages(Language.CHINESE).words(line) == chinese
    assert messages(Language.ENGLISH).words(line) == line


def test_every_message_is_one_that_some_page_asks_for():
    sources = [*CONSOLE.rglob("*.py"), *CONSOLE.rglob("*.html")]
    text = "\n".join(path.read_text(encoding="utf-8") for path in sources)
    by_word = set(re.findall(r'"(\w+)\." [+~]', text)) | {"act", "failed", "subject", "category", "role", "purpose"}
    by_word |= set(re.findall(r'say, "(\w+)"\)', text))
    by_word |= {"done"}
    unused = [
        key
        for key in messages(Language.ENGLISH).texts
        if key.split(".")[0] not in by_word and f'"{key}"' not in text.replace("'", '"')
    ]
    assert unused == []


def test_a_reader_who_wants_neither_language_reads_english():
    assert wanted(None, "fr, de;q=0.5") is Language.ENGLISH
    assert wanted("zh-CN", "en") is Language.CHINESE
    assert wanted("nothing", "zh") is Language.CHINESE


def test_every_document_of_the_console_fits_the_schema():
    schema = build_schema()
    faults = {
        path.name: [error.message for error in validate(schema, parse(document(path.stem)))]
        for path in sorted((CONSOLE / "documents").glob("*.graphql"))
    }
    assert len(faults) > 20
    assert {name: found for name, found in faults.items() if found} == {}


def test_every_document_is_one_that_some_page_asks():
    text = "\n".join(path.read_text(encoding="utf-8") for path in CONSOLE.rglob("*.py"))
    assert [path.stem for path in (CONSOLE / "documents").glob("*.graphql") if f'"{path.stem}"' not in text] == []
