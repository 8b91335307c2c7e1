import re
import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.demo.population import population
from models.demo.values import luhn_check
from models.never_collected import CardSecret, never_collected

CODE, EXPIRY, PIN = CardSecret.VERIFICATION_CODE, CardSecret.EXPIRY, CardSecret.PIN

FOUND = {
    CODE: """
CVV 123
cvv2: 123
CVV2123
ＣＶＶ：１２３
C V V 1 2 3
c.v.v=1-2-3
c_v_v_123
CVC: 123
CVC 123
cvc2 code 123
CVN2 是 123
CVN:123
CID: 1234
CID=123
我的安全码是 123
安全码（后三位）：123
安 全 码 1 2 3
安全碼：１２３
验证码后三位123
验证码后三位：１２３
卡背面三位 123
卡背面的三位数字是123
卡片背面后三位：123
背面三位数 123
签名栏后三位是 123
信用卡验证码 123
銀行卡驗證碼 123
安全码一二三
安全码①②③
安全码٣٢١
安全码❶❷❸
安全码\\n123
security code: 123
card verification value 123
card security code is 1234
CVV is on the card: 123
安全码123 日期另附
CVV 123 人工核对
123 is my CVV
123（CVV）
4111-1111-1111-1111, 123
4111111111111111 123
4111 1111 1111 1111 123
款已付，卡 4111111111111111/123
""",
    PIN: """
PIN 1234
pin: 123456
PIN码 123456
PIN code is 1234
my card's pin is 4321
p.i.n. 1234
PIN1234
密码 123456
密码：123456
密码是123456
支付密码123456
取款密码 １２３４５６
交易密码：12345678
银行卡密码为 1 2 3 4 5 6
密　码：123-456
密-码 123 456
密碼:123456
卡密 123456
密码就是我的 12-34-56
密码六位：123456
取款密码123456 个人保管
""",
    EXPIRY: """
有效期 05/28
有效期：05/2028
有效期至 0528
有效期2805
到期 05/28
到期日：05-28
到期日期 05／2028
exp 05/28
EXP: 05/28
Exp. Date 0528
expiry 05/2028
expiry date: 05/28
expires 5/28
expiration 05 28
valid thru 05/28
VALID THRU: 05/28
valid until 05/2028
good thru 05/28
有效期（月/年）：05/28
有 效 期 05/28
有效期 ٠٥/٢٨
有效期05月28年
卡有效期 28年05月
信用卡有效期 2028年5月
银行卡有效期至 2028-05
我的卡 05/28 到期
保单扣款卡有效期 05/28
4111111111111111 05/28
4111 1111 1111 1111 05/28 123
4111111111111111，12/2027
378282246310005 05/28
3782 822463 10005 05/28
4111111111111111 123 05/28
41111111111111110528123
;4111111111111111=28051010000000000?
４１１１ １１１１ １１１１ １１１１　０５／２８
""",
}

NOTHING = """
保单有效期至2026年11月23日
有效期 2026/11/23
有效期 2026-11-23
有效期：2012年5月1日
保单有效期 2026.11.23 至 2027.11.22
保险合同到期日 2027-05
policy expires 12/2026
保单有效期一年
有效期12个月
有效期 1205 天
有效期36个月
失效日期 2028年5月1日
valid until 2028-05-06
到期 2028/05/06
有效期 2012/11/23
有效期 2012-11-23
到期 05/28/2031
有效期至 28年5月 3 日
到期 11/08
安全码 2026年5月更换
2026年5月28日到期
05/28 到期
药品有效期 05/28
疫苗有效期至 11/27
驾驶证有效期 05/28
车牌京A12345，保险到期 11/23
expected 12/25
experience 05/28
exposed 0528
忘记密码
密码错误三次
请重置密码
密码保管不善，2026年5月被盗刷
修改密码，2026-05-06 去柜台
忘记密码。20260506 去柜台
门禁密码 1234
门禁卡密码 1234
房卡密码1234
wifi密码 12345678
住院号 00123456
病历号：20261123001
报案号 320120261123000123456
2026/11/23
12/2026
11/23
血压 120/80
BP 120/80 mmHg
pin fixation in the left wrist, 3 pins
左腕钢针/pin 固定
克氏针 pin 2 枚
pin 固定 3 枚，2026年取出
pin in 2019 removed
pin 1200 mm
Pin tract infection
Steinmann pin 2.0 mm
spinning 1234
opinion 1234
hairpin 1234
CVC 置管
CVC 置管 3 天
右颈内 CVC 置入 15 cm
留置 CVC 120 小时
CVC catheter 7Fr
CVC 120/80
右颈内 CVC，1203 病房
CID
CID 303
CID: 303.90
短信验证码 123456
验证码 1234
请勿填写 CVV、有效期和密码
CVV 码不要告诉他人
拨打110，安全码见背面
防伪安全码 12345678901234
安全码绿色
住院 3 天，花费 1234 元
卡号 4111111111111111
卡号后四位 1234
4111111111111111 元
付款卡 4111111111111111，500元
4111111111111111 2026-11-23
4111111111111111 2026年11月23日
4111111111111112 05/28
6222021234567890128 13800138000
银行卡尾号 1234，2026-05-28 转账
网银转账 2026/05/28 14:30 金额 1234
卡车 05/28 事故
卡介苗接种 05/28
2026年11月23日14时30分在北京市朝阳区建国路88号追尾
诊断：左桡骨远端骨折，住院号12345678；2026年3月5日因车祸就诊
白细胞 12.3，血红蛋白 120
手机 13800138000
身份证 11010519491231002X
诊断代码 S06.900x001
"""

