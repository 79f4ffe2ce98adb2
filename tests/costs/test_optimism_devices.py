"""One device for each input, each an entry of the registry that its neutral value switches off."""

from __future__ import annotations

import dataclasses

import pytest

from cba.costs.optimism_bias import DEVICES, UPLIFTS, require_one_device
from cba.errors import InputError
from cba.inputs.priors import load_priors


def test_every_device_is_an_entry_whose_prior_reaches_no_further_than_it_must():
    entries = load_priors().entries
    for device in DEVICES:
        low, high = entries[device.entry].support
        assert low <= device.neutral <= high
        assert device.neutral < entries[device.entry].quantile(0.5), "the prior corrects nothing on average"


def test_cost_time_and_benefit_are_each_corrected():
    assert {device.corrects for device in DEVICES} == {"cost", "time", "benefit"}


def test_two_devices_on_one_input_are_refused():
    second = dataclasses.replace(DEVICES[0], kind="uplift")
    with pytest.raises(InputError, match="corrected for optimism twice") as caught:
        require_one_device([*DEVICES, second])
    message = str(caught.value)
    assert "field: delivery.cost_overrun" in message and "widened prior and uplift" in message
    assert "one device for each input" in message
    require_one_device(DEVICES)


def test_the_worst_grade_is_the_worst():
    assert max(UPLIFTS.values()) == UPLIFTS["grade 6, the worst"] == 0.40


def test_a_device_at_its_neutral_value_corrects_nothing():
    """A factor on cost is then 1; a share kept back, a delay, a stretch and a cut in effects are 0."""
    neutral = {device.entry: device.neutral for device in DEVICES}
    assert neutral.pop("delivery.cost_overrun") == 1.0
    assert set(neutral.values()) == {0.0}
