"""Made-up tables of belief, calibration and other ways of counting: columns of real ones, numbers made up."""

from __future__ import annotations

from itertools import product

import numpy as np
import pandas as pd

from cba.tables.assumptions import over_the_curve

LEAD = "care_review"
LINES = ("total_cla", "total_safeguarding", "total_family_support", "total")


def belief_tables() -> dict[str, pd.DataFrame]:
    """Every table the sections of belief, calibration and counting read, for the option followed."""
    return {
        **_accounts(),
        "break_even_map": _break_even_map(),
        **_panel(),
        "reach": _reach(),
        **_counting(),
        **_delay_and_payback(),
        **_checks(),
        "councils": _councils(),
        "councils_by_group": _councils_by_group(),
        **_curve(),
        "effect_chain": _chain(),
    }


def _chain() -> pd.DataFrame:
    """Steps from money to children, as the table of that name has them."""
    steps = [
        ("Money for family help", "money", 1.0e9),
        ("New money for one child served", "money", 2.5e3),
        ("Children served", "children", 3.9e5),
        ("Share of eligible children served (coverage)", "share", 0.8),
        ("Share of starts that full coverage would reach (reach)", "share", 0.5),
        ("Effect on a child reached: fall in the risk of entering care", "share", 0.06),
        ("Starts, unaccompanied children aside", "children", 27_000.0),
        ("Starts averted", "children", 550.0),
    ]
    rows = [
        {"option": LEAD, "step": step, "kind": kind, "unit": "", **_spread(mean), "median": mean}
        for step, kind, mean in steps
    ]
    return pd.DataFrame(rows)


def _curve() -> dict[str, pd.DataFrame]:
    """A curve of six specifications, made of kept tables as a real one is."""
    tried = [("headline", "", ""), ("alone", "reach", "low"), ("alone", "reach", "high")]
    tried += [("less_favourable", "", ""), ("more_favourable", "", ""), ("fraction", "", "")]
    about = pd.DataFrame(tried, columns=["kind", "axis", "level"])
    curve = about.assign(option=LEAD, number=range(6), fewer_mean=[400.0, 300.0, 520.0, -90.0, 2900.0, 410.0])
    curve["npv_mean"] = -8e9 + 1e6 * curve["fewer_mean"]
    for name, width in (("fewer", 900.0), ("npv", 1e9)):
        curve[f"{name}_lower"], curve[f"{name}_upper"] = (curve[f"{name}_mean"] + s * width for s in (-1, 1))
        curve[f"{name}_place"] = curve[f"{name}_mean"].rank().astype(int)
    levels = [
        ("", "derived", "headline", ""),
        ("low", "median 0.35", "less", "children in care at two years"),
    ]
    names = ["level", "label", "direction", "why"]
    table = pd.DataFrame(levels, columns=names).assign(
        option=LEAD, axis="reach", axis_label="Reach", fits=False
    )
    for name, alone in (("fewer", -100.0), ("npv", -1e8)):
        table[f"{name}_mean_alone"] = table[f"{name}_mean_average"] = [np.nan, alone]
    return {
        "specification_curve": curve,
        "specification_summary": pd.DataFrame([over_the_curve(curve, name) for name in ("fewer", "npv")]),
        "specification_levels": table,
    }


def _accounts() -> dict[str, pd.DataFrame]:
    rows = []
    for place, (year, line) in enumerate(product(range(2013, 2025), LINES)):
        real = (4e9 + 2e8 * (year - 2013)) * (2.0 if line == "total" else 0.7)
        off = 1.4 if place % 7 == 3 else 1.02
        rows.append((year, line, 0.8 * real, real, real * off, real * off * 0.9, real * off * 1.1, off < 1.1))
    names = ["year", "line", "published_cash", "published_real", "modelled_mean", "modelled_lower"]
    table = pd.DataFrame(rows, columns=[*names, "modelled_upper", "inside"])
    later = table[table["year"] > 2019].drop(columns="published_cash").assign(origin=2019)
    return {"accounts_reconciliation": table, "accounts_backtest": later.reset_index(drop=True)}


