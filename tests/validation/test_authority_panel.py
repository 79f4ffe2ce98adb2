"""Tables of the panel of authorities against closed forms, on draws made for the purpose."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import stats

from cba.models.authorities import HORIZON
from cba.models.authority_findings import OUTCOMES, SHIFTS, Dated, stock_path
from cba.validation.authority_panel import (
    OUTCOME_WORDS,
    dates_table,
    finding_tables,
    panel_authorities,
    panel_path,
    panel_paths,
    panel_sentence,
    panel_summary,
)

DRAWS, RAMP, SETS, LEVEL = 4000, 2.0, 999, 0.9
GROWN = 1 - np.exp(-HORIZON / RAMP)
EFFECTS = {"starts": (-0.05, 0.1), "exits": (-0.2, 0.05)}
"""Mean and standard deviation of the full effect by outcome."""


def quantiles(mean, sd, size, *, seed):
    z = stats.norm.ppf((np.arange(size) + 0.5) / size)
    return mean + sd * np.random.default_rng(seed).permutation(z)


@pytest.fixture(scope="module")
def fit():
    effect = np.stack([quantiles(*EFFECTS[o], DRAWS, seed=i) for i, o in enumerate(EFFECTS)], axis=-1)
    dims, effect = ("chain", "draw", "outcome"), effect.reshape(4, -1, 2)
    draws = {"effect": effect, "innovator_effect": 2 * effect, "ramp_years": np.full_like(effect, RAMP)}
    posterior = xr.Dataset({k: (dims, v) for k, v in draws.items()}, coords={"outcome": list(EFFECTS)})
    return xr.DataTree.from_dict({"posterior": posterior})


@pytest.fixture(scope="module")
def panel():
    table = pd.DataFrame(
        {
            "authority": ["1", "2", "3", "4"],
            "authority_name": list("ABCD"),
            "programme": "No Wrong Door",
            "innovator": [True, False, False, False],
            "known": ["date published", "date published", "date not published", "date published"],
            "earliest": [2015.25, 2020.0, 2020.5, 2021.0],
            "latest": [2015.25, 2020.0, 2022.3, 2021.0],
        }
    )
    left_out = ("9", "E", "2011 to 2024", "not published: starts 2011")
    return SimpleNamespace(
        launches=SimpleNamespace(table=table, innovator=table["innovator"].to_numpy(bool)),
        years=np.arange(2011, 2025),
        authority=np.arange(120),
        account=(0.34, 0.29),
        children="all children",
        excluded=pd.DataFrame([left_out], columns=["authority", "authority_name", "years", "reason"]),
    )


@pytest.fixture(scope="module")
def placebos():
    rows = []
    for place, outcome in enumerate(OUTCOME_WORDS):
        effect = np.concatenate([[-0.04], quantiles(0.0, 0.06, SETS, seed=9 + place)])
        about = {"outcome": outcome, "placebo": np.arange(SETS + 1), "se": 0.05}
        rows.append(pd.DataFrame({**about, "effect": effect}))
    return pd.concat(rows)


@pytest.fixture(scope="module")
def dated():
    rng = np.random.default_rng(3)
    simulated = rng.normal(0.0, 0.05, (400, len(SHIFTS), len(OUTCOMES)))
    estimate = np.array([[-0.1, 0.0], [-0.09, 0.05], [-0.08, 0.04], [-0.02, 0.01]])
    return Dated(22, estimate, simulated, np.array([[1.0, 1.0], [0.3, 0.3], [0.6, 0.5], [0.9, 0.8]]))


@pytest.fixture(scope="module")
def paths(fit, panel):
    return panel_paths(fit, panel)


def test_path_against_the_normal(paths, panel):
    """Bounds of exp of a normal are exp of its quantiles; its mean is log-normal."""
    table = panel_path(paths, panel, level=LEVEL).query("group == 'spread'")
    table = table.set_index(["outcome", "since_launch"])
    for outcome, (mean, sd) in EFFECTS.items():
        for years in (1, 5, 8):
            grown, row = 1 - np.exp(-years / RAMP), table.loc[(outcome, years)]
            assert row["lower"] == pytest.approx(np.expm1(grown * (mean - 1.6449 * sd)), abs=1e-3)
            assert row["upper"] == pytest.approx(np.expm1(grown * (mean + 1.6449 * sd)), abs=1e-3)
            assert row["mean"] == pytest.approx(np.expm1(grown * mean + (grown * sd) ** 2 / 2), abs=1e-3)
            assert row["prob_reduction"] == pytest.approx(stats.norm.cdf(-mean / sd), abs=1 / DRAWS)


def test_stock_is_worked_out_draw_by_draw(paths, fit, panel):
    effect = fit["posterior"]["effect"].values.reshape(-1, 2)
    np.testing.assert_allclose(
        paths["stock", "spread"], stock_path(effect, np.full_like(effect, RAMP), panel.account)
    )
    np.testing.assert_allclose(paths["starts", "innovators"], 2 * paths["starts", "spread"])


def test_path_says_how_many_launches_have_run_so_long(paths, panel):
    """The panel ends at 2024.25: launches by 2020, 2022.3 and 2021 have certainly run four, one and three years."""
    table = panel_path(paths, panel, level=LEVEL)
    reached = table.set_index(["outcome", "group", "since_launch"])["reached"].sort_index()
    assert reached.loc[("stock", "spread")].tolist() == [3, 2, 2, 1, 0, 0, 0, 0]
    assert reached.loc[("exits", "innovators")].tolist() == [1] * 8


def test_summary_puts_placebo_adopters_and_placebo_dates_beside_the_estimate(paths, panel, placebos, dated):
    dates = dates_table(panel, {"all": dated}, np.full(2, RAMP))
    summary = panel_summary(paths, panel, placebos=placebos, dates=dates, level=LEVEL)
    row = summary.set_index("outcome").loc["starts"]
    assert (row["launches"], row["authorities"], row["placebo_sets"]) == (3, 120, SETS)
    assert row["closed_form"] == -0.04 and row["log_sd"] == pytest.approx(0.1 * GROWN, rel=1e-2)
    assert row["before_lower"] == pytest.approx(np.expm1(-0.09))
    for words in ("includes no change", "placebo adopters", "moved back 2 to 4 years", "8.6%", "2.0%"):
        assert words in row["sentence"]
    assert (
        "odds of leaving care" in summary["sentence"][1] and "leaves out no change" in summary["sentence"][1]
    )


def test_dates_with_errors_of_the_simulated_panels(panel, dated):
    table = dates_table(panel, {"all": dated, "dated launches": dated}, np.full(2, RAMP))
    table = table.set_index(["used", "outcome", "shift"])
    row = table.loc[("all", "exits", 3)]
    se = dated.simulated[:, 2, 1].std(ddof=1)
    assert (row["effect"], row["z"]) == (0.04, pytest.approx(0.04 / se))
    full = np.array([-0.1, 0.0]) / GROWN
    stock = stock_path(full, np.full(2, RAMP), panel.account)[4]
    assert table.loc[("dated launches", "stock", 0), "effect"] == pytest.approx(stock)


def test_the_covariance_kept_is_that_of_simulated_errors_and_no_narrower_than_placebos(dated):
    kept = finding_tables({"base": dated}, wider=np.array([0.9, 1.2]), coverage=(0.2, 0.9), known_by=2024)
    finding, spread = kept["finding"], kept["covariance"]["covariance"].to_numpy().reshape(8, 8)
    assert finding["effect"].tolist() == dated.estimate.ravel().tolist()
    flat = dated.simulated.reshape(400, -1)
    assert spread[0, 2] == pytest.approx(np.cov(flat[:, 0], flat[:, 2])[0, 1])
    assert spread[1, 3] == pytest.approx(1.44 * np.cov(flat[:, 1], flat[:, 3])[0, 1])
    np.testing.assert_allclose(finding["se"], np.sqrt(np.diag(spread)))


def test_sentence_reads_the_row():
    row = {"outcome": "stock", "mean": -0.1, "lower": -0.15, "upper": -0.05, "placebo_sets": 500.0}
    row |= {"share_larger": 0.33, "before_lower": -0.04, "before_upper": 0.02}
    minus = "\N{MINUS SIGN}"
    for words in (
        f"{minus}10.0%",
        f"{minus}15.0% to {minus}5.0%",
        "33% of 500 sets",
        f"{minus}4.0% to +2.0%",
    ):
        assert words in panel_sentence(row, level=LEVEL)


def test_authorities_lists_who_is_in_and_who_is_out(panel):
    table = panel_authorities(panel).set_index("authority")
    assert table.loc["1", "detail"] == "inventor of No Wrong Door, 2015.2 (date published)"
    assert table.loc["3", "detail"] == "No Wrong Door, 2020.5 to 2022.3 (date not published)"
    assert table.loc["9"].tolist() == ["E", "left out or joined", "2011 to 2024: not published: starts 2011"]
