"""What is never collected about a bank card: verification code, expiry, PIN and password, wherever they are written.

Texts are searched for a word that names the secret with a value of its shape beside it, and for a card number with
such values right behind it. A word without a value, and a value without a word, are nothing: `CVC` is a catheter too,
`pin` holds bones, `12/2026` is a month. A password of digits counts as a card's unless it opens a door or a device. A
one-time code sent by text message is the secret of a login, gone within minutes, and not a card's: not looked for.
A gate against mistakes, not against somebody bent on writing it down.
"""

import re
import unicodedata
from dataclasses import dataclass
from enum import StrEnum

from models.formats import FormatError, bank_card


class CardSecret(StrEnum):
    """Which kind was found."""

    VERIFICATION_CODE = "card verification code"
    EXPIRY = "card expiry"
    PIN = "card PIN"


def never_collected(text: str) -> CardSecret | None:
    """The kind of card secret that stands in a text, or None. Time is linear in the text's length: bound that first."""
    plain = _plain(text)
    if not _DIGIT.search(plain):
        return None
    return next((named.kind for named in _NAMED if named.is_in(plain)), None) or _behind_a_card(plain)


# One spelling for all.

_SPELLINGS = str.maketrans("零〇一二三四五六七八九壹贰叁肆伍陆柒捌玖碼驗證號後銀_", "00123456789123456789码验证号后银 ")
_DROPPED = frozenset({"Cf", "Mn", "Me", "Cc", "Cs"})


