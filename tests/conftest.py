"""Options and settings shared by all tests: how golden numbers are rewritten, and how hypothesis behaves."""

from __future__ import annotations

import os
import platform
import sys

import pytest
from hypothesis import HealthCheck, settings

from tests.longest_files import place

# One profile for everyone: examples are derived from the test itself, so a failure in CI fails here too.
settings.register_profile(
    "cba", deadline=None, derandomize=True, max_examples=60, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("cba")

# The last digits of exp, log and sums depend on the instructions a processor has, and goldens hold ten digits. All
# tests therefore calculate with AVX2, which every x86-64 server has, though newer ones could do more. Of BLAS they
# take the AVX kernels: those for Haswell end the process on recent AMD processors (OpenBLAS 0.3.31, two rows by 648).
if platform.machine().lower() in ("x86_64", "amd64"):
    assert "numpy" not in sys.modules, "a pytest plugin imported numpy before the instructions were settled"
    os.environ.setdefault("NPY_DISABLE_CPU_FEATURES", "X86_V4 AVX512_ICL AVX512_SPR")
    os.environ.setdefault("OPENBLAS_CORETYPE", "Sandybridge")

# Figures are drawn to files, never to a screen; set before anything imports matplotlib.
os.environ.setdefault("MPLBACKEND", "Agg")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--overwrite-golden",
        action="store_true",
        help="rewrite the golden appraisal with the numbers of this run (make golden)",
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Hand out the longest files first where several workers share them."""
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: place(item.nodeid.partition("::")[0]))


@pytest.fixture
def overwrite_golden(request: pytest.FixtureRequest) -> bool:
    """True when the golden numbers are to be rewritten on purpose."""
    return bool(request.config.getoption("--overwrite-golden"))
