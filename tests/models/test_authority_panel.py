"""The panel of authorities: who is in it, the density and the closed form against dense normals, recovery, placebos."""

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
    KEPT,
    build_authority_panel,
    exposures,
    figures_covariance,
    least_squares,
    mean_values,
    own_covariance,
    reached,
)
from cba.models.authority_data import (
    NO_WEIGHT,
    UNDATED,
    _by_unit,
    _unaccompanied,
    _units,
    authority_panel,
    calendar_year,
    exposure,
    programme_launches,
)
from cba.models.authority_findings import (
    OUTCOMES,
    PATH_YEARS,
    by_dates,
    by_programme,
    panel_rows,
    placebo_adopters,
    placebo_position,
    simulated_panels,
    stock_path,
)

VALUES = {
    "effect": [0.0, 0.0],
    "innovator_effect": [0.0, 0.0],
    "ramp_years": [1.95, 2.96],
    "persistence": [0.756, 0.833],
    "shock_sd": [0.146, 0.122],
    "level_sd": [0.276, 0.136],
    "noise_sd": [0.04, 0.0675],
    "region_year_sd": [0.034, 0.0395],
    "shock_correlation": 0.765,
    "level_correlation": 0.313,
}
"""Near what the fit of release 2024 finds, so that the closed form needs no sampler here."""


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


@pytest.fixture(scope="module")
def fit():
    """A fit reduced to what the closed form reads, every draw at the values given."""
    dims = {name: ("chain", "draw", "outcome")[: 2 + np.ndim(v)] for name, v in VALUES.items()}
    draws = {name: (dims[name], np.array(v)[None, None]) for name, v in VALUES.items()}
    return xr.DataTree.from_dict({"posterior": xr.Dataset(draws, coords={"outcome": list(OUTCOMES)})})


@pytest.fixture(scope="module")
def values(fit, priors):
    return mean_values(fit, priors)


# Who is in the panel


@pytest.mark.parametrize("name", ["starts", "stock", "ceases"])
def test_every_child_is_in_the_panel_or_named_as_left_out(panel, observations, name):
    """Both together add up to the total printed beside them: rounded to ten, with two tiny councils suppressed."""
    _, unit = _units(observations)
    sums = _by_unit(observations, f"{name}_by_authority", unit)[panel.years]
    named = [code for code in panel.excluded["authority"] if code]  # no code: said of every authority
    left_out = [code for code in named if code not in panel.authority]
    assert sorted(left_out) == ["201", "420"]
    published = observations[f"{name}_by_authority"].sel(year=panel.years, authority=left_out)
    total = sums.loc[panel.authority].sum() + published.sum("authority").to_series()
    printed = observations[f"{name}_by_authority_total"].sel(year=panel.years)
    np.testing.assert_allclose(total, printed, atol=5 + 2 * 5)


def test_reasons_for_leaving_out_and_joining(panel):
    reasons = panel.excluded.groupby("authority")["reason"].apply("; ".join)
    assert len(panel.authority) == 148 and panel.years.tolist() == list(range(2011, 2025))
    assert reasons["201"].startswith("not published: starts 2011, 2012")
    for unit in ("835+836+837+838+839", "909+942+943", "928+940+941"):
        assert unit in panel.authority and "added together" in reasons[unit]
    for unit in ("336", "925", "835+836+837+838+839"):
        assert "later programme" in reasons[unit]
        assert (panel.noise[panel.authority == unit, :, -1] == NO_WEIGHT).all()
    assert (panel.noise == NO_WEIGHT).sum() == 6


@pytest.mark.parametrize(("release", "children"), [(2018, "not unaccompanied"), (2022, "all children")])
def test_which_children_a_release_tells(rollout, priors, release, children):
    """From 2021 to 2023 the number of unaccompanied children was not published by authority."""
    then = authority_panel(cba.load_observations(release), rollout, priors)
    assert then.years[-1] == release and children in then.children


