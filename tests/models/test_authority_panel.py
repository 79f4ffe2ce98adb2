"""The panel of authorities: who is in it, the likelihood against SciPy, recovery, and estimators of another kind."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import integrate, stats

import cba
from cba.errors import InputError
from cba.inputs.observations import load_programme_rollout
from cba.models.authorities import (
    HORIZON,
    Scales,
    build_authority_panel,
    fit_authority_panel,
    null_fit,
    panel_arrays,
    panel_finding,
    quick_effect,
    with_paths,
)
from cba.models.authority_data import (
    Launches,
    authority_panel,
    calendar_year,
    programme_launches,
    years_since_launch,
)
from cba.models.authority_findings import (
    RESULTS,
    panel_rows,
    placebo_adopters,
    placebo_dates,
    placebo_position,
)

SCALES = {
    "starts": Scales(0.47, 0.148, 0.096, 0.0095, 0.034, 0.2, 0.9, 0.3, 2.1, 0.5, 0.08),
    "stock": Scales(0.985, 0.048, 0.008, 0.002, 0.018, 0.2, 0.9, 0.3, 3.5, 0.5, 0.06),
}
"""Scales near what the Bayesian fit of release 2024 finds, so that the quick method needs no sampler here."""


PANELS = 20
"""Simulated panels."""


@pytest.fixture(scope="module")
def observations():
    return cba.load_observations()


@pytest.fixture(scope="module")
def rollout():
    return load_programme_rollout()


@pytest.fixture(scope="module")
def priors():
    return cba.load_priors()


@pytest.fixture(scope="module")
def panel(observations, rollout, priors):
    return authority_panel(observations, rollout, priors)


def fitted(**scales):
    """A fit reduced to what the quick method reads, with every draw at the scales given."""
    names = ("persistence", "overdispersion", "authority_sd", "trend_sd", "region_year_sd", "ramp_years")
    columns = {n: [getattr(scales[o], n) for o in scales] for n in names}
    columns["programme_spread"] = [s.programme_sd for s in scales.values()]
    posterior = xr.Dataset(
        {n: (("chain", "draw", "outcome"), np.array(v)[None, None]) for n, v in columns.items()},
        coords={"outcome": list(scales)},
    )
    one = next(iter(scales.values()))
    fixed = {n: getattr(one, n) for n in ("year_sd", "lasting_mean", "lasting_sd", "effect_sd")}
    return xr.DataTree.from_dict({"posterior": posterior, "constant_data": xr.Dataset(fixed)})


# Who is in the panel


def test_every_child_is_in_the_panel_or_named_as_left_out(panel, observations):
    """Both together add up to the total printed beside them: rounded to ten, with two tiny councils suppressed."""
    for outcome in ("starts", "stock"):
        published = observations[f"{outcome}_by_authority"].sel(year=panel.years)
        left_out = panel.excluded.loc[
            ~panel.excluded["authority"].isin(list(panel.authority)), "authority"
        ].unique()
        total = panel.counts(outcome).sum(axis=0) + published.sel(authority=left_out).sum("authority").values
        printed = observations[f"{outcome}_by_authority_total"].sel(year=panel.years)
        np.testing.assert_allclose(total, printed, atol=5 + 2 * 5)


def test_reasons_for_leaving_out(panel):
    reasons = panel.excluded.set_index("authority")["reason"]
    for code in ("928", "940", "835", "838", "839", "909", "942"):
        assert reasons[code].startswith("boundaries changed")
    assert reasons["201"] == "not published: starts 2013, 2014, 2015"
    assert reasons["420"].startswith("not published")
    assert "later programme" in reasons["336"]
    assert panel.excluded.set_index("authority").loc["336", "years"] == "2024"
    assert not panel.usable[panel.authority == "336", -1].item()


@pytest.mark.parametrize(
    ("release", "informative"), [(2016, False), (2019, False), (2022, False), (2023, True), (2024, True)]
)
def test_what_each_release_can_say(rollout, priors, release, informative):
    """Four councils began in 2017-18 and the rest from 2020 on; release 2019 published no starts."""
    then = authority_panel(cba.load_observations(release), rollout, priors)
    assert (then.not_informative == "") is informative
    assert then.years[-1] == (2018 if release == 2019 else release)


def test_release_that_says_nothing_gives_a_typed_answer(rollout, priors):
    fit = fit_authority_panel(cba.load_observations(2016), rollout, priors)
    assert "posterior" not in fit.children
    assert "only 0 authorities" in fit.attrs["not_informative"]
    assert panel_finding(fit) is None


# Launches


def test_launch_dates_and_how_they_are_known(rollout, priors):
    launches = programme_launches(rollout, priors)
    table = launches.table.set_index("authority_name")
    assert table["known"].value_counts().to_dict() == {
        "date not published": 9,
        "dated before practice changed": 8,
        "date published": 7,
        "known to the year": 1,
    }
    assert table.loc["Telford and Wrekin", "earliest"] == pytest.approx(2021 + 178 / 365)
    assert table.index[table["innovator"]].tolist() == ["Leeds", "Hertfordshire", "North Yorkshire"]
    # five equally likely dates hold the prior's mean exactly for a uniform prior
    assert launches.dates[table.index.get_loc("Swindon")].mean() == pytest.approx(2021.375)
    assert launches.dates[table.index.get_loc("Luton")].mean() == pytest.approx(2017 + 120 / 365 + 0.75)


@pytest.mark.parametrize("outcome", ["starts", "stock"])
@pytest.mark.parametrize("launch", [2019.9, 2020.25, 2020.6, 2021.1, 2025.0])
def test_years_since_launch_by_quadrature(outcome, launch):
    years = np.arange(2019, 2025)
    found = years_since_launch(np.array([launch]), years, outcome=outcome)[0]
    for year, value in zip(years, found, strict=True):
        end = year + 0.25
        if outcome == "stock":
            assert value == pytest.approx(max(end - launch, 0.0))
            continue
        points = [launch] if end - 1 < launch < end else None
        mean, error = integrate.quad(lambda t: max(t - launch, 0.0), end - 1, end, points=points)
        assert value == pytest.approx(mean, abs=10 * error + 1e-9)


def test_bad_date_names_file_field_and_remedy():
    with pytest.raises(InputError) as refused:
        calendar_year("spring 2020")
    for word in ("programme_rollout.csv", "date", "spring 2020", "YYYY-MM", "hyphens"):
        assert word in str(refused.value)


def test_authority_in_two_programmes_is_refused(rollout, priors):
    second = rollout.iloc[[1]].assign(programme="No Wrong Door (North Yorkshire)")
    with pytest.raises(InputError, match="two programmes") as refused:
        programme_launches(pd.concat([rollout, second]), priors)
    assert "Darlington" in str(refused.value)


# The likelihood


def small(panel):
    """Six authorities of the panel: two never launched, two with a known date (one an inventor), two uncertain."""
    keep = [k for k, name in enumerate(panel.launches.table["authority_name"]) if name in CHOSEN]
    rows = np.concatenate([[3, 40], panel.launch_row[keep]])
    base = panel_rows(panel, rows)
    table = panel.launches.table.iloc[keep].reset_index(drop=True)
    return replace(base, launches=Launches(table, panel.launches.dates[keep]), launch_row=np.arange(2, 6))


CHOSEN = ("North Yorkshire", "Walsall", "Swindon", "Luton")


def test_likelihood_against_scipy(panel, priors):
    """The model's log likelihood at a random point, with the uncertain dates averaged by hand."""
    few = small(panel)
    few.usable[0, 5] = False
    model, data = build_authority_panel(few, priors), panel_arrays(few)
    rng = np.random.default_rng(5)
    point = {k: v + 0.3 * rng.standard_normal(np.shape(v)) for k, v in model.initial_point().items()}
    names = [v.name for v in [*model.free_RVs, *model.deterministics]]
    outputs = model.replace_rvs_by_values([*(model[name] for name in names), *model.potentials])
    evaluate = model.compile_fn(outputs, inputs=model.value_vars, point_fn=True, mode="FAST_COMPILE")
    *values, found = evaluate(point)
    value = dict(zip(names, values, strict=True))
    assert float(found) == pytest.approx(_by_hand(few, data, value), rel=1e-9)