def _break_even_map() -> pd.DataFrame:
    turn = np.linspace(0, 2 * np.pi, 13)
    rows = [
        (LEAD, "contour", "break_even", "", cut, 52e3 / cut, 0.0, 0.5) for cut in np.linspace(0.3, 0.6, 7)
    ]
    rows += [
        (LEAD, "region", "evidence", "", 0.05 * np.cos(t), 6e4 + 2e4 * np.sin(t), -9e9, 0.0) for t in turn
    ]
    rows += [
        (LEAD, "point", "evidence", "", 0.0087, 57_801.2, -9.1e9, 0.0),
        (LEAD, "claim", "family_help", "Review: 17,000 fewer", 0.286, 34_257.9, -7.5e9, 0.0),
        (LEAD, "claim", "in_all", "Review: 30,000 fewer", 0.505, 37_548.9, -5.9e9, 0.0015),
    ]
    return pd.DataFrame(
        rows, columns=["option", "kind", "name", "label", "cut", "value", "npv", "prob_positive"]
    )


def _panel() -> dict[str, pd.DataFrame]:
    labels = {
        "panel, after five years": "panel",
        "placebo, 3 years back": "placebo",
        "model, before the data": "model",
        "model, after the data": "model",
    }
    found = [
        (o, kind, label, -0.07, -0.18, 0.05) for o in ("starts", "exits") for label, kind in labels.items()
    ]
    names = ["outcome", "kind", "label", "mean", "lower", "upper"]
    summary = [(o, f"On {o} the panel tells little.") for o in ("starts", "exits", "stock")]
    return {
        "panel_reconciled": pd.DataFrame(found, columns=names),
        "panel_path": pd.DataFrame({"outcome": ["starts"], "since_launch": [1], "mean": [-0.01]}),
        "panel_summary": pd.DataFrame(summary, columns=["outcome", "sentence"]),
        "panel_authorities": pd.DataFrame({"authority": ["A"], "launched": [2016]}),
        "panel_placebo_dates": pd.DataFrame({"outcome": ["starts"], "shift": [2], "effect": [0.02]}),
    }


def _reach() -> pd.DataFrame:
    rows = [
        ("AREA2021", name, f"Made-up {name}", "share", 0.4, 0.1, 0.7, 0.35, 0.1, 0.6, learned)
        for name, learned in (("coverage", 0.02), ("reach", -0.004), ("effect", 0.31), ("change", 0.55))
    ]
    names = ["study_id", "quantity", "label", "unit", "prior_mean", "prior_lower", "prior_upper"]
    return pd.DataFrame(rows, columns=[*names, "mean", "lower", "upper", "learned"])


def _spread(mean: float, stem: str = "") -> dict[str, float]:
    return {f"{stem}mean": mean, f"{stem}lower": mean - 1.7e9, f"{stem}upper": mean + 1.7e9}


def _chance(name: str, value: float, error: str = "mcse") -> dict[str, float]:
    return {name: value, error: 0.0005}


def _counting() -> dict[str, pd.DataFrame]:
    lead = {"option": LEAD}
    perspectives = [
        lead | {"perspective": p, "label": p.title()} | _spread(m) | _chance("prob_positive", 0.002)
        for p, m in (("council", -6.04e9), ("fiscal", -9.105e9), ("families", 9.2e7))
    ]
    funds = [
        lead | {"measure": m, "willingness_to_pay": 9e7, "net_cost": 9.1e9, "mvpf": 0.0101}
        | _chance("prob_self_financing", 0.0)
        for m in ("none", "qaly")
    ]  # fmt: skip
    weighted = [
        lead | {"measure": "none", "elasticity": e} | _spread(-9e9 + e * 1e9) | _chance("prob_positive", 0.0)
        for e in (0.0, 1.3)
    ]
    optimism = [
        lead | {"case": c, "devices": "", "cost_mean": 9e9, "saving_mean": 2e8, "fewer_mean": 383.2}
        | {"change_mean": d} | _spread(-9.1e9 + d, "npv_") | _chance("prob_positive", 0.0)
        for c, d in (("as modelled", 0.0), ("without any correction", 1.24e9))
    ]  # fmt: skip
    schedules = [
        lead | {"schedule": s, "title": s, "of_the_run": s == "a", "mid_year": False, "long_mean": -2e10}
        | _spread(-9e9) | {"prob_positive": 0.0, "prob_mcse": 0.0005}
        for s in ("a", "b")
    ]  # fmt: skip
    prices = [
        lead | {"price_year": y, "as_run": y == "2022", "cost_mean": 9e9, "gross_saving_mean": 2e8}
        | _spread(-9e9, "npv_")
        for y in ("2022", "cash")
    ]  # fmt: skip
    growth = {"scenario": ["no further growth"], "prob_15bn_real": [0.3], "prob_15bn_cash": [0.99]}
    growth |= {k: [v] for k, v in (_spread(-9e9, "npv_") | _spread(1.4e10, "system_cost_")).items()}
    return {
        "perspectives": pd.DataFrame(perspectives),
        "mvpf": pd.DataFrame(funds),
        "distribution": pd.DataFrame(weighted),
        "optimism_check": pd.DataFrame(optimism),
        "discount_schedules": pd.DataFrame(schedules),
        "review_price_base": pd.DataFrame(prices),
        "growth_scenarios": pd.DataFrame(growth),
    }


