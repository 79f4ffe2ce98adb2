"""What was believed and what moved it: priors and data by powers of each, studies, effects, and the claims."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from operator import attrgetter
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from cba.appraisal.quantities import (
    children_in_care,
    fewer_children,
    lead_option,
    review_prices,
)
from cba.appraisal.workings import Workings
from cba.costs.account import total_saving
from cba.errors import InputError
from cba.inputs.evidence import Claim, Evidence
from cba.inputs.prior_checks import prior_alternatives
from cba.inputs.priors import PriorRegistry
from cba.inputs.table_words import CLASSES_OF_ESTIMAND
from cba.models.authority_findings import panel_tables
from cba.models.effects_areas import FITTED_ENTRIES
from cba.models.parameters import ROLL_OUT
from cba.models.sampling import smoothed_weights
from cba.models.stays import stay_length
from cba.models.studies import ESTIMANDS
from cba.projection.kernel import averted_stock_kernel
from cba.tables.catalogue import (
    AS_INPUTS,
    BY_ROW,
    SHARES,
    Table,
    catalogued,
    catalogued_together,
    chance,
    own_fits,
    spread,
)

# --- How much priors and data move the decision quantities: importance weights from powers of each ---


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


DIRECT = {"baseline.population_growth": "population"}
"""Names of groups of inputs that enter directly though their names begin like those of a model's priors."""