def _by_hand(few, data, value):
    total = 0.0
    region = {name: k for k, name in enumerate(np.unique(few.region))}
    for o, outcome in enumerate(("starts", "stock")):
        counts = few.counts(outcome)
        rate = np.log(counts / few.population)
        rate -= rate.mean()
        p, size = value["persistence"][o], value["overdispersion"][o] ** -2.0
        for place, row in enumerate(data.order):
            launch = np.flatnonzero(few.launch_row == row)
            dates = few.launches.dates[launch[0]] if launch.size else [np.inf]
            by_date = []
            for date in dates:
                if launch.size and few.launches.innovator[launch[0]]:
                    theta = value["innovator_effect"][o]
                elif launch.size:
                    theta = value["programme_effect"][o, few.launches.programme[launch[0]]]
                else:
                    theta = 0.0
                since = years_since_launch(np.array(date), few.years, outcome=outcome)
                path = theta * (1 - np.exp(-since / value["ramp_years"][o]))
                log_lik = 0.0
                for t in range(1, len(few.years)):
                    if not (few.usable[row, t] and few.usable[row, t - 1]):
                        continue
                    log_mean = (
                        np.log(few.population[row, t])
                        + np.log(counts / few.population).mean()
                        + p * (rate[row, t - 1] - rate[row, 0])
                        + value["lasting_weight"][o] * rate[row, 0]
                        + value["authority_sd"][o] * value["authority_level"][o, place]
                        + value["trend_sd"][o]
                        * value["authority_trend"][o, place]
                        * (few.years[t] - few.years[1:].mean())
                        + value["year_shock"][o, t - 1]
                        + value["region_year_sd"][o]
                        * value["region_shock"][o, region[few.region[row]], t - 1]
                        + path[t]
                        - p * path[t - 1]
                    )
                    chance = size / (size + np.exp(log_mean))
                    log_lik += stats.nbinom.logpmf(counts[row, t], size, chance)
                by_date.append(log_lik)
            total += np.logaddexp.reduce(by_date) - np.log(len(by_date))
    return total


