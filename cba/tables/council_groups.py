"""All councils side by side, and gains and costs by region and by how deprived children are."""

from __future__ import annotations

import numpy as np
import pandas as pd

from cba.appraisal.quantities import lead_option
from cba.appraisal.workings import Workings
from cba.tables.catalogue import MONEY, catalogued, review_programme, spread
from cba.tables.councils import (
    budget_of,
    care_shares,
    divided,
    in_cash_of,
    known_option,
    option_shares,
    price_ratios,
    years_shown,
)

PER = 10_000
"""Children aged 0 to 17 to whom changes of a council or of a group are related, as the department's rates are."""


FIFTHS = ("most deprived fifth", "second fifth", "third fifth", "fourth fifth", "least deprived fifth")


NO_INDEX = "not in the index"
"""Group of authorities without a figure of deprivation."""


def fifths(deprivation: pd.Series, children: pd.Series) -> pd.Series:
    """Fifth of England's children in which the middle child of each authority lies, most deprived first, in words.

    By children, not by authorities: those with most children are seldom the most deprived.
    """
    known = deprivation.dropna().sort_values(ascending=False, kind="stable").index
    held = children[known]
    middle = (held.cumsum() - held / 2) / held.sum()
    words = [FIFTHS[int(place)] for place in middle * len(FIFTHS)]
    return pd.Series(words, index=known).reindex(deprivation.index, fill_value=NO_INDEX)


def council_profiles(workings: Workings, option: str) -> pd.DataFrame:
    """Name, place and size of authorities of today whose children in care are published; index code.

    Of an option limited to some areas, these alone; fifths are of all.
    """
    seen, known = workings.inputs.observations, workings.inputs.authorities
    care, stock = care_shares(seen)
    codes = sorted(set(workings.system.authority_share) & set(care))
    own, people = known.loc[codes], seen["population_by_authority"].dropna("year", how="all").isel(year=-1)
    about = own[["authority_name", "region", "ons_code", "edition", "deprivation", "deprivation_of"]]
    found = about.rename(columns={"authority_name": "name"}).assign(
        children=float(people.sum()) * pd.Series(workings.system.authority_share)[codes],
        stock=stock.sel(authority=codes).values,
    )
    found = found.assign(deprivation_fifth=fifths(found["deprivation"], found["children"]))
    areas = known_option(workings.inputs, option).areas
    return found[found.index.isin(areas)] if areas else found


def group_draws(
    workings: Workings, option: str, codes: list[str], member: np.ndarray
) -> dict[str, np.ndarray]:
    """Budgets over the horizon and children fewer in the target year of groups of councils, (sample, group).

    `member` (code, group): 1 where a council belongs to a group. Money is cash; `fewer` is what is expected,
    `gone` and `more` its parts below and above business as usual, without the chance of single children.
    """
    account, shown = workings.accounts[option], years_shown(workings)
    in_cash = in_cash_of(workings, shown.stop)[:, shown]
    shares = option_shares(workings, workings.option(option))
    money, care = (np.array([share[code] for code in codes]) for share in shares)
    ratios, _ = price_ratios(workings, codes)
    lines: dict[tuple[str, str], np.ndarray] = {}
    zero = np.zeros((len(account.recurrent), member.shape[1]))
    for payer, kind, amount, share in divided(account, (money, care), ratios):
        total = (amount[:, shown] * in_cash).sum(axis=1)[:, None]
        lines[payer, kind] = lines.get((payer, kind), zero) + total * (np.atleast_2d(share) @ member)
    fewer, part = account.children.fewer_by_placement[:, workings.target], care @ member
    gone, more = (np.maximum(sign * fewer, 0.0).sum(axis=-1)[:, None] * part for sign in (1, -1))
    return budget_of(lines, zero=zero) | {"fewer": gone - more, "gone": gone, "more": more}


@catalogued("councils", "Children and money by council", MONEY, once=True, needs=review_programme)
def council_summary(workings: Workings, option: str | None = None) -> pd.DataFrame:
    """Return one row per authority over the horizon, nominal, in all and per child.

    The whole horizon, because what councils pay begins late and an account of the first years would leave it out.
    """
    # Columns authority, name, region, ons_code, edition (of the index), deprivation, deprivation_of, children (aged
    # 0 to 17), stock (in care today), deprivation_fifth, option, fewer (children in the target year: mean, and limits
    # with the chance of single children), fewer_per_10000, then means of grant (from central government),
    # council_cost, council_saving and council_net (saving less cost), GBP, cash, over the years, and net_per_child;
    # first_year, last_year and counted_in. An authority without published children in care, or outside the areas of
    # the option, has no row. Costs of all authorities add up to the national account in cash; savings do where own
    # prices are England's.
    option = option or lead_option(workings)
    about = council_profiles(workings, option)
    found = group_draws(workings, option, list(about.index), np.eye(len(about)))
    rng = np.random.default_rng([workings.inputs.analysis.seed, 2])
    whole = rng.poisson(found.pop("gone")) - rng.poisson(found.pop("more"))
    limits = spread(workings, whole)
    mean = {name: draws.mean(axis=0) for name, draws in found.items()}
    fewer = {"fewer_mean": mean.pop("fewer"), "fewer_lower": limits["lower"], "fewer_upper": limits["upper"]}
    per_child = {"fewer_per_10000": fewer["fewer_mean"] * PER / about["children"]}
    table = about.assign(option=option, **fewer, **per_child, **mean)
    table["net_per_child"] = table["council_net"] / table["children"]
    years = {"first_year": workings.horizon[0], "last_year": workings.horizon[-1]}
    return table.assign(**years, counted_in=workings.inputs.analysis.target_year).reset_index()


@catalogued(
    "councils_by_group",
    "Gains and costs by region and by deprivation",
    MONEY,
    once=True,
    needs=review_programme,
)
def councils_by_group(workings: Workings, option: str | None = None) -> pd.DataFrame:
    """Return who gains and who pays: groups of councils by region and by how deprived their children are.

    Intervals are over what is expected; for a group the chance of single children comes on top.
    """
    # Columns option, grouping, group, councils, children, then fewer (in the target year), grant, council_cost,
    # council_saving and council_net (GBP, cash, over the horizon): mean, lower and upper, in all and, with
    # `_per_10000` or, of money, `_per_child` before these words, for children aged 0 to 17.
    option = option or lead_option(workings)
    about, rows = council_profiles(workings, option), []
    for grouping, column in (("region", "region"), ("deprivation", "deprivation_fifth")):
        present = set(about[column])
        names = [*sorted(present - {*FIFTHS, NO_INDEX}), *(n for n in (*FIFTHS, NO_INDEX) if n in present)]
        member = np.array([[float(own == name) for name in names] for own in about[column]])
        found = group_draws(workings, option, list(about.index), member)
        children = about["children"].to_numpy() @ member
        part = {"councils": member.sum(axis=0).astype(int), "children": children}
        for name in ("fewer", "grant", "council_cost", "council_saving", "council_net"):
            per, words = (PER, "per_10000") if name == "fewer" else (1, "per_child")
            part |= spread(workings, found[name], f"{name}_")
            part |= spread(workings, found[name] * per / children, f"{name}_{words}_")
        rows.append(pd.DataFrame({"option": option, "grouping": grouping, "group": names} | part))
    return pd.concat(rows, ignore_index=True)
