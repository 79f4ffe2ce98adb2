"""How large a change in children's lives would have to be for an option to break even in social terms."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from cba.appraisal.headline import discounted
from cba.appraisal.perspectives import social_lines
from cba.appraisal.value_of_lives import (
    CARE_CLAIM,
    NEED_CLAIM,
    claimed_amount,
    in_health_terms,
    safe_child_years,
    years_in_care,
)

if TYPE_CHECKING:
    from cba.appraisal.stages import Workings

_COLUMNS = ["option", "measure", "unit", "switching_value", "prior_median", "prob_beyond"]


def social_switching(workings: Workings) -> pd.DataFrame:
    """Value of each social input at which an option's mean social net present value is zero.

    Parameters
    ----------
    workings : Workings
        Everything worked out.

    Returns
    -------
    DataFrame
        Columns option, measure, unit, switching_value, prior_median, prob_beyond (share of the input's draws
        above the switching value). Measures are alternatives. For ``need_cost`` nothing says what the value
        is, so median and probability are missing: the switching value is the share of the lifetime cost of a
        child who needs a social worker that a year of family help would have to avoid. Missing where the
        option changes nothing the measure counts.

    Notes
    -----
    ``-E[social NPV] / E[worth of one unit]``: a ratio of means over common draws.

    Examples
    --------
    >>> social_switching(workings).query("measure == 'wellby'")  # doctest: +SKIP
    """
    system, rows = workings.system, []
    price = workings.system.value("social.wellby"), workings.system.value("social.qaly")
    per_year = claimed_amount(workings, CARE_CLAIM) / years_in_care(workings)
    for option, account in workings.accounts.items():
        if option == "bau":
            continue
        gap = -float(np.mean([line.amount for line in social_lines(workings, option)], axis=1).sum())
        years = safe_child_years(workings, option)
        healthy = in_health_terms(workings, years)
        served = account.services.family_help * system.value("family_help.eligible_children")[:, None]
        units = (
            ("lifetime_cost", "causal share", discounted(workings, years) * per_year, "social.causal_share"),
            ("wellby", "points of life satisfaction", healthy * price[0], "social.life_satisfaction_change"),
            ("qaly", "QALYs per child-year", healthy * price[1], "social.health_utility_change"),
            ("need_cost", "share avoided per child served for a year",
             discounted(workings, served) * claimed_amount(workings, NEED_CLAIM), None),
        )  # fmt: skip
        for measure, unit, worth, entry in units:
            worth_of_one = float(worth.mean())
            value = gap / worth_of_one if worth_of_one > 0 else np.nan
            draws = None if entry is None else system.value(entry)
            known = (np.nan, np.nan) if draws is None else (np.median(draws), (draws > value).mean())
            known = known if np.isfinite(value) else (known[0], np.nan)
            rows.append((option, measure, unit, value, *known))
    return pd.DataFrame(rows, columns=_COLUMNS)