# Recovery, placebos and other estimators


def simulated(panel, scales, *, outcome, effect, rng):
    """Counts made by the model itself from the real first year, with launches at one of their candidate dates."""
    rows, years = panel.starts.shape
    rate = np.log(panel.counts(outcome) / panel.population)
    mean, first = rate.mean(), rate[:, 0] - rate.mean()
    region = np.unique(panel.region, return_inverse=True)[1]
    path = np.zeros((rows, years))
    pick = rng.integers(panel.launches.dates.shape[1], size=len(panel.launch_row))
    dates = panel.launches.dates[np.arange(len(pick)), pick]
    since = years_since_launch(dates, panel.years, outcome=outcome)
    path[panel.launch_row] = effect * (1 - np.exp(-since / scales.ramp_years))
    level = scales.authority_sd * rng.standard_normal(rows)
    trend = scales.trend_sd * rng.standard_normal(rows)
    counts = panel.counts(outcome).copy()
    size = scales.overdispersion**-2.0
    for t in range(1, years):
        before = np.log(np.maximum(counts[:, t - 1], 1.0) / panel.population[:, t - 1]) - mean
        log_mean = (
            np.log(panel.population[:, t]) + mean + scales.persistence * (before - first)
            + scales.lasting_mean * first + level + trend * (t - years / 2)
            + 0.03 * rng.standard_normal() + scales.region_year_sd * rng.standard_normal(region.max() + 1)[region]
            + path[:, t] - scales.persistence * path[:, t - 1]
        )  # fmt: skip
        counts[:, t] = np.maximum(rng.negative_binomial(size, size / (size + np.exp(log_mean))), 1)
    return replace(panel, **{outcome: counts})


@pytest.mark.parametrize("outcome", ["starts", "stock"])
def test_quick_method_recovers_a_simulated_effect(panel, outcome):
    """Twenty panels: no bias beyond Monte Carlo error and shrinkage, and intervals that cover as they should."""
    scales, truth = SCALES[outcome]._replace(programme_sd=1e-3), -0.2
    at_horizon = truth * (1 - np.exp(-HORIZON / scales.ramp_years))
    rng = np.random.default_rng(11)
    found = []
    for _ in range(PANELS):
        made = simulated(panel, scales, outcome=outcome, effect=truth, rng=rng)
        found.append(quick_effect(null_fit(made, scales, outcome=outcome), made.launches, made.launch_row))
    effects, errors = np.array([f.effect for f in found]), np.array([f.se for f in found])
    prior_pull = np.mean(errors**2) / (scales.effect_sd * at_horizon / truth) ** 2
    tolerance = 3 * effects.std(ddof=1) / np.sqrt(PANELS)
    # One step from no effect and mean exposures bend an effect of a fifth by up to a tenth of itself.
    assert abs(effects.mean() - at_horizon * (1 - prior_pull)) < tolerance + 0.1 * abs(at_horizon)
    covered = (np.abs(effects - at_horizon) < 1.645 * errors).sum()
    assert stats.binom.cdf(covered, PANELS, 0.9) > 0.001


