"""Options and settings shared by all tests: how golden numbers are rewritten, and how hypothesis behaves."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings

# One profile for everyone: examples are derived from the test itself, so a failure in CI fails here too.
settings.register_profile(
    "cba", deadline=None, derandomize=True, max_examples=60, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("cba")

# Figures are drawn to files, never to a screen; set before anything imports matplotlib.
os.environ.setdefault("MPLBACKEND", "Agg")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--overwrite-golden",
        action="store_true",
        help="rewrite the golden appraisal with the numbers of this run (make golden)",
    )


@pytest.fixture
def overwrite_golden(request: pytest.FixtureRequest) -> bool:
    """True when the golden numbers are to be rewritten on purpose."""
    return bool(request.config.getoption("--overwrite-golden"))
