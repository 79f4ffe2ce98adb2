"""Worlds between two runs: the ends are the two runs themselves, and only what differs is a group."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pytest

from cba.appraisal.quantities import headline_draws, headline_results
from cba.inputs.analyses import load_analysis
from cba.inputs.files import priors_folder, shipped_published_folder
from cba.runs.compare import mixed_inputs, read_run_inputs, worlds_between
from cba.runs.comparison import DATA, OPTIONS, PRICES, PRIORS, UNIT_COSTS, groups_that_differ
from tests.made_fits import made_baseline, made_effects

OPTIONS_HERE = ("bau", "care_review", "kinship_only")
DRAWS = 40


def small(**changes):
    settings = {"draws": DRAWS, "chains": 2, "long_horizon": 14, "options": OPTIONS_HERE, "lead": None}
    return load_analysis("latest").model_copy(update=settings | changes)


def made_fit(analysis, *, stance, observations, root):
    """Fits without the sampler: business as usual around the rates of the release."""
    from cba.inputs.priors import load_priors

    baseline = made_baseline(observations, load_priors(), draws=analysis.draws // 2)
    return baseline, made_effects(draws=analysis.draws // 2)


def changed_priors(folder: Path, *, file: str, heading: str, old: str, new: str) -> Path:
    """Copy the priors with one line of one entry changed."""
    if not folder.is_dir():
        shutil.copytree(priors_folder(), folder)
    text = (folder / file).read_text(encoding="utf-8")
    start = text.index(f"[{heading}]")
    end = text.find("\n[", start + 1)
    entry = text[start : end if end > 0 else None]
    assert old in entry
    (folder / file).write_text(text.replace(entry, entry.replace(old, new)), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def held():
    return read_run_inputs(small(), stance="evidence", name="latest/a")


def moved_entry(held, name, **changes):
    """The same run with one entry's distribution shifted."""
    entry = held.inputs.priors[name]
    entries = {**held.inputs.priors.entries, name: dataclasses.replace(entry, **changes)}
    priors = dataclasses.replace(held.inputs.priors, entries=MappingProxyType(entries))
    return dataclasses.replace(held, inputs=dataclasses.replace(held.inputs, priors=priors))


def moved_setting(held, **changes):
    analysis = held.inputs.analysis.model_copy(update=changes)
    return dataclasses.replace(held, inputs=dataclasses.replace(held.inputs, analysis=analysis))


@pytest.mark.parametrize(
    ("name", "group"),
    [
        ("effects.attenuation", PRIORS),
        ("family_help.eligible_children", PRIORS),
        ("avoidable.foster", UNIT_COSTS),
        ("family_help.cost_per_family_in_need", UNIT_COSTS),
        ("prices.deflator_growth", PRICES),
    ],
)
def test_an_entry_moves_the_group_it_belongs_to(held, name, group):
    other = held.inputs.priors["effects.authority_spread"].fitted
    assert groups_that_differ(held, moved_entry(held, name, fitted=other)) == (group,)


def test_words_are_no_change(held):
    assert groups_that_differ(held, moved_entry(held, "avoidable.foster", description="other words")) == ()


@pytest.mark.parametrize(
    ("changes", "group"),
    [({"price_base": 2023}, PRICES), ({"start_year": 2027}, DATA), ({"evidence_until": 2025}, PRIORS)],
)
def test_a_setting_moves_the_group_it_belongs_to(held, changes, group):
    assert groups_that_differ(held, moved_setting(held, **changes)) == (group,)


def test_draws_and_seed_belong_to_no_group_of_inputs(held):
    assert groups_that_differ(held, moved_setting(held, seed=7, draws=80)) == ()


def test_an_option_moves_the_options_unless_only_its_words_did(held):
    def with_option(**changes):
        options = tuple(
            o.model_copy(update=changes) if o.id == "kinship_only" else o for o in held.inputs.options
        )
        return dataclasses.replace(held, inputs=dataclasses.replace(held.inputs, options=options))

    assert groups_that_differ(held, with_option(delay_years=1)) == (OPTIONS,)
    assert groups_that_differ(held, with_option(label="Another name")) == ()


def test_mixed_inputs_take_each_entry_from_its_group(held):
    other = held.inputs.priors["effects.authority_spread"].fitted
    moved = moved_entry(
        moved_entry(held, "avoidable.foster", fitted=other), "effects.attenuation", fitted=other
    )
    later = dict.fromkeys((DATA, PRIORS, PRICES, OPTIONS), True) | {UNIT_COSTS: False}
    inputs = mixed_inputs(held, moved, later=later, options=OPTIONS_HERE)
    assert inputs.priors["avoidable.foster"].fitted == held.inputs.priors["avoidable.foster"].fitted
    assert inputs.priors["effects.attenuation"].fitted == other


