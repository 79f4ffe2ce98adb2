"""Forecasts by authority, scored: the conditional forecast against a dense normal, the account, gaps and verdicts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from cba.inputs.observations import load_observations
from cba.inputs.priors import load_priors
from cba.models.authorities import figures_covariance, own_covariance
from cba.models.authority_data import AuthorityPanel
from cba.validation.authority_skill import (
    CONSTANT,
    DRIFT,
    HOLDING,
    JOINT,
    LAST,
    WALK,
    WITH_MEMORY,
    asked_beforehand,
    by_horizon,
    by_size,
    gap,
    joint_stock,
    likeliest_values,
    panel_at,
    published_stock,
    rates_ahead,
    seen_at,
)
from cba.validation.scores import block_error

VALUES = {
    "persistence": np.array([0.8, 0.6]),
    "shock_sd": np.array([0.13, 0.1]),
    "level_sd": np.array([0.25, 0.18]),
    "noise_sd": np.array([0.05, 0.06]),
    "shock_correlation": np.array(0.75),
    "level_correlation": np.array(0.4),
    "region_year_sd": np.array([0.03, 0.04]),
    "year_sd": np.array(0.5),
}


def panel_of(authorities: int, years: int, *, regions: int = 2, seed: int = 1) -> AuthorityPanel:
    rng = np.random.default_rng(seed)
    shape = (authorities, 2, years)
    return AuthorityPanel(
        authority=np.array([f"{900 + i}" for i in range(authorities)]),
        region=np.array([f"r{i % regions}" for i in range(authorities)]),
        years=np.arange(2011, 2011 + years),
        value=0.3 * rng.standard_normal(shape),
        noise=rng.uniform(0.002, 0.02, shape),
        account=(0.35, 0.28),
        launches=None,  # type: ignore[arg-type]  # none is read
        launch_row=np.zeros(0, dtype=int),
        excluded=pd.DataFrame(),
        release=2020,
        children="",
    )


def test_figures_ahead_have_the_law_of_a_dense_normal_given_the_past():
    """Cov of all cells written out, then mean and covariance of the ones ahead given the ones behind."""
    panel, years, draws = panel_of(5, 4), 2, 40_000
    size, span = len(panel.authority), 4 + years
    every = np.arange(2011, 2011 + span)
    steps = np.tril(np.ones((span, span)))
    later = steps[:, 1:]
    own = own_covariance(VALUES, every)
    region = np.array([int(r[1:]) for r in panel.region])
    centred = np.eye(2) - 0.5
    whole = np.zeros((size, 2 * span, size, 2 * span))
    for i in range(size):
        whole[i, :, i] += own
        for j in range(size):
            for o in range(2):
                cell = slice(o * span, (o + 1) * span)
                walk = VALUES["region_year_sd"][o] ** 2 * centred[region[i], region[j]] * later @ later.T
                whole[i, cell, j, cell] += walk + VALUES["year_sd"] ** 2 * steps @ steps.T
    noise = np.concatenate([panel.noise, np.repeat(panel.noise[..., -1:], years, axis=2)], axis=2)
    dense = whole.reshape(size * 2 * span, -1)
    dense += np.diag((noise + VALUES["noise_sd"][:, None] ** 2).ravel())
    behind = np.broadcast_to(np.arange(span) < 4, (size, 2, span)).ravel()
    gain = dense[~behind][:, behind] @ np.linalg.inv(dense[behind][:, behind])
    mean = gain @ panel.value.ravel()
    covariance = dense[~behind][:, ~behind] - gain @ dense[behind][:, ~behind]
    found = rates_ahead(panel, VALUES, years=years, draws=draws, seed=3).reshape(-1, draws)
    sd = np.sqrt(np.diag(covariance))
    assert np.abs((found.mean(axis=1) - mean) / sd).max() < 4.5 / np.sqrt(draws)
    drawn = np.corrcoef(found)
    exact = covariance / np.outer(sd, sd)
    assert np.abs(drawn - exact).max() < 4.5 / np.sqrt(draws)
    np.testing.assert_allclose(found.std(axis=1), sd, rtol=4.5 / np.sqrt(2 * draws))


def test_likeliest_covariance_is_the_one_that_made_the_panel():
    """Mean over panels made from known parameters within 4.5 standard errors of them, or 15% of each."""
    priors, panel = load_priors(), panel_of(100, 8, regions=4)
    root = np.linalg.cholesky(figures_covariance(panel, VALUES))
    made = []
    for seed in range(3):
        drawn = (root @ np.random.default_rng(seed).standard_normal((100, 16, 1))).reshape(panel.value.shape)
        made.append(likeliest_values(_with(panel, drawn), priors))
    for name in ("persistence", "shock_sd", "level_sd", "shock_correlation"):
        found = np.array([one[name] for one in made])
        allowed = np.maximum(4.5 * found.std(axis=0, ddof=1) / np.sqrt(3), 0.15 * VALUES[name])
        assert (np.abs(found.mean(axis=0) - VALUES[name]) < allowed).all(), name


def _with(panel: AuthorityPanel, value: np.ndarray) -> AuthorityPanel:
    return replace(panel, value=value)


def test_where_no_rate_moves_stock_follows_last_years_account():
    panel = panel_of(2, 3)
    years = [2012, 2013]
    flows = {
        "stock": pd.DataFrame([[400.0, 420.0], [1000.0, 990.0]], index=panel.authority, columns=years),
        "starts": pd.DataFrame([[0.0, 150.0], [0.0, 300.0]], index=panel.authority, columns=years),
        "ceases": pd.DataFrame([[0.0, 140.0], [0.0, 320.0]], index=panel.authority, columns=years),
    }
    ahead = np.repeat(panel.value[:, :, -1, None, None], 2, axis=2)
    found = joint_stock(panel, flows, ahead)
    closure = (10.0 - 450.0 + 460.0) / 450.0
    share = 140.0 / (400.0 + 75.0)
    one = (1 - share) * 420.0 + (1 - share / 2 + closure) * 150.0
    two = (1 - share) * one + (1 - share / 2 + closure) * 150.0
    np.testing.assert_allclose(found[0, :, 0], [one, two])


@pytest.mark.parametrize(("origin", "release"), [(2018, 2018), (2019, 2021), (2020, 2021), (2022, 2022)])
def test_origins_read_the_first_release_that_tells_their_flows(origin, release):
    seen = seen_at(origin)
    assert seen.attrs["release"] == release and int(seen["year"][-1]) == origin
    panel = panel_at(seen, load_priors())
    assert panel.years[-1] == origin and np.isfinite(panel.noise).all() and len(panel.authority) == 148


def test_a_merged_authority_is_scored_against_its_predecessors_together():
    """Three councils of 2018 became two in 2019: one unit before and after."""
    after = published_stock(2021)["835+836+837+838+839"]
    codes = ["838", "839"]
    printed = load_observations(2021)["stock_by_authority"].sel(year=2021, authority=codes)
    assert after == float(printed.sum())
    before = load_observations(2018)["stock_by_authority"].sel(year=2018, authority=["835", "836", "837"])
    assert published_stock(2018)["835+836+837+838+839"] == float(before.sum())


# What scores come to


def scored(better: float = 0.0, held: float = 0.8) -> pd.DataFrame:
    """Made scores: six origins, five horizons, 40 units; the shipped shares better than all by so many children."""
    rng, rows = np.random.default_rng(2), []
    for origin in range(2015, 2021):
        for ahead in range(1, 6):
            for unit in range(40):
                base = 10.0 + ahead + rng.normal()
                for name in (WALK, WITH_MEMORY, JOINT, CONSTANT, LAST, DRIFT):
                    crps = base - better * (name == WITH_MEMORY) + 0.01 * rng.normal()
                    inside = float(unit < held * 40), float(unit < (held + 0.1) * 40)
                    rows.append((origin, ahead, f"{unit}", name, crps, *inside, 1 + unit % 4, 100.0 + unit))
    columns = [
        "origin",
        "ahead",
        "quantity",
        "forecast",
        "crps",
        "inside_80",
        "inside_90",
        "quarter",
        "children",
    ]
    return pd.DataFrame(rows, columns=columns)


def test_the_error_of_a_gap_is_the_larger_of_two():
    scores = scored(better=1.0)
    apart, error = gap(scores, WITH_MEMORY, against=WALK)
    wide = scores.pivot_table(index=["origin", "ahead", "quantity"], columns="forecast", values="crps")
    each = (wide[WITH_MEMORY] - wide[WALK]).unstack("quantity").to_numpy().reshape(6, 5, 40)
    assert apart == pytest.approx(each.mean()) and apart == pytest.approx(-1.0, abs=0.01)
    over_units = each.mean(axis=(0, 1)).std(ddof=1) / np.sqrt(40)
    assert error == pytest.approx(max(block_error(each.mean(axis=(1, 2))), over_units))


def test_verdicts_follow_the_rule():
    """One better by a child and with intervals that hold meets all; one worse, or with others, does not."""
    good = asked_beforehand(scored(better=1.0)).set_index(["forecast", "asked"])["met"]
    assert good[WITH_MEMORY].all() and not good[JOINT, f"better than {WALK} by two standard errors"]
    assert good[JOINT, "77% to 83% of 80% intervals hold at every horizon"]
    bad = asked_beforehand(scored(better=-1.0, held=0.5)).set_index(["forecast", "asked"])["met"]
    assert not bad[WITH_MEMORY].any()
    low, high = HOLDING[80]
    assert not asked_beforehand(scored(held=low - 0.02)).query("asked.str.contains('80%')")["met"].any()
    assert not asked_beforehand(scored(held=high + 0.02)).query("asked.str.contains('80%')")["met"].any()


def test_tables_average_what_was_scored():
    scores = scored()
    table = by_horizon(scores).set_index(["forecast", "ahead"])
    own = scores[(scores["forecast"] == LAST) & (scores["ahead"] == 3)]
    assert table.loc[(LAST, 3), "crps"] == pytest.approx(own["crps"].mean())
    assert table.loc[(WALK, 2), "crps_less_walk"] == 0.0 and table.loc[(WALK, 2), "forecasts"] == 240
    sizes = by_size(scores)
    assert sizes["quarter"].tolist()[:4] == [1, 2, 3, 4]
    first = sizes[sizes["forecast"] == WALK].iloc[0]
    quarter = scores[(scores["forecast"] == WALK) & (scores["quarter"] == 1)]
    assert first["relative_crps"] == pytest.approx((quarter["crps"] / quarter["children"]).mean())
