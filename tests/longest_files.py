"""The test files that take longest, in the order in which `make test` begins them.

Files are handed to workers whole. Were a long one begun last, one core would wait for the other to the end.
"""

from __future__ import annotations

LONGEST = (
    # One that compiles no model beside one that does, then two of different models: compiled code is kept on disk,
    # and files that are under way at once with the same model would each compile it from nothing.
    "tests/models/test_effects.py",
    "tests/golden/test_golden.py",
    "tests/models/test_predictive_checks.py",
    "tests/models/test_authority_panel.py",
    # what these compile is kept by now
    "notebooks/02_effects.ipynb",
    "notebooks/05_new_data.ipynb",
    "tests/models/test_baseline.py",
    "notebooks/01_quickstart.ipynb",
    "notebooks/03_options.ipynb",
    "tests/models/test_simulated_refits.py",
    "tests/validation/test_backtest.py",
    # a dozen seconds and more without a model
    "tests/cli/test_cli.py",
    "tests/appraisal/test_record.py",
    "tests/runs/test_rerun.py",
    "tests/inputs/test_release_refusals.py",
    "tests/test_where_to_add.py",
    "tests/appraisal/test_every_input_matters.py",
    "tests/models/test_unit_costs.py",
    "tests/inputs/test_observations.py",
    "tests/reporting/test_figures.py",
)


def place(file: str) -> int:
    """Return the place of a file among the longest; all others come after them, in the order they had."""
    return LONGEST.index(file) if file in LONGEST else len(LONGEST)
