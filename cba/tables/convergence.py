"""Convergence of the decision quantities themselves: whether chains agree on what is decided, and how precisely.

Parameters can pass every gate while a tail or a probability that rests on few draws is still unsettled. So the same
checks are made on net present value, children in care and the events the headline gives probabilities of.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from cba.appraisal.quantities import interval, quantity_of, spoken_quantities
from cba.decisions.draws import mcse_probability
from cba.tables.catalogue import MONEY, catalogued

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cba.appraisal.workings import Workings
    from cba.inputs.analyses import Precision


HIGHEST_RHAT = 1.01


LEAST_ESS = 100.0
"""Effective draws a chain must give, in the bulk and in the tails."""


@catalogued("decision_convergence", "Convergence and Monte Carlo error of what is decided", MONEY)
def decision_convergence(workings: Workings) -> pd.DataFrame:
    """Check R-hat, effective draws and Monte Carlo error of what is decided, for every option.

    Columns option, quantity, label, unit, mean, mcse, lower, mcse_lower, upper, mcse_upper (limits of the
    interval, missing for events), rhat, ess_bulk, ess_tail, passed.
    """
    # As `rhat` and `ess`, after Vehtari et al. (2021), Bayesian Analysis 16:667-718. Gates: R-hat at most
    # 1.01; at least 100 effective draws a chain, bulk and tail.
    rows = []
    level, chains = workings.inputs.analysis.level, workings.chains or 1
    for option in workings.accounts:
        for entry in spoken_quantities(usual=option == "bau"):
            if entry.settled:
                about = {"option": option, "quantity": entry.name.removeprefix("prob_")}
                about |= {"label": entry.filled(entry.settled, workings), "unit": entry.unit}
                values = np.asarray(entry.draws(workings, option))
                rows.append(about | _checked(values, chains=chains, level=level))
    return pd.DataFrame(rows)


def _checked(values: np.ndarray, *, chains: int, level: float) -> dict[str, Any]:
    """Mean, limits and their errors, R-hat and effective draws of one quantity."""
    import arviz as az

    table = values.reshape(chains, -1).astype(float)
    found: dict[str, Any] = {"mean": float(table.mean())}
    event = values.dtype == bool
    found["mcse"] = mcse_probability(values, chains=chains) if event else float(az.mcse(table, method="mean"))
    found |= dict.fromkeys(("lower", "mcse_lower", "upper", "mcse_upper"), np.nan)
    if np.ptp(table) == 0:
        return found | {"rhat": np.nan, "ess_bulk": np.nan, "ess_tail": np.nan, "passed": True}
    if not event:
        tail = (1.0 - level) / 2.0
        limits = interval(values, level=level)
        for name, limit, prob in zip(("lower", "upper"), limits, (tail, 1.0 - tail), strict=True):
            found[name] = float(limit)
            found[f"mcse_{name}"] = float(az.mcse(table, method="quantile", prob=prob))
    rhat = float(az.rhat(table)) if chains > 1 else np.nan
    bulk = float(az.ess(table, method="bulk"))
    ends = bulk if event else float(az.ess(table, method="tail", prob=(0.05, 0.95)))
    settled = not rhat > HIGHEST_RHAT and min(bulk, ends) >= LEAST_ESS * chains
    return found | {"rhat": rhat, "ess_bulk": bulk, "ess_tail": ends, "passed": bool(settled)}


def precision_missed(results: Mapping[str, Mapping[str, Any]], wanted: Precision) -> list[str]:
    """Say which headline quantities are less precise than asked.

    One sentence each, the worst first; empty where the precision is met. `results`: entries of the headline
    by key, with ``mcse``.
    """
    found = [
        (error / limit, f"{key}: Monte Carlo error {error:.3g}, asked for at most {limit:.3g}")
        for key, error, limit in _held_against(results, wanted)
        if error > limit
    ]
    return [words for _, words in sorted(found, reverse=True)]


def _held_against(
    results: Mapping[str, Mapping[str, Any]], wanted: Precision
) -> Iterator[tuple[str, float, float]]:
    """Key, error and limit of every headline entry whose precision is asked for and that has an error."""
    for key, entry in results.items():
        known = quantity_of(key)
        chance = known is not None and known.kind == "probability"
        limit = wanted.probability if chance else wanted.npv if known and known.name == "npv" else None
        if limit is not None and entry.get("mcse") is not None:
            yield key, float(entry["mcse"]), limit


def draws_needed(
    results: Mapping[str, Mapping[str, Any]], wanted: Precision, *, draws: int, chains: int
) -> int:
    """Draws that would meet the precision, by the square root law, a fifth more to be safe.

    At most ``wanted.most_draws``; `draws` where the precision is met.
    """
    worst = max((error / limit for _, error, limit in _held_against(results, wanted)), default=1.0)
    if worst <= 1.0:
        return draws
    wanted_draws = min(int(np.ceil(1.2 * draws * worst**2)), wanted.most_draws)
    return max(draws, wanted_draws - wanted_draws % chains)
