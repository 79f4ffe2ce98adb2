"""The review's claims: how likely the evidence makes them, and what the draws that meet them look like."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from cba.appraisal.quantities import clear_of_chance, spread_at
from cba.appraisal.record import ARRAYS, Appraisal
from cba.appraisal.workings import Workings
from cba.decisions.draws import effective_sample_size, mcse_probability
from cba.inputs.evidence import Claim, load_claims
from cba.tables.assumptions import described
from cba.tables.attribution import component_account

# --- Keep some draws of the workings: all arrays at once, so that pairing is never lost ---


def kept(value: Any, keep: np.ndarray) -> Any:
    """Return the chosen draws of an array, Dataset, record or collection; anything without draws unchanged.

    Of the same kind as `value`. `value`: arrays are cut along their first axis where its length is that of
    `keep`, labelled arrays along ``sample``.
    """
    if isinstance(value, xr.DataArray | xr.Dataset):
        return value.isel(sample=np.flatnonzero(keep)) if "sample" in value.dims else value
    if isinstance(value, np.ndarray):
        return value[keep] if value.ndim and value.shape[0] == keep.size else value
    if isinstance(value, dict):
        return {name: kept(item, keep) for name, item in value.items()}
    if isinstance(value, tuple):
        return tuple(kept(item, keep) for item in value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.replace(
            value, **{f.name: kept(getattr(value, f.name), keep) for f in dataclasses.fields(value)}
        )
    return value


def kept_workings(workings: Workings, keep: np.ndarray) -> Workings:
    """Return the workings of the chosen draws; their errors take them as independent.

    Inputs, baseline fit and its checks unchanged; the draws of the effects cut like everything else. `keep`:
    more draws than there are years, so that no other axis can be taken for them.
    """
    return dataclasses.replace(
        workings,
        effects=kept_tree(workings.effects, keep),
        system=kept(workings.system, keep),
        basis=kept(workings.basis, keep),
        accounts=kept(workings.accounts, keep),
        arrays=kept(workings.arrays, keep),
        chains=None,
    )


def kept_tree(tree: xr.DataTree, keep: np.ndarray) -> xr.DataTree:
    """Return the chosen draws of a fit, chains joined; groups of no posterior draws unchanged. Dims (sample, ...)."""
    nodes = {}
    for name, node in tree.children.items():
        data = node.to_dataset()
        if name not in ("prior", "posterior_predictive") and {"chain", "draw"} <= set(data.dims):
            data = data.stack(sample=("chain", "draw"), create_index=False)
            data = kept(data.drop_vars(["chain", "draw"], errors="ignore").transpose("sample", ...), keep)
        nodes[name] = data
    return xr.DataTree.from_dict(nodes)


# --- What one would need to believe: how the draws that meet the review's claims differ from the rest ---


SHOWN = 15
"""Parameters listed: those whose mean moves most."""


MEETING = "draws that meet the claims"


NEAREST = "draws nearest to the claims: too few meet them"


def need_to_believe(
    parameters: xr.Dataset, fewer: np.ndarray, *, chosen: np.ndarray, level: float, which: str = MEETING
) -> pd.DataFrame:
    """Compare the parameters of chosen draws with those of all.

    `fewer` (sample,), children: fewer children in care under the programme in the target year. The mean of
    n draws taken blindly from N has the variance ``(1 / n) (N - n) / (N - 1)`` of one draw.
    """
    # Returned: the parameters whose mean moves most, most first: parameter, description, unit; mean, lower,
    # upper (all draws) and needed_mean, needed_lower, needed_upper (chosen draws), shift (difference of means
    # in standard deviations of all draws), shift_se (its Monte Carlo error were the input unrelated to the
    # choice), clear (whether the shift is more than that error explains, all inputs tried), which, draws
    # (number chosen) and fewer_children (their mean).
    rows = []
    for name, values in parameters.data_vars.items():
        draws = values.values
        if draws.ndim != 1 or np.ptp(draws) == 0:
            continue
        said = {"parameter": str(name), "description": described(str(name), values.attrs)}
        said |= {"unit": values.attrs.get("unit", "")}
        shift = (draws[chosen].mean() - draws.mean()) / draws.std()
        found = spread_at(level, draws) | spread_at(level, draws[chosen], "needed_") | {"shift": shift}
        rows.append(said | found)
    table = pd.DataFrame(rows)
    table["shift_se"] = np.sqrt(max(chosen.size / chosen.sum() - 1.0, 0.0) / (chosen.size - 1.0))
    table["clear"] = clear_of_chance(table["shift"].to_numpy(), table["shift_se"].to_numpy())
    table = table.sort_values("shift", key=np.abs, ascending=False, kind="stable").head(SHOWN)
    about = {"which": which, "draws": int(chosen.sum()), "fewer_children": float(fewer[chosen].mean())}
    return table.assign(**about).reset_index(drop=True)


def nearest_draws(fewer: np.ndarray, *, count: int) -> np.ndarray:
    """Mark the draws with the most children fewer.

    `count`: how many, at most a tenth of all so that they remain a tail.
    """
    marked = np.zeros(fewer.size, dtype=bool)
    marked[np.argsort(fewer, kind="stable")[-min(count, max(fewer.size // 10, 1)) :]] = True
    return marked


def nearest_beliefs(evidence: Appraisal, *, count: int) -> dict[str, pd.DataFrame]:
    """What the draws of the evidence nearest to the claims believe, as a table by its name.

    ``need_to_believe``; empty where the analysis has not the programme. `evidence`: under ``evidence``.
    """
    programme = load_claims().programme
    if programme not in evidence.option_labels:
        return {}
    total = evidence.children.sel(year=evidence.analysis.target_year).sum("age")
    fewer = (total.sel(option="bau") - total.sel(option=programme)).values
    table = need_to_believe(
        evidence.parameters,
        fewer,
        chosen=nearest_draws(fewer, count=count),
        level=evidence.analysis.level,
        which=NEAREST,
    )
    return {"need_to_believe": table}


ENOUGH = 100
"""Effective draws below which a conditional result is not given."""


WITHOUT_DRAWS = (
    "history",
    "what_it_would_take",
    "evidence",
    "priors",
    "convergence",
    "reconciliation",
    "unmonetised",
    "prior_predictive",
    "prior_alternatives",
)
"""Tables that hold no result of an option, and so are given even where too few draws meet the claims."""


def claims_reached(workings: Workings) -> dict[str, np.ndarray]:
    """Fewer children in care in the target year under the programme, as far as each claim speaks of them.

    ``family_help`` (from family help alone) and ``in_all``; empty where the analysis has not the programme.
    """
    programme = workings.inputs.claims.programme
    if programme not in workings.accounts:
        return {}
    year = workings.target
    accounts = {
        "family_help": component_account(workings, programme, ("family_help",)),
        "in_all": workings.accounts[programme],
    }
    return {name: a.children.fewer[:, year] for name, a in accounts.items()}


def claims_met(workings: Workings, reached: Mapping[str, np.ndarray]) -> np.ndarray:
    """Whether each draw meets the review's claims on children in the target year: in all and from family help."""
    met = np.full(workings.system.reach.size, bool(reached))
    for name, draws in reached.items():
        met &= draws >= _claim_of(workings, name).value
    return met


