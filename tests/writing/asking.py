"""What tests of requests do: a person asks, an officer answers; and contracts to stand in the way of a cancellation."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from models.global_ids import from_global
from tests.writing.conftest import PASSWORD, Customer, Office

STANDING = "... on RightsRequestStanding { id kind state dueOn provisional overdue extendedUntil escalation }"
CANCELLED = (
    "... on AccountCancelled { request erasedBy provisional escalation }"
    " ... on CancellationBlockedProblem { blockers { kind reference status policy claim provider } }"
)
FIELDS = (
    "id user kind state openedAt dueOn provisional overdue extendedUntil extensionReason ground matter statement answer"
    " decidedAt closedAt erasureDueOn officer escalation"
)
LIST = (
    "query($open: Boolean, $within: Int, $first: Int, $after: String) { rightsRequests(open: $open, dueWithin: $within,"
    f" first: $first, after: $after) {{ edges {{ node {{ {FIELDS} }} }} pageInfo {{ hasNextPage endCursor }} }} }}"
)


class Asking:
    """A person's side and an officer's, at one server."""

    def __init__(self, office: Office) -> None:
        self.office = office

    def file(self, who: Customer, kind: str, *, token=None, purpose="rights_request", password=PASSWORD, **more):
        """Ask for something, by giving the password again."""
        headers = more.pop("headers", {})
        given = {"kind": kind, **({"password": password} if password else {}), **more}
        token = token or who.token
        return self.office.write("fileRightsRequest", given, token=token, purpose=purpose, show=STANDING, **headers)

    def withdraw(self, request: str, token: str):
        """Take a request back."""
        return self.office.write(
            "withdrawRightsRequest", {"id": request}, token=token, purpose="rights_request", show=STANDING
        )

    def cancel(self, who: Customer, *, token=None, password=PASSWORD, user=None, **headers):
        """Cancel an account."""
        given = {**({"password": password} if password else {}), **({"user": user} if user else {})}
        return self.office.write(
            "cancelAccount", given, token=token or who.token, purpose="account_service", show=CANCELLED, **headers
        )

    def listed(self, token: str, purpose: str = "rights_request", **arguments):
        """Requests as a caller lists them; None where it is not for them."""
        body = self.office.post(LIST, arguments, token=token, purpose=purpose).json()
        found = body["data"]["rightsRequests"]
        return found and [edge["node"] for edge in found["edges"]]

    def hired(self) -> tuple[str, str]:
        """A new privacy officer: work name and token."""
        name = f"officer-{uuid4().hex[:8]}"
        self.office.execute("INSERT INTO staff (id, username, role) VALUES ($1, $2, 'privacy_officer')", uuid4(), name)
        return name, self.office.token("privacy_officer", user=name, purposes=["rights_request", "administration"])

    def assign(self, request: str, token: str, officer: str | None = None):
        """Hand a request to an officer."""
        given = {"id": request, **({"officer": officer} if officer else {})}
        return self.office.write("assignRightsRequest", given, token=token, purpose="administration", show=STANDING)

    def extend(self, request: str, token: str, until, reason: str = "材料审核需要更多时间"):
        """Promise a later day."""
        given = {"id": request, "until": str(until), "reason": reason}
        return self.office.write("extendRightsRequest", given, token=token, purpose="rights_request", show=STANDING)

    def decide(self, request: str, token: str, *, granted: bool, answer: str = "已按您的要求处理", **more):
        """Answer a request."""
        given = {"id": request, "granted": granted, "answer": answer, **more}
        return self.office.write("decideRightsRequest", given, token=token, purpose="rights_request", show=STANDING)

    def in_hand(self, who: Customer, kind: str, **more) -> tuple[str, str, str]:
        """A request that a new officer has in hand: its id, their work name and token."""
        request = self.file(who, kind, **more)["id"]
        name, token = self.hired()
        assert self.assign(request, token, name)["id"] == request
        return request, name, token

    def policy(self, holder: UUID, status: str, *, insured: UUID | None = None) -> tuple[UUID, str]:
        """A policy of somebody's in a status: its id and number."""
        made, number = uuid4(), f"R{uuid4().hex[:12].upper()}"
        self.office.execute(
            "INSERT INTO policy (id, policy_number, product_id, insurer_id, status, holder_id, insured_id, currency)"
            " SELECT $1, $2, id, insurer_id, $3, $4, $5, 'CNY' FROM product ORDER BY code LIMIT 1",
            *(made, number, status, holder, insured or holder),
        )
        return made, number

    def claim(self, policy: UUID, status: str) -> tuple[UUID, str]:
        """A claim on a policy in a status: its id and number."""
        made, number = uuid4(), f"C{uuid4().hex[:12].upper()}"
        self.office.execute(
            "INSERT INTO claim (id, claim_number, policy_id, insurer_id, holder_id, insured_id, status, reported_at)"
            " SELECT $1, $2, id, insurer_id, holder_id, insured_id, $3, now() FROM policy WHERE id = $4",
            *(made, number, status, policy),
        )
        return made, number

    def service(self, policy: UUID, *, ends_in: int | None) -> None:
        """A health service that ends in so many days; None: for good."""
        now = datetime.now(UTC)
        self.office.execute(
            "INSERT INTO health_service (id, policy_id, provider_id, starts_at, ends_at)"
            " SELECT $1, $2, id, $3, $4 FROM organization WHERE kind = 'HEALTH_PROVIDER' ORDER BY code LIMIT 1",
            *(uuid4(), policy, now - timedelta(days=9)),
            None if ends_in is None else now + timedelta(days=ends_in),
        )

    def row(self, request: str):
        """What is stored of a request."""
        return self.office.rows("SELECT * FROM rights_request WHERE id = $1", from_global(request)[1])[0]
