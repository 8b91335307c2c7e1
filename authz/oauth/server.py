"""The authorization server for partners: client credentials (RFC 6749, 4.4) and revocation (RFC 7009)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from authz.faults import UnavailableError, answering
from authz.oauth.agreements import Narrowed, narrow, valid_agreements
from authz.oauth.attestations import PURPOSES
from authz.oauth.clients import Client, Clients, Shown
from authz.oauth.details import Details, read_details, refused_details
from authz.oauth.metadata import Addresses
from authz.oauth.problems import OAuthRefusedError, Problem
from authz.oauth.proofs import Shown as ShownProof
from authz.oauth.proofs import proven
from authz.seen import Seen
from authz.standing import Standing, StandingUnknownError, revoke
from authz.subjects import Subject
from authz.token_keys import TokenKeys
from authz.tokens import (
    LIFETIME,
    LONGEST_TEXT,
    Grant,
    Refused,
    Verifier,
    authorization_detail,
    mint,
    new_subject,
)
from ledger.recorder import NotRecordedError, Recorder
from ledger.rows import Kind, Operation
from models.organizations import OrganizationKind
from models.revocations import Revoked
from models.vocabulary import Purpose, Role

PROVEN = frozenset({Purpose.CLAIM_HANDLING, Purpose.APPLICATION})
"""Purposes whose tokens are bound to a key: a stolen one is of no use."""
FORBIDDEN = {
    OrganizationKind.SERVICE_PROVIDER: frozenset({Purpose.MARKETING}),
    OrganizationKind.AFFILIATE: frozenset(Purpose) - PURPOSES,
}
"""What a kind of partner never gets, whatever was agreed (C35, C39)."""
NEVER = {
    OrganizationKind.SERVICE_PROVIDER: "A service provider acts for the brokerage only, never for marketing (C39).",
    OrganizationKind.AFFILIATE: "An affiliate is given data for marketing, verification and security only (C35).",
}
"""Why, by the same kinds."""
GRANT_TYPE = "client_credentials"
ISSUED, REVOKED = "ISSUED", "REVOKED"
"""Codes of the rows of tokens; a refused one has its problem's."""


