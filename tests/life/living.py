"""One person, everything about whom is unlike anybody else's, and those whom they deal with: each over HTTP."""

import itertools
import secrets
import time
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from models.demo.values import luhn_check, resident_id
from resolvers.registered import house_documents
from tests.conftest import GRAPHQL
from tests.writing.conftest import Office

PASSWORD = "seven grey herons row by lantern"
HOUSE = {text.split("(")[0].split("{")[0].split()[-1]: found for found, text in house_documents().items()}
"""Hashes of the house's registered documents by operation name."""
SECONDS = 30
BORN = date(1961, 2, 27)
_numbers = itertools.count(secrets.randbelow(10**6))


def registered(office: Office, name: str, given: Any = None) -> dict[str, Any]:
    """The payload of a registered document's one field, asked by nobody in particular."""
    body = {"documentId": f"sha256:{HOUSE[name]}", "variables": given and {"input": given}}
    answer = office.client.post(office.url, json=body, headers={"Accept": GRAPHQL}).json()
    (found,) = answer["data"].values()
    return found


def until(found: Any, wanted: Any) -> Any:
    """What a question is answered with, once that is what is wanted or the time is over: others seal and index."""
    deadline = time.monotonic() + SECONDS
    while (answer := found()) != wanted and time.monotonic() < deadline:
        time.sleep(0.1)
    return answer


def card() -> str:
    """The number of a bank card that nobody else here has."""
    beginning = f"621799{secrets.randbelow(10**12):012d}"
    return beginning + luhn_check(beginning)


def identity(born: date) -> str:
    """A resident's identity number that nobody else here has."""
    return resident_id("110101", born, order=next(_numbers) % 1_000)


def values() -> dict[str, str]:
    """Everything that is said of the person, or by them, in the whole of their life: no two alike."""
    mark = secrets.token_hex(4)
    return {
        "password": f"{PASSWORD} {mark}",
        "phone": f"175{secrets.randbelow(10**8):08d}",
        "username": f"heron{mark}",
        "name": "欧阳澈衡",
        "idNumber": identity(BORN),
        "birthDate": BORN.isoformat(),
        "address": f"上海市黄浦区灯塔弄{secrets.randbelow(10**5):05d}号",
        "bankCard": card(),
        "email": f"first{mark}@heron.example",
        "corrected email": f"second{mark}@heron.example",
        "occupation": f"灯塔看守{mark}",
        "healthDeclaration": f"幼年患过潮汐热{mark}",
        "region": f"海岸{mark}",
        "nickname": f"夜鹭{mark}",
        "avatar": f"https://thirdwx.qlogo.cn/mmopen/{mark}/132",
        "device model": f"Lantern{mark}",
        "push identifier": secrets.token_hex(16),
        "sumInsured": "507319.25",
        "premium": "1283.57",
        "beneficiary name": "慕容砚舟",
        "beneficiary idNumber": identity(date(1990, 11, 30)),
        "beneficiary phone": f"176{secrets.randbelow(10**8):08d}",
        "incident": f"在防波堤上滑倒{mark}",
        "hospital": f"东礁医院{mark}",
        "diagnosis": f"左踝三处骨折{mark}",
        "medicalRecord": f"礁字第{mark}号病历",
        "further record": f"礁字第{mark}号复诊",
        "claim bankCard": card(),
        "expenses": "18231.57",
        "amountClaimed": "15007.31",
        "amountPaid": "14003.77",
        "complaint": f"不明白为何共享给保险公司{mark}",
        "answer": f"共享以合同为依据{mark}",
    }


@dataclass(frozen=True, repr=False)
class Actor:
    """Somebody who takes part, with a token and a purpose; `shown` is what their answers said that they were shown."""

    office: Office
    token: str
    purpose: str
    shown: set[str] = field(default_factory=set)

    def under(self, purpose: str) -> "Actor":
        """The same, for another purpose."""
        return Actor(self.office, self.token, purpose)

    def writes(self, mutation: str, show: str = "", **given: Any) -> Any:
        """The payload of a mutation: a problem with all it tells, or what `show` selects."""
        return self.office.write(mutation, given, token=self.token, purpose=self.purpose, show=show)

    def does(self, mutation: str, show: str = "", **given: Any) -> Any:
        """The same, of one that is not refused."""
        found = self.writes(mutation, show, **given)
        assert found is None or "code" not in found, found
        return found

    def asks(self, document: str, **variables: Any) -> Any:
        """The data of an answer."""
        body = self.office.post(document, variables, token=self.token, purpose=self.purpose).json()
        said = body.get("extensions", {}).get("authorization", {}).get("fields", ())
        self.shown.update(one["coordinate"] for one in said if one["effect"] != "DENY")
        assert body.get("data") is not None, body
        return body["data"]

    def reads(self, noun: str, row: str, fields: str) -> Any:
        """A row as this actor sees it; null if it does not exist for them."""
        return self.asks(f"query($id: ID!) {{ {noun}(id: $id) {{ {fields} }} }}", id=row)[noun]
