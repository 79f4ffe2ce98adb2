"""Figures of net present value: its distribution under each stance, and every option side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.ticker import MaxNLocator

from cba.reporting.chart_style import TEXT, colours, name_values, new_axes, styled
from cba.reporting.figures_intervals import describe_results, plot_results
from cba.reporting.full_names import stance_name
from cba.reporting.numbers import is_defined, show

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from cba.appraisal import Appraisal

_BINS = 40
_DASHES = ("-", (0, (5, 2)), (0, (1, 1.5)))


def npv_shares(appraisals: Sequence[Appraisal], option: str) -> pd.DataFrame:
    """Return the share of draws in each band of net present value, per stance.

    Parameters
    ----------
    appraisals : sequence of Appraisal
        One per stance; a stance whose net present value is not defined is left out.
    option : str
        Option id.

    Returns
    -------
    DataFrame
        Columns ``stance``, ``from_gbp``, ``to_gbp``, ``share``; bands are the same for every stance: 40
        between the 0.1% and 99.9% points of all draws; draws beyond them are counted in the outer bands.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> from types import SimpleNamespace
    >>> draws = np.linspace(-1e9, 1e9, 101)[:, None]
    >>> npv = xr.DataArray(draws, dims=("sample", "option"), coords={"option": ["a"]})
    >>> one = SimpleNamespace(stance="evidence", npv=npv, results={"npv_fiscal.a": {"mean": 0.0}})
    >>> round(float(npv_shares([one], "a")["share"].sum()), 6)
    1.0
    """
    draws = {item.stance: item.npv.sel(option=option).to_numpy() for item in _defined(appraisals, option)}
    if not draws:
        return pd.DataFrame(columns=["stance", "from_gbp", "to_gbp", "share"])
    low, high = np.quantile(np.concatenate(list(draws.values())), [0.001, 0.999])
    edges = np.linspace(low, high if high > low else low + 1.0, _BINS + 1)
    tables = []
    for stance, values in draws.items():
        counts = np.histogram(np.clip(values, edges[0], edges[-1]), edges)[0]
        bands = {"stance": stance, "from_gbp": edges[:-1], "to_gbp": edges[1:], "share": counts / values.size}
        tables.append(pd.DataFrame(bands))
    return pd.concat(tables, ignore_index=True)


def _defined(appraisals: Sequence[Appraisal], option: str) -> list[Appraisal]:
    return [item for item in appraisals if is_defined(item.results[f"npv_fiscal.{option}"]["mean"])]


@styled
def plot_npv_distribution(appraisals: Sequence[Appraisal], option: str, *, ax: Axes | None = None) -> Axes:
    """Draw how net present value is distributed for one option, one outline per stance, zero marked.

    Parameters
    ----------
    appraisals : sequence of Appraisal
        One per stance.
    option : str
        Option id.
    ax : Axes, optional
        Axes to draw on; a new figure by default.

    Returns
    -------
    Axes

    Examples
    --------
    >>> plot_npv_distribution([appraisal], "care_review")  # doctest: +SKIP
    """
    ax = new_axes() if ax is None else ax
    shares = npv_shares(appraisals, option)
    shown = list(dict.fromkeys(shares["stance"]))
    palette = colours(max(len(shown), 3))
    for number, stance in enumerate(shown):
        rows = shares[shares["stance"] == stance]
        edges = np.append(rows["from_gbp"], rows["to_gbp"].iloc[-1]) / 1e9
        style = {"color": palette[number], "lw": 2, "ls": _DASHES[number % 3]}
        ax.stairs(100 * rows["share"], edges, label=stance_name(stance), **style)
        if number == 0:
            ax.stairs(100 * rows["share"], edges, fill=True, color=palette[0], alpha=0.15)
    ax.axvline(0.0, color=TEXT, lw=1)
    ax.set_xlabel("Net present value, £ billion (\N{MINUS SIGN}: net cost)")
    ax.xaxis.set_major_formatter(lambda value, _: f"{value:g}".replace("-", "\N{MINUS SIGN}"))
    ax.xaxis.set_major_locator(MaxNLocator(6))
    name_values(ax, "Share of draws, %")
    ax.set_ylim(0, None)
    if len(shown) > 1:
        ax.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=3, borderaxespad=0.2, handlelength=1.6)
    return ax


def describe_npv_distribution(appraisals: Sequence[Appraisal], option: str) -> str:
    """Return the text alternative of :func:`plot_npv_distribution`.

    Parameters
    ----------
    appraisals : sequence of Appraisal
        One per stance, the headline first.
    option : str
        Option id.

    Returns
    -------
    str

    Examples
    --------
    >>> describe_npv_distribution([appraisal], "care_review")  # doctest: +SKIP
    """
    parts = []
    for item in _defined(appraisals, option):
        npv = item.results[f"npv_fiscal.{option}"]
        chance = show(item.results[f"prob_npv_positive.{option}"]["mean"], style="probability")
        parts.append(
            f"{stance_name(item.stance)}: mean {show(npv['mean'], style='net')}, interval "
            f"{show(npv['lower'], style='money')} to "
            f"{show(npv['upper'], style='money')}, {chance} of draws above zero."
        )
    return (
        "Histogram outlines, one for each stance. Horizontal axis: net present value in pounds, zero "
        "marked; left of zero is a net "
        "cost. Vertical axis: share of draws. " + " ".join(parts)
    )


@styled
def plot_npv_by_option(appraisals: Sequence[Appraisal], *, ax: Axes | None = None) -> Axes:
    """Draw mean and interval of net present value for every option and stance.

    Parameters
    ----------
    appraisals : sequence of Appraisal
        One per stance.
    ax : Axes, optional
        Axes to draw on; a new figure by default.

    Returns
    -------
    Axes

    Examples
    --------
    >>> plot_npv_by_option([appraisal])  # doctest: +SKIP
    """
    ax = plot_results(appraisals, "npv_fiscal", divisor=1e9, ax=ax)
    ax.set_xlabel("Net present value, £ billion (\N{MINUS SIGN}: net cost)")
    ax.xaxis.set_major_formatter(lambda value, _: f"{value:g}".replace("-", "\N{MINUS SIGN}"))
    return ax


def describe_npv_by_option(appraisals: Sequence[Appraisal]) -> str:
    """Return the text alternative of :func:`plot_npv_by_option`.

    Parameters
    ----------
    appraisals : sequence of Appraisal
        One per stance, the headline first.

    Returns
    -------
    str

    Examples
    --------
    >>> describe_npv_by_option([appraisal])  # doctest: +SKIP
    """
    return describe_results(
        appraisals, "npv_fiscal", axis="net present value in pounds; left of zero is a net cost"
    )
