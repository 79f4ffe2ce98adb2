"""Made-up tables of the decision: sizes and shapes of real ones, numbers from a fixed generator."""

from __future__ import annotations

from itertools import product

import numpy as np
import pandas as pd

LEAD = "care_review"
INPUTS = ("delivery.item_1", "effects.item_2", "costs.item_3", "effects.item_1", "baseline.item_1")
VALUES = (0.0, 50e3, 1e6, 2.5e6)
CURVE = (0.0, *(step * 10.0**power for power in (4, 5, 6) for step in (1, 2.5, 5)), 1e7)
TARGETS = (
    "Even chance of 30,000 fewer children by 2032",
    "Net present value of zero",
    "Even chance of paying back by 2032",
)


def decision_tables(names: dict[str, str], *, horizon: range) -> dict[str, pd.DataFrame]:
    """Every table the decision sections read, for options in the order given."""
    rng = np.random.default_rng(5)
    return {
        "drivers": _drivers(rng),
        "variance_shares": _variance(),
        "switching_values": _switching(),
        "break_even_values": _break_even(names),
        **_curves(names),
        "frontier": _frontier(names),
        "plane": pd.DataFrame(
            [(name, 0.0, 0.8, 0.05, 0.15) for name in names if name != "bau"],
            columns=["option", "better_cheaper", "better_dearer", "worse_cheaper", "worse_dearer"],
        ),
        **_risk(names),
        **_pilot(),
        "information_value": pd.DataFrame(
            [
                (value, question, size * value / 100 + 1e6, 2e5 + value / 50, LEAD)
                for value, (question, size) in product(
                    VALUES[::2], {"everything": 900.0, "family help effect": 500.0, "unit costs": 0.0}.items()
                )
            ],
            columns=["value_per_child_year", "question", "value", "se", "best"],
        ),
        "fewer_children_chances": pd.DataFrame(
            [
                (name, year, float(number), 0.9 * (year - horizon[0]) / len(horizon) * 1_000 / number, 0.01)
                for name, year, number in product(names, horizon, (1_000, 2_500, 5_000, 17_000, 30_000))
                if name != "bau"
            ],
            columns=["option", "year", "fewer_children", "probability", "mcse"],
        ),
        "payback_by_payer": _payers(names, horizon),
    }


def _drivers(rng) -> pd.DataFrame:
    rows = []
    for outcome, centre, step in (("npv", -5e9, 1e9), ("fewer_children", 900.0, 300.0)):
        for rank, name in enumerate(INPUTS, start=1):
            low, high = centre + step / rank, centre - step / rank
            error = step / (20 if rank < 5 else 1)
            rows.append((LEAD, outcome, name, f"Made-up input {name}", "ratio", "delivery", "red", 0.5, 1.5, low, high,
                         high - low, error * rng.uniform(0.9, 1.1), rank, rank < 5))  # fmt: skip
    names = "option outcome input description unit question confidence input_low input_high outcome_low outcome_high"
    return pd.DataFrame(rows, columns=[*names.split(), "swing", "swing_se", "rank", "clear"])


def _variance() -> pd.DataFrame:
    rows = [(LEAD, "question", name, name, share, 0.012) for name, share in
            (("delivery", 0.81), ("family help effect", 0.2), ("unit costs", -0.01))]  # fmt: skip
    rows += [
        (LEAD, "input", name, f"Made-up input {name}", 0.5 / place, 0.02)
        for place, name in enumerate(INPUTS, 1)
    ]
    return pd.DataFrame(rows, columns=["option", "split", "name", "description", "effect", "se"])


def _switching() -> pd.DataFrame:
    rows = []
    for target, name in product(TARGETS, INPUTS[:3]):
        found = target.startswith("Net") and name == INPUTS[1]
        best = -2e9 if target.startswith("Net") else 0.02
        rows.append((LEAD, target, 0.0, name, f"Made-up input {name}", "ratio", 1.0, 0.2 if found else np.nan,
                     0.03 if found else np.nan, found, 0.06 if found else 0.0, 0.004, best,
                     "reachable" if found else "not reachable within the prior's support"))  # fmt: skip
    names = "option target statistic_now input description unit input_median value se reachable probability_beyond mcse"
    return pd.DataFrame(rows, columns=[*names.split(), "statistic_at_best", "verdict"])


def _break_even(names: dict[str, str]) -> pd.DataFrame:
    rows = [
        ("option", name, label, 4.1e5, 1.2e5, np.nan, 0.11, 0.005, "")
        for name, label in names.items()
        if name != "bau"
    ]
    rows.append(
        ("anchor", "wellby", "A point of life satisfaction", 14_300.0, 11e3, 17e3, np.nan, np.nan, "made up")
    )
    columns = [
        "kind",
        "name",
        "label",
        "value_per_child_year",
        "lower",
        "upper",
        "prob_never",
        "prob_mcse",
        "note",
    ]
    return pd.DataFrame(rows, columns=columns)