def _plain(text: str) -> str:
    """NFKC in lower case, simplified where it matters; digits of any script are ASCII; nothing invisible is left."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    table: dict[int, str | None] = {}
    for one in set(folded):
        if one.isspace():
            table[ord(one)] = " "
        elif unicodedata.category(one) in _DROPPED:
            table[ord(one)] = None
        elif not one.isascii() and (digit := unicodedata.digit(one, None)) is not None:
            table[ord(one)] = str(digit)
    return folded.translate(table).translate(_SPELLINGS)


# What patterns are made of. Every repetition has a bound, so that no text takes longer than its length.

_ANY, _SENTENCE = r"\W", r"[^\w。]"
_FILLER = (
    "(?:号码?|代?码|数字?|就?是|为|填|写|输入|分别|的|我|卡|至|到|截止|日期?|时间|年|月|(?:最?后)?[346]位(?:数字?|码)?"
    "|code|number|num|no|is|was|value|of|on|the|my|card|date|digits?|mm|yy|until)"
)
_QUANTITY = (
    "(?:元|块|万|千|亿|人(?![工员])|次(?!日)|天|日(?!期)|年(?!月)|月|周|个(?!人)|小时|分|秒|岁|号[楼院]|楼|层|床|例"
    "|支|片|页|条|位|项|米|公|斤|克|毫|%|°|℃"
    "|(?:cm|mm|ml|mg|kg|km|fr?|h|hours?|days?|weeks?|months?|years?|yuan|rmb|cny|usd)(?![a-z]))"
)
_NO_DATE = r"(?!\d)(?! ?[-/.] ?\d{1,2} ?[-/.] ?\d)(?!年\d)"
_END = rf"{_NO_DATE}(?! ?{_QUANTITY})"
"""What makes a number a date or a quantity does not follow."""


def _gap(mark: str) -> str:
    return f"{mark}{{0,10}}(?:{_FILLER}{mark}{{0,10}}){{0,5}}"


def _words(*words: str) -> str:
    """Any of these, with up to two marks between the characters: c.v.v, 安 全 码."""
    return "(?:" + "|".join((_ANY + "{0,2}").join(word) for word in words) + ")"


_CODE = rf"(?:\d{{3,4}}|\d(?:[ .\-_*,、/]{{1,2}}\d){{2,3}}){_NO_DATE}"
_PIN = rf"(?:\d{{4,8}}|\d(?:[ \-_*,、]{{1,2}}\d){{3,7}}|\d{{3}}[ -]\d{{3}}|\d\d(?:[ -]\d\d){{2,3}}){_END}"
_MONTH, _YEAR = "(?:0[1-9]|1[0-2])", r"(?:20)?[2-4]\d"
_VALID = (
    rf"(?:{_MONTH} ?[-/.\\年月,_|]? ?{_YEAR}年?|[1-9] ?[-/.\\月] ?{_YEAR}年?"
    rf"|[2-4]\d(?: ?[-/\\] ?)?{_MONTH}|[2-4]\d年(?:{_MONTH}|[1-9])月)"
    rf"(?!\d)(?! ?[-/.年月] ?\d)(?! ?\d{{1,2}} ?日)(?! ?{_QUANTITY})"
)
"""MM/YY, MM/YYYY, M/YY, MMYY, YYMM and the like, of the years 2020 to 2049; not part of a full date."""
_YEAR_MONTH = rf"20[2-4]\d(?: ?[-/.年] ?(?:{_MONTH}|[1-9])|{_MONTH})月?(?!\d)(?! ?[-/.] ?\d)(?! ?\d{{1,2}} ?日)"
"""The way dates are written: it says nothing of a card unless a card is spoken of."""

_DIGIT = re.compile(r"\d")
_VALUE_REACH, _CARD_REACH, _OTHER_REACH = 20, 24, 12
_CARD_WORD = re.compile(r"(?<!门禁)(?<![房工])卡(?!车|口|点|介)|(?<![a-z])cards?(?![a-z])|visa|银联|unionpay|cvv|amex")
_OTHER_EXPIRY = re.compile(
    "保单|保险|保障|合同|协议|药|疫苗|驾|行驶证|护照|身份证|证件|执照|许可|质保|保质|签证|批号|试剂|耗材"
    "|policy|contract|passport|licen[cs]e|drug|batch|lot|insurance|cover|warranty"
)
_OTHER_LOCK = re.compile(
    r"(?:门禁?卡?|房卡|工卡|门锁|开锁|单元|保险[箱柜]|行李箱|取件|快递柜|wi-?fi|无线网?络?|锁屏|开机|解压)[ 的]?\Z"
)


@dataclass(frozen=True, slots=True)
class _Named:
    """A secret named by a word; `after` matches its value behind the word, or `before` in front of it."""

    kind: CardSecret
    word: re.Pattern[str]
    after: re.Pattern[str]
    before: re.Pattern[str] | None = None
    by_a_card: bool = False
    """It counts only where a card was spoken of shortly before."""
    unless: re.Pattern[str] | None = None
    """What in front of the word says that it is something else's, where no card was spoken of."""

    def is_in(self, plain: str) -> bool:
        """Does one of its words stand in this text with a value?"""
        return any(self._is_at(plain, *word.span()) for word in self.word.finditer(plain))

    def _is_at(self, plain: str, start: int, end: int) -> bool:
        if not self.after.match(plain, end) and not (
            self.before and self.before.search(plain[max(start - _VALUE_REACH, 0) : start])
        ):
            return False
        if _CARD_WORD.search(plain[max(start - _CARD_REACH, 0) : end]):
            return True
        return not (self.by_a_card or (self.unless and self.unless.search(plain[max(start - _OTHER_REACH, 0) : start])))


_CODE_WORD = re.compile(
    _words("cvv", "cvn", "cav2", "安全码", "安全代码", "卡验证码", "卡片验证码", "卡校验码", "卡识别码")
    + "|验证码后3位"
    + rf"|(?:卡.{{0,4}}(?:背|反面)|签名[栏条]|背面).{{0,8}}?3{_ANY}{{0,2}}位"
    + r"|(?:card|security) ?(?:verification|validation|security|code)(?: ?(?:code|value|number|no))?"
)
_CVC_WORD = re.compile(rf"(?<![a-z0-9]){_words('cvc')}(?![a-z])")
_CID_WORD = re.compile(rf"(?<![a-z0-9]){_words('cid')}(?![a-z0-9])")
_PIN_WORD = re.compile(rf"{_words('密码')}|卡密(?!码)|(?<![a-z0-9]){_words('pin')}(?![a-z])")
_EXPIRY_WORD = re.compile(
    _words("有效期", "有效日期", "有效年月", "有效至", "到期", "失效")
    + r"|(?<![a-z])(?:exp(?:ir[a-z]{1,6}|\.|y)?|(?:valid|good) ?(?:thru|through|until|till|to|date))(?![a-z])"
)
_SAID = rf"(?:{_ANY}{{0,4}}(?:code|number|no|码|号|是|为|is|[:=#]){_ANY}{{0,4}}){{1,3}}"
"""Words that mean other things as well need a sign that a value follows."""

