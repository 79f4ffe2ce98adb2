"""Cached fits: the same numbers back, one fit for one key, and a damaged copy never used."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from cba.dimensions import STAGE_PRIOR_GROUPS
from cba.errors import GateError
from cba.inputs.evidence import load_evidence
from cba.inputs.files import fingerprint as content_sha256
from cba.inputs.priors import load_priors
from cba.runs.fingerprints import file_sha256
from cba.runs.stages import cached_fit


def made(seed: int = 0) -> xr.DataTree:
    rng = np.random.default_rng(seed)
    posterior = xr.Dataset(
        {"last_level": (("chain", "draw", "series"), rng.normal(size=(4, 50, 3)))},
        coords={"chain": range(4), "draw": range(50), "series": ["starts_under_1", "exits_16_plus", "uasc"]},
    )
    stats = xr.Dataset(
        {"diverging": (("chain", "draw"), np.zeros((4, 50), bool)), "depth": ("draw", np.arange(50))}
    )
    gates = xr.Dataset(
        {"passed": ("check", [True]), "where": ("check", ["level"])}, coords={"check": ["R-hat"]}
    )
    constants = xr.Dataset({"last_year": 2024, "tail": ("draw", [np.nan, 1 / 3])})
    return xr.DataTree.from_dict(
        {"posterior": posterior, "sample_stats": stats, "convergence": gates, "constant_data": constants}
    )


class Counted:
    def __init__(self) -> None:
        self.calls = 0

    def __call__(self) -> xr.DataTree:
        self.calls += 1
        return made()


def get(root, fit, **key):
    fingerprint = content_sha256({"seed": 0, **key})
    return cached_fit(root, model="baseline", fingerprint=fingerprint, fit=fit)


def test_the_fit_comes_back_bit_for_bit_and_is_made_once(tmp_path):
    fit = Counted()
    first, second = get(tmp_path, fit), get(tmp_path, fit)
    assert fit.calls == 1
    for tree in (first, second):
        assert tree.attrs == {}  # the key it was kept under is not part of it
        for group in made().children:
            expected, found = made()[group].to_dataset(), tree[group].to_dataset()
            for name in expected.variables:
                np.testing.assert_array_equal(found[name].values, expected[name].values)
                assert found[name].dims == expected[name].dims
    assert second["sample_stats"]["diverging"].dtype == bool
    stored = sorted(path.name for path in (tmp_path / ".cache").iterdir())
    assert [name.rsplit(".", 1)[-1] for name in stored] == ["nc", "sha256", "lock"]
    assert not [name for name in stored if "pickle" in name or name.endswith(".part")]


def test_another_key_is_another_fit(tmp_path):
    fit = Counted()
    get(tmp_path, fit)
    get(tmp_path, fit, release=2021)
    assert fit.calls == 2


@pytest.mark.parametrize(
    "spoil",
    [
        lambda data: data[:-1],
        lambda data: data[: len(data) // 2] + bytes([data[len(data) // 2] ^ 1]) + data[len(data) // 2 + 1 :],
        lambda data: b"",
    ],
)
def test_a_damaged_fit_is_made_again_with_a_warning(tmp_path, capsys, spoil):
    fit = Counted()
    get(tmp_path, fit)
    (path,) = (tmp_path / ".cache").glob("*.nc")
    path.write_bytes(spoil(path.read_bytes()))
    again = get(tmp_path, fit)
    assert fit.calls == 2
    warning = capsys.readouterr().err
    assert "warning" in warning and str(path) in warning and "fitting again" in warning
    np.testing.assert_array_equal(again["posterior"]["last_level"], made()["posterior"]["last_level"])
    get(tmp_path, fit)
    assert fit.calls == 2  # the copy was mended


def other() -> xr.DataTree:
    return xr.DataTree.from_dict({"posterior": xr.Dataset({"last_level": ("draw", np.full(3, 999.0))})})


def forged(path, side):
    other().to_netcdf(path, engine="h5netcdf")
    side.write_text(file_sha256(path))


def swapped(path, side):
    fit = Counted()
    cached_fit(path.parents[1], model="effects", fingerprint="1" * 64, fit=fit)
    (twin,) = path.parent.glob("effects-*.nc")
    path.write_bytes(twin.read_bytes())
    side.write_text(file_sha256(path))


def same_start(path, side):
    """A fit of the same name, whose key differs behind the part that is in the name."""
    key = content_sha256({"seed": 0})
    path.unlink()
    cached_fit(path.parents[1], model="baseline", fingerprint=key[:-1] + "x", fit=other)


BAD_COPIES = {
    "another fit with a right hash": forged,
    "the fit of another model": swapped,
    "a fit whose key begins alike": same_start,
    "a hash of two odd bytes": lambda path, side: side.write_bytes(b"\xff\xfe"),
    "a hash that is a folder": lambda path, side: (side.unlink(), side.mkdir()),
    "a hash of zeros": lambda path, side: side.write_bytes(b"\0" * 64),
    "not netCDF, with a right hash": lambda path, side: (
        path.write_bytes(b"x"),
        side.write_text(file_sha256(path)),
    ),
    "netCDF without groups": lambda path, side: (
        xr.Dataset().to_netcdf(path, engine="h5netcdf"),
        side.write_text(file_sha256(path)),
    ),
}


@pytest.mark.parametrize("spoil", BAD_COPIES.values(), ids=BAD_COPIES)
def test_a_copy_that_is_not_the_fit_asked_for_is_never_handed_on(tmp_path, capsys, spoil):
    fit = Counted()
    get(tmp_path, fit)
    (path,) = (tmp_path / ".cache").glob("baseline-*.nc")
    spoil(path, path.with_name(path.name + ".sha256"))
    again = get(tmp_path, fit)
    assert fit.calls == 2
    np.testing.assert_array_equal(again["posterior"]["last_level"], made()["posterior"]["last_level"])
    said = capsys.readouterr().err
    assert "warning" in said and str(path) in said and "fitting again" in said


def test_an_unreadable_fit_with_a_matching_hash_is_made_again(tmp_path, capsys):
    fit = Counted()
    get(tmp_path, fit)
    (path,) = (tmp_path / ".cache").glob("*.nc")
    path.write_bytes(b"not netCDF")
    path.with_name(path.name + ".sha256").write_text(file_sha256(path))
    get(tmp_path, fit)
    assert fit.calls == 2 and "cannot be read" in capsys.readouterr().err


def test_a_fit_killed_before_its_hash_was_written_is_made_again(tmp_path):
    fit = Counted()
    get(tmp_path, fit)
    (side,) = (tmp_path / ".cache").glob("*.sha256")
    side.unlink()
    get(tmp_path, fit)
    assert fit.calls == 2


def test_a_cache_that_cannot_be_written_costs_nothing_but_time(tmp_path, capsys):
    (tmp_path / ".cache").write_text("in the way")
    fit = Counted()
    assert get(tmp_path, fit)["posterior"]["last_level"].shape == (4, 50, 3)
    assert fit.calls == 1 and "not cached" in capsys.readouterr().err


def test_a_fit_that_fails_its_gates_is_not_kept(tmp_path):
    def fails() -> xr.DataTree:
        raise GateError("the baseline model has not converged", ["R-hat: found 1.2, required 1.01 (level)"])

    with pytest.raises(GateError):
        get(tmp_path, fails)
    assert not list((tmp_path / ".cache").glob("*.nc*"))


@pytest.mark.parametrize("model", ["baseline", "effects"])
def test_the_models_read_no_prior_outside_their_groups(model):
    """Build each model on a registry that holds its groups only: anything else it asked for would raise."""
    from dataclasses import replace

    from cba.inputs.observations import load_observations
    from cba.models.baseline import build_baseline, flow_rates
    from cba.models.effects import build_effects
    from cba.models.effects_areas import care_facts
    from cba.models.growth import growth_series
    from cba.models.studies import VARIANTS, studies_used

    priors = load_priors()
    kept = {
        name: entry
        for name, entry in priors.entries.items()
        if name.partition(".")[0] in STAGE_PRIOR_GROUPS[model]
    }
    only = replace(priors, entries=kept)
    if model == "baseline":
        share = only["baseline.uasc_leave_share"].quantile(0.5)
        seen = load_observations()
        rates = flow_rates(seen, uasc_leave_share=share)
        assert build_baseline(rates, growth_series(seen), only).free_RVs
    else:
        studies, facts = studies_used(load_evidence(), only), care_facts(load_observations())
        for variant in VARIANTS:
            assert build_effects(studies, only, facts=facts, variant=variant).free_RVs
