"""Tables and figure of the panel of authorities against closed forms, on draws made for the purpose."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import stats

from cba.models.authorities import HORIZON, with_paths
from cba.validation.authority_panel import panel_authorities, panel_path, panel_sentence, panel_summary

DRAWS, RAMP = 4000, 2.0
GROWN = 1 - np.exp(-HORIZON / RAMP)
LEVEL = 0.9


def made_fit(mean, sd, *, innovators=-0.2):
    """A fit whose full effect is normal with the mean and sd given, per outcome, at evenly spaced quantiles."""
    z = stats.norm.ppf((np.arange(DRAWS) + 0.5) / DRAWS)
    z = np.random.default_rng(4).permutation(z).reshape(4, -1)
    dims, outcomes = ("chain", "draw", "outcome"), list(mean)
    effect = np.stack([mean[o] + sd[o] * z for o in outcomes], axis=-1)
    draws = {"effect": (dims, effect), "innovator_effect": (dims, np.full_like(effect, innovators))}
    draws["ramp_years"] = (dims, np.full_like(effect, RAMP))
    launches = pd.DataFrame(
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
    excluded = pd.DataFrame(
        {
            "authority": ["9"],
            "authority_name": ["E"],
            "years": ["2013 to 2024"],
            "reason": ["boundaries changed"],
        }
    )
    fit = xr.DataTree.from_dict(
        {
            "posterior": with_paths(xr.Dataset(draws, coords={"outcome": outcomes})),
            "constant_data": xr.Dataset({"authorities": 120}, coords={"year": [2013, 2024]}),
            "launches": xr.Dataset.from_dataframe(launches.rename_axis("row")),
            "excluded": xr.Dataset.from_dataframe(excluded.rename_axis("row")),
        }
    )
    fit.attrs = {"not_informative": "", "release": 2024}
    return fit


def made_placebos(outcome, real, sd, *, sets=999):
    z = stats.norm.ppf((np.arange(sets) + 0.5) / sets) * sd
    effect = np.concatenate([[real], z])
    frame = {"outcome": outcome, "placebo": np.arange(sets + 1), "effect": effect, "se": sd}
    return pd.DataFrame({**frame, "innovators": 2 * effect, "innovators_se": sd})


@pytest.fixture(scope="module")
def fit():
    return made_fit({"starts": -0.05, "stock": -0.2}, {"starts": 0.1, "stock": 0.05})


def test_path_against_the_normal(fit):
    """Bounds of exp of a normal are exp of its quantiles; its mean is log-normal."""
    table = panel_path(fit, level=LEVEL).query("group == 'spread'").set_index(["outcome", "since_launch"])
    for outcome, mean, sd in (("starts", -0.05, 0.1), ("stock", -0.2, 0.05)):
        for years in (1, 5, 8):
            grown = 1 - np.exp(-years / RAMP)
            row = table.loc[(outcome, years)]
            assert row["lower"] == pytest.approx(np.expm1(grown * (mean - 1.6449 * sd)), abs=1e-3)
            assert row["upper"] == pytest.approx(np.expm1(grown * (mean + 1.6449 * sd)), abs=1e-3)
            assert row["mean"] == pytest.approx(np.expm1(grown * mean + (grown * sd) ** 2 / 2), abs=1e-3)
            assert row["prob_reduction"] == pytest.approx(stats.norm.cdf(-mean / sd), abs=1 / DRAWS)


def test_path_says_how_many_launches_have_run_so_long(fit):
    """The panel ends at 2024.25: launches by 2020, 2022.3 and 2021 have certainly run four, one and three years."""
    table = (
        panel_path(fit, level=LEVEL).set_index(["outcome", "group", "since_launch"])["reached"].sort_index()
    )
    assert table.loc[("stock", "spread")].tolist() == [3, 2, 2, 1, 0, 0, 0, 0]
    assert table.loc[("stock", "innovators")].tolist() == [1] * 8


def test_placebo_band_is_the_interval_over_placebos(fit):
    placebos = pd.concat([made_placebos("starts", -0.04, 0.06), made_placebos("stock", -0.18, 0.04)])
    table = panel_path(fit, level=LEVEL, placebos=placebos).set_index(["outcome", "group", "since_launch"])
    at_horizon = table.loc[("starts", "spread", 5)]
    assert at_horizon["placebo_lower"] == pytest.approx(np.expm1(-1.6449 * 0.06), abs=2e-3)
    earlier = table.loc[("starts", "spread", 1), "placebo_upper"]
    assert np.log1p(earlier) == pytest.approx(1.6449 * 0.06 * (1 - np.exp(-0.5)) / GROWN, abs=2e-3)
    inventors = table.loc[("stock", "innovators", 5), "placebo_upper"]
    assert inventors == pytest.approx(np.expm1(2 * 1.6449 * 0.04), abs=3e-3)


def test_summary_pools_inventors_by_launches(fit):
    """One launch in four is an inventor's: the pooled effect is three quarters of ours and a quarter of theirs."""
    row = panel_summary(fit, level=LEVEL).set_index("outcome").loc["stock"]
    pooled = GROWN * (0.75 * -0.2 + 0.25 * -0.2)
    assert row["with_innovators_mean"] == pytest.approx(
        np.expm1(pooled + (GROWN * 0.75 * 0.05) ** 2 / 2), abs=1e-3
    )
    assert (row["launches"], row["innovators"], row["authorities"]) == (3, 1, 120)
    assert row["log_sd"] == pytest.approx(0.05 * GROWN, rel=1e-2)
    assert np.isnan(row["share_lower"]) and "no placebos were run" in row["sentence"]