def _claim_of(workings: Workings, name: str) -> Claim:
    claims = workings.inputs.claims
    return {"family_help": claims.family_help_children, "in_all": claims.fewer_children}[name]


def claims_found(workings: Workings) -> dict[str, Any]:
    """Return how likely the evidence makes the review's claims: together, and each of them alone."""
    reached, programme = claims_reached(workings), workings.inputs.claims.programme
    claims = {name: _claim_of(workings, name) for name in ("family_help", "in_all")}
    words = {"family_help": "because of family help", "in_all": f"in all under {programme}"}
    each = [
        {
            "claim": f"fewer children in care {words[name]}, at least",
            "target": claims[name].value,
            **claim_chance(draws, target=claims[name].value, chains=workings.chains),
        }
        for name, draws in reached.items()
    ]
    both = (
        f"at least {claims['family_help']} fewer children in care because of family help and at least "
        f"{claims['in_all']} fewer in all under {programme}"
    )
    record = claims_record(claims_met(workings, reached), chains=workings.chains)
    return {"claims": both, **record, "each": each}


def claim_chance(reached: np.ndarray, *, target: float, chains: int | None) -> dict[str, Any]:
    """Return the probability that a claim is met, or the most it can be where no draw meets it.

    probability, mcse, draws (that meet it), of (draws in all), highest (largest draw), upper_95
    (None where a draw meets it) and words. `target`: what it asks for at least.
    """
    # Where none of n draws meets the claim, probabilities above ``1 - 0.05 ** (1 / n)``, about 3 / n, would
    # have shown at least one with 95% confidence (the rule of three, exactly). n is the effective number of
    # draws.
    met = reached >= target
    count, size = int(met.sum()), met.size
    found = {
        "probability": float(met.mean()),
        "mcse": mcse_probability(met, chains=chains),
        "draws": count,
        "of": size,
        "highest": float(reached.max()),
        "upper_95": None,
    }
    if count:
        return found | {"words": f"{count:,} of {size:,} draws reach it"}
    independent = min(effective_sample_size(reached, chains=chains), size)
    upper = 1.0 - 0.05 ** (1.0 / independent)
    return found | {
        "upper_95": upper,
        "words": f"beyond what this model supports: no draw of {size:,} reaches it (the highest is "
        f"{found['highest']:,.0f}); at most {100 * upper:.1g}% at 95% confidence",
    }