def _curves(names: dict[str, str]) -> dict[str, pd.DataFrame]:
    """At low values current policy is the one to choose, from £1m on the lead option."""
    rows, best_rows = [], []
    for value in CURVE:
        chance = min(value / 2e6, 0.9)
        best = LEAD if value >= 1e6 and LEAD in names else "bau"
        for name in names:
            share = chance if name == LEAD else 1.0 - chance if name == "bau" else 0.0
            rows.append((value, name, value * 1e3 - 5e8, 1e7, share, 0.01, name == best))
        best_rows.append((value, best, names[best], max(chance, 1 - chance), 0.01, 3e8 + value * 100, 4e6))
    one = ["value_per_child_year", "option", "net_benefit", "net_benefit_se", "prob_best", "mcse", "best"]
    two = ["value_per_child_year", "best", "label", "prob_best", "mcse", "evpi", "evpi_se"]
    return {
        "acceptability": pd.DataFrame(rows, columns=one),
        "best_option": pd.DataFrame(best_rows, columns=two),
    }


def _frontier(names: dict[str, str]) -> pd.DataFrame:
    rows = []
    for place, name in enumerate(names):
        kept = place in (0, 1)
        rows.append((name, 1e9 * place, 2_000.0 * min(place, 1) + place, "frontier" if kept else "dominated",
                     "bau" if place == 1 else None, 1e9, 2_000.0, 4.8e5 if place == 1 else np.nan))  # fmt: skip
    columns = [
        "option",
        "cost",
        "effect",
        "status",
        "versus",
        "incremental_cost",
        "incremental_effect",
        "icer",
    ]
    return pd.DataFrame(rows, columns=columns)


def _risk(names: dict[str, str]) -> dict[str, pd.DataFrame]:
    risk = []
    for value, (place, name) in product(VALUES, enumerate(names)):
        mean = -1.3e9 * place + value
        risk.append((value, name, mean, 2e7, mean - 4e8 * place, 1e8 * place, 5e8 * place, 1.0 if not place else 0.0,
                     0.9 if place else 0.0, 0.01, 0.01))  # fmt: skip
    names_of_risk = (
        "value_per_child_year option mean mean_se cvar expected_loss worst_loss prob_best prob_negative"
    )
    return {
        "risk": pd.DataFrame(risk, columns=[*names_of_risk.split(), "prob_best_se", "prob_negative_se"]),
    }  # fmt: skip


def _pilot() -> dict[str, pd.DataFrame]:
    payoffs, parts, power = [], [], []
    for value, areas, years in product(VALUES, (6, 12), (1, 2)):
        worth = {
            "never": 0.0,
            "go_now": 3e3 * value - 5e9,
            "pilot_first": 3.4e3 * value - 6e9,
            "in_steps": 3.1e3 * value - 5.5e9,
        }
        best = max(worth, key=lambda name: worth[name])
        payoffs += [
            (LEAD, value, value, areas, years, name, one, 4e7, name == best) for name, one in worth.items()
        ]
        parts.append(
            (
                LEAD,
                value,
                value,
                areas,
                years,
                60.0 * value,
                2e6,
                40.0 * value,
                3e6,
                4.6e7,
                2e5,
                10 * value,
                1e6,
            )
        )
    designs = (("pilot", 6), ("pilot", 12), ("pilot", 24), ("pilot", 48), ("first step", 74))
    arms = [("untreated", 1.0, "no longer available: a reason", False)]
    arms += [("lower dose", part, "yes", part == 0.5) for part in (1.0, 0.5, 0.25)]
    for years, (design, areas), (controls, part, available, asked) in product((1, 2), designs, arms):
        error = 0.2 / areas**0.5 / part
        announced = (areas, years) == (12, 2)
        power.append((LEAD, design, areas, years, announced, controls, part, available, asked, False, error, 1.05,
                      0.03, 2.8 * error, 0.021, -0.004, 0.06, 0.07, -100 * np.expm1(-2.8 * error),
                      -100 * np.expm1(-1.4 * error), 2.05, -0.41, 5.82))  # fmt: skip
    place = ["option", "value_per_child_year", "value_per_harm_year", "areas", "years"]
    each = ("value_of_learning", "cost_of_delay", "pilot_cost", "value_of_stopping")
    names = (
        "option design areas years published controls contrast available asked hindsight standard_error wider"
    )
    names += (
        " full_coverage detectable expected lower upper power detectable_percent detectable_stock_percent"
    )
    return {
        "pilot_or_now": pd.DataFrame(payoffs, columns=[*place, "strategy", "expected_payoff", "se", "best"]),
        "pilot_learning": pd.DataFrame(
            parts, columns=[*place, *(n + end for n in each for end in ("", "_se"))]
        ),
        "pilot_power": pd.DataFrame(
            power,
            columns=[*names.split(), "fall_percent_mean", "fall_percent_lower", "fall_percent_upper"],
        ),
    }


def _payers(names: dict[str, str], horizon: range) -> pd.DataFrame:
    rows = []
    for name, (payer, never) in product(names, {"council": 0.3, "dfe": 0.97}.items()):
        if name == "bau":
            continue
        for place, year in enumerate(horizon, start=1):
            share = (1.0 - never) / len(horizon)
            rows.append((name, payer, float(year), share, place * share, 0.01))
        rows.append((name, payer, np.nan, never, np.nan, 0.01))
    return pd.DataFrame(rows, columns=["option", "payer", "year", "probability", "cumulative", "mcse"])
