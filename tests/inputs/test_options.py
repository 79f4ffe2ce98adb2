"""Options as data: resolved from their bases, placed in years, and every mistake refused by name."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from cba.errors import InputError
from cba.inputs.options import load_options, named_options

HERE = Path(__file__).parent
VALID = HERE / "valid_options"
MISTAKES = {  # file: (field, words of the problem, words of the next step)
    "component_unknown.toml": ("spend.1.component", "allowed words", "allowed words"),
    "payer_unknown.toml": ("spend.1.payer", "allowed words", "allowed words"),
    "money_negative.toml": ("spend.0.gbp_million.0", "below the lowest", "correct the number"),
    "money_nan.toml": ("spend.0.gbp_million.0", "NaN", "finite number"),
    "price_year_missing.toml": ("spend.1.price_year", "required field is missing", "`price_year`"),
    "source_missing.toml": ("spend.1.source", "required field is missing", "`source`"),
    "financial_year_as_key.toml": ("spend.1.gbp_million", "plain whole number", "31 March"),
    "leading_zero.toml": ("spend.1.gbp_million", "plain whole number", "offset"),
    "calendar_year_in_shift.toml": ("spend.1.gbp_million", "does not fit the timing", "use offsets"),
    "year_gap.toml": ("spend.0.gbp_million", "year is missing", "add the year"),
    "recurrent_missing.toml": ("recurrent", "needs recurrent money", "add [recurrent]"),
    "reinvest_without_savings.toml": ("recurrent.payer", "makes none", "name who saves"),
    "recurrent_unused.toml": ("financing", "does not use it", "remove [recurrent]"),
    "spend_with_financing_none.toml": ("financing", "nothing follows it", "when the money ends"),
    "id_not_the_file.toml": ("id", "not the name of its file", "the same"),
    "key_twice.toml": (None, "appears twice", "remove or rename"),
    "field_unknown.toml": ("finance", "unknown field", "did you mean financing?"),
    "frame_unknown.toml": ("frames.0", "allowed words", "allowed words"),
    "area_not_a_code.toml": ("areas.0", "required form", "correct it"),
    "base_unknown.toml": ("base", "does not exist", "did you mean programme?"),
    "base_is_itself.toml": ("base", "in a circle", "remove one base"),
    "components_without_base.toml": ("components", "without a base", "add base"),
    "component_without_money.toml": ("components", "no money in the base", "remove it"),
    "filter_removes_recurrent.toml": ("recurrent", "needs recurrent money", "set financing to fade"),
    "truncated.toml": (None, "not valid TOML", "correct the line"),
}


def folder_with(tmp_path: Path, mistake: Path) -> Path:
    folder = shutil.copytree(VALID, tmp_path / "options")
    shutil.copy(mistake, folder / "mistake.toml")
    return folder


def test_every_malformed_file_is_tested():
    assert {file.name for file in (HERE / "malformed_options").iterdir()} == set(MISTAKES)


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_refused_by_file_field_problem_and_remedy(name, tmp_path):
    field, problem, remedy = MISTAKES[name]
    folder = folder_with(tmp_path, HERE / "malformed_options" / name)
    with pytest.raises(InputError) as caught:
        load_options(path=folder)
    found = caught.value.details
    assert found["file"] == str(folder / "mistake.toml")
    assert found["field"] == field
    assert problem in caught.value.problem
    assert remedy in str(found["next step"])


def test_business_as_usual_must_exist_and_spend_nothing(tmp_path):
    folder = shutil.copytree(VALID, tmp_path / "options")
    spending = (folder / "announced.toml").read_text(encoding="utf-8").replace('"announced"', '"bau"')
    (folder / "bau.toml").write_text(spending, encoding="utf-8")
    with pytest.raises(InputError, match="business as usual spends money"):
        load_options(path=folder)
    (folder / "bau.toml").unlink()
    with pytest.raises(InputError, match="no `bau`"):
        load_options(path=folder)


def test_unknown_option_lists_the_known_and_names_the_nearest():
    with pytest.raises(InputError, match="did you mean programme") as caught:
        load_options(["bau", "programe"], VALID)
    assert "announced, bau, foster_part, programme" == caught.value.details["allowed"]


def test_shifted_money_moves_with_the_start():
    programme = load_options(["programme"], VALID)[0]
    key = ("family_help", "dfe", 2022, True)
    assert programme.spend_by_year(2023)[key] == {2023: 36.5, 2024: 780.0}
    assert programme.spend_by_year(2026)[key] == {2026: 36.5, 2027: 780.0}
    assert programme.year_of(programme.recurrent.first_offset, 2023) == 2025


def test_calendar_money_stays_and_lines_with_one_key_add_up():
    announced = load_options(["announced"], VALID)[0]
    key = ("family_help", "dfe", "cash", True)
    assert announced.spend_by_year(2023) == announced.spend_by_year(2030) == {key: {2026: 288.0, 2027: 300.0}}
    assert announced.areas == ("301", "815")


def test_base_filter_delay_and_financing_are_resolved():
    whole, part = load_options(["programme", "foster_part"], VALID)
    assert part.base == "programme"
    assert part.recurrent is None
    assert [line.component for line in part.spend] == ["foster"]
    key = ("foster", "council", "cash", False)
    assert whole.spend_by_year(2023)[key] == {2024: 25.0}
    assert part.spend_by_year(2023) == {key: {2026: 25.0}}  # two years later
    assert part.effects.foster_carers_target == 9000
    assert part.effects.family_network is False  # belongs to kinship, which was filtered out
    assert whole.effects.family_network is True
    assert part.frames == whole.frames
    assert part.unmonetised == ()


def test_parts_of_a_programme_spend_what_the_whole_spends(tmp_path):
    """Sum over one-component filters = the whole, line by line and year by year."""
    folder = shutil.copytree(VALID, tmp_path / "options")
    for part in ("family_help", "foster"):
        text = (
            (folder / "foster_part.toml")
            .read_text(encoding="utf-8")
            .replace("delay_years = 2", "delay_years = 0")
        )
        text = text.replace('id = "foster_part"', f'id = "only_{part}"').replace('["foster"]', f'["{part}"]')
        (folder / f"only_{part}.toml").write_text(text, encoding="utf-8")
    whole, *parts = load_options(["programme", "only_family_help", "only_foster"], folder)
    together = {key: years for part in parts for key, years in part.spend_by_year(2023).items()}
    assert together == whole.spend_by_year(2023)


def test_order_and_fingerprint():
    assert [option.id for option in load_options(path=VALID)] == [
        "bau",
        "announced",
        "foster_part",
        "programme",
    ]
    assert [option.id for option in load_options(["programme", "bau"], VALID)] == ["programme", "bau"]
    prints = {option.fingerprint() for option in load_options(path=VALID)}
    assert len(prints) == 4
    assert load_options(["bau"], VALID)[0].fingerprint() == load_options(["bau"], VALID)[0].fingerprint()


def test_shipped_options_are_those_of_the_contract():
    shipped = load_options()
    first, *others = [option.id for option in shipped]
    assert first == "bau" and others == sorted(others)
    by_id = {option.id: option for option in shipped}
    assert by_id["bau"].spend_by_year(2023) == {}
    assert by_id["care_review_delayed"].delay_years == 2
    spent = by_id["care_review"].spend_by_year(2023)
    yearly = {year: sum(line.get(year, 0.0) for line in spent.values()) for year in range(2023, 2027)}
    # the published split, which sums to 2,523 and not to 2,600
    assert yearly == pytest.approx({2023: 46, 2024: 987, 2025: 1257, 2026: 233})
    late = by_id["care_review_delayed"].spend_by_year(2023)
    assert {key: {y - 2: v for y, v in years.items()} for key, years in late.items()} == spent
    assert by_id["care_review"].financing == "new_recurrent"
    assert by_id["care_review_injection_only"].financing == "fade"
    assert by_id["care_review_reinvest"].financing == "reinvest"
    assert by_id["care_review_injection_only"].spend_by_year(2023) == spent
    assert "latest" not in by_id["dfe_2023"].frames
    assert "review_2022" not in by_id["ffp_2025"].frames


def test_a_single_file_stands_beside_the_shipped_options(tmp_path):
    """A user's own option may build on a shipped one without copying it."""
    file = tmp_path / "own_kinship.toml"
    file.write_text(
        'schema = 1\nid = "own_kinship"\nlabel = "Own"\ndescription = "Own."\ntiming = "shift"\n'
        'base = "care_review"\ncomponents = ["kinship"]\nfinancing = "fade"\nframes = ["latest"]\n',
        encoding="utf-8",
    )
    (option,) = load_options(path=file)
    (shipped,) = load_options(["kinship_only"])
    assert option.id == "own_kinship" and option.spend == shipped.spend
    assert [o.id for o in load_options(["bau", "own_kinship"], file)] == ["bau", "own_kinship"]


