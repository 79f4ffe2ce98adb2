"""Children to GBP: prices, discounting and optimism bias, and on them the cost of care by payer and year."""

from __future__ import annotations

from cba.costs import optimism_bias
from cba.costs.prices import PriceIndex, cash_index, deflate
from cba.discounting import (
    DiscountSchedule,
    discount_factors,
    find_schedule,
    flat_schedule,
    list_schedules,
    present_value,
)

__all__ = [
    "DiscountSchedule",
    "PriceIndex",
    "cash_index",
    "deflate",
    "discount_factors",
    "find_schedule",
    "flat_schedule",
    "list_schedules",
    "optimism_bias",
    "present_value",
]