def _delay_and_payback() -> dict[str, pd.DataFrame]:
    delay = [
        (
            LEAD,
            window,
            2.0,
            measure,
            -9.1 * size,
            -6.8 * size,
            2.3 * size,
            1.9 * size,
            2.8 * size,
            0.26,
            0.007,
        )
        for window, (measure, size) in product(
            ("same_years", "own_years"), {"npv": 1e9, "child_years": 100.0, "fewer_children": 40.0}.items()
        )
    ]
    names = ["option", "window", "delay_years", "measure", "prompt_mean", "delayed_mean", "difference_mean"]
    measures = ["prob_cumulative", "prob_yearly", "prob_yearly_for_good"]
    years = [*map(float, range(2026, 2029)), np.nan]
    payback = [(LEAD, True, year, p, p, p) for year, p in zip(years, (0.0, 0.01, 0.04, 0.95), strict=True)]
    return {
        "cost_of_delay": pd.DataFrame(delay, columns=[*names, "lower", "upper", "prob_delay_better", "prob_mcse"]),
        "payback_measures": pd.DataFrame(payback, columns=["option", "recurrent", "year", *measures]),
        "unmonetised_and_financing": pd.DataFrame(
            [(LEAD, "Windfall tax", "financing", "20% of profits", "No revenue", np.nan, np.nan, 1.2e9, 20_356.2)],
            columns=["option", "label", "kind", "known", "assumed", "own_cost", "own_yearly_benefit"]
            + ["yearly_benefit_cash", "child_years_cash"],
        ),
    }  # fmt: skip


def _checks() -> dict[str, pd.DataFrame]:
    prior = [
        ("children_in_care", "target", 2032, "Children", "children", 9.2e4, 6.3e4, 1.1e5, 3.8e4, 1.3e5, 0.986)
    ]
    heads = ["quantity", "check", "year", "label", "unit", "mean", "lower", "upper", "bound_lower"]
    scaling = [
        ("npv_fiscal", "delivery", "prior", 0.102, 0.018, True, "an input that no data update"),
        ("fewer_children", "prices", "likelihood", 0.001, np.nan, False, ""),
    ]
    need = [
        ("family_help.log_risk_ratio", "Log risk ratio", -0.085, -0.36, 0.17, -0.39, -0.65, -0.2, -1.79),
        ("family_help.cost_per_child", "Cost of a child", 5042.5, 1865.6, 10_100.2, 2640.0, 1433.0, 4336.0, -0.91),
        ("social.income_fifth_2", "Income of the second fifth", 1.5, 1.4, 1.6, 1.49, 1.39, 1.59, -0.33),
    ]  # fmt: skip
    names = ["parameter", "description", "mean", "lower", "upper", "needed_mean", "needed_lower"]
    return {
        "prior_predictive": pd.DataFrame(prior, columns=[*heads, "bound_upper", "share_inside"]),
        "power_scaling": pd.DataFrame(
            scaling, columns=["quantity", "of", "component", "sensitivity", "noise", "moves", "diagnosis"]
        ),
        "need_to_believe": pd.DataFrame(need, columns=[*names, "needed_upper", "shift"]).assign(
            which="draws nearest to the claims", draws=100, fewer_children=3_756.0, shift_se=0.0987,
            clear=[True, True, False],
        ),
        **_standards(),
    }  # fmt: skip


