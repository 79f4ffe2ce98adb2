"""The result of an appraisal under one stance: draws, tables and headline, saved and read back unchanged."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import xarray as xr

from cba.appraisal.quantities import key_of, stem_of
from cba.errors import InputError
from cba.inputs.files import ordinary, text_of
from cba.inputs.safe_files import frame_of, strict_json, write_csv

if TYPE_CHECKING:
    from cba.inputs.analyses import Analysis


# --- The draws of an appraisal as a file: arrays by sample, every uncertain input, and what the … ---


def write_draws(
    file: Path, *, draws: xr.Dataset, parameters: xr.Dataset, explorer: xr.Dataset | None = None
) -> None:
    """Write draws, parameters and the explorer's draws as groups of one netCDF file.

    `draws`, dims (sample, ...). The parameters are one matrix, by name and sample: a file of some 150
    variables takes half a second to open.
    """
    groups = {"draws": _with_a_draw(draws), "parameters": _with_a_draw(_as_matrix(parameters))}
    if explorer is not None:
        groups["explorer"] = explorer
    # Only the cash flow is worth compressing: many lines are zero, where draws of children are all noise.
    compact = {"zlib": True, "complevel": 1, "shuffle": True}
    packing = {"/draws": {"cash_flow": compact}} if "cash_flow" in draws else {}
    xr.DataTree.from_dict(groups).to_netcdf(file, engine="h5netcdf", encoding=packing)


def read_draws(
    file: Path, *, count: int, lazy: bool = False
) -> tuple[xr.Dataset, xr.Dataset, xr.Dataset | None]:
    """Read a file of `write_draws`. Draws, parameters, and the explorer's draws or None."""
    drawn = slice(0, count)
    with xr.open_dataset(file, group="parameters", engine="h5netcdf") as opened:
        parameters = _as_variables(opened.load()).isel(sample=drawn)
    try:
        with xr.open_dataset(file, group="explorer", engine="h5netcdf") as opened:
            explorer = opened.load()
    except OSError:  # a group that is not there
        explorer = None
    draws = xr.open_dataset(file, group="draws", engine="h5netcdf")
    if not lazy:
        with draws:
            draws.load()
    return draws.isel(sample=drawn), parameters, explorer


def _as_matrix(parameters: xr.Dataset) -> xr.Dataset:
    """Return parameters as one array by name and sample, with their attributes as text beside each name."""
    names = [str(name) for name in parameters.data_vars]
    about = [
        json.dumps({k: v for k, v in parameters[name].attrs.items() if isinstance(v, str | int | float)})
        for name in names
    ]
    values = np.array([parameters[name].transpose("sample").values for name in names])
    made = xr.Dataset(
        {"value": (("name", "sample"), values), "about": ("name", about)},
        coords={"name": names, **{c: parameters[c] for c in parameters.coords}},
    )
    return made


def _as_variables(stored: xr.Dataset) -> xr.Dataset:
    """Return parameters as a variable each; runs stored before were so already."""
    if "about" not in stored:
        return stored
    values, about = stored["value"].values, stored["about"].values.tolist()
    held = {
        str(name): ("sample", values[row], strict_json(about[row], finite=False))
        for row, name in enumerate(stored["name"].values)
    }
    return xr.Dataset(held, coords={c: stored[c] for c in stored.coords if c != "name"})


def _with_a_draw(data: xr.Dataset) -> xr.Dataset:
    """Return data without draws with one missing draw: in netCDF a length of 0 means that it may grow."""
    return data if data.sizes["sample"] else data.pad(sample=(0, 1))


ARRAYS = (
    "children",
    "placements",
    "cash_flow",
    "system_cost",
    "npv",
    "npv_social",
    "child_years_safe",
    "child_years_harm",
)


_KEPT = ("stance", "option_labels", "results", "provenance")