def claims_record(met: np.ndarray, *, chains: int | None) -> dict[str, Any]:
    """Return how likely the review's claims are together, and whether enough draws meet them.

    probability and its mcse, draws, effective_draws, enough (the number that would do).
    """
    independent = effective_sample_size(met.astype(float), chains=chains) / met.size
    return {
        "probability": float(met.mean()),
        "draws": int(met.sum()),
        "effective_draws": float(met.sum()) * min(independent, 1.0),
        "mcse": mcse_probability(met, chains=chains),
        "enough": ENOUGH,
    }


def review_without_draws(evidence: Appraisal) -> Appraisal | None:
    """Return the `review` stance of an evidence appraisal whose draws hardly ever meet the claims.

    With every result undefined and no draws; None where enough draws meet the claims, so that their results
    have to be worked out. `evidence`: under ``evidence``.
    """
    record = evidence.provenance.get("review_claims")
    if record is None or record["effective_draws"] >= ENOUGH:
        return None
    rest = {key: value for key, value in evidence.provenance.items() if key != "review_claims"}
    empty = _emptied(evidence)
    return replace(
        empty,
        stance="review",
        tables=dict(empty.tables) | nearest_beliefs(evidence, count=ENOUGH),
        provenance=rest | {"stance": "review", "review": dict(record)},
    )


def conditioned_on_claims(workings: Workings, *, assemble: Callable[[Workings], Appraisal]) -> Appraisal:
    """Keep the evidence draws that meet the review's claims. Stance ``review``."""
    # With fewer than 100 effective draws meeting the claims every result is undefined, and arrays and tables
    # of results hold no draws; otherwise they are those of the conditioned draws.
    reached, record = claims_reached(workings), claims_found(workings)
    met = claims_met(workings, reached)
    if record["effective_draws"] < ENOUGH:
        none = review_without_draws(assemble(workings))
        if none is not None:
            return none
    cut = kept_workings(workings, met)
    kept = assemble(replace(cut, inputs=replace(cut.inputs, stance="review")))
    needed = need_to_believe(
        workings.system.parameters,
        reached["in_all"],
        chosen=met,
        level=workings.inputs.analysis.level,
    )
    return replace(
        kept,
        stance="review",
        tables=dict(kept.tables) | {"need_to_believe": needed},
        provenance=dict(kept.provenance) | {"review": record},
    )


def _emptied(appraisal: Appraisal) -> Appraisal:
    """Return the appraisal without results or draws: those of the evidence are not the review's."""
    blank = dict.fromkeys(("mean", "median", "lower", "upper", "mcse"))
    none = {name: getattr(appraisal, name).isel(sample=slice(0, 0)) for name in (*ARRAYS, "parameters")}
    return replace(
        appraisal,
        results={key: dict(entry) | blank for key, entry in appraisal.results.items()},
        tables={name: table for name, table in appraisal.tables.items() if name in WITHOUT_DRAWS},
        **none,
    )