@dataclass(frozen=True, slots=True)
class AuthorizationServer:
    """Issues and revokes partners' tokens."""

    pool: Any
    keys: Callable[[], TokenKeys]
    verifier: Verifier
    standing: Standing
    addresses: Addresses
    clock: Callable[[], datetime]
    demo: bool
    """Are shared secrets taken?"""
    recorder: Recorder

    @property
    def _clients(self) -> Clients:
        return Clients(self.pool, self.clock, secrets=self.demo)

    async def token(self, shown: Shown, proofs: Sequence[str], seen: Seen) -> dict[str, Any]:
        """Answer a token request (RFC 6749, 5.1; RFC 9396, 7). Raises OAuthRefusedError, and UnavailableError.

        No token leaves without its row in the ledger.
        """
        _check_grant_type(shown.form)
        audiences = (self.addresses.issuer, self.addresses.token)
        client = await self._authenticated(shown, audiences, seen)
        asked = _asked(shown.form)
        proof_key = await self._proof_key(proofs)
        granted = await self._grant(client, asked)
        if proof_key is None and PROVEN & set(granted.purposes):
            needing = " and ".join(sorted(purpose.value for purpose in PROVEN))
            raise OAuthRefusedError(
                Problem.INVALID_PROOF, f"Tokens for {needing} are bound to a key: send a DPoP header."
            )
        return await self._issue(client, asked, granted, proof_key)

    async def _authenticated(self, shown: Shown, audiences: Sequence[str], seen: Seen) -> Client:
        client = await self._clients.authenticate(shown, audiences=audiences)
        seen.role, seen.client, seen.organization = _role(client), client.id, client.organization
        return client

    async def _proof_key(self, proofs: Sequence[str]) -> str | None:
        if not proofs:
            return None
        found = await proven(self.pool, ShownProof("POST", self.addresses.token, proofs), now=self.clock())
        if isinstance(found, Refused):
            raise OAuthRefusedError(Problem.INVALID_PROOF, f"{found.why[0].upper()}{found.why[1:]}.")
        return found

    async def _grant(self, client: Client, asked: Details) -> Narrowed:
        if FORBIDDEN.get(client.kind, frozenset()) & set(asked.purposes):
            raise OAuthRefusedError(Problem.UNAUTHORIZED_CLIENT, NEVER[client.kind])
        agreements = await valid_agreements(self.pool, client.organization)
        if not agreements:
            message = "Your organization has no valid agreement now, so there is no token: ask the brokerage."
            raise OAuthRefusedError(Problem.UNAUTHORIZED_CLIENT, message)
        granted = narrow(asked, agreements)
        if not granted.purposes:
            raise refused_details("the agreement covers none of these purposes")
        return granted

    async def _issue(self, client: Client, asked: Details, granted: Narrowed, proof_key: str | None) -> dict[str, Any]:
        now = self.clock()
        lifetime = _lifetime(asked, granted, now)
        subject = _subject(client, asked, granted)
        grant = Grant(self.addresses.issuer, client.id, granted.agreement.id, client.key, proof_key)
        token = mint(self.keys(), subject, now=now, lifetime=lifetime, grant=grant)
        if len(token) > LONGEST_TEXT:
            raise refused_details("these names make the token too long: name fewer policies or products")
        detail = {"purposes": [one.value for one in subject.purposes], "seconds": round(lifetime.total_seconds())}
        try:
            await self.recorder.record(self._row(ISSUED, client, subject.token_id, granted.agreement.id, detail=detail))
        except NotRecordedError as fault:
            raise UnavailableError from fault
        return {
            "access_token": token,
            "token_type": "Bearer" if proof_key is None else "DPoP",
            "expires_in": int((now + lifetime).timestamp()) - int(now.timestamp()),
            "authorization_details": [authorization_detail(subject)],
        }

    def _row(
        self, code: str, client: Client, token: str, agreement: UUID | None, *, detail: Mapping[str, Any] | None = None
    ) -> Operation:
        return Operation(
            Kind.TOKEN,
            uuid4(),
            self.clock(),
            code=code,
            role=_role(client),
            organization=client.organization,
            token=token,
            client=client.id,
            agreement=agreement,
            detail=detail or {},
        )

    async def revoke(self, shown: Shown, seen: Seen) -> None:
        """Take a token back; one that is unknown is taken back already (RFC 7009, 2.2).

        Raises OAuthRefusedError, also for another client's token, and UnavailableError.
        """
        audiences = (self.addresses.issuer, self.addresses.token, self.addresses.revocation)
        client = await self._authenticated(shown, audiences, seen)
        if "token" not in shown.form:
            raise OAuthRefusedError(Problem.INVALID_REQUEST, "Send the token to revoke as the parameter token.")
        token = self.verifier.verify(shown.form["token"], now=self.clock())
        if isinstance(token, Refused):
            return
        if token.grant.client != client.id or token.grant.issuer != self.addresses.issuer:
            raise OAuthRefusedError(Problem.INVALID_GRANT, "The token was issued to another client.")
        try:
            if await self.standing.check(token) is not None:
                return
        except StandingUnknownError as fault:
            raise UnavailableError from fault
        async with answering():
            await revoke(self.pool, Revoked.TOKEN, token.subject.token_id)
        # Taken back it is, whether or not that can be written this very moment.
        self.recorder.record_later(self._row(REVOKED, client, token.subject.token_id, token.grant.agreement))


def _check_grant_type(form: Mapping[str, str]) -> None:
    if "grant_type" not in form:
        raise OAuthRefusedError(Problem.INVALID_REQUEST, f"grant_type is missing: send {GRANT_TYPE}.")
    if form["grant_type"] != GRANT_TYPE:
        raise OAuthRefusedError(Problem.UNSUPPORTED_GRANT_TYPE, f"The only grant_type is {GRANT_TYPE}.")


def _asked(form: Mapping[str, str]) -> Details:
    if "scope" in form:
        raise OAuthRefusedError(
            Problem.INVALID_SCOPE, "There are no scopes here: use authorization_details (RFC 9396)."
        )
    if "authorization_details" not in form:
        raise OAuthRefusedError(Problem.INVALID_REQUEST, "authorization_details is missing (RFC 9396).")
    return read_details(form["authorization_details"])


def _role(client: Client) -> Role:
    return Role[client.kind.name]


def _subject(client: Client, asked: Details, granted: Narrowed) -> Subject:
    return new_subject(
        _role(client),
        granted.purposes,
        categories=granted.categories,
        organization=client.organization,
        organization_code=client.organization_code,
        caveats=asked.caveats,
    )


def _lifetime(asked: Details, granted: Narrowed, now: datetime) -> timedelta:
    """No longer than a token lives, the agreement runs or the client asks."""
    seconds = min(LIFETIME.total_seconds(), (granted.agreement.valid_to - now).total_seconds())
    if asked.ends is not None:
        seconds = min(seconds, asked.ends - now.timestamp())
    if seconds < 1:
        raise refused_details("the token would end before it begins: check until, and how long the agreement runs")
    return timedelta(seconds=seconds)
