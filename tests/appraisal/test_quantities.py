"""Keys of the headline and how its quantities are printed; adding one is in tests/test_where_to_add.py."""

from __future__ import annotations

from cba.appraisal.quantities import QUANTITIES, key_of, quantity_of, spoken_quantities


def test_keys_of_schema_1_say_2032_whatever_the_target_year():
    assert key_of("system_cost_cash", "bau") == "system_cost_2032_cash.bau"
    assert quantity_of("system_cost_2032_cash.bau") is QUANTITIES["system_cost_cash"]
    assert quantity_of("fewer_children") is QUANTITIES["fewer_children"]
    assert quantity_of("child_years") is quantity_of("") is None


def test_every_quantity_is_printed_in_a_known_style_and_told_in_one_place():
    from cba.reporting.numbers import show

    for entry in QUANTITIES.values():
        assert show(0.5, style=entry.style) and entry.words and entry.unit
    told = [entry.spoken for usual in (False, True) for entry in spoken_quantities(usual=usual)]
    assert told == sorted(set(told)), "two quantities have the same place, or business as usual is not last"