def _standards() -> dict[str, pd.DataFrame]:
    """Verdicts that recommend nothing, priors beside posteriors, expectations, and child-years that harm."""
    sides = [f"{side}_{field}" for side in ("prior", "posterior") for field in ("mean", "lower", "upper")]
    beside = [
        (
            "care_review",
            "Chance of 30,000 fewer children",
            "probability",
            0.0,
            np.nan,
            np.nan,
            0.0,
            np.nan,
            np.nan,
            9_536.0,
            "none of 1,000 prior draws reaches it",
        ),
        ("care_review", "Fewer children", "children", 100.0, -900.0, 2e3, 400.0, -1e3, 2e3, 9_536.0, ""),
        ("care_review", "Net present value", "GBP", -9e9, -1e10, -7e9, -9e9, -1e10, -8e9, 9_536.0, ""),
    ]
    held = [
        ("Fall in starts", 0.25, 0.36, "share of starts", 0.27, 0.22, 0.33, True, "Ours is easier", "by hand")
    ]
    verdict = [
        (
            "care_review",
            "Care review",
            "Family help",
            "direct",
            "Family help: START2018",
            True,
            "Family help: 50%",
            0.004,
            0.001,
            0.01,
            0.002,
            0.2,
            0.01,
            -9e9,
            "not known: no curve stored",
            "not shown",
            "",
            "a chance",
        )
    ]
    columns = (
        "option label mechanism controlled_comparison studies prior_both_signs prior_harm prob_npv_positive mcse "
        "prob_at_wellby mcse_at_wellby prob_at_lifetime_cost mcse_at_lifetime_cost median_npv sign_turned_by "
        "verdict condition reason"
    )
    return {
        "standard": pd.DataFrame(verdict, columns=columns.split()),
        "prior_beside_posterior": pd.DataFrame(
            beside, columns=["option", "quantity", "unit", *sides, "most_fewer", "words"]
        ),
        "held_against": pd.DataFrame(
            held, columns=["expectation", "outside_lower", "outside_upper", "unit", "ours_mean", "ours_lower",
                           "ours_upper", "inside", "explanation", "source"]
        ),
        "child_years_at_home": pd.DataFrame(
            [{"option": "care_review", **_spread(5e3, "safe_"), **_spread(700.0, "harm_")}]
        ),
    }  # fmt: skip


def _councils() -> pd.DataFrame:
    number = np.arange(30)
    net = ((number * 7) % 30 - 9) * 1_000.0  # no order of its own
    groups = ["most deprived fifth", "third fifth", "least deprived fifth"]
    return pd.DataFrame(
        {
            "authority": 200 + number,
            "name": [f"Council {n}" for n in number],
            "region": "North",
            "ons_code": [f"E{n:08d}" for n in number],
            "edition": 2019.0,
            "deprivation": 0.1 + number / 100,
            "children": 20_000.0,
            "stock": 100.0 + number - (number == 3) * 103.0,
            "deprivation_fifth": [groups[n % 3] for n in number],
            "option": LEAD,
            "fewer_mean": 0.805 + number / 100,
            "fewer_lower": -1.0,
            "fewer_upper": 3.0,
            "fewer_per_10000": (0.805 + number / 100) / 2.0,
            "grant": 1e7,
            "council_cost": 4e3,
            "council_saving": net + 4e3,
            "council_net": net,
            "net_per_child": net / 20_000.0,
            "first_year": 2026,
            "last_year": 2035,
            "counted_in": 2032,
        }
    )


def _councils_by_group() -> pd.DataFrame:
    pairs = [
        ("region", "North"),
        ("deprivation", "most deprived fifth"),
        ("deprivation", "least deprived fifth"),
    ]
    about = pd.DataFrame(pairs, columns=["grouping", "group"]).assign(option=LEAD, councils=10, children=2e5)
    sizes = {"fewer": 0.4, "grant": 2e6, "council_cost": 5e6, "council_saving": 4e5, "council_net": -4.6e6}
    for name, size in sizes.items():
        per = "per_10000" if name == "fewer" else "per_child"
        for of, scale in ((f"{name}_", 20.0), (f"{name}_{per}_", 1.0)):
            about = about.assign(**_spread(size * scale, of))
    return about
