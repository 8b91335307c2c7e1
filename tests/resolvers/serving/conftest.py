"""A server of several workers, which tests of serving share: it takes seconds to start."""

import pytest

from tests.conftest import running_server


@pytest.fixture(scope="package")
def three(server, tmp_path_factory):
    """Three workers on the suite's own database, which count together: address and process."""
    counting = {"NEEDFUL_RATE_STORAGE": "postgresql", "NEEDFUL_RATE_ANONYMOUS": "40/minute"}
    log = tmp_path_factory.mktemp("three") / "log"
    running = running_server(server.data_dir, log, "--workers", "3", environment=counting)
    with running as url:
        yield url, running.process.pid