def imputed(panel, outcome, ramp):
    """Effect at the horizon by imputation (Borusyak, Jaravel and Spiess 2024), and its bootstrap standard error.

    Log rates; authority and year effects from cells without a programme only; launches at their median date.
    """
    spread = ~panel.launches.innovator
    since = np.zeros(panel.starts.shape)
    dates = np.median(panel.launches.dates, axis=1)[spread]
    since[panel.launch_row[spread]] = years_since_launch(dates, panel.years, outcome=outcome)
    keep = np.setdiff1d(np.arange(len(since)), panel.launch_row[~spread])
    log_rate = np.log(panel.counts(outcome) / panel.population)[keep]
    since, usable = since[keep], panel.usable[keep]

    def estimate(rows):
        y, k, use = log_rate[rows], since[rows], usable[rows]
        row, year = np.nonzero(use & (k == 0))
        design = np.hstack([np.eye(len(y))[row], np.eye(y.shape[1])[year]])
        terms = np.linalg.lstsq(design, y[row, year], rcond=None)[0]
        gap = y - terms[: len(y), None] - terms[len(y) :]
        grown, after = 1 - np.exp(-k / ramp), use & (k > 0)
        slope = (grown * gap)[after].sum() / (grown**2)[after].sum()
        return slope * (1 - np.exp(-HORIZON / ramp))

    began, never = np.flatnonzero(since.any(axis=1)), np.flatnonzero(~since.any(axis=1))
    rng = np.random.default_rng(2)
    again = [
        estimate(np.concatenate([rng.choice(began, len(began)), rng.choice(never, len(never))]))
        for _ in range(40)
    ]
    return estimate(np.arange(len(since))), float(np.std(again, ddof=1))


@pytest.mark.parametrize("outcome", ["starts", "stock"])
def test_imputation_estimator_agrees(panel, outcome):
    """Another estimator on the same series: the same sign, and within its own 95% interval of ours."""
    scales = SCALES[outcome]
    ours = quick_effect(null_fit(panel, scales, outcome=outcome), panel.launches, panel.launch_row)
    theirs, error = imputed(panel, outcome, scales.ramp_years)
    assert np.sign(theirs) == np.sign(ours.effect) == -1
    assert abs(theirs - ours.effect) < 1.96 * error


def event_study(panel, outcome):
    """Cohort by cohort against authorities that never launched (Callaway and Sant'Anna 2021), by years since launch.

    Log rates; the base is the last year before any exposure; returns mean and standard error for each event year.
    """
    spread = ~panel.launches.innovator
    log_rate = np.where(panel.usable, np.log(panel.counts(outcome) / panel.population), np.nan)
    never = np.setdiff1d(np.arange(len(log_rate)), panel.launch_row)
    dates = np.median(panel.launches.dates, axis=1)[spread]
    since = years_since_launch(dates, panel.years, outcome=outcome)
    gaps: dict[int, list[float]] = {}
    for row, k in zip(panel.launch_row[spread], since, strict=True):
        base = int(np.flatnonzero(k == 0)[-1])
        usual = np.nanmean(log_rate[never] - log_rate[never, base][:, None], axis=0)
        for t, gap in enumerate(log_rate[row] - log_rate[row, base] - usual):
            gaps.setdefault(t - base, []).append(gap)
    return {e: (np.mean(g), np.std(g, ddof=1) / np.sqrt(len(g))) for e, g in gaps.items() if len(g) >= 10}


@pytest.mark.parametrize("outcome", ["starts", "stock"])
def test_event_study_agrees_after_launch(panel, outcome):
    """In each year after launch that ten or more adopters have reached, our path is within three of its errors."""
    scales = SCALES[outcome]
    ours = quick_effect(null_fit(panel, scales, outcome=outcome), panel.launches, panel.launch_row)
    full = ours.effect / (1 - np.exp(-HORIZON / scales.ramp_years))
    after = {e: v for e, v in event_study(panel, outcome).items() if e > 0}
    assert sorted(after) == [1, 2, 3, 4]
    for event, (gap, error) in after.items():
        path = full * (1 - np.exp(-(event - 0.5) / scales.ramp_years))
        assert abs(path - gap) < 3 * error
    assert np.mean([gap for gap, _ in after.values()]) < 0


