"""Sample a built model with nutpie, check the gates, and hand on only draws that passed."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pymc as pm
import pytensor
import pytensor.tensor as pt
import xarray as xr
from pytensor.compile.mode import Mode
from pytensor.graph.replace import graph_replace, vectorize_graph

from cba.dimensions import STAGE_PRIOR_GROUPS
from cba.errors import GateError, InputError
from cba.inputs.files import fingerprint, library_versions
from cba.inputs.programs import interrupts_kept

if TYPE_CHECKING:
    from cba.inputs.evidence import Evidence
    from cba.inputs.priors import PriorRegistry

# --- Convergence gates: figures of a fit against the thresholds it must meet before its draws may be … ---


@dataclass(frozen=True)
class Gates:
    """Thresholds of convergence."""

    rhat: float = 1.01  # largest rank-normalised R-hat allowed, over every parameter
    ess: float = 400.0  # smallest bulk and tail effective sample size allowed
    bfmi: float = 0.3  # smallest energy fraction of missing information allowed, in every chain
    divergences: int = 0  # most divergent transitions allowed


def convergence_table(tree: xr.DataTree, gates: Gates | None = None) -> pd.DataFrame:
    """Compare a fit with the gates.

    Columns check, found, required, where (the worst parameter), passed; one row per gate. `tree`: groups
    ``posterior`` and ``sample_stats``, dims (chain, draw, ...).
    """
    # A figure that cannot be computed, as where a chain never moved, is the worst there is: NaN, and not
    # passed.
    from arviz_stats import bfmi, ess, rhat  # slow to import, and needed only where something was sampled

    gates = gates or Gates()
    posterior = tree["posterior"].to_dataset()
    rows = []
    for check, figures, required, largest in (
        ("R-hat", rhat(posterior), gates.rhat, True),
        ("effective draws, bulk", ess(posterior, method="bulk"), gates.ess, False),
        ("effective draws, tail", ess(posterior, method="tail"), gates.ess, False),
    ):
        where, found = _worst(figures, largest=largest)
        rows.append((check, found, required, where, found <= required if largest else found >= required))
    energy = float(np.min(np.asarray(bfmi(tree)["energy"])))
    rows.append(("BFMI", energy, gates.bfmi, "sampler", energy >= gates.bfmi))
    divergent = int(tree["sample_stats"]["diverging"].sum())
    rows.append(("divergences", divergent, gates.divergences, "sampler", divergent <= gates.divergences))
    return pd.DataFrame(rows, columns=["check", "found", "required", "where", "passed"])


def _worst(figures: xr.Dataset, *, largest: bool) -> tuple[str, float]:
    """Name and figure of the worst parameter; NaN, which no comparison would notice, is worst of all."""
    by_name = {}
    for name, values in figures.data_vars.items():
        # max and min skip NaN unless told not to, and one bad element must not hide behind the others.
        by_name[str(name)] = float(values.max(skipna=False) if largest else values.min(skipna=False))
    for name, figure in by_name.items():
        if np.isnan(figure):
            return name, figure
    where = (max if largest else min)(by_name, key=by_name.__getitem__)
    return where, by_name[where]


def require_convergence(table: pd.DataFrame, *, model: str) -> None:
    """Raise if any gate failed. `model`: name used in the message."""
    failed = table[~table["passed"].astype(bool)]
    if len(failed):
        raise GateError(
            f"the {model} model has not converged: {len(failed)} of {len(table)} checks failed, so no "
            "results are given (raise `tune` and `draws` in the analysis, or look at the named parameter)",
            tuple(
                f"{row.check}: found {row.found:.4g}, required {row.required:g} ({row.where})"
                for row in failed.itertuples()
            ),
        )


# --- Importance weights of draws: smoothed by a Pareto tail ---


def smoothed_weights(log_weights: np.ndarray) -> tuple[np.ndarray, float]:
    """Importance weights with their largest values smoothed by a Pareto tail, and the shape of that tail.

    Returns `k`: -inf where all are equal.
    """
    from arviz_stats.base import array_stats

    if np.ptp(log_weights) == 0:
        return np.full(log_weights.size, 1.0 / log_weights.size), -np.inf
    smooth, k = array_stats.psislw(-(log_weights - log_weights.max()))
    weights = np.exp(smooth - smooth.max())
    return weights / weights.sum(), float(k)


# --- What a fit was made from, so that one made from something else is refused ---


def made_from(
    model: str,
    priors: PriorRegistry,
    *,
    observations: xr.Dataset,
    evidence: Evidence | None = None,
    panel: Any = None,
    **how: int,
) -> dict[str, str | int]:
    """What a fit depends on, part by part, as it holds them in its attributes.

    `model`: ``baseline`` or ``effects``. `how`: ``draws``, ``tune``, ``chains``, ``seed``.
    """
    digest = hashlib.sha256()
    for name, series in sorted(observations.variables.items(), key=lambda item: str(item[0])):
        digest.update(f"{name}{series.dims}{series.shape}".encode())
        values = series.values
        digest.update(repr(values.tolist()).encode() if values.dtype == object else values.tobytes())
    parts = {
        "priors": priors.fingerprint(STAGE_PRIOR_GROUPS[model]),
        "observations": digest.hexdigest(),
        "libraries": fingerprint(library_versions()),
    }
    if evidence is not None:
        parts["evidence"] = evidence.fingerprint()
        parts["panel"] = "none" if panel is None else fingerprint(vars(panel))
    return parts | how


# --- Log densities of every draw of a fit and what it predicts: the groups that ArviZ reads ---


PRIOR, LIKELIHOOD, PREDICTIONS = "log_prior", "log_likelihood", "posterior_predictive"
"""Names of groups of a fit, as ArviZ expects them."""

PREDICTED = 100
"""Draws of a chain, about, from which the data are predicted."""

QUICK = Mode(linker="py", optimizer="fast_compile")
"""Run once: compiling would cost more than it saves."""


def with_log_densities(
    tree: xr.DataTree, model: pm.Model, *, latent: Sequence[str] = (), seed: int = 0
) -> xr.DataTree:
    """Add to a fit the log density of its draws, what they predict of the data, and the data.

    A new tree: ``log_prior``, one variable each, dims (chain, draw); ``log_likelihood``, ``posterior_predictive`` and
    ``observed_data`` by observation.
    """
    # `tree`: its ``posterior`` (chain, draw, ...) holds every free variable of the model, untransformed.
    # `latent`: free variables that are part of the model and not prior beliefs (study effects, common
    # factors, noise of counts): left out of the prior.
    #
    # All draws are evaluated at once, without compiling: the graph of the model is vectorised over the draws
    # and run by NumPy.
    posterior = tree["posterior"].to_dataset()
    priors = [rv for rv in model.free_RVs if rv.name not in latent]
    found = _log_densities(model, [*priors, *model.observed_RVs], posterior)
    nodes = {name: node.to_dataset() for name, node in tree.children.items()}
    nodes[PRIOR] = xr.Dataset({rv.name: found[rv.name].sum(found[rv.name].dims[2:]) for rv in priors})
    nodes[LIKELIHOOD] = xr.Dataset({rv.name: found[rv.name] for rv in model.observed_RVs})
    few = posterior.isel(draw=slice(None, None, -(-posterior.sizes["draw"] // PREDICTED)))
    nodes[PREDICTIONS] = _predictions(model, few, seed=seed)
    seen = {rv.name: model.rvs_to_values[rv].eval(mode=QUICK) for rv in model.observed_RVs}
    nodes["observed_data"] = labelled(model, seen)
    return xr.DataTree.from_dict(nodes)


def _predictions(model: pm.Model, posterior: xr.Dataset, *, seed: int) -> xr.Dataset:
    """Draw the data anew from each draw, dims (chain, draw, ...)."""
    given = {rv: rv.type(rv.name) for rv in model.free_RVs}
    again = graph_replace(model.observed_RVs, given, strict=False)
    how: dict[str, Any] = {"mode": QUICK, "random_seed": [seed, 14], "on_unused_input": "ignore"}
    predict = pm.compile(list(given.values()), again, **how)
    held = [posterior[rv.name].transpose("chain", "draw", ...).values for rv in given]
    drawn = [predict(*(values[i] for values in held)) for i in np.ndindex(held[0].shape[:2])]
    each = {rv.name: np.stack(v) for rv, v in zip(model.observed_RVs, zip(*drawn, strict=True), strict=True)}
    shaped = {name: v.reshape(*held[0].shape[:2], *v.shape[1:]) for name, v in each.items()}
    return labelled(model, shaped, dims=("chain", "draw"))


def labelled(model: pm.Model, values: Mapping[str, np.ndarray], *, dims: tuple[str, ...] = ()) -> xr.Dataset:
    """Name the axes of variables of a model, those of draws (`dims`) before its own."""
    found = {}
    for name, held in values.items():
        own = model.named_vars_to_dims.get(name) or [
            f"{name}_{axis}" for axis in range(held.ndim - len(dims))
        ]
        found[name] = ((*dims, *map(str, own)), held)
    used = {dim for axes, _ in found.values() for dim in axes} & set(model.coords)
    return xr.Dataset(found, coords={dim: list(model.coords[dim]) for dim in used})


def prior_draws(model: pm.Model, *, names: Sequence[str], draws: int, chains: int, seed: int) -> xr.Dataset:
    """Draw variables of a model from its priors.

    Dims (chain, draw, ...). `draws`, `chains`: draws per chain and chains; all are independent, chains only
    give the shape of a fit.
    """
    rng = np.random.default_rng([seed, 11])
    with np.errstate(over="ignore"):
        found = pm.draw([model[name] for name in names], draws=draws * chains, random_seed=rng, mode=QUICK)
    shaped = {n: v.reshape(chains, draws, *v.shape[1:]) for n, v in zip(names, found, strict=True)}
    return labelled(model, shaped, dims=("chain", "draw"))


def vectorised_densities(model: pm.Model, variables: Sequence) -> tuple[list, list]:
    """Graphs of the log density of each element of variables for many draws of the free ones, which come first."""
    given: list = []
    batched: dict[Any, Any] = {}
    values: dict[Any, Any] = {}
    for rv in model.free_RVs:
        one = pt.tensor(rv.name, dtype=rv.type.dtype, shape=rv.type.shape)
        batched[one] = pt.tensor(rv.name, dtype=rv.type.dtype, shape=(None, *rv.type.shape))
        given.append(batched[one])
        transform = model.rvs_to_transforms[rv]
        values[model.rvs_to_values[rv]] = (
            one if transform is None else transform.forward(one, *rv.owner.inputs)
        )
    # Densities of the priors as stated: without the Jacobian of the transform the sampler works in.
    logs = graph_replace(model.logp(vars=list(variables), jacobian=False, sum=False), values, strict=False)
    return given, list(vectorize_graph(logs, replace=batched))


def _log_densities(model: pm.Model, variables: list, posterior: xr.Dataset) -> xr.Dataset:
    """Log density of each element of each variable in every draw, dims (chain, draw, ...)."""
    chains, draws = posterior.sizes["chain"], posterior.sizes["draw"]
    given, logs = vectorised_densities(model, variables)
    run = pytensor.function(given, logs, mode=QUICK, on_unused_input="ignore")
    held = [posterior[rv.name].transpose("chain", "draw", ...).values for rv in model.free_RVs]
    flat = (
        v.reshape(-1, *v.shape[2:]).astype(one.dtype, copy=False) for v, one in zip(held, given, strict=True)
    )
    found = zip(variables, run(*flat), strict=True)
    shaped = {rv.name: log.reshape(chains, draws, *log.shape[1:]) for rv, log in found}
    return labelled(model, shaped, dims=("chain", "draw"))


SAMPLED_AT_LEAST = 2000
"""Draws sampled per chain before thinning: enough for the gates to judge a chain that mixes slowly."""


SAMPLED_PER_DRAW = 2
"""Sampled draws per draw kept."""


def sample_gated(
    model: pm.Model,
    *,
    draws: int,
    tune: int,
    chains: int,
    seed: int,
    progress: bool = False,
    gates: Gates | None = None,
    keep: Sequence[str] | None = None,
    latent: Sequence[str] | None = None,
    name: str = "baseline",
    target_accept: float = 0.8,
) -> xr.DataTree:
    """Sample, check and return a fit; draws that fail a gate never leave this function.

    ``posterior``, ``sample_stats`` and ``convergence`` (one entry per gate); with `latent` the two groups of
    log densities. `keep`: variables kept in ``posterior`` after the gates were checked on all of them.
    """
    # `draws`, `tune`, `chains`, `seed`: draws kept per chain, warm-up steps, chains, seed. More are sampled
    # (at least 2,000 a chain, at least two per draw kept), judged by the gates, and then thinned evenly.
    # `latent`: given, the fit also holds ``log_prior`` and ``log_likelihood`` of every draw, with these free
    # variables left out of the prior (`with_log_densities`).
    thin = max(SAMPLED_PER_DRAW, -(-SAMPLED_AT_LEAST // draws))
    how = {"seed": seed, "target_accept": target_accept, "progress_bar": progress}
    tree = every_draw(compiled(model), draws=thin * draws, tune=tune, chains=chains, **how)
    table = convergence_table(tree, gates)
    require_convergence(table, model=name)
    handed = _handed_on(tree, table.set_index("check"), thin=thin)
    if latent is not None:
        handed = with_log_densities(handed, model, latent=latent, seed=seed)
    if keep is not None:
        handed["posterior"] = xr.DataTree(handed["posterior"].to_dataset()[list(keep)])
        before = prior_draws(model, names=keep, draws=draws, chains=chains, seed=seed)
        handed["prior"] = xr.DataTree(before)
    return handed


def compiled(model: pm.Model) -> Any:
    """Compile a model for the sampler, the same bits from a cold and a warm cache."""
    # With fast-math the compiler may reorder sums, and does so otherwise in a function it has just compiled than in
    # one it reads from its cache.
    import nutpie  # seconds to import: only where something is sampled

    with pytensor.config.change_flags(numba__fastmath=False):
        return nutpie.compile_pymc_model(model)


def every_draw(compiled: Any, *, draws: int, chains: int, **how: Any) -> xr.DataTree:
    """Sample every draw asked for; a sampler that comes back early was interrupted, and that is raised."""
    import nutpie

    with interrupts_kept():
        tree = nutpie.sample(compiled, draws=draws, chains=chains, save_warmup=False, **how)
    made = tree["posterior"].sizes
    if (made["chain"], made["draw"]) != (chains, draws):
        raise KeyboardInterrupt(f"{made['chain']} chains of {made['draw']} draws, not {chains} of {draws}")
    return tree


def _handed_on(tree: xr.DataTree, table: pd.DataFrame, *, thin: int) -> xr.DataTree:
    """Every `thin`-th draw, with the figures the gates found on all draws."""
    thinned = {"draw": slice(None, None, thin)}
    posterior = tree["posterior"].to_dataset().isel(thinned).drop_vars("draw")
    stats = tree["sample_stats"].to_dataset()[["diverging", "energy", "depth"]]
    checks = table.astype({"passed": bool, "found": float, "required": float})
    return xr.DataTree.from_dict(
        {
            "posterior": posterior,
            "sample_stats": stats.isel(thinned).drop_vars("draw"),
            "convergence": xr.Dataset.from_dataframe(checks),
        }
    )


# --- Entries of the prior registry in a model: in closed form, and as random variables of PyMC ---


def normal_settings(priors: PriorRegistry, entry: str) -> tuple[float, float]:
    """Mean and standard deviation of an entry that enters a model in closed form, so must be normal.

    `entry`: dotted name, for example ``"effects.bias_rct"``.
    """
    family, settings = priors[entry].distribution, priors[entry].parameters
    if family != "Normal":
        raise InputError(
            "this prior must be normal",
            file="priors/",
            field=entry,
            found=family,
            allowed="Normal, without bounds",
            cause="a prior that enters a closed form, where no other family fits",
            remedy="restate the entry as a Normal",
        )
    return float(settings["mu"]), float(settings["sigma"])


FAMILIES = ("Fixed", "Normal", "LogNormal", "HalfNormal", "Gamma", "Beta", "Uniform")
"""Families a model can use; a fixed entry is a constant of it."""


def prior_term(
    priors: PriorRegistry, entry: str, *, name: str | None = None, dims: str | tuple[str, ...] | None = None
) -> pt.TensorVariable:
    """Add one registry entry to the PyMC model in context.

    `entry`: dotted name of the entry, for example ``"baseline.start_innovation_sd"``.
    """
    family = priors[entry].distribution
    if family not in FAMILIES:
        raise InputError(
            "a model cannot use this family of prior",
            file="priors/",
            field=entry,
            found=family,
            allowed=", ".join(FAMILIES),
            cause="a family meant for quantities drawn outside the fitted models",
            remedy="restate the entry with one of the allowed families",
        )
    if family == "Fixed":
        return pt.constant(float(priors[entry].parameters["value"]))
    # The registry names parameters as PyMC does.
    return getattr(pm, family)(name or entry.rsplit(".", 1)[-1], **priors[entry].parameters, dims=dims)