def test_sentence_is_computed(fit):
    placebos = pd.concat([made_placebos("starts", -0.05, 0.06), made_placebos("stock", -0.18, 0.04)])
    sentences = panel_summary(fit, level=LEVEL, placebos=placebos).set_index("outcome")["sentence"]
    assert "tells little because its 90% interval runs from" in sentences["starts"]
    low, high = np.expm1(GROWN * (-0.05 + np.array([-1, 1]) * 1.6449 * 0.1))
    assert f"{low:+.1%} to {high:+.1%}".replace("-", "\N{MINUS SIGN}") in sentences["starts"]
    assert sentences["stock"].startswith("On children looked after at 31 March the panel finds")
    assert "before any allowance for bias" in sentences["stock"]


def test_many_equal_placebos_say_that_it_tells_little():
    """An interval that leaves out zero is not enough when a third of placebos are as far out."""
    row = {"outcome": "stock", "mean": -0.1, "lower": -0.15, "upper": -0.05, "prob_reduction": 0.99}
    row |= {"launches": 22, "placebo_sets": 500.0, "share_larger": 0.33}
    sentence = panel_sentence(row, level=LEVEL)
    assert "tells little because 33% of 500 sets" in sentence
    assert "tells little" not in panel_sentence({**row, "share_larger": 0.02}, level=LEVEL)


def test_an_unusual_estimate_whose_interval_just_spans_none_points_without_settling():
    """A chance of 0.93 with 3% of placebos as far is information; with no placebos nobody can say so."""
    row = {"outcome": "stock", "mean": -0.075, "lower": -0.151, "upper": 0.008, "prob_reduction": 0.934}
    row |= {"launches": 22, "placebo_sets": 500.0, "share_larger": 0.028}
    sentence = panel_sentence(row, level=LEVEL)
    minus = "\N{MINUS SIGN}"
    assert "points to a reduction but does not settle it" in sentence and "little" not in sentence
    for words in (f"{minus}7.5%", f"{minus}15.1% to +0.8%", "reduction is 0.93", "3% of 500 sets"):
        assert words in sentence
    assert "points to a rise" in panel_sentence({**row, "mean": 0.02}, level=LEVEL)
    alone = panel_sentence({**row, "share_larger": np.nan}, level=LEVEL)
    assert "tells little" in alone and "no placebos were run" in alone


def test_early_release_gives_one_sentence_and_an_empty_path():
    fit = xr.DataTree()
    fit.attrs = {"not_informative": "nobody had begun", "release": 2016}
    assert panel_path(fit, level=LEVEL).empty
    assert panel_summary(fit, level=LEVEL)["sentence"].tolist() == [
        "The panel of authorities in release 2016 says nothing about the programmes: nobody had begun."
    ]


def test_authorities_lists_who_is_in_and_who_is_out(fit):
    table = panel_authorities(fit).set_index("authority")
    assert table.loc["1", "detail"] == "inventor of No Wrong Door, 2015.2 (date published)"
    assert table.loc["3", "detail"] == "No Wrong Door, 2020.5 to 2022.3 (date not published)"
    assert table.loc["9"].tolist() == ["E", "left out", "2013 to 2024: boundaries changed"]


def test_figure_draws_the_table(fit):
    from tests.reporting.drawing import plot, words

    placebos = pd.concat([made_placebos("starts", -0.04, 0.06), made_placebos("stock", -0.18, 0.04)])
    path = panel_path(fit, level=LEVEL, placebos=placebos)
    appraisal = SimpleNamespace(tables={"panel_path": path})
    ax = plot("panel_stock", [appraisal])
    rows = path[(path["outcome"] == "stock") & (path["group"] == "spread")]
    np.testing.assert_allclose(ax.lines[0].get_ydata(), rows["mean"] * 100)
    np.testing.assert_allclose(ax.lines[1].get_ydata(), rows["placebo_lower"] * 100)
    said = words("panel_stock", [appraisal])
    assert "year 8" in said and "placebo adopters" in said