def test_joiners_had_been_rising(panel):
    """Why the design is biased: before joining, numbers looked after rose against authorities that never joined."""
    before = event_study(panel, "stock")
    early = np.mean([before[e][0] for e in (-7, -6, -5)])
    late = np.mean([before[e][0] for e in (-3, -2, -1)])
    assert late - early > 2 * np.mean([before[e][1] for e in (-7, -6, -5)])


def test_placebo_adopters_centre_on_no_effect(panel):
    """Random authorities given the real launches: centred on zero, and spread about as the method's errors say."""
    table = placebo_adopters(panel, fitted(**SCALES), sets=100, seed=1)
    position = placebo_position(table).set_index("outcome")
    for outcome in SCALES:
        found = position.loc[outcome]
        # Sets overlap, so the mean of 100 of them is uncertain by more than sd / 10: a quarter of sd is generous.
        assert abs(found["placebo_mean"]) < 0.25 * found["placebo_sd"]
        assert 0.5 < found["placebo_sd"] / found["typical_se"] < 1.25


def test_placebo_dates_leave_out_what_came_after(panel):
    """Multiplying every count after launch by ten cannot move the placebo dates, and moves the real ones."""
    rows, launches = panel.launch_row, panel.launches
    after = panel.years[None, :] + 0.25 > launches.table["earliest"].to_numpy()[:, None]
    changed = panel.stock.copy()
    changed[rows] = np.where(after, changed[rows] * 1.5, changed[rows])
    fit = fitted(**SCALES)
    plain = placebo_dates(panel, fit, shifts=(3,)).set_index(["outcome", "shift"])
    moved = placebo_dates(replace(panel, stock=changed), fit, shifts=(3,)).set_index(["outcome", "shift"])
    assert moved.loc[("stock", 3), "effect"] == pytest.approx(plain.loc[("stock", 3), "effect"], abs=2e-3)
    assert moved.loc[("stock", 0), "effect"] > plain.loc[("stock", 0), "effect"] + 0.1


# What is handed on


def test_finding_summarises_the_draws():
    rng = np.random.default_rng(0)
    draws = xr.Dataset(
        {
            "effect": (("chain", "draw", "outcome"), rng.normal(-0.1, 0.05, (2, 4000, 1))),
            "innovator_effect": (("chain", "draw", "outcome"), np.zeros((2, 4000, 1))),
            "ramp_years": (("chain", "draw", "outcome"), np.full((2, 4000, 1), 2.0)),
        },
        coords={"outcome": ["starts"]},
    )
    constant = xr.Dataset(
        {"coverage": ("quantile", [0.25, 0.6, 0.9])}, coords={"quantile": [0.05, 0.5, 0.95]}
    )
    fit = xr.DataTree.from_dict({"posterior": with_paths(draws), "constant_data": constant})
    fit.attrs = {"not_informative": "", "release": 2024}
    grown = 1 - np.exp(-2.5)
    found = panel_finding(fit)
    assert found.log_change == pytest.approx(-0.1 * grown, abs=4 * 0.05 / np.sqrt(8000))
    assert found.se == pytest.approx(0.05 * grown, rel=4 / np.sqrt(16000))
    assert (found.coverage_low, found.coverage_high, found.known_by) == (0.25, 0.9, 2024)
    assert panel_finding(fit, placebo_sd=0.2).se == 0.2


@pytest.mark.slow
def test_fit_of_the_real_panel_agrees_with_the_quick_method_and_with_what_is_kept(
    observations, rollout, priors, panel
):
    """Two methods, one panel: means within half a posterior standard deviation, errors within a quarter."""
    from cba.models.authorities import quick_effects

    fit = fit_authority_panel(observations, rollout, priors)
    kept = pd.read_csv(RESULTS / "summary.csv").set_index("outcome")
    quick = quick_effects(panel, fit)
    for outcome, found in quick.items():
        draws = fit["posterior"]["at_horizon"].sel(outcome=outcome)
        assert abs(float(draws.mean()) - found.effect) < 0.5 * float(draws.std())
        assert found.se == pytest.approx(float(draws.std()), rel=0.25)
        assert abs(float(draws.mean()) - kept.loc[outcome, "log_mean"]) < 0.2 * float(draws.std())
