"""What a pilot in some authorities could see: errors by the joint model, widened to the spread of placebo pilots.

A pilot sets its authorities apart from the others by one contrast, in full from its first year to its last, so that
theta is the mean effect over its years. With b its cells, P the precision of all figures (England and regions
integrated out), y the figures and S the set of its authorities, starts and exits together,

    theta = (sum_{i, j in S} b' P_ij b)^-1 sum_{i in S} b' (P y)_i,      Var(theta) = (sum_{i, j in S} b' P_ij b)^-1

averaged over draws of the fit, whose doubt is added: the mean of Var(theta) plus the variance of theta over draws. The
number in care is the account of both, at the end of the last year.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from cba.models.authorities import KEPT, LeastSquares, least_squares, mean_values
from cba.models.authority_data import NO_WEIGHT, OUTCOMES, AuthorityPanel
from cba.models.authority_findings import STOCK, flat, panel_rows, stock_path

if TYPE_CHECKING:
    import xarray as xr

    from cba.inputs.priors import PriorRegistry

AREAS = (3, 6, 12, 24, 48)
"""Authorities of a pilot; half of all beside them."""


YEARS = (1, 2, 3)
"""Years a pilot is observed for."""


BEFORE = 5
"""Fewest years of the panel before a placebo pilot."""


DRAWS, SETS = 40, 200
"""Draws of the fit, and sets of authorities of each size, unless told otherwise."""


AT_ONCE = 1e-9
"""Ramp, in years, of an effect that is there in full from its first year."""


Values = Sequence[Mapping[str, np.ndarray]]


def pilot_power(
    panel: AuthorityPanel,
    fit: xr.DataTree,
    priors: PriorRegistry,
    *,
    draws: int = DRAWS,
    sets: int = SETS,
    seed: int = 20220523,
) -> pd.DataFrame:
    """Work out the errors of pilots that begin so many years before the panel ends.

    Columns outcome, areas, years, standard_error (log points at full contrast) and wider (spread of placebo pilots,
    where nothing was to be found, over the error the model gives them, one for all sizes; never below 1).
    """
    values = drawn_values(fit, priors, draws=draws, seed=seed)
    sizes, never = (*AREAS, round(len(panel.authority) / 2.0)), without_programme(panel)
    lots, rest = by_lot(never, sizes, sets=sets, seed=seed), panel_rows(panel, np.flatnonzero(never))
    frames = []
    for years in YEARS:
        ends = range(BEFORE + years, panel.years.size + 1)
        placebos = [observed_pilots(until(rest, end), values, lots[..., never], years=years) for end in ends]
        # (end, size, set, outcome)
        effect, variance = (np.stack(part) for part in zip(*placebos, strict=True))
        wider = np.sqrt((effect.var(axis=2, ddof=1).mean(axis=0) / variance.mean(axis=(0, 2))).mean(axis=0))
        error = np.sqrt(observed_pilots(panel, values, lots, years=years)[1].mean(axis=1))
        for place, outcome in enumerate((*OUTCOMES, STOCK)):
            columns = {"outcome": outcome, "areas": sizes, "years": years, "standard_error": error[:, place]}
            frames.append(pd.DataFrame(columns | {"wider": max(float(wider[place]), 1.0)}))
    return pd.concat(frames, ignore_index=True)


def drawn_values(fit: xr.DataTree, priors: PriorRegistry, *, draws: int, seed: int) -> Values:
    """Parameters that the closed form holds fixed, by draw of the fit."""
    posterior = fit["posterior"].to_dataset().stack(sample=("chain", "draw"), create_index=False)
    posterior = posterior.transpose("sample", ...)
    drawn = np.random.default_rng([seed, 5]).integers(posterior.sizes["sample"], size=draws)
    held = mean_values(fit, priors)
    return [held | {name: posterior[name].values[draw] for name in KEPT} for draw in drawn]


def without_programme(panel: AuthorityPanel) -> np.ndarray:
    """Mark authorities that never began a programme, (authority,): a pilot could be in any, a placebo in no other."""
    # Placebo pilots are compared with these alone: adopters could not change places with them.
    never = (panel.noise < NO_WEIGHT).all(axis=(1, 2))
    never[panel.launch_row] = False
    return np.asarray(never)


def by_lot(among: np.ndarray, sizes: Sequence[int], *, sets: int, seed: int) -> np.ndarray:
    """Sets of authorities of each size, (size, set, authority); 1 for those of the pilot. `among` (authority,)."""
    order = np.random.default_rng([seed, 6]).random((len(sizes), sets, int(among.sum())))
    lots = np.zeros((len(sizes), sets, among.size))
    lots[..., among] = order.argsort(axis=-1).argsort(axis=-1) < np.array(sizes)[:, None, None]
    return lots


def until(panel: AuthorityPanel, end: int) -> AuthorityPanel:
    """Return the panel as it stood after its first `end` years."""
    cut = {name: getattr(panel, name)[..., :end] for name in ("years", "value", "noise")}
    return replace(panel, **cut)


def observed_pilots(
    panel: AuthorityPanel, values: Values, lots: np.ndarray, *, years: int
) -> tuple[np.ndarray, np.ndarray]:
    """Estimate pilots over the last years of a panel: effect and variance of its error, (..., outcome), stock last."""
    slopes = stock_path(1e-5 * np.eye(len(OUTCOMES)), np.full(2, AT_ONCE), panel.account)[:, years - 1] / 1e-5
    shown = np.vstack([np.eye(len(OUTCOMES)), slopes])
    effects, variances = [], []
    for one in values:
        information, score = _own_effects(least_squares(panel, one), flat(panel.value), years=years)
        both = np.stack([np.stack([((lots @ b) * lots).sum(-1) for b in a], -1) for a in information], -2)
        variance = np.linalg.inv(both)
        effects.append(np.einsum("...op,...p->...o", variance, lots @ score) @ shown.T)
        variances.append(np.einsum("ko,...op,kp->...k", shown, variance, shown))
    return np.mean(effects, axis=0), np.mean(variances, axis=0) + np.var(effects, axis=0, ddof=1)


def _own_effects(fitted: LeastSquares, figures: np.ndarray, *, years: int) -> tuple[np.ndarray, np.ndarray]:
    """Information on one effect for each authority, (outcome, outcome, authority, authority), and score."""
    size, cells = figures.shape
    last = np.arange(fitted.years.size) >= fitted.years.size - years
    contrast = np.kron(np.eye(len(OUTCOMES)), last[:, None])  # (cell, outcome)
    columns = np.einsum("ij,co->icoj", np.eye(size), contrast).reshape(size, cells, -1)
    weighted = fitted.weighted(columns).reshape(size, cells, len(OUTCOMES), size)
    information = np.einsum("cp,icoj->poij", contrast, weighted)
    return information, np.einsum("icoj,ic->jo", weighted, figures)
