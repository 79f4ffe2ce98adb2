"""An intervention is one TOML file in a folder of its own: checked, run, and in tables, attribution and explorer."""

from __future__ import annotations

import re
import shutil

import numpy as np
import pytest

from cba.appraisal.inputs import read_inputs
from cba.appraisal.workings import worked_options
from cba.cli import main
from cba.costs.option_account import option_account
from cba.errors import InputError
from cba.inputs.analyses import load_analysis
from cba.inputs.files import analysis_file, options_folder
from cba.inputs.options import load_options
from cba.interventions.kinds import checked, own_entries
from cba.models.parameters import joint_parameters
from cba.recipe import assembled
from cba.reporting.page import render_pages
from tests.made_fits import made_baseline, made_effects

MENTORING = """
schema = 1
id = "mentoring"
label = "Mentoring that shortens stays"
description = "Mentors for children aged 10 and over in care"
timing = "shift"
financing = "fade"
frames = ["latest"]

[[spend]]
component = "mentoring"                     # any name; six are shipped
payer = "council"
price_year = 2024
gbp_million = { "0" = 20.0, "1" = 20.0, "2" = 20.0 }
source = "own plan"

[[effect]]
component = "mentoring"
kind = "stay"                               # starts, stay, exits, placement_shift, unit_cost, places
ages = ["10_15", "16_plus"]                 # all when left out
ratio = { distribution = "Normal", params = { mu = 0.92, sigma = 0.03 } }
cost_per_child = { distribution = "LogNormal", quantiles = { "0.05" = 1500, "0.95" = 4000 }, price_year = 2024 }
confidence = "red"
source = "own judgement"

[effect.stance.sceptical]
ratio = { distribution = "Normal", params = { mu = 0.99, sigma = 0.03 } }
"""

REUNIFICATION = """
schema = 1
id = "reunification"
label = "Reunification service"
description = "Support for families whose children could come home"
timing = "shift"
financing = "fade"
frames = ["latest"]

[[spend]]
component = "reunification"
payer = "council"
price_year = 2024
gbp_million = { "0" = 30.0, "1" = 30.0, "2" = 30.0 }
source = "own plan"

[[effect]]
component = "reunification"
kind = "exits"
ratio = { distribution = "LogNormal", quantiles = { "0.05" = 1.05, "0.95" = 1.5 } }
returns = { distribution = "Beta", quantiles = { "0.05" = 0.2, "0.95" = 0.5 } }
cost_per_child = { distribution = "LogNormal", quantiles = { "0.05" = 4000, "0.95" = 9000 }, price_year = 2024 }
confidence = "amber"
source = "a review, https://example.org/review"
"""

OTHERS = {
    "starts": 'ratio = { distribution = "Normal", params = { mu = 0.9, sigma = 0.02 } }',
    "placement_shift": 'from = "childrens_home"\nto = "foster_in_house"\n'
    'share = { distribution = "Beta", quantiles = { "0.05" = 0.05, "0.95" = 0.2 } }',
    "unit_cost": 'placement = "childrens_home"\nwhen_money_ends = "fades"\n'
    'ratio = { distribution = "Normal", params = { mu = 0.95, sigma = 0.01 } }',
    "places": 'places_per_million = { distribution = "LogNormal", quantiles = { "0.05" = 20, "0.95" = 60 } }\n'
    'attrition = { distribution = "Beta", quantiles = { "0.05" = 0.1, "0.95" = 0.2 } }\n'
    'replaces = { foster_agency = { distribution = "Beta", quantiles = { "0.05" = 0.3, "0.95" = 0.6 } } }',
}
"""Fields of the other kinds, beside those of the reunification service."""


def as_kind(kind):
    """The reunification service with an effect of another kind."""
    text = re.sub(r"ratio = .*\nreturns = .*\n", OTHERS[kind] + "\n", REUNIFICATION)
    text = text.replace('kind = "exits"', f'kind = "{kind}"').replace('"reunification"', f'"own_{kind}"')
    return re.sub(r"cost_per_child = .*\n", "", text) if kind == "places" else text


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """An analysis, mentoring and reunification, in a folder of their own."""
    place = tmp_path_factory.mktemp("own")
    (place / "mentoring.toml").write_text(MENTORING, encoding="utf-8")
    (place / "reunification.toml").write_text(REUNIFICATION, encoding="utf-8")
    for kind in OTHERS:
        (place / f"own_{kind}.toml").write_text(as_kind(kind), encoding="utf-8")
    text = analysis_file("latest").read_text(encoding="utf-8")
    names = ["bau", "mentoring.toml", "reunification.toml"]
    text = re.sub(r"^name = .*$", 'name = "own"\nframe = "latest"', text, flags=re.M)
    text = re.sub(r"^options = \[.*?\]", f"options = {names}".replace("'", '"'), text, flags=re.M | re.S)
    text = re.sub(r"^lead = .*\n", "", text, flags=re.M)
    (place / "own.toml").write_text(text, encoding="utf-8")
    return place


