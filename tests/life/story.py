"""The life, chapter by chapter; each asserts what the person and the others are told as they go."""

import io
import time
import zipfile
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pyotp

from privacy.notices import default_notice
from tests.life.living import BORN, Actor, identity, registered, values
from tests.writing.applying import TODAY, cover
from tests.writing.conftest import Office

POLICY = "... on Policy { id status }"
CLAIM = "... on Claim { id status }"
USER = "... on User { id }"
STANDING = "... on RightsRequestStanding { id state dueOn escalation }"
CANCELLED = (
    "... on AccountCancelled { request erasedBy escalation }"
    " ... on CancellationBlockedProblem { blockers { kind reference status } }"
)
HISTORY = (
    "query($after: String) { viewer { user { accessHistory(first: 50, after: $after) { edges { cursor node { role"
    " organization { code } purpose revealed masked changed own } } pageInfo { hasNextPage endCursor } } } } }"
)
RECIPIENTS = "{ recipients { organization { code privacyPolicy } coordinates } }"
CORRECTIONS = "{ viewer { user { corrections { coordinate handovers { code handedOnAt acknowledgedAt } } } } }"
AUDIENCE = "{ users(first: 10) { edges { node { id name virtualPhone } } } }"
Shown = dict[tuple[str, str | None, str], tuple[set[str], set[str]]]
"""By role, organization and purpose: the fields shown, and the mutations."""