@dataclass(frozen=True)
class Appraisal:
    """What an analysis finds under one stance; every array is paired by ``sample``.

    Attributes
    ----------
    analysis : Analysis
    stance : str
    option_labels : mapping of str to str
        Option id to its label, in the order of the analysis.
    parameters : Dataset, dims (sample)
        Every uncertain input; money in the price base.
    children : DataArray, dims (sample, option, year, age), children
        Looked after at 31 March.
    placements : DataArray, dims (sample, option, year, placement), children
    cash_flow : DataArray, dims (sample, option, year, line), GBP of the price base
        Differences from business as usual: costs positive, cashable savings negative. ``payer``, ``kind`` and
        ``component`` are coordinates of ``line``.
    system_cost : DataArray, dims (sample, option, year), GBP of the price base
    npv : DataArray, dims (sample, option), GBP, present value
        Fiscal net present value; positive is a net saving.
    npv_social : DataArray, dims (sample, option), GBP, present value
        Net present value to society before any value of a child-year: transfers cancel, what families bear counts.
    child_years_safe, child_years_harm : DataArray, dims (sample, option)
        Discounted child-years at home rather than in care, and the part of them that should not have been.
    tables : mapping of str to DataFrame
    results : mapping of str to mapping
        Headline entries by key ``<quantity>.<option>``.
    provenance : mapping
        Versions, seed, fingerprints, sources and exceptions.
    explorer : Dataset or None
        Draws in parts a reader can scale (:func:`cba.tables.explorer.explorer_draws`); None where a stance
        has none, and in runs stored before there were any.
    asked : mapping of str to callable
        What works out :meth:`council` and :meth:`councils` anew; empty where an appraisal was read from a folder, and
        under ``mixture`` and ``review``.
    """

    analysis: Analysis
    stance: str
    option_labels: Mapping[str, str]
    parameters: xr.Dataset
    children: xr.DataArray
    placements: xr.DataArray
    cash_flow: xr.DataArray
    system_cost: xr.DataArray
    npv: xr.DataArray
    npv_social: xr.DataArray
    child_years_safe: xr.DataArray
    child_years_harm: xr.DataArray
    tables: Mapping[str, pd.DataFrame]
    results: Mapping[str, Mapping[str, Any]]
    provenance: Mapping[str, Any]
    explorer: xr.Dataset | None = None
    asked: Mapping[str, Callable[..., pd.DataFrame]] = dataclasses.field(
        default_factory=dict, repr=False, compare=False
    )

    @property
    def headline(self) -> dict[str, Any]:
        """Return the record as other programs read it: schema, run and results of this stance."""
        return {
            "schema": 1,
            "run": dict(self.provenance),
            "results": {k: dict(v) for k, v in self.results.items()},
            "results_by_stance": {},
        }

    def summary(self) -> pd.DataFrame:
        """Return one row per option: children, probability of the target, net present value, payback.

        Returns
        -------
        DataFrame
            Index option; missing where a result is undefined.
        """
        rows = []
        for option, label in self.option_labels.items():

            def of(name: str, field: str = "mean", option: str = option) -> float | None:
                return self.results.get(key_of(name, option), {}).get(field)

            counted = {stem_of(name): of(name) for name in ("fewer_children", "prob_fewer_30000")}
            worth = {f"npv_{field}": of("npv", field) for field in ("mean", "lower", "upper")}
            chances = {"prob_npv_positive": of("prob_npv_positive"), "prob_never_pays_back": of("prob_never")}
            rows.append({"option": option, "label": label, **counted, **worth, **chances})
        return pd.DataFrame(rows).set_index("option")

    def net_benefit(
        self, perspective: str = "fiscal", value_per_child_year: float = 0.0, value_per_harm_year: float = 0.0
    ) -> xr.DataArray:
        """Net benefit of each option against business as usual in every draw.

        Parameters
        ----------
        perspective : {"fiscal", "social"}
            Whose money counts; all public payers together.
        value_per_child_year : float, GBP of the price base
            Value of one child-year safely at home rather than in care.
        value_per_harm_year : float, GBP of the price base
            Cost of one child-year at home that should not have been.

        Returns
        -------
        DataArray, dims (sample, option), GBP, present value
            ``NPV + lambda CY_safe - mu H``.

        Raises
        ------
        InputError
            If the perspective is unknown, or a value is not a finite number.
        """
        worth = {"fiscal": self.npv, "social": self.npv_social}
        if perspective not in worth:
            raise InputError(
                "an unknown perspective",
                field="perspective",
                found=perspective,
                allowed=", ".join(worth),
                cause="a payer named for a perspective",
                remedy="use fiscal or social; the cash flow by line holds each payer",
            )
        for field, value in (
            ("value_per_child_year", value_per_child_year),
            ("value_per_harm_year", value_per_harm_year),
        ):
            if not math.isfinite(value):
                raise InputError(
                    "a value is not a finite number",
                    field=field,
                    found=value,
                    allowed="GBP a year",
                    cause="a missing cell, or a division by nought, passed on",
                    remedy="give an amount; 0 leaves it out",
                )
        return (
            worth[perspective]
            + value_per_child_year * self.child_years_safe
            - value_per_harm_year * self.child_years_harm
        ).rename("net_benefit")

    def council(self, name: str, *, option: str | None = None, years: int | None = None) -> pd.DataFrame:
        """Show what one council gets: each option over the whole horizon, or one of them by year.

        Parameters
        ----------
        name : str
            Name or three-digit code of an authority of today.
        option : str, optional
            An option of the analysis. When left out, one row per option.
        years : int, optional
            Years of the programme to show; those of the horizon when left out.

        Returns
        -------
        DataFrame
            With `option`: a row per year, payer and kind with mean and limits; children in care and how many fewer
            first, then money (cash of the year, GBP; costs positive, savings negative). ``own`` and ``england_average``
            say what of it is which. Without: per option children fewer in the target year, grant,
            own cost, own saving and saving less cost over the years.

        Raises
        ------
        InputError
            If the council or the option is unknown, they do not belong together, a figure that is needed is not
            published, or the appraisal was read from a folder.
        """
        return self._ask("council")(name, option=option, years=years)

    def councils(self, option: str | None = None) -> pd.DataFrame:
        """Show every council side by side, with what a map needs to find them.

        Parameters
        ----------
        option : str, optional
            An option of the analysis; its lead option when left out.

        Returns
        -------
        DataFrame
            A row per authority of today, or per area of an option limited to some: ``ons_code``, ``region``,
            ``deprivation`` (share of children in families on low income) and its fifth, children, children in care,
            then children fewer in the target year and money over the horizon (cash, GBP), in all and per child.

        Raises
        ------
        InputError
            If the option is unknown, or is not the one whose table a folder holds.
        """
        held = self.tables.get("councils")
        if held is not None and option in (None, held["option"].iloc[0]):
            return held.copy()
        return self._ask("councils")(option)

    def _ask(self, what: str) -> Callable[..., pd.DataFrame]:
        if what in self.asked:
            return self.asked[what]
        raise InputError(
            "this appraisal cannot be asked about councils",
            field=what,
            found=f"stance {self.stance}, without its fits",
            allowed="what appraise returned under evidence or sceptical",
            cause="read from a folder, which keeps no fits, or a mixture or the review, which have none of their own",
            remedy="run `cba council NAME`, which finds the fits kept with the runs, or appraise again",
        )

    def to_directory(self, path: str | Path) -> Path:
        """Write appraisal.json, draws.nc and tables/*.csv into a folder, which is made if needed.

        Parameters
        ----------
        path : str or Path
            Folder; files of the same names in it are replaced.

        Returns
        -------
        Path
            The folder.
        """
        folder = Path(path)
        (folder / "tables").mkdir(parents=True, exist_ok=True)
        record = {
            "schema": 1,
            "analysis": self.analysis.model_dump(mode="json", by_alias=True),
            "stance": self.stance,
            "option_labels": dict(self.option_labels),
            "draws": self.npv.sizes["sample"],
            "tables": list(self.tables),
            "results": {k: dict(v) for k, v in self.results.items()},
            "provenance": dict(self.provenance),
        }
        written = json.dumps(record, indent=1, allow_nan=False)
        (folder / "appraisal.json").write_text(written, encoding="utf-8")
        write_draws(
            folder / "draws.nc",
            draws=xr.Dataset({name: getattr(self, name) for name in ARRAYS}),
            parameters=self.parameters,
            explorer=self.explorer,
        )
        for name, table in self.tables.items():
            write_csv(table, folder / "tables" / f"{name}.csv")
        return folder

    @classmethod
    def from_directory(cls, path: str | Path, *, lazy: bool = False) -> Appraisal:
        """Read an appraisal written by :meth:`to_directory`: the same numbers, to the last bit.

        Parameters
        ----------
        path : str or Path
            A folder written by :meth:`to_directory`.
        lazy : bool
            Leave arrays by year, most of the file, unread until they are used. The folder must stay until then.

        Returns
        -------
        Appraisal

        Raises
        ------
        InputError
            If the folder holds no appraisal, or one that another version stored with other settings.
        """
        from cba.inputs.analyses import stored_analysis

        folder = Path(path)
        try:
            record = strict_json(text_of(folder / "appraisal.json"))
            arrays, parameters, explorer = read_draws(
                ordinary(folder / "draws.nc"), count=record["draws"], lazy=lazy
            )
            tables = {name: _read_table(folder / "tables" / f"{name}.csv") for name in record["tables"]}
            settings, kept = record["analysis"], {name: record[name] for name in _KEPT}
        except InputError:
            raise
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(
                "the folder holds no readable appraisal",
                file=folder,
                found=f"{type(error).__name__}: {error}",
                allowed="a folder written by Appraisal.to_directory",
                cause="a wrong, incomplete or truncated folder",
                remedy="name the folder of a run's stance",
            ) from None
        analysis = stored_analysis(settings, file=folder / "appraisal.json", field="analysis")
        return cls(
            analysis=analysis,
            stance=kept["stance"],
            option_labels=kept["option_labels"],
            parameters=parameters,
            **{name: arrays[name] for name in ARRAYS},
            tables=tables,
            results=kept["results"],
            provenance=kept["provenance"],
            explorer=explorer,
            asked={},
        )

    def _repr_html_(self) -> str:
        """Return the result card, drawn by the formatter that was registered: this room imports no format."""
        return _card_drawn_by[-1](self) if _card_drawn_by else f"<pre>{self.summary().to_string()}</pre>"


def _read_table(file: Path) -> pd.DataFrame:
    """Read a table to the last bit, which of the parsers of pandas Arrow's does in every version."""
    return frame_of(file, engine="pyarrow")


_card_drawn_by: list[Callable[[Appraisal], str]] = []


def draw_cards_with(formatter: Callable[[Appraisal], str]) -> None:
    """Register what draws the result card of a notebook; `cba` does so when an appraisal is first asked for."""
    _card_drawn_by[:] = [formatter]
