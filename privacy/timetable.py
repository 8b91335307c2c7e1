"""The timetable: every job there is."""

from privacy.correction_handovers import CORRECTIONS
from privacy.disclosure_job import DISCLOSURES
from privacy.duty_job import DUTIES
from privacy.incident_job import INCIDENTS
from privacy.jobs import Job
from privacy.replay import COMPLETE, REPLAY
from privacy.rights_job import RIGHTS
from privacy.statistics_releases import RELEASE
from privacy.sweep import ORDERS, SWEEP

JOBS: tuple[Job, ...] = (
    SWEEP,
    ORDERS,
    REPLAY,
    COMPLETE,
    RELEASE,
    RIGHTS,
    CORRECTIONS,
    DISCLOSURES,
    DUTIES,
    INCIDENTS,
)