@catalogued(
    "power_scaling",
    "How far each prior and each set of data moves the result",
    "Sensitivity has no unit; values are in units of the quantity.",
    once=True,
    needs=own_fits,
)
def power_scaling(workings: Workings, *, option: str | None = None) -> pd.DataFrame:
    """How strongly each prior and each likelihood moves the decision quantities of one option."""
    # One row per quantity (``npv_fiscal``, ``fewer_children``, ``prob_fewer_30000``) and component: quantity,
    # of (a model, or a group of priors that enter directly), component (``prior``, ``likelihood``),
    # sensitivity, noise (95% point of the sensitivity of shuffled draws, worked out where a sensitivity
    # reaches 0.05), moves (sensitivity above both), value, value_half, value_double (mean with the
    # component's power at 1, 0.5 and 2; missing where Pareto k exceeds 0.7), k_half, k_double, diagnosis. A
    # quantity that no draw varies has no sensitivity. `workings`: under a stance with fits of its own. Models
    # whose fits carry no log densities are left out; see `with_log_densities`.
    #
    # Sensitivity is the mean absolute slope of the cumulative Jensen-Shannon distance per doubling of the
    # power. A model whose prior and likelihood both move a quantity may hold a conflict between them; one
    # whose prior moves it while the likelihood does not rests on the prior.
    # Source: Kallioinen et al. (2024) *Statistics and Computing* 34:57,
    # https://doi.org/10.1007/s11222-023-10366-5.
    if workings.inputs.stance not in ("evidence", "sceptical") or workings.chains is None:
        raise InputError(
            "these draws are not the posterior of one set of priors",
            field="stance",
            found=workings.inputs.stance,
            allowed="evidence, sceptical",
            cause="draws of a mixture, or conditioned on claims",
            remedy="ask of the stances it was made from",
        )
    quantities = _quantities(workings, option or lead_option(workings))
    shape = (workings.chains, quantities["npv_fiscal"].size // workings.chains)
    rows = []
    for (of, component), density in components(workings).items():
        for row in _component_rows(quantities, density, shape=shape, seed=workings.inputs.analysis.seed):
            rows.append({"quantity": row.pop("quantity"), "of": of, "component": component, **row})
    return _diagnosed(pd.DataFrame(rows))


def _quantities(workings: Workings, option: str) -> dict[str, np.ndarray]:
    fewer = fewer_children(workings, option)
    return {
        "npv_fiscal": workings.arrays.npv.sel(option=option).values,
        "fewer_children": fewer,
        "prob_fewer_30000": (fewer >= workings.inputs.claims.fewer_children.value).astype(float),
    }


def components(workings: Workings) -> dict[tuple[str, str], np.ndarray]:
    """Log density of each prior and likelihood in every draw.

    Priors and likelihoods of the models whose fits carry them; and the priors of inputs drawn directly, by
    group (the part of the name before the dot).
    """
    # Left out: members of a group of shares, which depend on each other after they are divided by their sum;
    # fixed values, which have no density; what reach is derived from, which enters through the effects. A
    # money prior is evaluated in its own prices.
    found = {}
    for of, name in MODELS.items():
        tree = getattr(workings, name)
        for component in ("prior", "likelihood"):
            if f"log_{component}" in tree.children:
                logs = tree[f"log_{component}"].to_dataset()
                each = [v.sum(v.dims[2:]).values.ravel() for v in logs.data_vars.values()]
                found[of, component] = np.sum(each, axis=0)
    priors = workings.inputs.priors
    drawn = priors.sample(workings.system.reach.size, workings.inputs.analysis.seed)
    for name, entry in priors.entries.items():
        direct = name in workings.system.parameters and name not in FITTED_ENTRIES and not entry.shares_group
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


# --- Tables of beliefs: what the evidence says, which studies count, the priors, what the claims would … ---


REACHES = (0.6, 0.4)
"""Shares of starts reached for which the required risk ratio is shown."""


STAGES = {
    "raw": "raw_mean",
    "precision": "precision_mean",
    "selection": "selection_mean",
    "bias_adjusted": "mean",
    "new_setting": "new_setting",
    "new_authority": "new_authority",
}
"""Stage of the effects table to the variable of the fit; the roll-out, less what is lost at scale, comes last."""


@catalogued(
    "effects",
    "Effects by stage: as published, bias removed, national roll-out",
    "Log risk ratios or differences.",
)
def effects_table(workings: Workings) -> pd.DataFrame:
    """From the raw pooled effect to that of a national roll-out, by estimand.

    Columns estimand, label, stage, mean, lower, upper and prob_beneficial.
    """
    posterior = workings.effects["posterior"].to_dataset()
    rows = []
    for estimand, about in ESTIMANDS.items():
        stages = {
            stage: posterior[name].sel(estimand=estimand).values.ravel()
            for stage, name in STAGES.items()
            if name in posterior  # an alternative that did not converge is left out
        }
        if len(classes := CLASSES_OF_ESTIMAND[estimand]) > 1:
            means = posterior["class_mean"]
            stages |= {f"class_{name}": means.sel(service_class=name).values.ravel() for name in classes}
        stages["roll_out"] = workings.system.value(ROLL_OUT[estimand])
        for stage, draws in stages.items():
            row = {"estimand": estimand, "label": about.label, "stage": stage} | spread(workings, draws)
            rows.append(row | {"prob_beneficial": (about.favours * draws > 0).mean()})
    return pd.DataFrame(rows)


@catalogued(
    "evidence",
    "Studies used and left out",
    "Effects are on the scale of their estimand.",
    of=attrgetter("inputs.evidence"),
)
def studies_table(evidence: Evidence) -> pd.DataFrame:
    """Every study, used or not, with the reason where it is not. One row per study, estimand and scale."""
    columns = [
        "study_id",
        "intervention",
        "outcome",
        "design_class",
        "country",
        "year",
        "estimand",
        "effect",
        "effect_se",
        "bound_low",
        "bound_high",
        "level",
        "coverage_low",
        "coverage_high",
        "use",
        "exclusion_reason",
    ]
    return evidence.effects[columns].reset_index(drop=True)


@catalogued("priors", "Uncertain inputs: value, source and quality", BY_ROW, of=attrgetter("inputs.priors"))
def priors_table(priors: PriorRegistry) -> pd.DataFrame:
    """The registry as an assumptions log.

    One row per entry: name, description, distribution, quantiles, unit, price year, quality and source.
    """
    table = priors.table().rename(columns={"p05": "q05", "p50": "q50", "p95": "q95"})
    table.index.name = "name"
    columns = [
        "description",
        "distribution",
        "q05",
        "q50",
        "q95",
        "unit",
        "price_year",
        "confidence",
        "owner",
        "reviewed",
        "basis",
        "source",
        "stated",
        "fit_error",
        "stance",
    ]
    return table[columns].reset_index()


def children_of_all_starts(workings: Workings) -> np.ndarray:
    """Children in care in the target year who started since the first year, at the average stay, (sample,)."""
    analysis = workings.inputs.analysis
    starts = workings.system.ground.starts
    stays = stay_length(workings.inputs.observations)
    kernel = averted_stock_kernel(stays, stay_ratio=np.ones(1), lags=len(workings.years))[0].sum(axis=1)
    first, last = (workings.years.index(year) for year in (analysis.start_year, analysis.target_year))
    found: np.ndarray = sum(starts[:, year] @ kernel[:, last - year] for year in range(first, last + 1))
    return found


@catalogued(
    "what_it_would_take", "Fall in starts needed for each number of fewer children", "Children and shares."
)
def what_it_would_take(workings: Workings) -> pd.DataFrame:
    """Cut in starts needed for the claims, and the risk ratio that implies at two levels of reach.

    The cut is in starts of children who are not unaccompanied, in full from the first year, with averted
    children staying as long as the average entrant and none deferred: the easiest case for the claims.
    """
    # Columns start_year, target_children, cut_median, cut_lower, cut_upper (shares of starts),
    # risk_ratio_reach_0_6, risk_ratio_reach_0_4 (missing where no ratio would do) and prob_evidence.
    analysis, gone = workings.inputs.analysis, children_of_all_starts(workings)
    claims, in_all = workings.inputs.claims, None
    if claims.programme in workings.accounts:
        in_all = workings.accounts[claims.programme].children.fewer[:, workings.target]
    rows = []
    for target in (claims.family_help_children.value, claims.fewer_children.value):
        cut = spread(workings, target / gone, "cut_", median=True)
        del cut["cut_mean"]
        row = {"start_year": analysis.start_year, "target_children": target} | cut
        for reach in REACHES:
            ratio = 1.0 - row["cut_median"] / reach
            row[f"risk_ratio_reach_{str(reach).replace('.', '_')}"] = ratio if ratio >= 0 else np.nan
        row["prob_evidence"] = np.nan if in_all is None else (in_all >= target).mean()
        rows.append(row)
    return pd.DataFrame(rows)


@catalogued("claims", "The review's claims and the chance the evidence gives each", SHARES)
def claims_table(workings: Workings) -> pd.DataFrame:
    """Probability that each published claim is met; its money is read in the prices of the claims.

    Columns claim, value, unit, probability, mcse.
    """
    rows = []
    for claim, words, reached in _claimed(workings):
        money = claim.unit != "children"
        prices = f"{workings.inputs.claims.prices} prices"
        rows.append(
            {
                "claim": f"{words} ({prices}), at least" if money else f"{words}, at least",
                "value": float(claim.value),
                "unit": f"{claim.unit}, {prices}" if money else claim.unit,
                **chance(workings, reached >= claim.value, "probability"),
            }
        )
    return pd.DataFrame(rows)


def _claimed(workings: Workings) -> Iterator[tuple[Claim, str, np.ndarray]]:
    """Each claim, what it says, and the draws of what it speaks of; those of a programme not appraised left out."""
    claims, year = workings.inputs.claims, workings.inputs.analysis.target_year
    pound = review_prices(workings)
    cost = workings.arrays.system_cost.sel(option="bau", year=year).values / pound
    yield claims.children_without_reform, "children in care without reform", children_in_care(workings, "bau")
    yield claims.system_cost, "yearly cost of the system without reform", cost
    if claims.programme in workings.accounts:
        fewer = fewer_children(workings, claims.programme)
        saved = total_saving(workings.accounts[claims.programme])[:, workings.target] / pound
        yield claims.fewer_children, "fewer children under the care review", fewer
        for claim in (claims.annual_saving, claims.family_help_saving):
            yield claim, "yearly cashable saving under the care review", saved


# --- Tables that other rooms make: other families for the priors, and what the panel of authorities says ---


catalogued(
    "prior_alternatives",
    "Inputs fitted with other distributions",
    AS_INPUTS,
    of=attrgetter("inputs.priors"),
    once=True,
    needs=own_fits,
)(prior_alternatives)


catalogued_together(
    Table("panel_path", "Change after launch in the panel of authorities", "Ratio to what would have been."),
    Table("panel_summary", "Effect found in England's own panel", "Ratio."),
    Table(
        "panel_authorities",
        "Authorities in England's own panel, and their place in it",
        "Names and dates; no figures.",
    ),
    Table("panel_placebo_dates", "Effect found at made-up launch dates", "Log ratio."),
    Table("panel_programmes", "Effect of each programme by itself", "Log ratio."),
    Table("panel_finding", "Effect found under each specification, at real and made-up dates", "Log ratio."),
    of=attrgetter("inputs.analysis.evidence_until"),
)(panel_tables)
