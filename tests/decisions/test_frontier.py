"""Frontier, dominance, quadrants and break-even values on worked examples."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from cba.decisions import acceptability, break_even_value, cost_effectiveness_frontier, plane_quadrants
from cba.errors import InputError
from tests.decisions.known_answers import labelled

OPTIONS = ["UC", "A", "B", "C", "D", "E"]
COSTS = [5_000.0, 12_000, 10_000, 25_000, 35_000, 55_000]
EFFECTS = [1.0, 1.5, 2, 3, 4, 5]


def test_worked_example_of_six_options():
    table = cost_effectiveness_frontier(COSTS, EFFECTS, OPTIONS).set_index("option")
    frontier = table[table["status"] == "frontier"]
    assert frontier.index.tolist() == ["UC", "B", "D", "E"]
    assert frontier["versus"].tolist()[1:] == ["UC", "B", "D"]
    assert frontier["incremental_cost"].tolist()[1:] == [5_000, 25_000, 20_000]
    assert frontier["incremental_effect"].tolist()[1:] == [1, 2, 1]
    assert frontier["icer"].tolist()[1:] == [5_000, 12_500, 20_000]
    assert table.loc["A", "status"] == "dominated"
    assert table.loc["C", "status"] == "extended"
    assert table.loc[["UC", "A", "C"], "icer"].isna().all()


@pytest.mark.parametrize(
    "threshold, best",
    [(4_999, "UC"), (5_001, "B"), (12_499, "B"), (12_501, "D"), (19_999, "D"), (20_001, "E")],
)
def test_best_option_by_threshold_follows_the_frontier(threshold, best):
    costs, effects = (
        xr.DataArray([row], dims=("sample", "option"), coords={"option": OPTIONS}) for row in (COSTS, EFFECTS)
    )
    assert str(acceptability(costs, effects, [threshold]).best.values[0]) == best


def test_shuffling_rows_changes_nothing():
    plain = cost_effectiveness_frontier(COSTS, EFFECTS, OPTIONS)
    order = [4, 1, 5, 0, 3, 2]
    shuffled = cost_effectiveness_frontier(
        [COSTS[i] for i in order], [EFFECTS[i] for i in order], [OPTIONS[i] for i in order]
    )
    assert plain.equals(shuffled)


def test_one_option_has_no_ratio():
    table = cost_effectiveness_frontier([100.0], [1.0], ["only"])
    assert table["status"].tolist() == ["frontier"]
    assert np.isnan(table["icer"].iloc[0])


def test_equal_options_are_kept_once():
    table = cost_effectiveness_frontier([10.0, 10.0, 20.0], [1.0, 1.0, 1.0], ["a", "b", "c"])
    assert table["status"].tolist() == ["frontier", "dominated", "dominated"]


def test_draws_are_averaged():
    costs = xr.DataArray([COSTS, COSTS], dims=("sample", "option"), coords={"option": OPTIONS})
    effects = xr.DataArray([EFFECTS, EFFECTS], dims=("sample", "option"), coords={"option": OPTIONS})
    assert cost_effectiveness_frontier(costs, effects).equals(
        cost_effectiveness_frontier(COSTS, EFFECTS, OPTIONS)
    )


def test_mismatched_lengths_are_refused():
    with pytest.raises(InputError, match="do not match"):
        cost_effectiveness_frontier(COSTS, EFFECTS[:-1], OPTIONS)


def test_quadrants_sum_to_one_and_match_independent_normals():
    rng = np.random.default_rng(0)
    costs = labelled(np.stack([np.zeros(40_000), rng.normal(1, 1, 40_000)], 1))
    effects = labelled(np.stack([np.zeros(40_000), rng.normal(0, 1, 40_000)], 1))
    row = plane_quadrants(costs, effects).iloc[0]
    assert row.iloc[1:].sum() == pytest.approx(1.0)
    cheaper = 0.15865525
    assert row["better_cheaper"] == pytest.approx(0.5 * cheaper, abs=4 * 0.0014)
    assert row["worse_dearer"] == pytest.approx(0.5 * (1 - cheaper), abs=4 * 0.0025)


def test_break_even_value_is_where_expected_net_benefit_is_zero():
    rng = np.random.default_rng(1)
    costs = labelled(np.stack([np.zeros(5_000), rng.normal(90, 10, 5_000), rng.normal(5, 1, 5_000)], 1))
    effects = labelled(np.stack([np.zeros(5_000), rng.normal(3, 1, 5_000), rng.normal(-1, 0.1, 5_000)], 1))
    table = break_even_value(costs, effects)
    star = table["value"].iloc[0]
    net = star * effects - costs
    assert float(net.mean("sample")[1]) == pytest.approx(0.0, abs=1e-9)
    assert abs(star - 30.0) <= 4 * table["se"].iloc[0]
    assert np.isnan(table["value"].iloc[1])  # it achieves less than the first option


def test_an_option_on_the_line_between_its_neighbours_is_a_mix_of_them():
    table = cost_effectiveness_frontier([0.0, 10.0, 20.0], [0.0, 1.0, 2.0])
    assert table["status"].tolist() == ["frontier", "extended", "frontier"]
    assert table["versus"].tolist()[2] == 0 and table["icer"].iloc[2] == 10.0


def test_no_options_and_no_axes_are_refused():
    with pytest.raises(InputError, match="do not match"):
        cost_effectiveness_frontier([], [])
    with pytest.raises(InputError, match="do not match"):
        cost_effectiveness_frontier([[1.0, 2.0]], [[1.0, 2.0]], ["a"])


def test_a_draw_on_an_axis_counts_as_better_and_as_cheaper():
    costs = labelled(np.array([[5.0, 5.0, 6.0], [5.0, 4.0, 5.0]]))
    effects = labelled(np.array([[1.0, 0.0, 1.0], [1.0, 1.0, 0.0]]))
    assert plane_quadrants(costs, effects).iloc[:, 1:].values.tolist() == [
        [0.5, 0.0, 0.5, 0.0],
        [0.0, 0.5, 0.5, 0.0],
    ]


def test_error_of_a_break_even_value_by_hand():
    """Increments of cost 90 and 110, of effect 1 and 3: value 50; residuals 40 and -40; error 40 / 2."""
    costs = labelled(np.array([[7.0, 97.0, 8.0], [20.0, 130.0, 21.0]]))
    effects = labelled(np.array([[2.0, 3.0, 3.0], [-4.0, -1.0, -5.0]]))
    table = break_even_value(costs, effects)
    assert table["value"].iloc[0] == 50.0
    assert table["se"].iloc[0] == pytest.approx(40.0 / 2.0, rel=1e-12)
    assert table["incremental_cost"].tolist() == [100.0, 1.0]
    assert np.isnan(table["value"].iloc[1]) and table["incremental_effect"].iloc[1] == 0.0


def test_labels_come_from_whichever_has_them():
    costs = xr.DataArray(COSTS, dims="option", coords={"option": OPTIONS})
    plain = cost_effectiveness_frontier(COSTS, EFFECTS, OPTIONS)
    assert cost_effectiveness_frontier(costs, EFFECTS).equals(plain)
    assert cost_effectiveness_frontier(costs, EFFECTS, OPTIONS[::-1])["option"].tolist() != OPTIONS
    numbered = cost_effectiveness_frontier(COSTS, EFFECTS)
    assert numbered["option"].tolist() == [OPTIONS.index(name) for name in plain["option"]]
    one_draw = costs.expand_dims(sample=2)
    assert cost_effectiveness_frontier(one_draw, 0 * costs + EFFECTS).equals(plain)