def test_the_ends_are_the_two_runs_to_the_last_bit(held, tmp_path):
    """Worked out as a run would, apart from any mixing: a second path to the same numbers."""
    from cba.appraisal.inputs import joint_draws
    from cba.appraisal.workings import worked_options

    folder = changed_priors(
        tmp_path / "priors",
        file="costs.toml",
        heading="avoidable.foster",
        old='"0.05" = 0.4',
        new='"0.05" = 0.3',
    )
    after = read_run_inputs(small(), stance="evidence", name="latest/b", priors=folder)
    assert groups_that_differ(held, after) == (UNIT_COSTS,)
    world = worlds_between(
        held, after, groups=(UNIT_COSTS,), options=OPTIONS_HERE, root=tmp_path, fit=made_fit
    )
    for run, moved in ((held, frozenset()), (after, frozenset({UNIT_COSTS}))):
        fits = made_fit(small(), stance="evidence", observations=run.inputs.observations, root=tmp_path)
        baseline, effects = fits
        drawn = joint_draws(run.inputs, baseline=baseline, effects=effects)
        workings = worked_options(run.inputs, drawn, baseline=baseline, effects=effects)
        results, found = headline_results(workings), world(moved)
        assert found["npv_fiscal.care_review"].mean() == results["npv_fiscal.care_review"]["mean"]
        for key, draws in found.items():
            assert draws.mean() == pytest.approx(results[key]["mean"], rel=1e-12, abs=1e-12), key
        undefined = {k for k, entry in results.items() if entry["mean"] is None}
        left_out = {k for k in results if k.startswith("payback_year.")}
        assert set(results) - set(found) == undefined | left_out


def test_another_release_mixes_with_the_costs_and_prices_of_the_first(tmp_path):
    """Every mixture of two releases works out: unit costs a year older than the data, and cut to them where newer."""
    one = read_run_inputs(small(release=2023), stance="evidence", name="latest/a")
    other = read_run_inputs(small(), stance="evidence", name="latest/b")
    groups = groups_that_differ(one, other)
    assert groups == (DATA, UNIT_COSTS, PRICES)
    world = worlds_between(one, other, groups=groups, options=OPTIONS_HERE, root=tmp_path, fit=made_fit)
    newer, older = (world(frozenset(moved)) for moved in ({DATA, PRICES}, {UNIT_COSTS}))
    for draws in (newer, older):
        assert np.isfinite(draws["npv_fiscal.care_review"]).all()
    # without new data, new unit costs are of years after the data: they are not used
    assert older["npv_fiscal.care_review"] == pytest.approx(world(frozenset())["npv_fiscal.care_review"])
    assert newer["npv_fiscal.care_review"].mean() != world(frozenset(groups))["npv_fiscal.care_review"].mean()


def test_evidence_is_read_from_where_the_priors_come_from(held, tmp_path):
    """A fit on new data with old evidence reads a folder of its own, in which each table is of the right run."""
    published = tmp_path / "published"
    shutil.copytree(shipped_published_folder(), published)
    effects = published / "evidence_effects.csv"
    effects.write_text(effects.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    after = dataclasses.replace(held, published=published)
    seen = {}

    def fit(analysis, *, stance, observations, root):
        from cba.inputs.files import published_file

        seen["evidence"] = published_file("evidence_effects.csv").read_bytes()
        seen["data"] = published_file("england_children.csv").resolve().parent
        return made_fit(analysis, stance=stance, observations=observations, root=root)

    world = worlds_between(held, after, groups=(DATA, PRIORS), options=OPTIONS_HERE, root=tmp_path, fit=fit)
    world(frozenset({DATA}))
    assert seen["data"] == published
    assert seen["evidence"] == (shipped_published_folder() / "evidence_effects.csv").read_bytes()


def test_draws_of_the_headline_are_left_out_where_a_ratio_has_no_denominator(held, tmp_path):
    world = worlds_between(
        held, held, groups=(), options=("bau", "kinship_only"), root=tmp_path, fit=made_fit
    )
    found = world(frozenset())
    assert "bcr.bau" not in found and "bcr.kinship_only" in found


def test_headline_draws_can_be_of_some_options():
    from tests.appraisal.made_workings import made_workings

    found = headline_draws(made_workings(), options=["care_review"])
    assert {key.rpartition(".")[2] for key in found} == {"care_review"}


def test_every_setting_of_an_analysis_belongs_somewhere():
    """A setting added later must be given to a group, or be known to move no figure of one stance."""
    from cba.inputs.analyses import Analysis
    from cba.runs.comparison import SAMPLER, SETTINGS

    placed = {name for names in SETTINGS.values() for name in names} | set(SAMPLER)
    says_how = {
        "schema_version",
        "name",
        "title",
        "frame",
        "stances",
        "mixture",
        "level",
        "gates",
        "precision",
        "commissioner",
        "lead",
        "analyst",
        "assurer",
        "approver",
        "review_by",
        "data",
        "hold",
    }
    listed = {"options", "own_options"}
    assert set(Analysis.model_fields) <= placed | says_how | listed
    assert placed | listed <= set(Analysis.model_fields)