def worked(folder, *, stance):
    changes = {"draws": 100, "chains": 2, "long_horizon": 14}
    inputs = read_inputs(load_analysis(folder / "own.toml").model_copy(update=changes), stance=stance)
    baseline, effects = made_baseline(inputs.observations, inputs.priors), made_effects()
    drawn = joint_parameters(
        inputs.priors, baseline=baseline, effects=effects, observations=inputs.observations, seed=1
    )
    return worked_options(inputs, drawn, baseline=baseline, effects=effects)


@pytest.fixture(scope="module")
def workings(folder):
    return worked(folder, stance="evidence")


@pytest.fixture(scope="module")
def appraisal(workings):
    return assembled(workings)


def test_check_reads_the_file_and_the_analysis(folder, capsys):
    assert main(["check", str(folder / "mentoring.toml"), str(folder / "own.toml")]) == 0
    assert "1 effects of their own" in capsys.readouterr().out


def test_it_is_in_the_headline_and_in_every_table_of_options(appraisal):
    for quantity in ("npv_fiscal", "fewer_children_2032", "prob_npv_positive"):
        assert f"{quantity}.mentoring" in appraisal.results
    told = (
        "attribution",
        "effect_chain",
        "interventions",
        "npv",
        "cash_flow_by_year",
        "fewer_children_by_year",
    )
    for name in told:
        assert set(appraisal.tables[name]["option"]) >= {"mentoring", "reunification"}, name
    log = appraisal.tables["assumptions_log"].set_index("name")
    assert log.loc["mentoring.stay_ratio", "confidence"] == "red"
    assert "sceptical" in log.loc["mentoring.stay_ratio", "other_stances"]
    assert log.loc["reunification.exits_returns", "basis"] == "evidence"


def test_the_table_of_interventions_says_what_they_do_and_which_prior_every_stance_holds(appraisal):
    table = appraisal.tables["interventions"].set_index("component")
    assert table["same_prior"].to_dict() == {"mentoring": False, "reunification": True}
    assert "the same prior in every stance" in table.loc["reunification", "what"]
    assert "0.92" in table.loc["mentoring", "what"] and "ages 10 to 15" in table.loc["mentoring", "what"]
    assert 50e6 < table.loc["mentoring", "money"] < 90e6 and 0 < table.loc["mentoring", "delivered"] < 1


def test_all_the_credit_is_its_own(appraisal, workings):
    rows = appraisal.tables["attribution"].query("option == 'mentoring'")
    assert rows["component"].tolist() == ["mentoring"]
    npv = float(workings.arrays.npv.sel(option="mentoring").mean())
    assert rows["npv"].item() == pytest.approx(npv, rel=1e-9)
    assert rows["fewer_children"].item() > 100


def test_the_slider_of_the_explorer_scales_it(appraisal):
    """What the effect adds is all there is: no effect, no child fewer."""
    places = appraisal.explorer["place"].sel(option="mentoring")
    packed, scale = appraisal.explorer["packed"].values, appraisal.explorer["scale"].values
    fewer = {
        q: packed[places.sel(quantity=q)] * scale[places.sel(quantity=q)][:, None]
        for q in ("fewer", "fewer_help")
    }
    assert (fewer["fewer"] == 0.0).all() and fewer["fewer_help"].max() > 100


def test_the_page_names_it(appraisal):
    manifest = {
        "schema": 1,
        "analysis": "own",
        "finished": "2026-11-21T20:00:00Z",
        "fingerprints": {"run": "0123abcd"},
    }
    made = render_pages([appraisal], headline={"results": appraisal.results}, manifest=manifest)
    page = "".join(made.values())
    assert "Interventions that options state themselves" in page
    assert page.count("Mentoring that shortens stays") > 10


def test_children_are_conserved_and_money_is_what_was_stated(workings):
    account = workings.accounts["mentoring"]
    by_age, by_place = account.children.fewer_by_age, account.children.fewer_by_placement
    np.testing.assert_allclose(by_age.sum(-1), by_place.sum(-1), rtol=1e-9, atol=1e-9)
    spent = sum(line.amount for line in account.costs if line.component == "mentoring")
    np.testing.assert_allclose(
        spent.sum(axis=1), 60e6, rtol=1e-9
    )  # fixed money; price base is the price year


def test_an_effect_that_says_it_is_led_by_demand_overruns_in_money(folder, workings, tmp_path):
    text = (folder / "mentoring.toml").read_text(encoding="utf-8")
    assert text.count("[[effect]]") == 1
    own = tmp_path / "mentoring.toml"
    own.write_text(text.replace("[[effect]]", "[[effect]]\ndemand_led = true"), encoding="utf-8")
    (option,) = load_options(path=own)
    account = option_account(option, workings.system, workings.basis)
    spent = sum(line.amount for line in account.costs if line.component == "mentoring")
    overrun = workings.system.value("delivery.cost_overrun")
    np.testing.assert_allclose(spent.sum(axis=1), 60e6 * overrun, rtol=1e-9)
    own.write_text(text.replace("[[effect]]", '[[effect]]\ndemand_led = "yes"'), encoding="utf-8")
    with pytest.raises(InputError, match="demand_led"):
        checked(load_options(path=own)[0])


