"""What the tests of incidents do: leak a token, read with it, and wait until the ledger's rows are found."""

import asyncio
import base64
import json
import time
from datetime import UTC, datetime, timedelta

from ledger.searches import pending
from models.database import connect_once
from models.global_ids import from_global
from tests.conftest import Server
from tests.plain import OPEN_CLAIM, OPEN_POLICY, lines
from tests.privacy.world import office_of
from tests.writing.conftest import Office

OPENED = "... on IncidentStanding { id drill reportDueAt lettersDueAt reportedAt lettersAt withheldAt closedAt }"
TEXTS = {
    "impact": "可能收到冒名电话",
    "measures": "令牌已作废",
    "advice": "留意陌生来电",
}
LETTERS = "{ letters { id user facts impact measures advice categories masked changed text english acknowledgedAt } }"
INCIDENTS = """query($open: Boolean) { incidents(open: $open) { id drill persons standIns noLongerKnown pending letters
  shown relayed acknowledged report categories { category inClear inPart } } }"""

OF_CLAIM = "claim(id: $id) { diagnosis incidentDescription expenses }"
OF_HOLDER = "policy(id: $id) { policyholder { name phone } }"
OF_INSURED = "policy(id: $id) { insured { idNumber bankCard } }"
READS = {
    OF_CLAIM: ("claim_handling", {"HEALTH", "INCIDENT", "EXPENSE"}, set()),
    OF_HOLDER: ("policy_service", {"NAME", "PHONE"}, set()),
    OF_INSURED: ("policy_service", {"GOVERNMENT_ID"}, {"BANK_ACCOUNT"}),
}
"""By what is asked: for which purpose, and the categories that leave in clear and in part by the matrix."""


def token_id(token: str) -> str:
    """What the ledger calls a token."""
    body = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))["jti"]


def settled(office: Office) -> None:
    """Wait until every row of the ledger is sealed and can be found."""

    async def wait() -> None:
        owner = await connect_once(office.database.owner)
        try:
            deadline = time.monotonic() + 20
            while await pending(owner.fetch):
                assert time.monotonic() < deadline, "the sealer does not come on"
                await asyncio.sleep(0.05)
        finally:
            await owner.close()

    asyncio.run(wait())


def undone(office: Office, work):
    """Do something as the owner, in a transaction that is taken back."""

    async def run():
        owner = await connect_once(office.database.owner)
        transaction = owner.transaction()
        await transaction.start()
        try:
            return await work(owner)
        finally:
            await transaction.rollback()
            await owner.close()

    return asyncio.run(run())


class Leak:
    """A partner's token that leaks, and what is read with it; of whom what is known, by what the test itself asks."""

    def __init__(self, server: Server) -> None:
        self.office = office_of(server)
        known = lines(server.plaintext)
        policies = {one["id"]: one for one in known["Policy"]}
        claims = [one for one in known["Claim"] if one["status"] in OPEN_CLAIM]
        self.accounts = {one["id"] for one in known["User"] if one.get("username")}
        insured = {(policies[one["policy"]]["insurer"], policies[one["policy"]]["insured"]) for one in claims}
        with_account = [insurer for insurer, person in insured if person in self.accounts]
        self.insurer = max(sorted(with_account), key=[insurer for insurer, _ in insured].count)
        of_insurer = [one for one in known["Policy"] if one["insurer"] == self.insurer]
        live = [one for one in of_insurer if one["status"] in OPEN_POLICY]
        self.users = {one["id"]: one for one in known["User"]}
        self.choices = {
            OF_CLAIM: [
                (one["id"], policies[one["policy"]]["insured"])
                for one in claims
                if policies[one["policy"]] in of_insurer
            ],
            OF_HOLDER: [(one["id"], one["policyholder"]) for one in live],
            OF_INSURED: [(one["id"], one["insured"]) for one in live if self.users[one["insured"]].get("bankCard")],
        }
        # Some who read their letter, and some whom the post tells.
        self.choices[OF_CLAIM].sort(key=lambda one: one[1] not in self.accounts)
        self.choices[OF_INSURED].sort(key=lambda one: one[1] in self.accounts)
        purposes = ["claim_handling", "policy_service"]
        self.token = asyncio.run(self.office._mint("insurer", self.insurer, None, tuple(purposes), None))
        self.other = asyncio.run(self.office._mint("insurer", self.insurer, None, tuple(purposes), None))
        self.expected: dict[str, tuple[set[str], set[str]]] = {}
        self.spared: dict[str, tuple[set[str], set[str]]] = {}
        self.began = datetime.now(UTC)

    def read(self, asked: str, number: int, *, token: str | None = None) -> None:
        """Read of some persons who have not been read of; with another token it is no part of the leak."""
        purpose, clear, part = READS[asked]
        for row, person in self.choices[asked]:
            if number == 0:
                return
            if person in self.expected or person in self.spared:
                continue
            answer = self.office.post(
                f"query($id: ID!) {{ {asked} }}", {"id": row}, token=token or self.token, purpose=purpose
            ).json()
            assert "errors" not in answer, answer
            shown = json.dumps(answer["data"], ensure_ascii=False)
            assert "null" not in shown
            (self.spared if token else self.expected)[person] = (set(clear), set(part))
            number -= 1
        assert number == 0, "there are too few to read of"

    def given(self, **more):
        """What the incident is opened with."""
        rows = {"from": self.began.isoformat(), "to": (self.began + timedelta(days=2)).isoformat()}
        return {
            "facts": "合作方令牌泄露，保单和理赔资料被读取",
            "severity": "CONSIDERABLE",
            "noticedAt": datetime.now(UTC).isoformat(),
            "rows": {**rows, "token": token_id(self.token)},
            **more,
        }

    def staff(self, role: str) -> str:
        """A token of somebody who sees to incidents."""
        return self.office.token(role, purposes=["administration"])

    def write(self, name: str, given, role: str = "security_admin"):
        """Run a mutation on incidents."""
        return self.office.write(name, given, token=self.staff(role), purpose="administration", show=OPENED)

    def known(self, incident: str):
        """What officers are told of one incident."""
        answer = self.office.post(INCIDENTS, token=self.staff("privacy_officer"), purpose="administration").json()
        (found,) = [one for one in answer["data"]["incidents"] if one["id"] == incident]
        return found

    def letters(self, person: str, role: str = "customer"):
        """The letters that somebody reads."""
        token = self.office.token(role, user=self.users[person]["username"], purposes=["account_service"])
        answer = self.office.post(LETTERS, token=token, purpose="account_service").json()
        return answer["data"]["letters"]


def row_of(global_id: str) -> str:
    """The row's own id, as commands take it."""
    return str(from_global(global_id)[1])
