"""Hand-made worlds for every test of the reference."""

import pytest

from tests.reference.tiny import Tiny


@pytest.fixture
def tiny() -> Tiny:
    return Tiny()
