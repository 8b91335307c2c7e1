"""Settings that cannot be are refused at the start, in one sentence that names the setting."""

import pytest

from ledger.supervisor import sealer_beside
from models.installation import InstallationError
from models.logs import configure
from privacy.scheduling import scheduler_beside
from resolvers.serving.settings import Settings

WRONG = {
    "NEEDFUL_SERVICE_LEVEL": ["high", "99%", "100% under 1s over 5m", "99% under 0s over 5m", "99% under 1s over 25h"],
    "NEEDFUL_ALARM_URL": ["nowhere", "http://alarms.example.cn/x", "ftp://127.0.0.1/x", "https://"],
    "NEEDFUL_SEALER_LAG": ["0", "-1", "1.5", "a minute", "86401", "٣"],
    "NEEDFUL_VALUES_KEPT": ["-1", "1000001", "all", ""],
    "NEEDFUL_LEDGER_MILLISECONDS": ["0", "9", "10001", "fast", "0.25", ""],
    "NEEDFUL_GRANT_DAYS": ["-1", "10000", "half a year", "1e3", ""],
    "NEEDFUL_AUDIENCE_LEAST": ["0", "-1", "ten", "10001"],
    "NEEDFUL_STATISTICS_LEAST": ["4", "0", "-5", "ten", "10001", "1e3", "٩٩", ""],
    "NEEDFUL_STATISTICS_QUESTIONS": ["-1", "10001", "some", ""],
    "NEEDFUL_RELAY_DAYS": ["-1", "10000", "a month", ""],
    "NEEDFUL_RELAY_RANGE": ["1-2", "16500000000", "16500000001-16500000000"],
    "NEEDFUL_GLASS_MINUTES": ["0", "61", "-5", "an hour", "1.5", ""],
    "NEEDFUL_AGE_OF_MAJORITY": ["13", "22", "0", "-18", "18.0", "adult", "١٨", ""],
    "NEEDFUL_SEALER": ["2", "no", ""],
    "NEEDFUL_SCHEDULER": ["2", "no", ""],
    "NEEDFUL_SCHEDULER_SILENCE": ["0", "-1", "1.5", "ten", "1441"],
    "NEEDFUL_LOG": ["xml", "JSON"],
}


def read(environ):
    """Whatever reads settings at the start of a server."""
    Settings.read(environ)
    if "NEEDFUL_SEALER" in environ:
        with sealer_beside(None, None, environ):
            pass
    if "NEEDFUL_SCHEDULER" in environ:
        with scheduler_beside(None, None, environ):
            pass
    if "NEEDFUL_LOG" in environ:
        configure(environ)


@pytest.mark.parametrize("name, text", [(name, text) for name, texts in WRONG.items() for text in texts])
def test_a_setting_that_cannot_be_is_refused_in_one_sentence_that_names_it(name, text):
    with pytest.raises(InstallationError) as refused:
        read({name: text})
    said = str(refused.value)
    assert name in said
    assert said.endswith(".")
    assert "\n" not in said
    assert len(said) < 200
