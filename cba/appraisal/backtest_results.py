"""Read the kept record of past forecasts, made by ``cba backtest --write``, and say whether it is still of this model.

Refitting at every origin takes minutes and nothing in an analysis moves it but the published series and the priors of
business as usual; so it is run by hand, kept as files with the hash of what they were made from, and shown in every
run.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pandas as pd

from cba.inputs.shipped_files import priors_folder, published_file

RESULTS = Path(__file__).parents[1] / "inputs" / "backtest_results"
ABOUT = "about.json"
TABLES = ("headline", "reached", "by_horizon", "stacking", "vintages", "skipped")
"""Tables shown with a run; single scores stay in ``scores.csv``."""

_PUBLISHED = ("england_children.csv", "population_england.csv", "spending_england.csv", "unit_costs.csv")
_CODE = (
    "models/flow_rates.py",
    "models/total_flows.py",
    "models/baseline.py",
    "projection/pace.py",
    "projection/process_mixture.py",
    "projection/rate_paths.py",
    "projection/total_flow_paths.py",
    "models/unit_costs.py",
    "models/unit_costs_accounts.py",
    "models/unit_costs_drivers.py",
    "models/unit_costs_growth.py",
    "models/unit_costs_process.py",
    "costs/unit_cost_paths.py",
    "costs/accounts_history.py",
)


def backtest_sha256() -> str:
    """Return the SHA-256 of what the record is made from: published series, priors, code of children and unit costs.

    Returns
    -------
    str

    Examples
    --------
    >>> len(backtest_sha256())
    64
    """
    package = Path(__file__).parents[1]
    files = [published_file(name) for name in _PUBLISHED]
    files += [priors_folder() / name for name in ("baseline.toml", "costs.toml")]
    files += [package / name for name in _CODE]
    found = hashlib.sha256()
    for file in files:
        found.update(Path(file).read_bytes().replace(b"\r\n", b"\n"))
    return found.hexdigest()


def about_backtest(folder: Path = RESULTS) -> dict[str, Any]:
    """Return when, with what draws and from what the record was made, and whether it is of the present model.

    Parameters
    ----------
    folder : Path
        Where the record is kept.

    Returns
    -------
    dict
        ``made``, ``draws``, ``release``, ``made_from`` and ``current`` (bool); empty where there is no record.

    Examples
    --------
    >>> sorted(about_backtest())
    ['current', 'draws', 'made', 'made_from', 'release']
    """
    path = folder / ABOUT
    if not path.is_file():
        return {}
    kept: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return kept | {"current": kept["made_from"] == backtest_sha256()}


def backtest_tables(folder: Path = RESULTS) -> dict[str, pd.DataFrame]:
    """Return the tables of the record under the names they have in a run.

    Parameters
    ----------
    folder : Path
        Where the record is kept.

    Returns
    -------
    dict of str to DataFrame
        ``backtest_headline``, ``backtest_reached``, ``backtest_by_horizon``, ``backtest_stacking``,
        ``backtest_vintages``, ``backtest_skipped`` and ``backtest_about`` (columns item, value).

    Examples
    --------
    >>> backtest_tables()["backtest_headline"]["forecast"].iloc[0]
    'cba'
    """
    about = about_backtest(folder)
    if not about:
        return {}
    found = {f"backtest_{name}": pd.read_csv(folder / f"{name}.csv") for name in TABLES}
    rows = [{"item": item, "value": value} for item, value in about.items()]
    return found | {"backtest_about": pd.DataFrame(rows)}