OWN = (
    'schema = 1\nid = "{name}"\nlabel = "Own"\ndescription = "Own."\ntiming = "shift"\n'
    'base = "{base}"\ncomponents = ["kinship"]\nfinancing = "fade"\nframes = ["latest"]\n'
)


def test_a_list_of_options_may_name_files(tmp_path):
    """Relative paths start from the folder of the list; the files may build on shipped ones and on each other."""
    (tmp_path / "own").mkdir()
    (tmp_path / "own_first.toml").write_text(OWN.format(name="own_first", base="care_review"))
    (tmp_path / "own" / "own_second.toml").write_text(
        OWN.format(name="own_second", base="own_first").replace('"fade"', '"fade"\ndelay_years = 1')
    )
    names = ["bau", "own_first.toml", "kinship_only", "own/own_second.toml"]
    ids, own = named_options(names, beside=tmp_path)
    assert ids == ("bau", "own_first", "kinship_only", "own_second")
    loaded = load_options(ids, own=own)
    assert [o.id for o in loaded] == list(ids)
    by_id = {o.id: o for o in loaded}
    assert by_id["own_first"].spend == by_id["kinship_only"].spend
    assert by_id["own_second"].spend == by_id["own_first"].spend and by_id["own_second"].delay_years == 1
    again = named_options(names, beside=tmp_path)[1]
    assert [o.fingerprint() for o in again] == [o.fingerprint() for o in own]
    (tmp_path / "own_first.toml").write_text(
        OWN.format(name="own_first", base="care_review").replace("Own.", "x")
    )
    changed = named_options(names, beside=tmp_path)[1]
    assert changed[0].fingerprint() != own[0].fingerprint()