def test_the_sceptic_holds_the_prior_stated_for_him_and_other_draws_do_not_move(folder, workings):
    sceptic = worked(folder, stance="sceptical").system.parameters
    assert float(sceptic["mentoring.stay_ratio"].mean()) == pytest.approx(0.99, abs=0.02)
    own = workings.system.parameters
    np.testing.assert_array_equal(
        sceptic["mentoring.stay_cost_per_child"], own["mentoring.stay_cost_per_child"]
    )
    plain = workings.inputs.priors
    alone = {
        name: entry for name, entry in plain.entries.items() if not name.startswith(("mentoring", "reunif"))
    }
    without = type(plain)(plain.stance, alone, plain.evidence_designs).sample(20, 1)
    for name in without.data_vars:
        np.testing.assert_array_equal(without[name], plain.sample(20, 1)[name])


@pytest.mark.parametrize("kind", OTHERS)
def test_every_kind_can_be_stated(folder, kind):
    file = folder / f"own_{kind}.toml"
    assert main(["check", str(file)]) == 0
    (effect,) = checked(load_options(path=file)[0])
    assert effect.own and effect.kind.name == kind


def test_effects_are_filtered_and_inherited_with_their_money(folder, tmp_path):
    """An option that builds on another has its effects too."""
    (tmp_path / "mentoring.toml").write_text(MENTORING, encoding="utf-8")
    shutil.copy(options_folder() / "bau.toml", tmp_path)
    later = 'schema = 1\nid = "later"\nlabel = "l"\ndescription = "d"\ntiming = "shift"\nbase = "mentoring"\n'
    later += 'delay_years = 2\nfinancing = "fade"\nframes = ["latest"]\n'
    (tmp_path / "later.toml").write_text(later, encoding="utf-8")
    options = load_options(["mentoring", "later"], tmp_path)
    one, other = (checked(option)[0] for option in options)
    assert one.numbers == other.numbers
    assert set(own_entries(options, stance="evidence")) == {
        "mentoring.stay_ratio",
        "mentoring.stay_cost_per_child",
    }


PLACE = "effect.0 (line 17)"
MISTAKES = {
    "no known kind": ('kind = "stay" ', 'kind = "stays" ', f"{PLACE}.kind", "did you mean stay?"),
    "an unknown field": ("\nages", "\nagess", f"{PLACE}.agess", "did you mean ages?"),
    "no money": ('d]]\ncomponent = "mentoring"', 'd]]\ncomponent = "workforce"', "component", "[[spend]]"),
    "allowed words": ('"10_15"', '"10_16"', f"{PLACE}.ages.0", "allowed words"),
    "must be above 0": ("sigma = 0.03 } }\ncost", "sigma = 0.5 } }\ncost", f"{PLACE}.ratio", "LogNormal"),
    "no price year": (", price_year = 2024 }\nconf", " }\nconf", f"{PLACE}.cost_per_child", "price_year"),
    "no prior of the effect": (".sceptical]\nratio", ".sceptical]\nratoi", "stance.sceptical.ratoi", "ratio"),
    "has its own": ('component = "mentoring"', 'component = "foster"', f"{PLACE}.component", "of their own"),
}


@pytest.mark.parametrize("problem", MISTAKES)
def test_a_mistake_is_refused_with_file_place_and_remedy(problem, tmp_path, capsys):
    before, after, field, remedy = MISTAKES[problem]
    assert before in MENTORING
    file = tmp_path / "mentoring.toml"
    file.write_text(MENTORING.replace(before, after), encoding="utf-8")
    with pytest.raises(InputError, match=re.escape(problem)) as caught:
        own_entries(load_options(path=file), stance="evidence")
    found = caught.value.details
    assert found["file"] == str(file) and field in found["field"]
    assert remedy in str(found["next step"]) and found["allowed"] and found["usual cause"]
    assert main(["check", str(file)]) == 2
    assert problem in capsys.readouterr().out


def test_one_component_has_one_prior_in_an_analysis(tmp_path):
    other = MENTORING.replace('id = "mentoring"', 'id = "more"').replace("mu = 0.92", "mu = 0.9")
    for name, text in {"mentoring": MENTORING, "more": other}.items():
        (tmp_path / f"{name}.toml").write_text(text, encoding="utf-8")
    options = [load_options(path=tmp_path / f"{name}.toml")[0] for name in ("mentoring", "more")]
    with pytest.raises(InputError, match="different priors for one component"):
        own_entries(options, stance="evidence")