def test_unaccompanied_children_add_up_to_england_and_close_their_account(observations):
    _, unit = _units(observations)
    alone, doubt = _unaccompanied(observations, unit, leave_share=0.55)
    years = range(2011, 2025)
    england = observations["uasc_stock"].to_series()
    np.testing.assert_allclose(alone["stock"][years].sum(), england[years])
    published = observations["uasc_starts"].to_series()[2019:]
    np.testing.assert_allclose(alone["starts"][published.index].sum(), published)
    change = (alone["starts"] - alone["ceases"])[years].sum()
    np.testing.assert_allclose(change, england.diff()[years], atol=1e-6)
    assert (alone["starts"][years] >= 0).all().all() and (doubt["starts"][years] >= 0).all().all()


# Launches


def test_launch_dates_and_how_they_are_known(rollout, priors):
    launches = programme_launches(rollout, priors)
    table = launches.table.set_index("authority_name")
    assert table["known"].value_counts().to_dict() == {
        UNDATED: 9,
        "dated before practice changed": 8,
        "date published": 7,
        "known to the year": 1,
    }
    assert table.loc["Telford and Wrekin", "earliest"] == pytest.approx(2021 + 178 / 365)
    assert table.index[table["innovator"]].tolist() == ["Leeds", "Hertfordshire", "North Yorkshire"]
    # five equally likely dates hold the prior's mean exactly for a uniform prior
    assert launches.dates[table.index.get_loc("Swindon")].mean() == pytest.approx(2021.375)
    assert launches.dates[table.index.get_loc("Luton")].mean() == pytest.approx(2017 + 120 / 365 + 0.75)


@pytest.mark.parametrize("launch", [2019.9, 2020.25, 2020.6, 2021.1, 2025.0])
def test_exposure_by_quadrature(launch):
    years, ramp = np.arange(2019, 2025), 2.3
    found = exposure(np.array([launch]), years, ramp)[0]
    for year, value in zip(years, found, strict=True):
        end = year + 0.25
        points = [launch] if end - 1 < launch < end else None
        mean, error = integrate.quad(
            lambda t: -np.expm1(-max(t - launch, 0.0) / ramp), end - 1, end, points=points
        )
        assert value == pytest.approx(mean, abs=10 * error + 1e-9)


def test_an_uncertain_launch_is_the_mean_over_its_dates(panel):
    """Not the exposure at the mean date: the curve is bent."""
    uncertain = np.flatnonzero((panel.launches.table["known"] == UNDATED).to_numpy())[:1]
    one = panel.launches.of(np.isin(np.arange(25), uncertain))
    found = exposures(one, panel.years, np.array([2.0, 3.0]))[0]
    for place, ramp in enumerate((2.0, 3.0)):
        by_date = [exposure(np.array([date]), panel.years, ramp)[0] for date in one.dates[0]]
        np.testing.assert_allclose(found[place], np.mean(by_date, axis=0))


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


# The model and its closed form


def few(panel):
    """Nine authorities in three regions, five of them with launches, two inventors; one year does not count."""
    keep = np.isin(panel.launches.table["authority_name"], CHOSEN)
    rows = np.concatenate([panel.launch_row[keep], [3, 40, 70, 100]])
    some = panel_rows(panel, rows)
    noise = some.noise.copy()
    noise[0, :, 5] = NO_WEIGHT
    regions = np.array(["a", "b", "c"])[np.arange(9) % 3]
    launches = panel.launches.of(keep)
    return replace(some, noise=noise, region=regions, launches=launches, launch_row=np.arange(5))


CHOSEN = ("North Yorkshire", "Leeds", "Walsall", "Swindon", "Luton")


def test_covariance_of_an_authority_by_simulation():
    """Both deviations start where they settle, and shocks of one year go together."""
    years, rng = np.arange(2011, 2015), np.random.default_rng(8)
    held = {name: np.array(value) for name, value in VALUES.items()}
    rho, size = 2 * VALUES["shock_correlation"] - 1, 200_000
    cross = np.array([[1.0, rho], [rho, 1.0]])
    shock = np.linalg.cholesky(cross * np.outer(held["shock_sd"], held["shock_sd"]))
    share = held["persistence"]
    x, path = np.zeros((size, 2)), []
    for year in range(80):
        x = share * x + rng.standard_normal((size, 2)) @ shock.T
        path += [x] if year >= 76 else []
    made = np.cov(np.stack(path, axis=2).reshape(size, -1), rowvar=False)
    level = 2 * VALUES["level_correlation"] - 1
    levels = np.array([[1.0, level], [level, 1.0]]) * np.outer(held["level_sd"], held["level_sd"])
    expected = made + np.kron(levels, np.ones((4, 4)))
    np.testing.assert_allclose(own_covariance(held, years), expected, atol=5 * 0.05 / np.sqrt(size) * 2)


