"""Accounts and logins: what goes into their mutations and what comes out."""

from datetime import datetime
from typing import Annotated

import strawberry

from authz.sessions import Access, Opened
from resolvers.logins import LogInAs
from schema.fields import issued, private_input, public
from schema.problems import AnyProblem

strawberry.enum(LogInAs, name="LogInRole")


@strawberry.type
class SessionTokens:
    """A session opened or refreshed. The refresh token is good once; the access token goes into `Authorization`."""

    access_token: str = issued()
    access_expires_at: datetime = public()
    refresh_token: str = issued()
    session_expires_at: datetime = public()

    @classmethod
    def of(cls, opened: Opened) -> "SessionTokens":
        """As the session was opened."""
        return cls(
            access_token=opened.access.token,
            access_expires_at=opened.access.expires_at,
            refresh_token=opened.refresh_token,
            session_expires_at=opened.expires_at,
        )


@strawberry.type
class SteppedUp:
    """An access token that tells of a second factor just given; it counts for five minutes."""

    access_token: str = issued()
    access_expires_at: datetime = public()

    @classmethod
    def of(cls, access: Access) -> "SteppedUp":
        """As the token was made."""
        return cls(access_token=access.token, access_expires_at=access.expires_at)


@strawberry.type
class SecondFactorSetUp:
    """What an authenticator app reads; it counts once a code of it was confirmed."""

    uri: str = issued()


@strawberry.type
class SessionEnded:
    """The session that ended."""

    id: strawberry.ID = public()


@strawberry.type
class PasswordChanged:
    """The password is replaced; how many other sessions ended."""

    ended_sessions: int = public()


# Any payload may hold any kind of problem: a new one breaks no client.
RegisterPayload = Annotated[SessionTokens | AnyProblem, strawberry.union("RegisterPayload")]
LogInPayload = Annotated[SessionTokens | AnyProblem, strawberry.union("LogInPayload")]
RefreshPayload = Annotated[SessionTokens | AnyProblem, strawberry.union("RefreshPayload")]
LogOutPayload = Annotated[SessionEnded | AnyProblem, strawberry.union("LogOutPayload")]
EndSessionPayload = Annotated[SessionEnded | AnyProblem, strawberry.union("EndSessionPayload")]
ChangePasswordPayload = Annotated[PasswordChanged | AnyProblem, strawberry.union("ChangePasswordPayload")]
SetUpSecondFactorPayload = Annotated[SecondFactorSetUp | AnyProblem, strawberry.union("SetUpSecondFactorPayload")]
ConfirmSecondFactorPayload = Annotated[SteppedUp | AnyProblem, strawberry.union("ConfirmSecondFactorPayload")]
StepUpPayload = Annotated[SteppedUp | AnyProblem, strawberry.union("StepUpPayload")]


@private_input
class RegisterInput:
    """What an account takes (C01). A missing item is a problem that names what follows from it (C03)."""

    phone: str | None = None
    username: str | None = None
    password: str | None = None


@private_input
class LogInInput:
    """`identifier`: phone or username, for staff the work name. `newPassword` replaces a password that was given."""

    identifier: str
    password: str
    code: str | None = None
    new_password: str | None = None
    role: LogInAs = LogInAs.CUSTOMER


@private_input
class RefreshInput:
    """The refresh token that came last."""

    refresh_token: str


@private_input
class EndSessionInput:
    """One of `viewer.sessions`."""

    id: strawberry.ID


@private_input
class ChangePasswordInput:
    """Both passwords; and a code, where there is a second factor."""

    old: str
    new: str
    code: str | None = None


@private_input
class SetUpSecondFactorInput:
    """The password; and a code, where there is a second factor already."""

    password: str
    code: str | None = None


@private_input
class ConfirmSecondFactorInput:
    """A code of the new secret."""

    code: str


@private_input
class StepUpInput:
    """A code of the second factor."""

    code: str
