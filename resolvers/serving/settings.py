"""What an operator may set: read once from the environment, checked before anything starts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from authz.glass import GLASS_MINUTES, MOST_MINUTES
from authz.oidc.issuer import OidcSettings, read_oidc
from authz.unused_grants import GRANT_DAYS
from models.installation import InstallationError
from privacy.bundles import Bundle, BundleName, bundle_of, read_bundle
from privacy.campaigns import LEAST_AUDIENCE
from privacy.relay_keeping import RELAY_DAYS
from privacy.relay_numbers import RANGE, span_of
from privacy.statistics_releases import USUAL, StatisticsSettings, read_statistics
from resolvers.operating.operating import OperatingSettings
from resolvers.rates import RateSettings
from resolvers.serving.listening import check_public_url
from resolvers.writes import HEAVY_AT_ONCE

POOL_SIZE = 10
LEAST_POOL = 2 * HEAVY_AT_ONCE
"""With fewer, those that hash passwords would hold up everybody else."""
BESIDE_POOL = 4
"""Connections that a worker has of its own: for revocations, for rulesets, for rates, for the ledger."""
MOST_CONNECTIONS = 80
"""Of all workers together, of the 100 that PostgreSQL has: some are left for commands."""
MOST_KEPT = 20_000
"""Some 10 MB."""
_LONGEST_SETTING = 12


@dataclass(frozen=True, slots=True)
class Settings:
    """What an operator may set."""

    audience_ceiling: int = 2_000
    """People shown to one marketing recipient a day (C21)."""
    audience_least: int = LEAST_AUDIENCE
    """A campaign that meets fewer people shows nobody (C21)."""
    relay_days: int | None = None
    """After how many days a relay number is replaced; 0: never, nor does one end by time. None: as the mode has it."""
    relay_range: str = ""
    """From which number to which relay numbers are given; empty: as the mode has it."""
    partial_status: int = 200
    public_url: str = "http://127.0.0.1:8000"
    """Where clients reach this service; it is the issuer of its tokens (RFC 8414)."""
    pool_size: int = POOL_SIZE
    """Database connections of one worker."""
    rates: RateSettings = field(default_factory=RateSettings)
    oidc: OidcSettings | None = None
    """The issuer of staff; None where the built-in accounts are all there is."""
    session_ceiling: int = 5
    """Sessions of one account at once (C53)."""
    session_refuse: bool = False
    """One session too many: is it refused? If not, the least recently used one ends."""
    login_failures: int = 5
    """Failures in a row that lock a login (C50)."""
    lock_minutes: int = 30
    grant_days: int | None = None
    """After how many days unused a grant is reported, to lapse a month later; 0: never. None: as the mode has it."""
    bundle: Bundle = field(default_factory=partial(read_bundle, BundleName.SEED))
    """What the law asks for: bases, ages, consents, retention, deadlines."""
    glass_minutes: int = MOST_MINUTES
    """For how long the glass may be broken (C55)."""
    ledger_milliseconds: int = 250
    """How long an answer waits for its row in the ledger; what has none by then is withheld (C59)."""
    most_kept: int = MOST_KEPT
    """Values that a worker keeps as it showed them, for half a minute at most; 0: none."""
    operating: OperatingSettings = field(default_factory=OperatingSettings)

    statistics: StatisticsSettings = USUAL
    """The least group of statistics, and the questions of a month (C40)."""

    def grant_days_of(self, *, demo: bool) -> int:
        """The days there are; in demo mode nothing lapses by itself unless it is asked for."""
        return (0 if demo else GRANT_DAYS) if self.grant_days is None else self.grant_days

    def relay_days_of(self, *, demo: bool) -> int:
        """The days there are; demo data keep the numbers they were loaded with unless it is asked for."""
        return (0 if demo else RELAY_DAYS) if self.relay_days is None else self.relay_days

    @classmethod
    def read(cls, environ: Mapping[str, str], *, workers: int = 1) -> "Settings":
        """The settings of an environment. Raises InstallationError for a value that cannot be."""
        default = cls()
        public_url = (environ.get("NEEDFUL_PUBLIC_URL") or default.public_url).rstrip("/")
        check_public_url(public_url)
        return cls(
            audience_ceiling=_number(environ, "NEEDFUL_AUDIENCE_CEILING", default.audience_ceiling, range(10**9)),
            audience_least=_number(environ, "NEEDFUL_AUDIENCE_LEAST", default.audience_least, range(1, 10_001)),
            relay_days=_number(environ, "NEEDFUL_RELAY_DAYS", 0, range(10_000))
            if "NEEDFUL_RELAY_DAYS" in environ
            else None,
            relay_range=_relay_range(environ),
            partial_status=_number(environ, "NEEDFUL_PARTIAL_STATUS", default.partial_status, (200, 294)),
            public_url=public_url,
            rates=RateSettings.read(environ),
            oidc=read_oidc(environ),
            pool_size=_pool_size(environ, workers),
            session_ceiling=_number(environ, "NEEDFUL_SESSION_CEILING", default.session_ceiling, range(1, 1000)),
            session_refuse=_word(environ, "NEEDFUL_SESSION_OVER", ("oldest", "refuse")) == "refuse",
            login_failures=_number(environ, "NEEDFUL_LOGIN_FAILURES", default.login_failures, range(1, 100)),
            ledger_milliseconds=_number(
                environ, "NEEDFUL_LEDGER_MILLISECONDS", default.ledger_milliseconds, range(10, 10_001)
            ),
            glass_minutes=_number(environ, GLASS_MINUTES, default.glass_minutes, range(1, MOST_MINUTES + 1)),
            bundle=bundle_of(environ),
            lock_minutes=_number(environ, "NEEDFUL_LOCK_MINUTES", default.lock_minutes, range(1, 100_000)),
            most_kept=_number(environ, "NEEDFUL_VALUES_KEPT", default.most_kept, range(1_000_001)),
            operating=OperatingSettings.read(environ),
            statistics=read_statistics(environ),
            grant_days=_number(environ, "NEEDFUL_GRANT_DAYS", 0, range(10_000))
            if "NEEDFUL_GRANT_DAYS" in environ
            else None,
        )


def _pool_size(environ: Mapping[str, str], workers: int) -> int:
    """One worker's share of the connections. Raises InstallationError for more workers than there are shares."""
    least = LEAST_POOL + BESIDE_POOL
    most = _number(environ, "NEEDFUL_DATABASE_CONNECTIONS", MOST_CONNECTIONS, range(least, 100_000))
    if workers * least > most:
        message = (
            f"{workers} workers need {workers * least} database connections, and NEEDFUL_DATABASE_CONNECTIONS allows"
            f" {most}: take at most {most // least} workers, or raise it and the database's max_connections."
        )
        raise InstallationError(message)
    return min(POOL_SIZE, most // workers - BESIDE_POOL)


def _number(environ: Mapping[str, str], name: str, default: int, allowed: Sequence[int]) -> int:
    text = environ.get(name, str(default))
    if not (text.isdecimal() and len(text) <= _LONGEST_SETTING and int(text) in allowed):
        span = f"a number from {allowed[0]} to {allowed[-1]}"
        message = f"{name} must be {span if isinstance(allowed, range) else ' or '.join(map(str, allowed))}."
        raise InstallationError(message)
    return int(text)


def _relay_range(environ: Mapping[str, str]) -> str:
    span_of(environ, demo=False)
    return environ.get(RANGE, "")


def _word(environ: Mapping[str, str], name: str, allowed: tuple[str, ...]) -> str:
    text = environ.get(name) or allowed[0]
    if text not in allowed:
        message = f"{name} must be one of: {', '.join(allowed)}."
        raise InstallationError(message)
    return text
