"""The mutation root: each field hands its input to the room that writes, and its outcome to the payload."""

import strawberry

from ledger.rows import Kind
from models.global_ids import NodeType, from_global, to_global
from models.vocabulary import Purpose
from resolvers import accounts, logins
from resolvers.payloads import Problem, Write
from schema.accounts import (
    ChangePasswordInput,
    ChangePasswordPayload,
    ConfirmSecondFactorInput,
    ConfirmSecondFactorPayload,
    EndSessionInput,
    EndSessionPayload,
    LogInInput,
    LogInPayload,
    LogOutPayload,
    PasswordChanged,
    RefreshInput,
    RefreshPayload,
    RegisterInput,
    RegisterPayload,
    SecondFactorSetUp,
    SessionEnded,
    SessionTokens,
    SetUpSecondFactorInput,
    SetUpSecondFactorPayload,
    SteppedUp,
    StepUpInput,
    StepUpPayload,
)
from schema.audience_writes import AudienceWrites
from schema.ceasing import CeasingWrites
from schema.claim_writes import ClaimWrites
from schema.consent_writes import ConsentWrites
from schema.corrections import CorrectionWrites
from schema.disclosures import DisclosureWrites
from schema.duties import DutyWrites
from schema.exports import ExportWrites
from schema.fields import write
from schema.glass_writes import GlassWrites
from schema.guardians import GuardianWrites
from schema.incidents import IncidentWrites
from schema.notice_writes import NoticeWrites
from schema.operation_writes import OperationWrites
from schema.policy_writes import PolicyWrites
from schema.problems import told
from schema.profile_writes import ProfileWrites
from schema.retention import RetentionWrites
from schema.review_writes import ReviewWrites
from schema.rights import RightsWrites
from schema.ruleset_writes import RulesetWrites
from schema.verifications import VerificationWrites

Info = strawberry.Info[Write, None]
_OWN = Purpose.ACCOUNT_SERVICE


@strawberry.type
class Mutation(
    ProfileWrites,
    ConsentWrites,
    NoticeWrites,
    PolicyWrites,
    ClaimWrites,
    ReviewWrites,
    OperationWrites,
    RulesetWrites,
    GlassWrites,
    GuardianWrites,
    VerificationWrites,
    AudienceWrites,
    DisclosureWrites,
    RightsWrites,
    ExportWrites,
    CorrectionWrites,
    DutyWrites,
    IncidentWrites,
    CeasingWrites,
    RetentionWrites,
):
    """Everything that can be changed; one root field an operation."""

    @write(purpose=_OWN, attempt=True, heavy=True)
    async def register(self, info: Info, input: RegisterInput) -> RegisterPayload:  # noqa: A002 - GraphQL's name
        """Open an account with a phone and a username, and log in (C01)."""
        found = await accounts.register(
            info.context, phone=input.phone, username=input.username, password=input.password
        )
        return told(info.context, found) if isinstance(found, Problem) else SessionTokens.of(found)

    @write(purpose=_OWN, attempt=True, heavy=True, kind=Kind.LOGIN)
    async def log_in(self, info: Info, input: LogInInput) -> LogInPayload:  # noqa: A002 - as above
        """Open a session."""
        given = logins.Credentials(input.identifier, input.password, input.code, input.new_password, input.role)
        found = await logins.log_in(info.context, given)
        return told(info.context, found) if isinstance(found, Problem) else SessionTokens.of(found)

    @write(purpose=_OWN, attempt=True, kind=Kind.LOGIN)
    async def refresh(self, info: Info, input: RefreshInput) -> RefreshPayload:  # noqa: A002 - as above
        """New tokens for a refresh token, which is spent by it. A second use ends the session."""
        found = await logins.refresh(info.context, refresh_token=input.refresh_token)
        return told(info.context, found) if isinstance(found, Problem) else SessionTokens.of(found)

    @write(purpose=_OWN, kind=Kind.LOGIN)
    async def log_out(self, info: Info) -> LogOutPayload:
        """End this session."""
        found = await logins.log_out(info.context)
        if isinstance(found, Problem):
            return told(info.context, found)
        return SessionEnded(id=strawberry.ID(to_global(NodeType.SESSION, found)))

    @write(purpose=_OWN, kind=Kind.LOGIN)
    async def end_session(self, info: Info, input: EndSessionInput) -> EndSessionPayload:  # noqa: A002 - as above
        """End one of one's own sessions."""
        named = from_global(input.id)
        session = named[1] if named and named[0] is NodeType.SESSION else None
        found = await logins.end_session(info.context, session=session)
        if isinstance(found, Problem):
            return told(info.context, found)
        return SessionEnded(id=strawberry.ID(to_global(NodeType.SESSION, found)))

    @write(purpose=_OWN, attempt=True, heavy=True)
    async def change_password(
        self,
        info: Info,
        input: ChangePasswordInput,  # noqa: A002 - as above
    ) -> ChangePasswordPayload:
        """Replace the password; all other sessions end."""
        found = await logins.change_password(info.context, old=input.old, new=input.new, code=input.code)
        return told(info.context, found) if isinstance(found, Problem) else PasswordChanged(ended_sessions=found)

    @write(purpose=_OWN, attempt=True, heavy=True)
    async def set_up_second_factor(
        self,
        info: Info,
        input: SetUpSecondFactorInput,  # noqa: A002 - as above
    ) -> SetUpSecondFactorPayload:
        """Begin to use a second factor, or replace it."""
        found = await logins.set_up_second_factor(info.context, password=input.password, code=input.code)
        return told(info.context, found) if isinstance(found, Problem) else SecondFactorSetUp(uri=found)

    @write(purpose=_OWN, attempt=True)
    async def confirm_second_factor(
        self,
        info: Info,
        input: ConfirmSecondFactorInput,  # noqa: A002 - as above
    ) -> ConfirmSecondFactorPayload:
        """Give the new second factor's first code: from now on every login asks for one."""
        found = await logins.confirm_second_factor(info.context, code=input.code)
        return told(info.context, found) if isinstance(found, Problem) else SteppedUp.of(found)

    @write(purpose=_OWN, attempt=True, kind=Kind.LOGIN)
    async def step_up(self, info: Info, input: StepUpInput) -> StepUpPayload:  # noqa: A002 - as above
        """Give a code now: an access token that opens, for five minutes, what asks for a second factor."""
        found = await logins.step_up(info.context, code=input.code)
        return told(info.context, found) if isinstance(found, Problem) else SteppedUp.of(found)
