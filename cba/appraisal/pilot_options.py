"""The published pilot and a roll-out that is stopped, as options: money only, so that they are costed like any."""

from __future__ import annotations

from cba.inputs.option_records import Option, Spend
from cba.inputs.options import load_options

PUBLISHED_AREAS = 12
"""Most areas of the pathfinders announced in February 2023, for two years."""

PUBLISHED_YEARS = 2


def pilot_option(years: int) -> Option:
    """The family help pathfinders of 2023 in 12 areas, at their yearly money, from the second year.

    Parameters
    ----------
    years : int, >= 1

    Returns
    -------
    Option
        Money in cash of the years in which it is spent, as announced: £45m over two years.

    Examples
    --------
    >>> dict(pilot_option(3).spend[0].gbp_million)
    {1: 22.5, 2: 22.5, 3: 22.5}
    """
    announced = [line for line in load_options(["dfe_2023"])[0].spend if line.component == "family_help"]
    yearly = sum(sum(line.gbp_million.values()) for line in announced) / PUBLISHED_YEARS
    first = announced[0]
    money = Spend(
        component="family_help",
        payer=first.payer,
        price_year=first.price_year,
        gbp_million={1 + year: yearly for year in range(years)},
        source=first.source,
    )
    stated = {
        "schema": 1,
        "id": "pilot",
        "label": "Pathfinders",
        "description": "Family help in some areas, observed and then ended.",
        "timing": "shift",
        "financing": "fade",
        "frames": ("review_2022", "latest"),
        "spend": (money,),
    }
    return Option.model_validate(stated)


def stopped_option(option: Option, *, start_year: int, after: int) -> Option:
    """An option whose money ends early: nothing is spent from the offset `after` on.

    Parameters
    ----------
    option : Option
    start_year : int
        First year of the analysis.
    after : int
        Offset of the first year without money.

    Returns
    -------
    Option
        Recurrent money of the years before becomes programme money, so that nothing follows it.

    Examples
    --------
    >>> ended = stopped_option(load_options(["care_review"])[0], start_year=2023, after=5)
    >>> ended.financing, [dict(line.gbp_million) for line in ended.spend][-1]
    ('fade', {4: 1000.0})
    """
    first = start_year if option.timing == "shift" else 0
    last = start_year + after - first - option.delay_years  # first key without money
    spend = []
    for line in option.spend:
        kept = {when: amount for when, amount in line.gbp_million.items() if when < last}
        if kept:
            spend.append(line.model_copy(update={"gbp_million": kept}))
    again = option.recurrent
    if again is not None and again.first_offset < last:
        spend.append(
            Spend(
                component=again.component,
                payer=again.payer,
                price_year=again.price_year,
                gbp_million={when: again.gbp_million for when in range(again.first_offset, last)},
                source=again.source,
            )
        )
    return option.model_copy(update={"spend": tuple(spend), "recurrent": None, "financing": "fade"})