CASES = [(kind, text.replace("\\n", "\n")) for kind, texts in FOUND.items() for text in texts.strip().split("\n")]


@pytest.mark.parametrize("kind, text", CASES)
def test_a_card_secret_is_found_and_its_kind_named(kind, text):
    assert never_collected(text) is kind
    assert never_collected(f"2026年11月23日追尾，{text}，请尽快理赔。") is kind
    assert never_collected(text.upper()) is kind


@pytest.mark.parametrize("text", NOTHING.strip().split("\n"))
def test_what_a_claim_ordinarily_says_is_no_card_secret(text):
    assert never_collected(text) is None
    assert never_collected(f"2026年11月23日追尾，{text}，请尽快理赔。") is None


@pytest.mark.parametrize("text", ["", " ", "无", "\x00", "\ud800", "\u200b" * 99])
def test_a_text_of_nothing_holds_nothing(text):
    assert never_collected(text) is None


HIDING = st.sampled_from(("", "\u200b", "\u200d", "\ufeff", "\u2060", "\u00ad", "\ufe0f", "\u0336"))


@given(st.sampled_from(CASES), st.data())
def test_invisible_characters_and_wide_ones_hide_nothing(case, data):
    kind, text = case
    wide = data.draw(st.booleans())
    shown = "".join(
        (chr(ord(one) + 0xFEE0) if wide and "!" <= one <= "~" else one) + data.draw(HIDING)
        for one in unicodedata.normalize("NFKC", text)
    )
    assert never_collected(shown) is kind


@given(
    st.integers(0, 999),
    st.sampled_from(("CVV", "cvv2:", "CVC=", "安全码", "卡验证码是", "security code ")),
    st.text("天气晴。，\n abcxyz", max_size=30),
)
def test_every_verification_code_is_found_anywhere_in_a_text(code, word, around):
    assert never_collected(f"{around} {word} {code:03d}") is CODE


@given(
    st.integers(1, 12), st.integers(24, 45), st.sampled_from(("05/28", "0528", "2805", "05/2028", "05 / 28", "05-28"))
)
def test_every_expiry_behind_its_word_or_a_card_is_found(month, year, shape):
    value = shape.replace("05", f"{month:02d}").replace("28", f"{year:02d}")
    assert never_collected(f"卡有效期{value}") is EXPIRY
    body = "622202123456789"
    assert never_collected(f"{body}{luhn_check(body)} {value}") is EXPIRY


@given(st.integers(0, 10**8 - 1), st.integers(4, 8), st.sampled_from(("密码", "PIN:", "取款密码为", "支付密码 是 ")))
def test_every_pin_of_four_to_eight_digits_is_found(number, length, word):
    assert never_collected(f"{word}{number % 10**length:0{length}d}") is PIN


def test_nothing_of_the_demo_data_is_refused():
    texts = [
        text
        for batch in population(300, 7, audience=lambda *_: None)
        for rows in batch.rows.values()
        for _, _, _, sealed in rows
        for text in sealed
        if text is not None
    ]
    assert len(texts) > 5_000
    assert [text for text in texts if never_collected(text)] == []


BYTES = 200_000
HOSTILE = (
    " ", "是 ", "1 ", "cvv ", "c..v..", "cvv:是号码", "密码", "密码就是就是就是就是就是", "有效期至到", "exp. ",
    "cid:::: ", "4111 1111 1111 1111 ", "2222222222222222222 ", "4" * 26 + " ", "卡    背面 ", "\ufdfa",
    "cvv 12 密码 123 有效期 13/28 pin: 12 ",
)  # fmt: skip


def seconds(work, text):
    start = time.process_time()
    work(text)
    return time.process_time() - start


@pytest.mark.parametrize("unit", HOSTILE)
def test_a_hostile_text_takes_no_longer_than_its_length(unit):
    def baseline(text):
        re.findall(r"\d|\w|\W", unicodedata.normalize("NFKC", text).casefold())

    text = "密码" + unit * (BYTES // len(unicodedata.normalize("NFKC", unit).encode())) + " 7"
    assert seconds(never_collected, text) < 20 * min(seconds(baseline, text) for _ in range(2)) + 0.05
