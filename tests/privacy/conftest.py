"""The suite's two bundles side by side: a server for each, on the same demo data."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, fields

import pytest

from privacy.bundles import BUNDLE, Bundle, BundleName, read_bundle
from tests.conftest import Server, demo_server
from tests.privacy.noticing import Noticing
from vault.keyring import load

LEAST = 3
FEW = {"NEEDFUL_AUDIENCE_LEAST": str(LEAST)}
"""People take a while to make, and how many a campaign needs at least is set."""


@dataclass(frozen=True)
class Bundled:
    """A server under one bundle; demo data in it belong to the tests of this folder alone."""

    bundle: Bundle
    server: Server


@pytest.fixture(scope="package")
def _bundled(tmp_path_factory, prepared) -> Iterator[Callable[[BundleName], Bundled]]:
    """Started when first asked for, each once."""
    running: dict[BundleName, Bundled] = {}
    with ExitStack() as stack:

        def start(name: BundleName) -> Bundled:
            if name not in running:
                folder = tmp_path_factory.mktemp(f"bundle-{name}")
                server = stack.enter_context(demo_server(folder, prepared, environment={BUNDLE: name, **FEW}))
                running[name] = Bundled(read_bundle(name), server)
            return running[name]

        yield start


@pytest.fixture(scope="package")
def _noticing(tmp_path_factory, prepared) -> Iterator[Callable[[BundleName], Noticing]]:
    """As `_bundled`, of its own: a notice that counts changes what every other test is shown."""
    running: dict[BundleName, Noticing] = {}
    with ExitStack() as stack:

        def start(name: BundleName) -> Noticing:
            if name not in running:
                folder = tmp_path_factory.mktemp(f"notices-{name}")
                server = stack.enter_context(demo_server(folder, prepared, environment={BUNDLE: name}))
                given = {one.name: getattr(server, one.name) for one in fields(server)}
                keyring = load(server.installation.keyring_path)
                running[name] = Noticing(**given, keyring=keyring, bundle=read_bundle(name))
            return running[name]

        yield start


@pytest.fixture(params=list(BundleName))
def noticing(request, _noticing) -> Iterator[Noticing]:
    """Each test under both bundles; the notices that it publishes are gone after it."""
    with _noticing(request.param).published() as world:
        yield world


@pytest.fixture(params=list(BundleName))
def bundled(request, _bundled) -> Bundled:
    """Each test under the seed's bundle and under `pipl`."""
    return _bundled(request.param)
