"""The product without its ledger, to measure what the ledger costs: nothing is gathered, named, written or waited for.

`python -m bench.unrecorded serve …` takes the arguments of the command line. It is no way to serve anybody.
"""

import signal
import sys
from dataclasses import replace

import cli
from authz import witnesses
from authz.witnesses import Part, SituationSql
from ledger.recorder import Recorder
from resolvers import compiler
from resolvers.gathering import Gathered
from resolvers.levels import LevelWork


def situation_sql(*arguments: object, **named: object) -> SituationSql:
    """A situation as one number: no record is named."""
    found = witnesses.situation_sql(*arguments, **named)
    return replace(found, parts=(Part(found.bits),) if found.bits else ())


async def record(*_: object) -> None:
    """Write nothing."""


def leave_out() -> None:
    """Make this process one without a ledger."""
    compiler.situation_sql = situation_sql
    LevelWork.person = Gathered.add = lambda *_: None
    Recorder.record = record


if __name__ == "__main__":
    leave_out()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.exit(cli.main())
