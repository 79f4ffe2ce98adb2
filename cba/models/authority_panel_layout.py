"""A panel of authorities laid out for a likelihood of each year's count given the year before."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from cba.models.authority_panel_data import OUTCOMES, AuthorityPanel
from cba.models.authority_panel_launches import years_since_launch


class PanelArrays(NamedTuple):
    """A panel laid out for a likelihood, authorities in the order: no launch, launch known, launch uncertain."""

    order: np.ndarray
    counts: np.ndarray
    offset: np.ndarray
    before: np.ndarray
    first: np.ndarray
    region: np.ndarray
    time: np.ndarray
    usable: np.ndarray
    launch: np.ndarray
    since: np.ndarray
    certain: int


def panel_arrays(panel: AuthorityPanel) -> PanelArrays:
    """Lay out a panel for a likelihood given last year's rate.

    Parameters
    ----------
    panel : AuthorityPanel
        As returned by :func:`cba.models.authority_panel_data.authority_panel`.

    Returns
    -------
    PanelArrays
        ``counts``, ``offset`` (log population plus England's mean log rate) and ``before`` (last year's log rate less
        that mean): (outcome, authority, year) without the first year; ``first`` (outcome, authority); ``usable``
        (authority, year); ``launch``: rows of the panel's launches that go with the last authorities, certain dates
        first; ``since``: years since launch (outcome, launch, date, year) with the first year.

    Examples
    --------
    >>> panel_arrays(panel).counts.shape  # doctest: +SKIP
    (2, 145, 11)
    """
    launches = panel.launches
    launch = np.argsort(~launches.certain, kind="stable")
    treated = panel.launch_row[launch]
    never = np.setdiff1d(np.arange(len(panel.authority)), treated)
    order = np.concatenate([never, treated]).astype(int)
    counts = np.stack([panel.counts(outcome)[order] for outcome in OUTCOMES])
    rate = np.log(counts / panel.population[order])
    mean = rate.mean(axis=(1, 2), keepdims=True)
    years = panel.years
    return PanelArrays(
        order=order,
        counts=counts[:, :, 1:],
        offset=np.log(panel.population[order][:, 1:]) + mean,
        before=(rate - mean)[:, :, :-1],
        first=(rate - mean)[:, :, 0],
        region=np.unique(panel.region[order], return_inverse=True)[1],
        time=(years[1:] - years[1:].mean()).astype(float),
        usable=panel.usable[order][:, 1:] & panel.usable[order][:, :-1],
        launch=launch,
        since=np.stack(
            [years_since_launch(launches.dates[launch], years, outcome=outcome) for outcome in OUTCOMES]
        ),
        certain=int(launches.certain.sum()),
    )