def test_a_named_file_that_does_not_exist_is_refused(tmp_path):
    with pytest.raises(InputError) as caught:
        named_options(["bau", "absent.toml"], beside=tmp_path)
    assert str(tmp_path / "absent.toml") in str(caught.value)


def test_a_named_file_with_the_id_of_another_option_is_refused(tmp_path):
    """Else a changed copy would pass for the shipped option in every table."""
    (tmp_path / "care_review.toml").write_text(OWN.format(name="care_review", base="kinship_only"))
    with pytest.raises(InputError, match="id of another option") as caught:
        named_options(["bau", "care_review.toml"], beside=tmp_path)
    details = caught.value.details
    assert details["file"] == str(tmp_path / "care_review.toml") and details["field"] == "options"
    assert "rename the file" in str(details["next step"])


def test_a_mistake_in_a_named_file_names_that_file(tmp_path):
    (tmp_path / "own.toml").write_text(OWN.format(name="own", base="care_revue"))
    with pytest.raises(InputError, match="did you mean care_review") as caught:
        named_options(["own.toml"], beside=tmp_path)
    assert caught.value.details["file"] == str(tmp_path / "own.toml")


def test_areas_are_listed_once_by_code():
    shipped = {option.id: option for option in load_options()}
    pathfinders = shipped["dfe_2023"].areas
    assert len(set(pathfinders)) == len(pathfinders) == 10
    assert all(option.areas == () for name, option in shipped.items() if name != "dfe_2023")
