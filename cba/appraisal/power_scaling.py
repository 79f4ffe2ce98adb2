"""How much priors and data move the decision quantities: importance weights from powers of each.

Raising a prior (or a likelihood) to a power a strengthens (a > 1) or weakens it. Draws of the fit are reweighted by
``density ** (a - 1)``, smoothed by a Pareto tail, so nothing is fitted again. Sensitivity is the rate at which the
distribution of a result moves, in ArviZ's measure, at a = 1; beside it stands the mean of the result with the
component at half and at double its weight.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import xarray as xr

from cba.appraisal.headline import FEWER_CHILDREN
from cba.errors import InputError
from cba.models.importance_weights import smoothed_weights
from cba.models.reach import REACH_ENTRIES

if TYPE_CHECKING:
    from cba.appraisal.stages import Workings

NEAR = (0.99, 1.01)
"""Powers between which the rate of change is taken."""

HALF, DOUBLE = 0.5, 2.0

THRESHOLD = 0.05
"""Sensitivity from which ArviZ speaks of an informative prior."""

LARGEST_K = 0.7
"""Pareto k beyond which a reweighted mean cannot be trusted, and is left out."""

SHUFFLES = 20
"""Times the draws are shuffled to see what sensitivity no relation at all would show."""

CONFLICT = "prior and data pull apart"
STRONG_PRIOR = "the prior decides"
NO_DATA = "an input that no data update"

MODELS = {"business as usual": "baseline", "effects": "effects"}

DIRECT = {"baseline.population_growth": "population", "effects.attenuation": "scale-up"}
"""Names of groups of inputs that enter directly though their names begin like those of a model's priors."""


