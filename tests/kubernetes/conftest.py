# SPDX-License-Identifier: Apache-2.0
import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
sys.path.insert(0, str(Path(__file__).resolve().parent))

from k8s_site import Site  # noqa: E402  pylint: disable=wrong-import-position


def pytest_collection_modifyitems(items):
    if os.geteuid() != 0:
        for item in items:
            item.add_marker(pytest.mark.skip(reason="needs root: network namespaces"))


@pytest.fixture(scope="module")
def site():
    """One a file: test_api_server makes one of its own, and all have the same names."""
    with Site() as s:
        yield s


@pytest.fixture
def namespace(site):
    """A namespace of its own; what is left in it goes, so that tests do not see each other's Ingresses."""
    name = site.cluster.namespace()
    yield name
    site.clear(name)
