"""The test files that take longest, so that `make test` begins with them.

Files are handed to workers whole. Were a long one begun last, one core would wait for the other to the end.
"""

from __future__ import annotations

LONGEST = {
    "tests/models/test_effects.py": 120,
    "tests/golden/test_golden.py": 110,
    "notebooks/02_effects.ipynb": 100,
    "tests/models/test_baseline.py": 80,
    "notebooks/05_new_data.ipynb": 80,
    "tests/models/test_authority_panel.py": 80,
    "notebooks/01_quickstart.ipynb": 60,
    "notebooks/03_options.ipynb": 60,
    "tests/models/test_predictive_checks.py": 50,
    "tests/models/test_simulated_refits.py": 50,
    "tests/validation/test_backtest.py": 50,
    "tests/cli/test_cli.py": 50,
    "tests/appraisal/test_record.py": 36,
    "tests/runs/test_rerun.py": 27,
    "tests/inputs/test_release_refusals.py": 27,
    "tests/test_where_to_add.py": 20,
    "tests/appraisal/test_every_input_matters.py": 14,
    "tests/models/test_unit_costs.py": 14,
    "tests/inputs/test_observations.py": 13,
    "tests/reporting/test_figures.py": 13,
}
"""File to about how many seconds of a processor it takes on its own; the order is all that is used of them."""


def longest_first(path: str) -> int:
    """Return the key by which files are sorted: all that are not listed come last, in the order they had."""
    return -LONGEST.get(path, 0)