def power_scaling(workings: Workings, *, option: str = "care_review") -> pd.DataFrame:
    """How strongly each prior and each likelihood moves the decision quantities of one option.

    Parameters
    ----------
    workings : Workings
        Under a stance with fits of its own. Models whose fits carry no log densities are left out; see
        :func:`cba.models.log_densities.with_log_densities`.
    option : str
        Id of an option of the analysis.

    Returns
    -------
    DataFrame
        One row per quantity (``npv_fiscal``, ``fewer_children``, ``prob_fewer_30000``) and component: quantity, of (a
        model, or a group of priors that enter directly), component (``prior``, ``likelihood``), sensitivity, noise
        (95% point of the sensitivity of shuffled draws, worked out where a sensitivity reaches 0.05), moves
        (sensitivity above both), value,
        value_half, value_double (mean with the component's power at 1, 0.5 and 2; missing where Pareto k exceeds
        0.7), k_half, k_double, diagnosis. A quantity that no draw varies has no sensitivity.

    Raises
    ------
    InputError
        If the workings are those of `review` or a mixture, whose draws belong to no single posterior.

    Notes
    -----
    Sensitivity is the mean absolute slope of the cumulative Jensen-Shannon distance per doubling of the power [1]_.
    A model whose prior and likelihood both move a quantity may hold a conflict between them; one whose prior moves
    it while the likelihood does not rests on the prior.

    References
    ----------
    .. [1] Kallioinen et al. (2024) *Statistics and Computing* 34:57, https://doi.org/10.1007/s11222-023-10366-5

    Examples
    --------
    >>> power_scaling(workings).query("moves")  # doctest: +SKIP
    """
    if workings.inputs.stance not in ("evidence", "sceptical") or workings.chains is None:
        raise InputError(
            "these draws are not the posterior of one set of priors",
            field="stance",
            found=workings.inputs.stance,
            allowed="evidence, sceptical",
            cause="draws of a mixture, or conditioned on claims",
            remedy="ask of the stances it was made from",
        )
    quantities = _quantities(workings, option)
    shape = (workings.chains, quantities["npv_fiscal"].size // workings.chains)
    rows = []
    for (of, component), density in components(workings).items():
        for row in _component_rows(quantities, density, shape=shape, seed=workings.inputs.analysis.seed):
            rows.append({"quantity": row.pop("quantity"), "of": of, "component": component, **row})
    return _diagnosed(pd.DataFrame(rows))


def _quantities(workings: Workings, option: str) -> dict[str, np.ndarray]:
    total = workings.arrays.children.sel(year=workings.inputs.analysis.target_year).sum("age")
    fewer = (total.sel(option="bau") - total.sel(option=option)).values
    return {
        "npv_fiscal": workings.arrays.npv.sel(option=option).values,
        "fewer_children": fewer,
        "prob_fewer_30000": (fewer >= FEWER_CHILDREN).astype(float),
    }


def components(workings: Workings) -> dict[tuple[str, str], np.ndarray]:
    """Log density of each prior and likelihood in every draw.

    Parameters
    ----------
    workings : Workings

    Returns
    -------
    dict of (of, component) to ndarray, shape (sample,)
        Priors and likelihoods of the models whose fits carry them; and the priors of inputs drawn directly, by group
        (the part of the name before the dot).

    Notes
    -----
    Left out: members of a group of shares, which depend on each other after they are divided by their sum; fixed
    values, which have no density; what reach is derived from, which enters through the effects. A money prior is
    evaluated in its own prices.

    Examples
    --------
    >>> sorted(components(workings))  # doctest: +SKIP
    """
    found = {}
    for of, name in MODELS.items():
        tree = getattr(workings, name)
        for component in ("prior", "likelihood"):
            if f"log_{component}" in tree.children:
                logs = tree[f"log_{component}"].to_dataset()
                found[of, component] = np.sum([v.values.ravel() for v in logs.data_vars.values()], axis=0)
    priors = workings.inputs.priors
    drawn = priors.sample(workings.system.reach.size, workings.inputs.analysis.seed)
    for name, entry in priors.entries.items():
        direct = name in workings.system.parameters and name not in REACH_ENTRIES and not entry.shares_group
        if direct and entry.fitted.family != "Fixed":
            key = (DIRECT.get(name, name.partition(".")[0]), "prior")
            found[key] = found.get(key, 0.0) + np.log(entry.fitted.pdf(drawn[name].values))
    return found


def _component_rows(
    quantities: Mapping[str, np.ndarray], density: np.ndarray, *, shape: tuple[int, int], seed: int
) -> list[dict[str, Any]]:
    """One row per quantity for one component."""
    varying = {name: draws for name, draws in quantities.items() if np.ptp(draws) > 0}
    found = _sensitivity(varying, density, shape=shape) if varying else {}
    noise = np.nan
    if max(found.values(), default=0.0) > THRESHOLD:
        noise = _noise(next(iter(varying.values())), density, shape=shape, seed=seed)
    weights = {power: smoothed_weights((power - 1.0) * density) for power in (HALF, DOUBLE)}
    rows = []
    for name, draws in quantities.items():
        sensitivity = found.get(name, np.nan)
        row = {
            "quantity": name,
            "sensitivity": sensitivity,
            "noise": noise,
            "moves": bool(sensitivity > THRESHOLD and sensitivity > noise),
            "value": float(draws.mean()),
        }
        for power, label in ((HALF, "half"), (DOUBLE, "double")):
            weight, k = weights[power]
            row[f"value_{label}"] = float(weight @ draws) if k <= LARGEST_K else np.nan
            row[f"k_{label}"] = k
        rows.append(row)
    return rows


def _noise(draws: np.ndarray, density: np.ndarray, *, shape: tuple[int, int], seed: int) -> float:
    """Sensitivity that draws unrelated to the component would show in one case of twenty."""
    rng = np.random.default_rng([seed, 15])
    shuffled = {f"shuffled {i}": rng.permutation(draws) for i in range(SHUFFLES)}
    return float(np.quantile(list(_sensitivity(shuffled, density, shape=shape).values()), 0.95))


def _sensitivity(
    quantities: Mapping[str, np.ndarray], density: np.ndarray, *, shape: tuple[int, int]
) -> dict[str, float]:
    """Power-scaling sensitivity of each quantity to one component."""
    from arviz_stats import psense

    dims = ("chain", "draw")
    posterior = xr.Dataset({name: (dims, draws.reshape(shape)) for name, draws in quantities.items()})
    prior = xr.Dataset({"component": (dims, density.reshape(shape))})
    labelled = {"chain": np.arange(shape[0]), "draw": np.arange(shape[1])}
    tree = {"posterior": posterior.assign_coords(labelled), "log_prior": prior.assign_coords(labelled)}
    found = psense(xr.DataTree.from_dict(tree), group="prior", alphas=NEAR, sample_dims=list(dims))
    return {str(name): float(found[name]) for name in found.data_vars}


def _diagnosed(table: pd.DataFrame) -> pd.DataFrame:
    """Add what prior and likelihood of a model say together."""
    moves = {(r.quantity, r.of, r.component): r.moves for r in table.itertuples()}
    words = []
    for row in table.itertuples():
        prior = moves.get((row.quantity, row.of, "prior"), False)
        data = moves.get((row.quantity, row.of, "likelihood"))
        words.append("" if not prior else NO_DATA if data is None else CONFLICT if data else STRONG_PRIOR)
    return table.assign(diagnosis=words)
