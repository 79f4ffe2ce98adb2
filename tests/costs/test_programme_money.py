"""Programme money: published totals, price years, timing and what is left out."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from cba.costs.account import Terms, programme_money, recurrent_cap
from cba.costs.prices import PriceIndex
from cba.errors import InputError
from cba.inputs.options import load_options
from tests.appraisal.made_workings import option

LEVELS = {2022: 90.0, 2023: 95.0, 2024: 100.0, 2025: 104.0, 2026: 107.0}
GROWTH = xr.DataArray([0.01, 0.03], dims="sample")
PRICES = PriceIndex(
    published=xr.DataArray(
        list(LEVELS.values()), coords={"deflator_year": list(LEVELS)}, dims="deflator_year"
    ),
    growth_beyond=GROWTH,
)
YEARS = range(2023, 2040)


def money(name: str, *, start_year=2026, price_base=2022, years=YEARS, **changes):
    return programme_money(option(name, **changes), Terms(start_year, years, price_base, PRICES, 2))


def total(lines) -> np.ndarray:
    return sum(line.amount for line in lines)


def test_care_review_spends_the_published_split_and_not_the_headline():
    """£46m, £987m, £1,257m and £233m are £2,523m; the announced £2.6bn is never reached by rescaling."""
    by_year = total(money("care_review"))[0] / 1e6
    spent = dict(zip(YEARS, by_year, strict=True))
    assert [spent[y] for y in (2026, 2027, 2028, 2029)] == pytest.approx([46, 987, 1257, 233], abs=1e-6)
    assert by_year.sum() == pytest.approx(2523.0, abs=1e-6)


def test_workforce_is_253_million_of_it():
    workforce = [line for line in money("care_review") if line.component == "workforce"]
    assert total(workforce)[0].sum() / 1e6 == pytest.approx(253.0, abs=0.05)


def test_delayed_option_is_the_same_money_two_years_later():
    now, later = total(money("care_review")), total(money("care_review_delayed"))
    np.testing.assert_array_equal(later[:, 2:], now[:, :-2])
    assert (later[:, :2] == 0).all()


def test_recurrent_money_begins_after_the_programme_and_two_years_later_when_delayed():
    settings = Terms(2026, YEARS, 2022, PRICES, 2)
    now = recurrent_cap(option("care_review"), settings)
    later = recurrent_cap(option("care_review_delayed"), settings)
    assert (now[:, : 2030 - 2023] == 0).all()
    np.testing.assert_allclose(now[:, 2030 - 2023 :], 1e9)
    np.testing.assert_array_equal(later[:, 2:], now[:, :-2])


@pytest.mark.parametrize("name", ["bau", "care_review_injection_only", "foster_only", "ffp_2025"])
def test_options_that_fade_have_no_recurrent_money(name):
    settings = Terms(2026, YEARS, 2022, PRICES, 2)
    assert not recurrent_cap(option(name), settings).any()


def test_money_rolled_in_from_existing_budgets_is_left_out():
    """The former £253.5m a year is in business as usual: only the other lines of `ffp_2025` count."""
    chosen = load_options(["ffp_2025"])[0]
    new = sum(sum(line.gbp_million.values()) for line in chosen.spend if line.additional)
    rolled = sum(sum(line.gbp_million.values()) for line in chosen.spend if not line.additional)
    flat = PriceIndex(published=PRICES.published * 0 + 100.0, growth_beyond=0.0)
    lines = programme_money(chosen, Terms(2026, YEARS, 2022, flat, 1))
    assert rolled == pytest.approx(4 * 253.5)
    assert total(lines).sum() / 1e6 == pytest.approx(new)


def test_cash_is_deflated_from_the_year_it_is_spent():
    """Also beyond the last published year, where every draw has its own growth."""
    family_help = [line for line in money("ffp_2025") if line.component == "family_help"]
    found = total(family_help)[:, [2026 - 2023, 2028 - 2023]] / 1e6
    for draw, growth in enumerate(GROWTH.values):
        expected = [268.0 * 90 / 107, 581.8 * 90 / (107 * (1 + growth) ** 2)]
        np.testing.assert_allclose(found[draw], expected, rtol=1e-12)


def test_stated_price_year_is_converted_once():
    """£2,523m in prices of 2021-22 is that times 100/90 in prices of 2023-24, whatever year it is spent in."""
    np.testing.assert_allclose(
        total(money("care_review", price_base=2024)), total(money("care_review")) * 100 / 90, rtol=1e-12
    )


def test_a_price_year_changes_the_money_by_the_index_and_nothing_else():
    lines = load_options(["care_review"])[0].spend
    restated = tuple(line.model_copy(update={"price_year": 2024}) for line in lines)
    np.testing.assert_allclose(
        total(money("care_review", spend=restated)), total(money("care_review")) * 90 / 100, rtol=1e-12
    )


def test_conversion_to_the_same_year_is_one():
    assert Terms(2026, YEARS, 2024, PRICES, 2).factor(2024, 2030).tolist() == [1.0, 1.0]
    assert Terms(2026, YEARS, 2025, PRICES, 2).factor("cash", 2025).tolist() == [1.0, 1.0]


def test_money_spent_before_the_start_is_refused():
    """Its savings would count and its cost would not."""
    with pytest.raises(InputError) as caught:
        money("ffp_2025", start_year=2028)
    text = str(caught.value)
    assert "ffp_2025" in text and "gbp_million" in text and "2026" in text and "start" in text


def test_components_and_payers_are_kept_apart():
    found = {(line.component, line.payer): line.amount[0].sum() / 1e6 for line in money("care_review")}
    assert set(found) == {
        (c, "dfe") for c in ("family_help", "workforce", "kinship", "foster", "regional_care", "other")
    }
    assert found["family_help", "dfe"] == pytest.approx(2000, abs=1.0)
    assert found["kinship", "dfe"] == pytest.approx(120, abs=0.05)


def test_years_without_money_may_lie_before_the_start_and_beyond_the_end():
    """An empty year before the start is no sunk cost, and money after the last year shown is not shown."""
    spend = (
        option("care_review").spend[0].model_copy(update={"gbp_million": {2024: 0.0, 2027: 3.0, 2050: 9.0}})
    )
    calendar = option("care_review", spend=(spend,), timing="calendar")
    lines = programme_money(calendar, Terms(2026, YEARS, 2022, PRICES, 2))
    found = total(lines)[0] / 1e6
    assert found.sum() == pytest.approx(found[2027 - 2023]) and found[2027 - 2023] > 0
