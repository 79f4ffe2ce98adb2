"""Figure of who pays and who gains over the horizon."""

from __future__ import annotations

from textwrap import fill
from typing import TYPE_CHECKING

from cba.reporting.chart_style import TEXT, duo, new_axes, scale_of, styled
from cba.reporting.full_names import full_name
from cba.reporting.horizon import payer_totals
from cba.reporting.numbers import show

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from cba.appraisal import Appraisal


@styled
def plot_payers(appraisal: Appraisal, option: str, *, ax: Axes | None = None) -> Axes:
    """Draw who pays and who saves over the horizon: mean net by payer, undiscounted.

    Parameters
    ----------
    appraisal : Appraisal
        Its table ``cash_flow_by_year`` is read.
    option : str
        Option id.
    ax : Axes, optional
        Axes to draw on; a new figure by default.

    Returns
    -------
    Axes

    Examples
    --------
    >>> plot_payers(appraisal, "care_review")  # doctest: +SKIP
    """
    net = payer_totals(appraisal, option)
    ax = new_axes(height=1.2 + 0.5 * len(net)) if ax is None else ax
    divisor, unit = scale_of(float(net.abs().max()) if len(net) else 1.0)
    places = range(len(net))
    bars = ax.barh(places, -net / divisor, color=[duo()[0] if v <= 0 else duo()[1] for v in net], height=0.6)
    for bar, value in zip(bars, net, strict=True):
        bar.set_hatch("//" if value > 0 else "")
        bar.set_edgecolor("white")
        end = -value / divisor
        ax.annotate(
            "saves" if value < 0 else "pays",
            (end, bar.get_y() + 0.3),
            xytext=(5 if end >= 0 else -5, 0),
            color=TEXT,
            textcoords="offset points",
            va="center",
            ha="left" if end >= 0 else "right",
        )
    ax.axvline(0.0, color=TEXT, lw=1)
    ax.set_yticks(places, [fill(full_name(str(name)), 16) for name in net.index])
    ax.invert_yaxis()
    ax.margins(x=0.24)
    ax.grid(axis="y", visible=False)
    ax.grid(axis="x", visible=True)
    ax.set_xlabel(f"Net saving (right) or cost (left), {unit}")
    return ax


def describe_payers(appraisal: Appraisal, option: str) -> str:
    """Return the text alternative of :func:`plot_payers`.

    Parameters
    ----------
    appraisal : Appraisal
    option : str
        Option id.

    Returns
    -------
    str

    Examples
    --------
    >>> describe_payers(appraisal, "care_review")  # doctest: +SKIP
    """
    net = payer_totals(appraisal, option)
    parts = [
        f"{full_name(name)} {'saves' if v < 0 else 'pays'} {show(abs(v), style='money')}"
        for name, v in net.items()
    ]
    return (
        "Horizontal bar chart, one bar for each payer. Horizontal axis: mean net over the horizon, "
        "undiscounted pounds; savings "
        f"to the right of zero, costs to the left. {'; '.join(parts)}."
    )
