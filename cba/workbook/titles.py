"""What each table of the workbook is called, and what its figures are in."""

from __future__ import annotations

from cba.reporting.names import full_name

MONEY = "Money is in GBP of the run's price base [note 4]."


SHARES = "Probabilities and shares run from 0 to 1."


TITLES = {
    "stress_tests": (
        "How large effects outside the model would have to be to change a conclusion",
        "Units are given in each row.",
    ),
    "stress_curves": ("Results by size of each effect outside the model", MONEY + " " + SHARES),
    "structural": ("Headline quantities by process the number in care may follow", MONEY),
    "decision_convergence": ("Convergence and Monte Carlo error of what is decided", MONEY),
    "backtest_headline": ("Scores of past forecasts of the number in care", "Children; lower is better."),
    "backtest_by_horizon": ("Scores of past forecasts by quantity and years ahead", "Units of the quantity."),
    "backtest_stacking": ("Weights of the processes that would have scored best", SHARES),
    "backtest_vintages": ("The target year as seen from each release", MONEY),
    "forecasts": ("Forecasts kept for scoring when figures arrive", "Children."),
    "acceptability": (
        "Chance that each option is best, by value of a child-year at home",
        MONEY + " " + SHARES,
    ),
    "accounts_backtest": (
        "Spending forecast from earlier years against what was published",
        "GBP million, real.",
    ),
    "accounts_reconciliation": ("Published and modelled spending, 2012-13 onwards", "GBP million."),
    "assumptions_log": ("Assumptions log: every input with its source, quality and influence", ""),
    "attribution": ("Contribution of each intervention to every option, Shapley values", MONEY),
    "best_option": ("Best option by value of a child-year at home", MONEY + " " + SHARES),
    "break_even_map": ("Break-even map: cut in starts against worth of a child not in care", MONEY),
    "break_even_values": ("Value of a child-year at home at which an option breaks even", MONEY),
    "cash_flow_by_year": (
        "Cash flow by payer and kind, by year",
        MONEY + " Costs are positive, savings negative.",
    ),
    "cash_statement": ("Cash statement by payer, by year", "GBP, cash of each year."),
    "children_by_year": ("Children looked after at 31 March, by option", "Children."),
    "claims": ("The review's claims and the chance the evidence gives each", SHARES),
    "convergence": ("Convergence of the fitted models", "Each check against what is required."),
    "cost_ladder": ("What leaving a placement saves: average, avoidable and cashable cost", MONEY),
    "cost_of_delay": ("Cost of waiting two years", MONEY),
    "councils": ("Children and money by council", MONEY),
    "discount_schedules": ("Net present value under other discount schedules", MONEY),
    "distribution": ("Results weighted for who gains and who pays", MONEY),
    "dominance": ("How often one option is preferred to another", SHARES),
    "drivers": ("What drives the results: outcome at the low and high end of each input", MONEY),
    "effect_chain": ("From money to fewer children, step by step", "Units are given in each row."),
    "effects": (
        "Effects by stage: as published, bias removed, national roll-out",
        "Log risk ratios or differences.",
    ),
    "evidence": ("Studies used and left out", "Effects are on the scale of their estimand."),
    "fewer_children_by_year": (
        "Children fewer in care than under business as usual",
        "Children at 31 March.",
    ),
    "fewer_children_chances": ("Chance of at least so many fewer children, by year", SHARES),
    "financing_modes": ("Ways of paying after the programme", MONEY),
    "frontier": ("Options on the frontier of cost and children kept at home", MONEY),
    "growth_scenarios": ("Results under other paths of unit costs", MONEY),
    "history": ("Children looked after, starts and ceases as published", "Children."),
    "information_value": ("Most that learning could be worth, by question", MONEY),
    "mvpf": ("Marginal value of public funds", MONEY),
    "need_to_believe": (
        "What one would have to believe for the review's claims to hold",
        "Units as in the inputs.",
    ),
    "net_by_year": ("Net saving by year, and so far", MONEY),
    "npv": ("Fiscal net present value by option", MONEY + " Positive is a net saving."),
    "optimal_studies": ("Best size of each study", MONEY),
    "optimism_check": ("Results without the correction for optimism, or with uplifts in its place", MONEY),
    "optimism_devices": ("How each input is corrected for optimism", ""),
    "other_unit_costs": ("Unit costs that are not published", MONEY),
    "panel_authorities": ("Authorities in England's own panel, and their place in it", ""),
    "panel_path": ("Starts after launch in the panel of authorities", "Ratio to what would have been."),
    "panel_placebo_dates": ("Effect found at made-up launch dates", "Log ratio."),
    "panel_summary": ("Effect found in England's own panel", "Ratio."),
    "payback": ("Chance of paying back in each year", SHARES),
    "payback_by_payer": ("Chance of paying back in each year, by payer", SHARES),
    "payback_measures": ("Chance of having paid back, by three measures", SHARES),
    "perspectives": ("Net present value by who counts", MONEY),
    "pilot_learning": ("What a pilot teaches, and what waiting for it costs", MONEY),
    "pilot_or_now": ("Pilot first, go now or go in steps: expected payoff", MONEY),
    "pilot_power": (
        "What pilots of each size could detect",
        "Log ratio and per cent of starts; power from 0 to 1.",
    ),
    "plane": ("Share of draws by whether an option is better and cheaper", SHARES),
    "power_scaling": ("How far each prior and each set of data moves the result", ""),
    "prior_alternatives": ("Inputs fitted with other distributions", "Units as in the inputs."),
    "prior_claims": ("What the priors alone say of the review's claims", SHARES),
    "prior_predictive": (
        "What the priors alone predict, against what was seen",
        "Units are given in each row.",
    ),
    "priors": ("Uncertain inputs: value, source and quality", "Units are given in each row."),
    "rank_probabilities": ("Chance of each rank, by value of a child-year at home", SHARES),
    "ranking": ("Ranking of options by value of a child-year at home", MONEY),
    "reach": ("What studies of areas taught of coverage, reach and effect", "Units are given in each row."),
    "reconciliation": ("Published figures checked against each other", ""),
    "review_price_base": ("Results if the review's figures were in other prices", MONEY),
    "risk": ("Risk of each option: mean, tail and regret", MONEY),
    "social_account": ("Costs and benefits to society, line by line", MONEY),
    "social_switching": ("Value of a life's outcome at which an option breaks even", MONEY),
    "starts_by_year": ("Starts to be looked after, by option and year", "Children a year."),
    "study_values": ("Value of studies by size", MONEY),
    "switching_values": ("Value of each input at which the answer changes", "Units as in the inputs."),
    "system_cost_by_year": (
        "Cost of children's social care by year",
        "GBP a year; real or cash as each row says.",
    ),
    "system_cost_parts": ("Parts of the cost of children's social care", "GBP million."),
    "tracker": ("Starts expected each year under each belief", "Children a year."),
    "treasury_statement": ("Statement by payer, by year, real and discounted", MONEY),
    "unit_cost_growth": ("Growth of unit costs, published and estimated", "Log points a year."),
    "unmonetised": ("Measures with a cost and no modelled effect", ""),
    "unmonetised_and_financing": ("What unmonetised measures would have to achieve", MONEY),
    "variance_shares": ("Shares of the variance of the result, by group of inputs", SHARES),
    "weight_of_change": ("Weight of the sceptic at which the preferred option changes", SHARES),
    "what_it_would_take": ("Fall in starts needed for each number of fewer children", "Children and shares."),
    "who_bears": ("Who pays and who gains, by fifth of the population", MONEY),
}
"""Title and units by table."""


