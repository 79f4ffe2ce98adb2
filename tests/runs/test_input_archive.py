"""The archive of inputs: kept once, shared, checked, laid out as readers take them."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from cba.errors import StoreError
from cba.inputs.files import priors_folder, published_folder, reading_from
from cba.runs.execute import archived_analysis, execute
from cba.runs.fingerprints import input_files
from cba.runs.reading import list_runs
from cba.runs.store import archive_inputs, archived_inputs, read_inputs_once, unreferenced
from tests.fakes import small_analysis, stages_of


def kept(root: Path) -> set[str]:
    return {file.name for file in (root / ".inputs").iterdir() if len(file.name) == 64}


def test_every_input_is_kept_once_and_named_with_its_hash(tmp_path):
    first = execute(small_analysis(), root=tmp_path, stages=stages_of())
    assert set(first.manifest["inputs"]) == {*input_files(), "analysis.json"}
    for name, entry in first.manifest["inputs"].items():
        data = (tmp_path / ".inputs" / entry["sha256"]).read_bytes()
        assert hashlib.sha256(data).hexdigest() == entry["sha256"] and len(data) == entry["bytes"]
        if name != "analysis.json":
            assert data == input_files()[name].read_bytes()
    before = kept(tmp_path)
    second = execute(small_analysis(seed=1), root=tmp_path, stages=stages_of())
    assert len(kept(tmp_path) - before) == 1  # only the analysis differs: all else is shared
    assert second.manifest["inputs"]["priors/costs.toml"] == first.manifest["inputs"]["priors/costs.toml"]


def test_the_inputs_are_laid_out_as_readers_take_them(tmp_path):
    run = execute(small_analysis(), root=tmp_path, stages=stages_of())
    folder = archived_inputs(run)
    assert archived_inputs(run) == folder  # made once
    with reading_from(published=folder / "published", priors=folder / "priors"):
        assert priors_folder() == folder / "priors" and published_folder() == folder / "published"
        again = read_inputs_once(run.manifest["settings"])
    assert {name: hashlib.sha256(data).hexdigest() for name, data in again.items()} == {
        name: entry["sha256"] for name, entry in run.manifest["inputs"].items()
    }
    assert archived_analysis(run) == small_analysis()


def test_readers_of_an_archive_find_what_the_shipped_files_hold(tmp_path):
    from cba.inputs.evidence import load_evidence
    from cba.inputs.observations import load_observations
    from cba.inputs.options import load_options
    from cba.inputs.priors import load_priors

    run = execute(small_analysis(), root=tmp_path, stages=stages_of())
    folder = archived_inputs(run)

    def read():
        return (
            load_priors(stance="sceptical").fingerprint(),
            load_evidence(until=2024).fingerprint(),
            [option.fingerprint() for option in load_options(["care_review", "kinship_only"])],
            load_observations(2022),
        )

    shipped = read()
    with reading_from(published=folder / "published", priors=folder / "priors"):
        archived = read()
    assert archived[:3] == shipped[:3] and archived[3].identical(shipped[3])


@pytest.mark.parametrize("spoil", [lambda f: f.write_bytes(b"no"), lambda f: f.unlink()])
def test_a_damaged_or_missing_copy_is_named_and_never_used(tmp_path, spoil):
    run = execute(small_analysis(), root=tmp_path, stages=stages_of())
    sha = run.manifest["inputs"]["priors/costs.toml"]["sha256"]
    spoil(tmp_path / ".inputs" / sha)
    with pytest.raises(StoreError, match="priors/costs.toml is (damaged|missing)") as caught:
        archived_inputs(run)
    assert sha in str(caught.value) and "restore" in caught.value.details["next step"]
    execute(small_analysis(), root=tmp_path, stages=stages_of())  # a run of the same inputs mends it
    assert archived_inputs(run).is_dir()


def test_a_laid_out_folder_that_was_changed_is_made_anew(tmp_path):
    run = execute(small_analysis(), root=tmp_path, stages=stages_of())
    file = archived_inputs(run) / "priors" / "costs.toml"
    sound = file.read_bytes()
    file.write_bytes(sound + b"# changed")
    assert (archived_inputs(run) / "priors" / "costs.toml").read_bytes() == sound


def test_a_run_that_kept_no_inputs_says_so(tmp_path):
    from tests.runs.test_store import store

    with pytest.raises(StoreError, match="names no inputs"):
        archived_inputs(store(tmp_path))


def test_what_no_run_names_is_found_and_nothing_while_a_manifest_is_damaged(tmp_path):
    run = execute(small_analysis(), root=tmp_path, stages=stages_of())
    archived_inputs(run)
    archive_inputs(tmp_path, {"left": b"over"})
    (left,) = unreferenced(tmp_path, list_runs(tmp_path))
    assert left.read_bytes() == b"over"
    (run.path / "manifest.json").write_text("{}")
    assert unreferenced(tmp_path, list_runs(tmp_path)) == []


def test_inputs_that_change_while_a_run_is_computed_are_refused(tmp_path):
    import shutil

    from cba.errors import InputError
    from tests.fakes import made_up

    mine = tmp_path / "priors"
    shutil.copytree(priors_folder(), mine)

    def edits(analysis, *, stance, **fits):
        (mine / "costs.toml").write_text((mine / "costs.toml").read_text() + "\n# edited meanwhile\n")
        return made_up(analysis, stance=stance)

    with reading_from(priors=mine), pytest.raises(InputError, match="changed while") as caught:
        execute(small_analysis(), root=tmp_path / "reports", stages=stages_of(appraise=edits))
    assert caught.value.details["file"] == "priors/costs.toml"
    assert list_runs(tmp_path / "reports") == []


def test_a_file_added_to_a_laid_out_folder_is_not_taken_for_an_input(tmp_path):
    run = execute(small_analysis(), root=tmp_path, stages=stages_of())
    for name in ("priors/own.toml", "published/own.csv", "priors/options/own.toml"):
        (archived_inputs(run) / name).write_text("added")
        assert not (archived_inputs(run) / name).exists()