_NAMED = (
    _Named(
        CardSecret.VERIFICATION_CODE,
        _CODE_WORD,
        after=re.compile(rf"(?:2(?=\D))?{_gap(_ANY)}{_CODE}"),
        before=re.compile(r"(?<!\d)(?<!\d[-/.,年])\d{3}(?:[ ()\[\]:=-]|就?是|为|is|my|the|我?的){0,6}\Z"),
    ),
    _Named(
        CardSecret.VERIFICATION_CODE,
        _CVC_WORD,
        after=re.compile(rf"(?:2(?=\D))?(?:{_SAID}| ?){_CODE}(?![/.]\d)(?! ?{_QUANTITY})"),
    ),
    _Named(CardSecret.VERIFICATION_CODE, _CID_WORD, after=re.compile(rf"{_SAID}\d{{3,4}}{_END}(?![/.]\d)")),
    _Named(CardSecret.PIN, _PIN_WORD, after=re.compile(_gap(_SENTENCE) + _PIN), unless=_OTHER_LOCK),
    _Named(CardSecret.EXPIRY, _EXPIRY_WORD, after=re.compile(_gap(_SENTENCE) + _VALID), unless=_OTHER_EXPIRY),
    _Named(
        CardSecret.EXPIRY,
        _EXPIRY_WORD,
        after=re.compile(_gap(_SENTENCE) + _YEAR_MONTH),
        before=re.compile(rf"(?<!\d)(?<!\d[-/.])(?:{_VALID}|{_YEAR_MONTH}){_SENTENCE}{{0,4}}\Z"),
        by_a_card=True,
    ),
)

_CARD = re.compile(
    r"(?<!\d)(?:(?P<lone>[2-6]\d{12,18})|(?P<fours>[2-6]\d{3}([ -])\d{4}\3\d{4}\3\d{4})(?P<tail>\3\d{1,3})?"
    r"|(?P<amex>3[47]\d\d([ -])\d{6}\6\d{5})|(?P<two>62\d{4}[ -]\d{10,13}))(?!\d)"
)
"""A card number as it is embossed or typed; of a network's first digits (ISO/IEC 7812-1)."""
_VALID_BEHIND = re.compile(
    rf"{_ANY}{{1,8}}(?:\d{{3,4}}(?! ?[-/.] ?\d{{1,2}} ?[-/.] ?\d){_ANY}{{1,8}})?{_VALID}|=[2-4]\d{_MONTH}\d{{3}}"
)
"""The second: as the magnetic stripe has it (ISO/IEC 7813)."""
_CODE_BEHIND = re.compile(rf"{_ANY}{{1,8}}\d{{3}}(?!\d)(?! ?[-/.:] ?\d)(?! ?{_QUANTITY})")
_RUN = re.compile(r"(?<!\d)[2-6]\d{19,26}(?!\d)")
_RUN_BEHIND = re.compile(rf"(?:{_MONTH}[2-4]\d|[2-4]\d{_MONTH})(?:\d{{3,4}})?")
_CARD_LENGTHS = (16, 19, 18, 17, 15)


def _behind_a_card(plain: str) -> CardSecret | None:
    for card in _CARD.finditer(plain):
        end = card.end()
        if not _is_card(card[0]):
            # Four fours and a tail are one number of 19 digits, or one of 16 with the code behind it.
            if not (card["tail"] and _is_card(card["fours"])):
                continue
            end = card.start("tail")
        if _VALID_BEHIND.match(plain, end):
            return CardSecret.EXPIRY
        if _CODE_BEHIND.match(plain, end):
            return CardSecret.VERIFICATION_CODE
    for run in _RUN.finditer(plain):
        for length in _CARD_LENGTHS:
            if _RUN_BEHIND.fullmatch(plain, run.start() + length, run.end()) and _is_card(run[0][:length]):
                return CardSecret.EXPIRY
    return None


def _is_card(digits: str) -> bool:
    try:
        bank_card(digits)
    except FormatError:
        return False
    return True