@dataclass
class Life:
    """The person, and everybody whom they deal with."""

    office: Office
    planted: dict[str, str] = field(default_factory=values)
    me: Actor = field(init=False)
    id: str = field(init=False)
    policy: str = field(init=False)
    claim: str = field(init=False)

    def __post_init__(self) -> None:
        """Everybody else has a token."""
        self.agent = self._staff("broker_agent", "agent01", "application")
        self.handler = self._staff("claims_handler", "handler01", "claim_handling")
        self.officer = self._staff("privacy_officer", "privacy01", "rights_request", "administration")
        self.underwriter = self._partner("insurer", "INS01", "application")
        self.policy_desk = self._partner("insurer", "INS01", "policy_service")
        self.claims_desk = self._partner("insurer", "INS01", "claim_handling")
        self.adjuster = self._partner("loss_adjuster", "LA01", "claim_handling")
        self.verifier = self._partner("affiliate", "AF01", "verification")
        self.marketer = self._partner("insurer", "INS01", "marketing")

    def _staff(self, role: str, name: str, *purposes: str) -> Actor:
        return Actor(self.office, self.office.token(role, user=name, purposes=purposes), purposes[0])

    def _partner(self, role: str, code: str, purpose: str) -> Actor:
        return Actor(self.office, self.office.token(role, org=code, purposes=[purpose]), purpose)

    def said(self, *names: str) -> dict[str, str]:
        """Some of the person's values, by schema field."""
        return {name: self.planted[name] for name in names}

    def begins(self) -> None:
        """Signs up, logs in, sets a second factor up, accepts the notice, and links WeChat and a telephone."""
        signed = registered(self.office, "SignUp", self.said("phone", "username", "password"))
        assert signed["__typename"] == "SessionTokens", signed
        given = {"identifier": self.planted["phone"], "password": self.planted["password"]}
        session = registered(self.office, "LogIn", given)
        me = Actor(self.office, session["accessToken"], "account_service")
        uri = me.does("setUpSecondFactor", "... on SecondFactorSetUp { uri }", **self.said("password"))["uri"]
        self.codes = pyotp.TOTP(parse_qs(urlsplit(uri).query)["secret"][0])
        stepped = me.does("confirmSecondFactor", "... on SteppedUp { accessToken }", code=self.codes.now())
        self.me = Actor(self.office, stepped["accessToken"], "account_service")
        self.id = self.me.asks("{ viewer { user { id } } }")["viewer"]["user"]["id"]
        self.me.does("acknowledgeNotice", USER, noticeHash=default_notice().digest, agrees=True)
        self.me.does("linkWechat", USER, gender="FEMALE", **self.said("region", "nickname", "avatar"))
        assert self.me.writes("usePermission", permission="PUSH")["code"] == "PERMISSION_REQUIRED"
        self.me.does("setPermission", permission="PUSH", granted=True)
        self.me.does("usePermission", permission="PUSH")
        device = {"identifier": self.planted["push identifier"], "model": self.planted["device model"]}
        self.me.does("setPushIdentifiers", kind="OAID", **device)

    def agrees(self, purpose: str, recipient: str, *categories: str) -> str:
        """Consents; the consent's id."""
        given = {"purpose": purpose, "categories": categories, "recipient": recipient}
        found = self.me.does("grantConsent", "... on Consent { id }", noticeHash=default_notice().digest, **given)
        return str(found["id"])

    def audience(self) -> list[dict[str, Any]]:
        """Whom the insurer's marketing reaches."""
        return [edge["node"] for edge in self.marketer.asks(AUDIENCE)["users"]["edges"]]

    def applies(self) -> None:
        """From a draft to a policy in force: the agent helps, the insurer underwrites and is paid."""
        details = ("name", "idNumber", "birthDate", "address", "bankCard", "email", "occupation")
        drafted = self.me.does(
            "draftApplication",
            POLICY,
            productCode="INS01-ACC",
            agent="agent01",
            policyholder={"details": self.said(*details)},
            insured={"id": self.id, "details": self.said("healthDeclaration")},
        )
        self.policy = drafted["id"]
        beneficiary = {name: self.planted[f"beneficiary {name}"] for name in ("name", "idNumber", "phone")}
        beneficiary |= {"relation": "PARENT", "order": 1, "share": "100"}
        self.agent.does(
            "draftApplication", POLICY, id=self.policy, beneficiaries=[beneficiary], **self.said("sumInsured")
        )
        assert self.me.does("submitApplication", POLICY, id=self.policy)["status"] == "SUBMITTED"
        seen = self.agent.reads("policy", self.policy, "policyholder { name idNumber healthDeclaration }")[
            "policyholder"
        ]
        assert (seen["name"], seen["healthDeclaration"], "*" in seen["idNumber"]) == (self.planted["name"], None, True)
        fields = "policyholder { name idNumber email } insured { healthDeclaration } beneficiaries { name }"
        examined = self.underwriter.reads("policy", self.policy, fields)
        assert examined["policyholder"] == self.said("name", "idNumber", "email")
        assert examined["insured"] == self.said("healthDeclaration")
        assert examined["beneficiaries"] == [{"name": self.planted["beneficiary name"]}]
        for outcome in ({"outcome": "BEGIN"}, {"outcome": "ACCEPT", "premium": self.planted["premium"]}):
            self.underwriter.does("recordUnderwriting", POLICY, id=self.policy, **outcome)
        assert self.underwriter.does("recordPayment", POLICY, id=self.policy, **cover()) is None
        served = self.policy_desk.reads("policy", self.policy, "status policyholder { phone email }")
        assert served == {"status": "IN_FORCE", "policyholder": self.said("phone", "email")}

    def claims(self) -> None:
        """A claim, to where the insurer has yet to pay."""
        items = self.said("hospital", "diagnosis", "medicalRecord", "expenses", "amountClaimed", "occupation")
        items |= {"incidentDescription": self.planted["incident"], "bankCard": self.planted["claim bankCard"]}
        drafted = self.me.does("draftClaim", CLAIM, policy=self.policy, incidentDate=TODAY.isoformat(), **items)
        self.claim = drafted["id"]
        assert self.me.does("submitClaim", CLAIM, id=self.claim)["status"] == "REPORTED"
        self.handler.does("assignClaim", CLAIM, id=self.claim, handler="handler01")
        assert self.handler.reads("claim", self.claim, "diagnosis") == self.said("diagnosis")
        self.handler.does("requestMaterials", CLAIM, id=self.claim, items=["MEDICAL_RECORD"])
        self.me.does("draftClaim", CLAIM, id=self.claim, medicalRecord=self.planted["further record"])
        self.me.does("submitClaim", CLAIM, id=self.claim)
        self.handler.does("assignClaim", CLAIM, id=self.claim, handler="handler01")
        self.handler.does("assignClaim", CLAIM, id=self.claim, lossAdjuster="LA01")
        assert self.adjuster.reads("claim", self.claim, "hospital") == self.said("hospital")
        seen = self.claims_desk.reads("claim", self.claim, "expenses bankCard policy { policyholder { name } }")
        assert (seen["expenses"], seen["policy"]["policyholder"]) == (self.planted["expenses"], self.said("name"))
        assert seen["bankCard"] == self.planted["claim bankCard"]
        approved = self.claims_desk.does("recordClaimDecision", CLAIM, id=self.claim, decision="APPROVE")
        assert approved["status"] == "APPROVED"

    def is_paid(self) -> None:
        """What is left of the claim."""
        paid = self.claims_desk.does("recordClaimPayment", CLAIM, id=self.claim, amount=self.planted["amountPaid"])
        assert paid["status"] == "PAID"
        assert self.handler.does("closeClaim", CLAIM, id=self.claim)["status"] == "CLOSED"

    def history(self) -> Shown:
        """Who was shown, and who changed, what of the person, as they read it themselves; others only."""
        found: Shown = {}
        after, more = None, True
        while more:
            page = self.me.asks(HISTORY, after=after)["viewer"]["user"]["accessHistory"]
            for one in (edge["node"] for edge in page["edges"]):
                if not one["own"]:
                    code = one["organization"] and one["organization"]["code"]
                    shown, changed = found.setdefault((one["role"], code, one["purpose"]), (set(), set()))
                    shown.update(one["revealed"], one["masked"])
                    changed.update(one["changed"])
            after, more = page["pageInfo"]["endCursor"], page["pageInfo"]["hasNextPage"]
        return found

    def recipients(self) -> dict[str, set[str]]:
        """Who outside the brokerage was shown what, as the person reads it."""
        found = self.me.asks(RECIPIENTS)["recipients"]
        return {one["organization"]["code"]: set(one["coordinates"]) for one in found}

    def corrects(self) -> list[dict[str, Any]]:
        """Corrects the email; the insurer learns of which datum it was and applies it; what the person sees of that."""
        self.me.does("updateProfile", USER, email=self.planted["corrected email"])
        waiting = self.policy_desk.asks("{ correctionsToApply { id user coordinate } }")["correctionsToApply"]
        (told,) = [one for one in waiting if one["user"] == self.id]
        assert told["coordinate"] == "User.email"
        assert self.policy_desk.reads("user", self.id, "email") == {"email": self.planted["corrected email"]}
        self.policy_desk.does("acknowledgeCorrection", "... on CorrectionAcknowledged { id }", id=told["id"])
        (correction,) = self.me.asks(CORRECTIONS)["viewer"]["user"]["corrections"]
        assert correction["coordinate"] == "User.email"
        return list(correction["handovers"])

    def archive(self) -> str:
        """Everything in the archive that the person fetches."""
        me = self.me.under("rights_request")
        given = me.does("requestExport", "... on ExportArchive { url }", **self.said("password"))
        url = self.office.url.removesuffix("/graphql") + "/exports/" + given["url"].rpartition("/exports/")[2]
        fetched = self.office.client.get(url, headers={"Authorization": f"Bearer {self.me.token}"})
        assert fetched.status_code == 200, fetched.text
        with zipfile.ZipFile(io.BytesIO(fetched.content)) as packed:
            return "\n".join(packed.read(name).decode() for name in packed.namelist())

    def complains(self) -> dict[str, Any]:
        """A complaint, which an officer takes and answers; what the person sees of it in the end."""
        words = {"matter": "SHARING", "statement": self.planted["complaint"]}
        filed = self.me.under("rights_request").does(
            "fileRightsRequest", STANDING, kind="COMPLAINT", **words, **self.said("password")
        )
        self.officer.under("administration").does("assignRightsRequest", STANDING, id=filed["id"])
        mine = self.officer.asks("{ rightsRequests(open: true, first: 50) { edges { node { id statement } } } }")
        statements = {edge["node"]["id"]: edge["node"]["statement"] for edge in mine["rightsRequests"]["edges"]}
        assert statements[filed["id"]] == self.planted["complaint"]
        self.officer.does("decideRightsRequest", STANDING, id=filed["id"], granted=True, **self.said("answer"))
        fields = "id state dueOn decidedAt overdue answer escalation"
        seen = self.me.asks(f"{{ rightsRequests(first: 50) {{ edges {{ node {{ {fields} }} }} }} }}")
        (told,) = [edge["node"] for edge in seen["rightsRequests"]["edges"] if edge["node"]["id"] == filed["id"]]
        return dict(told)

    def applies_again(self) -> str:
        """Another application, which is never paid; its id."""
        party = {"id": self.id}
        beneficiary = {"name": "王大山", "idNumber": identity(BORN), "phone": "13711112222"}
        beneficiary |= {"relation": "PARENT", "order": 1, "share": "100"}
        given = {"policyholder": party, "insured": party, "beneficiaries": [beneficiary], "sumInsured": "900000"}
        drafted = self.me.does("draftApplication", POLICY, productCode="INS01-ACC", **given)
        assert self.me.does("submitApplication", POLICY, id=drafted["id"])["status"] == "SUBMITTED"
        return str(drafted["id"])

    def cancels(self) -> dict[str, Any]:
        """Asks for the end of the account; the payload."""
        found: dict[str, Any] = self.me.writes("cancelAccount", CANCELLED, **self.said("password"))
        return found

    def ends_contracts(self, application: str) -> None:
        """Nothing is left that runs."""
        self.is_paid()
        assert self.me.does("withdrawApplication", POLICY, id=application)["status"] == "TERMINATED"
        assert self.me.does("surrenderPolicy", POLICY, id=self.policy)["status"] == "SURRENDERED"

    def logs_in(self, by: str) -> str:
        """What a log-in with everything that it takes comes to: its code, or its type."""
        given = {"identifier": self.planted[by], **self.said("password")}
        found = registered(self.office, "LogIn", {**given, "code": self.codes.at(time.time() + 30)})
        return str(found.get("code", found["__typename"]))