def test_density_against_scipy(panel, priors):
    """The model's log likelihood at a random point, with mean and covariance put together by hand."""
    some = few(panel)
    model = build_authority_panel(some, priors)
    rng = np.random.default_rng(5)
    point = {k: v + 0.3 * rng.standard_normal(np.shape(v)) for k, v in model.initial_point().items()}
    names = [rv.name for rv in model.free_RVs]
    outputs = model.replace_rvs_by_values([model[name] for name in names])
    outputs += [model.logp(vars=model.observed_RVs, sum=False)[0]]
    evaluate = model.compile_fn(outputs, inputs=model.value_vars, point_fn=True, mode="FAST_COMPILE")
    *drawn, found = evaluate(point)
    value = dict(zip(names, drawn, strict=True))
    covariance = figures_covariance(some, value)
    region = {name: place for place, name in enumerate(np.unique(some.region))}
    for row, log in enumerate(found):
        mean = np.zeros((2, len(some.years)))
        for o in range(2):
            for t in range(len(some.years)):
                walk = value["region_step"][o, :t, region[some.region[row]]].sum()
                mean[o, t] = value["year_step"][o, : t + 1].sum() + value["region_year_sd"][o] * walk
            if row < 5:
                first = some.launches.innovator[row]
                theta = value["innovator_effect" if first else "effect"][o]
                for date in some.launches.dates[row]:
                    mean[o] += theta * exposure(np.array(date), some.years, value["ramp_years"][o]) / 5
        exact = stats.multivariate_normal(mean.ravel(), covariance[row])
        assert log == pytest.approx(exact.logpdf(some.value[row].ravel()), rel=1e-8)