HEADINGS = {
    "mcse": "Standard error",
    "se": "Standard error",
    "npv": "Net present value",
    "q05": "5% quantile",
    "q50": "Median",
    "q95": "95% quantile",
    "evpi": "Value of perfect information",
    "enbs": "Net value of the study",
    "evsi": "Value of the study's result",
    "cvar": "Mean of the worst draws",
    "icer": "Incremental cost-effectiveness ratio",
    "mvpf": "Marginal value of public funds",
    "se_": "Standard error",
}
"""Words for columns whose names say too little."""


def title_of(table: str) -> tuple[str, str]:
    """Return the title of a table, and what its figures are in. Tuple of (str, str)."""
    return TITLES.get(table, (full_name(table), ""))


def heading_of(column: str) -> str:
    """Return the heading of a column: in words, with its notes."""
    stem, error = column, ""
    for ending in ("_se", "_mcse"):
        if column.endswith(ending):
            stem, error = column[: -len(ending)], ", standard error [note 2]"
    for ending, words in (("lower", "lower end [note 1]"), ("upper", "upper end [note 1]")):
        if stem.endswith(ending):
            before = stem[: -len(ending)].strip("_")
            return f"{heading_of(before)}, {words}{error}" if before else words.capitalize() + error
    if stem.startswith("prob_"):
        return f"Probability: {full_name(stem[5:]).lower()}{error}"
    for short, words in HEADINGS.items():
        if stem == short:
            return words + (" [note 2]" if words == "Standard error" else "") + error
        if stem.startswith(f"{short}_"):
            return f"{words}, {stem[len(short) + 1 :].replace('_', ' ')}{error}"
    return full_name(stem) + (" [note 3]" if stem == "year" else "") + error
