"""Figure of the panel of authorities: the effect by years since launch, against placebo adopters."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cba.reporting.bound_numbers import matching_rows
from cba.reporting.chart_style import TEXT, duo, label_end, name_values, new_axes, styled
from cba.reporting.numbers import show

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from cba.appraisal import Appraisal

_NAMES = {"starts": "Starts to be looked after", "stock": "Children looked after at 31 March"}


@styled
def plot_panel_effect(
    appraisal: Appraisal, outcome: str, *, group: str = "spread", ax: Axes | None = None
) -> Axes:
    """Draw the effect of the Strengthening Families programmes by years since launch.

    Parameters
    ----------
    appraisal : Appraisal
        Its table ``panel_path`` is read.
    outcome : {"starts", "stock"}
    group : {"spread", "innovators"}
        Authorities the programmes spread to, or their inventors.
    ax : Axes, optional
        Axes to draw on; a new figure by default.

    Returns
    -------
    Axes

    Examples
    --------
    >>> plot_panel_effect(appraisal, "stock")  # doctest: +SKIP
    """
    rows = matching_rows(appraisal.tables["panel_path"], {"outcome": outcome, "group": group})
    ax = new_axes() if ax is None else ax
    first, second = duo()
    since, last = rows["since_launch"].to_numpy(), int(rows["since_launch"].iloc[-1])
    ax.fill_between(since, rows["lower"] * 100, rows["upper"] * 100, color=first, alpha=0.22, lw=0)
    ax.plot(since, rows["mean"] * 100, color=first, lw=2.2)
    label_end(ax, last, rows["mean"].iloc[-1] * 100, "Estimate")
    if rows["placebo_lower"].notna().all():
        for side in ("placebo_lower", "placebo_upper"):
            ax.plot(since, rows[side] * 100, color=second, lw=1.6, ls="--")
        label_end(ax, last, rows["placebo_upper"].iloc[-1] * 100, "Placebos")
    ax.axhline(0.0, color=TEXT, lw=1)
    ax.set_xticks(since, [str(int(year)) for year in since])
    ax.set_xlim(since[0] - 0.2, last + 0.2 + 0.22 * (last - since[0]))
    ax.grid(axis="x", visible=False)
    ax.set_xlabel("Years since launch")
    ax.yaxis.set_major_formatter(lambda value, _: f"{value:g}%".replace("-", "\N{MINUS SIGN}"))
    name_values(ax, f"{_NAMES[outcome]}, change")
    return ax


def describe_panel_effect(appraisal: Appraisal, outcome: str, *, group: str = "spread") -> str:
    """Return the text alternative of :func:`plot_panel_effect`.

    Parameters
    ----------
    appraisal : Appraisal
    outcome : {"starts", "stock"}
    group : {"spread", "innovators"}

    Returns
    -------
    str

    Examples
    --------
    >>> describe_panel_effect(appraisal, "stock")  # doctest: +SKIP
    """
    rows = matching_rows(appraisal.tables["panel_path"], {"outcome": outcome, "group": group})
    parts = [
        f"year {row['since_launch']}: {_share(row['mean'])} (interval {_share(row['lower'])} to {_share(row['upper'])})"
        for row in rows.to_dict("records")
    ]
    last = rows.iloc[-1]
    band = (
        ""
        if rows["placebo_lower"].isna().any()
        else f" Dashed lines: the same interval over placebo adopters, {_share(last['placebo_lower'])} to "
        f"{_share(last['placebo_upper'])} in the last year."
    )
    return (
        f"Line chart with an interval. Horizontal axis: years since launch. Vertical axis: change in "
        f"{_NAMES[outcome][0].lower()}{_NAMES[outcome][1:]}; the line marks no effect. {'; '.join(parts)}.{band}"
    )


def _share(value: float) -> str:
    return f"{show(100 * value, unit=0.1)}%"