def test_closed_form_against_a_dense_normal(panel, values):
    """Effects and all figures as one normal vector, conditioned by brute force."""
    some = few(panel)
    groups = [~some.launches.innovator, some.launches.innovator]
    gain, variance = least_squares(some, values).estimator(some.launches, some.launch_row, groups)
    size, cells = len(some.authority), 2 * len(some.years)
    steps = np.minimum.outer(np.arange(len(some.years)), np.arange(len(some.years)))
    national = np.kron(np.eye(2), values["year_sd"] ** 2 * (steps + 1.0))
    regional = np.kron(np.diag(values["region_year_sd"] ** 2), steps)
    same = (some.region[:, None] == some.region[None, :]) - 1 / 3  # steps add up to zero over three regions
    spread = np.kron(np.ones((size, size)), national) + np.kron(same, regional)
    own = figures_covariance(some, values)
    for row in range(size):
        at = slice(row * cells, (row + 1) * cells)
        spread[at, at] += own[row]
    each, columns = (
        exposures(some.launches, some.years, values["ramp_years"]),
        np.zeros((size, 2, cells // 2, 2, 2)),
    )
    for place, chosen in enumerate(groups):
        for o in range(2):
            columns[some.launch_row[chosen], o, :, place, o] = each[chosen, o]
    design = columns.reshape(size * cells, 4)
    prior = float(values["effect_sd"]) ** 2 * np.eye(4)
    inverse = np.linalg.inv(spread + design @ prior @ design.T)
    grown = np.tile(reached(values["ramp_years"], HORIZON), 2)
    expected = grown * (prior @ design.T @ inverse @ some.value.ravel())
    np.testing.assert_allclose((gain * some.value.reshape(size, -1)).sum(axis=(1, 2)), expected, atol=1e-7)
    exact = prior - prior @ design.T @ inverse @ design @ prior
    np.testing.assert_allclose(variance, exact * np.outer(grown, grown), atol=1e-8)


@pytest.fixture(scope="module")
def made(panel, fit):
    return simulated_panels(panel, fit, number=200, seed=1)


def test_closed_form_recovers_simulated_effects(panel, values, made):
    """On the real layout, each launch at one of its dates: no bias beyond error and shrinkage, and intervals cover."""
    truth, rng = np.array([-0.2, 0.15]), np.random.default_rng(11)
    gain, variance = least_squares(panel, values).estimator(
        panel.launches, panel.launch_row, [~panel.launches.innovator, panel.launches.innovator]
    )
    found = []
    for figures in made:
        dates = np.array([rng.choice(one) for one in panel.launches.dates])
        each = exposures(replace(panel.launches, dates=dates[:, None]), panel.years, values["ramp_years"])
        moved = figures.reshape(panel.value.shape).copy()
        moved[panel.launch_row] += truth[:, None] * each
        found.append((gain[:2] * moved.reshape(len(moved), -1)).sum(axis=(1, 2)))
    found, se = np.array(found), np.sqrt(np.diag(variance)[:2])
    at_horizon = truth * reached(values["ramp_years"], HORIZON)
    shrunk = 1 - (se / (values["effect_sd"] * at_horizon / truth)) ** 2
    error = found.std(axis=0, ddof=1) / np.sqrt(len(found))
    # Dates drawn one by one and exposures averaged over them: up to a twentieth of the effect is lost.
    assert (abs(found.mean(axis=0) - at_horizon * shrunk) < 4 * error + 0.05 * abs(at_horizon)).all()
    covered = (abs(found - at_horizon) < 1.645 * se).sum(axis=0)
    assert (stats.binom.cdf(covered, len(found), 0.9) > 0.001).all()


def imputed(panel, ramp):
    """Effect on starts at the horizon by imputation (Borusyak, Jaravel and Spiess 2024), and its bootstrap error.

    Authority and year effects from cells without a programme only; launches at their median date.
    """
    spread = ~panel.launches.innovator
    grown = np.zeros((len(panel.authority), len(panel.years)))
    dates = np.median(panel.launches.dates, axis=1)[spread]
    grown[panel.launch_row[spread]] = exposure(dates, panel.years, ramp)
    keep = np.setdiff1d(np.arange(len(grown)), panel.launch_row[~spread])
    rates, grown, usable = panel.value[keep, 0], grown[keep], panel.noise[keep, 0] < 0.2

    def estimate(rows):
        y, k, use = rates[rows], grown[rows], usable[rows]
        row, year = np.nonzero(use & (k == 0))
        design = np.hstack([np.eye(len(y))[row], np.eye(y.shape[1])[year]])
        inside = design.T @ design + 1e-9 * np.eye(design.shape[1])
        terms = np.linalg.solve(inside, design.T @ y[row, year])
        gap, after = y - terms[: len(y), None] - terms[len(y) :], use & (k > 0)
        return (k * gap)[after].sum() / (k**2)[after].sum() * reached(ramp, HORIZON)

    began, never = np.flatnonzero(grown.any(axis=1)), np.flatnonzero(~grown.any(axis=1))
    rng = np.random.default_rng(2)
    again = [
        estimate(np.concatenate([rng.choice(began, len(began)), rng.choice(never, len(never))]))
        for _ in range(40)
    ]
    return estimate(np.arange(len(grown))), float(np.std(again, ddof=1))


def test_imputation_estimator_agrees(panel, values, made):
    """Another estimator on the same series: the same sign, and within its own 95% interval of ours."""
    ours = by_dates(panel, values, made[:2]).estimate[0, 0]
    theirs, error = imputed(panel, values["ramp_years"][0])
    assert np.sign(theirs) == np.sign(ours) == -1
    assert abs(theirs - ours) < 1.96 * error


def test_placebo_adopters_centre_on_no_effect(panel, values):
    """Random authorities given the real launches: centred on zero, and spread about as the errors say."""
    table = placebo_adopters(panel, values, sets=100, seed=1)
    position = placebo_position(table).set_index("outcome")
    for outcome in (*OUTCOMES, "stock"):
        # Sets overlap, so the mean of 100 of them is uncertain by more than sd / 10: a quarter of sd is generous.
        assert abs(position.loc[outcome, "placebo_mean"]) < 0.25 * position.loc[outcome, "placebo_sd"]
    assert position.loc[list(OUTCOMES), "wider"].between(0.75, 1.4).all()


def test_placebo_dates_leave_out_what_came_after(panel, values, made):
    """Moving every figure after launch cannot move the placebo dates, and moves the real ones."""
    after = panel.years[None, :] + 0.25 > panel.launches.table["earliest"].to_numpy()[:, None]
    changed = panel.value.copy()
    changed[panel.launch_row] += 0.4 * after[:, None]
    plain = by_dates(panel, values, made[:2]).estimate
    moved = by_dates(replace(panel, value=changed), values, made[:2]).estimate
    np.testing.assert_allclose(moved[1:], plain[1:], atol=1e-3)
    assert (moved[0] > plain[0] + 0.1).all()


def test_simulated_errors_have_the_covariance_of_the_closed_form(panel, values, made):
    """At one set of parameters the errors of real dates are normal with the variance the closed form gives."""
    found = by_dates(panel, values, made)
    _, variance = least_squares(panel, values).estimator(
        panel.launches, panel.launch_row, [~panel.launches.innovator, panel.launches.innovator]
    )
    sd = np.sqrt(np.diag(variance))[:2]
    tolerance = 4 / np.sqrt(2 * len(made))
    assert (abs(found.simulated[:, 0].std(axis=0, ddof=1) / sd - 1) < tolerance + 0.02).all()
    assert np.corrcoef(found.simulated[:, 0].T)[0, 1] == pytest.approx(
        variance[0, 1] / np.prod(sd), abs=4 / np.sqrt(len(made))
    )
    together = np.corrcoef(found.simulated[:, :, 0].T)
    assert together[2, 3] > 0.8 and abs(together[0, 1:]).max() < 4 / np.sqrt(len(made))
    assert (np.diff(found.seen[1:], axis=0) > 0).all() and found.seen[0].tolist() == [1.0, 1.0]


def test_programmes_are_estimated_each_by_itself(panel, values):
    """All figures of one programme's authorities moved along its path: its effect moves by as much, others hardly."""
    chosen = (panel.launches.table["programme"] == "Family Valued").to_numpy() & ~panel.launches.innovator
    changed = panel.value.copy()
    changed[panel.launch_row[chosen]] += (
        0.3 * exposures(panel.launches, panel.years, values["ramp_years"])[chosen]
    )
    moved = (
        by_programme(replace(panel, value=changed), values)["effect"] - by_programme(panel, values)["effect"]
    )
    shrunk = np.repeat([0.0, 1.0, 0.0], 2) * 0.3 * np.tile(reached(values["ramp_years"], HORIZON), 3)
    np.testing.assert_allclose(moved, shrunk, atol=0.04)  # the prior of an effect takes up to a tenth off


def test_stock_follows_the_account_year_by_year():
    """A plain loop over one authority with 1,000 children; no effect leaves it where it was."""
    account, ramp = (0.34, 0.29), np.array([2.0, 3.0])
    effect = np.array([-0.12, 0.05])
    stock, residual = 1000.0, 1000 * 0.29 - (1 - 0.29 / 2) * 340
    expected = []
    for year in PATH_YEARS:
        mean = [integrate.quad(lambda s, r=r: -np.expm1(-s / r), year - 1, year)[0] for r in ramp]
        starts = 340 * np.exp(effect[0] * mean[0])
        share = 1 / (1 + np.exp(-(np.log(0.29 / 0.71) + effect[1] * mean[1])))
        stock = (1 - share) * stock + (1 - share / 2) * starts + residual
        expected.append(np.log(stock / 1000))
    np.testing.assert_allclose(stock_path(effect, ramp, account), expected, atol=1e-10)
    np.testing.assert_allclose(stock_path(np.zeros(2), ramp, account), 0.0, atol=1e-12)


# What is handed on


def test_the_fit_keeps_what_the_closed_form_reads():
    assert set(KEPT) == set(VALUES)
