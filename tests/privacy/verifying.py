"""Matters that verification cases are about: a policy applied for or a claim, somebody who handles it, and consents."""

from dataclasses import dataclass
from uuid import UUID, uuid4

from models.global_ids import NodeType, to_global
from models.vocabulary import Category, to_bits
from tests.privacy.guarding import ADULT, Guarded
from tests.writing.conftest import Customer

SHOW = "... on VerificationStanding { id live aspects closedAt }"
PLAIN = {Category.NAME, Category.PHONE}
SENSITIVE = {Category.GOVERNMENT_ID, Category.BANK_ACCOUNT, Category.FINANCIAL, Category.HEALTH}


@dataclass
class Matter:
    """A claim and an application of one person, and who works on them; all of their own."""

    guarded: Guarded
    person: Customer
    claim: UUID
    policy: UUID

    @classmethod
    def of(cls, guarded: Guarded) -> "Matter":
        """A new one; the work names are those of the first of each role."""
        office = guarded.office
        person, _ = guarded.known(ADULT, "周清清", found=False)
        office.know(person.person, healthDeclaration="哮喘", bankCard="6222020200112233447")
        insurer = office.rows("SELECT id FROM organization WHERE kind = 'INSURER' ORDER BY code LIMIT 1")[0][0]
        product = office.rows("SELECT id FROM product ORDER BY code LIMIT 1")[0][0]
        ids = {}
        for status in ("IN_FORCE", "UNDERWRITING"):
            ids[status] = uuid4()
            office.execute(
                "INSERT INTO policy (id, policy_number, status, product_id, insurer_id, holder_id, insured_id,"
                " currency) VALUES ($1, $2, $3, $4, $5, $6, $6, 'CNY')",
                *(ids[status], f"V{ids[status].hex[:18]}", status, product, insurer, person.person),
            )
        claim = uuid4()
        office.execute(
            "INSERT INTO claim (id, claim_number, policy_id, insurer_id, holder_id, insured_id, status, reported_at)"
            " VALUES ($1, $2, $3, $4, $5, $5, 'REVIEWING', now())",
            *(claim, f"C{claim.hex[:18]}", ids["IN_FORCE"], insurer, person.person),
        )
        made = cls(guarded, person, claim, ids["UNDERWRITING"])
        made._assign("claims_handler", "claim_id", claim)
        made._assign("broker_agent", "policy_id", ids["UNDERWRITING"])
        return made

    def _assign(self, role: str, column: str, row: UUID) -> None:
        statement = f"INSERT INTO assignment (id, staff_id, {column}, assigned_at) VALUES ($1, $2, $3, now())"  # noqa: S608
        self.guarded.office.execute(statement, uuid4(), self.staff(role)[0], row)

    def staff(self, role: str) -> tuple[UUID, str]:
        """The first member of staff of a role: whose token `token` makes."""
        statement = "SELECT id, username FROM staff WHERE role = $1 AND left_at IS NULL ORDER BY username LIMIT 1"
        return tuple(self.guarded.office.rows(statement, role)[0])

    def consent(self, categories: set[Category], recipient: str | None = None, **more) -> UUID:
        """A verification consent."""
        made = uuid4()
        self.guarded.office.execute(
            "INSERT INTO consent (id, person_id, purpose, recipient_id, categories, notice_version, notice_hash,"
            " granted_at) VALUES"
            " ($1, $2, $3, (SELECT id FROM organization WHERE code = $4), $5, '2020-10-26', '', now())",
            *(made, self.person.person, more.get("purpose", "verification"), recipient, to_bits(categories)),
        )
        return made

    def token(self, role: str, org: str | None = None, categories: list[str] | None = None) -> tuple[str, str]:
        """A token and the purpose it is for; of all categories, or of some."""
        purpose = {"claims_handler": "claim_handling", "broker_agent": "application"}.get(role, "verification")
        return self.guarded.office.token(role, org=org, purposes=[purpose], categories=categories), purpose

    def open(self, role: str = "claims_handler", **more):
        """Ask for a case on the claim (or, as an agent, the application)."""
        matter = (
            {"claim": to_global(NodeType.CLAIM, self.claim)}
            if role == "claims_handler"
            else {"policy": to_global(NodeType.POLICY, self.policy)}
        )
        given = {
            "user": self.person.id,
            **matter,
            "source": {"name": "市公安局户政处"},
            "aspects": ["IDENTITY"],
            "assignee": {"analyst": self.staff("risk_analyst")[1]},
            **more,
        }
        token, purpose = self.token(role)
        return self.guarded.office.write("openVerification", given, token=token, purpose=purpose, show=SHOW)

    def record(self, case: str, role: str = "risk_analyst", org: str | None = None, **more):
        """Record what the source said."""
        given = {
            "case": case,
            "source": {"name": "市公安局户政处"},
            "aspect": "IDENTITY",
            "outcome": "CONFIRMED",
            **more,
        }
        token, purpose = self.token(role, org)
        return self.guarded.office.write("recordVerification", given, token=token, purpose=purpose, show=SHOW)

    def close(self, case: str, role: str = "risk_analyst"):
        """End a case."""
        token, purpose = self.token(role)
        return self.guarded.office.write("closeVerification", {"case": case}, token=token, purpose=purpose, show=SHOW)

    def read(self, role: str = "risk_analyst", org: str | None = None):
        """What is shown of the person: the fields that are; None where they do not exist."""
        query = "query($id: ID!) { user(id: $id) { name idNumber phone bankCard healthDeclaration address } }"
        token, purpose = self.token(role, org)
        user = self.guarded.office.post(query, {"id": self.person.id}, token=token, purpose=purpose).json()["data"][
            "user"
        ]
        return user and {name for name, value in user.items() if value is not None}
