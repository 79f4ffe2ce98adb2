"""One assembled appraisal, shared by the tests that only read it."""

from __future__ import annotations

import pytest

from cba.recipe import assembled
from tests.appraisal.made_workings import made_workings


@pytest.fixture(scope="session")
def workings():
    return made_workings()


@pytest.fixture(scope="session")
def appraisal(workings):
    return assembled(workings)
