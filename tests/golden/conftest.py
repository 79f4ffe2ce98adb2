"""One folder of reports in which the golden analyses are run, and one of a stored run, both made once a session."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.golden.made import ANALYSES, Shop, bound_numbers_of, page_of, specification, unpack_stored_run


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """A folder of reports with the runs of this session."""
    return Shop(tmp_path_factory.mktemp("goldens") / "reports")


@pytest.fixture(scope="session")
def runs(shop: Shop) -> dict[str, Path]:
    """The folder of the run of each golden analysis, by its name."""
    return {name: shop.run(specification(name), name=f"run_{name}") for name in ANALYSES}


@pytest.fixture(scope="session")
def stored_shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """A folder of reports with the run that an earlier version stored."""
    return Shop(tmp_path_factory.mktemp("stored") / "reports")


@pytest.fixture(scope="session")
def stored_run(stored_shop: Shop) -> Path:
    """The folder of that run."""
    return unpack_stored_run(stored_shop.root)


@pytest.fixture(scope="session")
def comparison(runs: dict[str, Path], stored_shop: Shop, stored_run: Path) -> dict[str, Any]:
    """What `cba compare` answers of the stored run and a run of this session."""
    root = ("--root", str(stored_shop.root))
    return stored_shop.ask("compare", str(stored_run), str(runs["golden_2024"]), *root)


@pytest.fixture(scope="session")
def reported(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A copy of the stored run after `cba report`: its folder, its bound numbers before, and the answer."""
    shop = Shop(tmp_path_factory.mktemp("reported") / "reports")
    run = unpack_stored_run(shop.root)
    before = bound_numbers_of(page_of(run))
    answer = shop.ask("report", str(run), "--root", str(shop.root))
    return {"root": shop.root, "run": run, "before": before, "answer": answer}
