"""Work out what England's panel of authorities says and keep it: a study that is refitted when its data change.

The fit takes a minute or two and its placebos as long again, and nothing in an analysis moves it but the release
and the ``panel.*`` priors. So it is run by hand (``make panel``), its results are files with the hash of what they
were made from, and a run reads them as it reads every other study.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from cba.appraisal.tables_panel import panel_authorities, panel_path, panel_summary
from cba.inputs.observations import load_observations, load_programme_rollout
from cba.inputs.priors import load_priors
from cba.models.authority_panel import authority_panel, fit_authority_panel
from cba.models.authority_panel_finding import panel_finding
from cba.models.authority_panel_placebo import placebo_adopters, placebo_dates, placebo_position
from cba.models.panel_results import FINDING, RESULTS, inputs_sha256

LEVEL = 0.9
SEED = 20220523


def write_panel_results(folder: str | Path | None = None, *, sets: int = 500) -> Path:
    """Fit the panel to the newest release and write its tables.

    Parameters
    ----------
    folder : str or Path, optional
        Where the CSV files go; the package's own place by default.
    sets : int
        Placebo adopter sets.

    Returns
    -------
    Path
        The folder: ``finding.csv``, ``path.csv``, ``summary.csv``, ``authorities.csv``, ``placebo_adopters.csv``,
        ``placebo_dates.csv``.

    Raises
    ------
    GateError
        If the fit has not converged; nothing is written then.

    Examples
    --------
    >>> write_panel_results("elsewhere")  # doctest: +SKIP
    """
    place = RESULTS if folder is None else Path(folder)
    observations, rollout, priors = load_observations(), load_programme_rollout(), load_priors()
    fit = fit_authority_panel(observations, rollout, priors, draws=1000, tune=1000, chains=4, seed=SEED)
    panel = authority_panel(observations, rollout, priors)
    placebos = placebo_adopters(panel, fit, sets=sets, seed=SEED)
    spread = placebo_position(placebos).set_index("outcome")["placebo_sd"]
    finding = panel_finding(fit, placebo_sd=float(spread["starts"]))
    if finding is None:
        raise ValueError(
            fit.attrs["not_informative"]
        )  # the newest release always is; older ones are not asked
    known = {"release": int(fit.attrs["release"]), **vars(finding), "inputs_sha256": inputs_sha256()}
    tables = {
        FINDING: pd.DataFrame([known]),
        "path": panel_path(fit, level=LEVEL, placebos=placebos),
        "summary": panel_summary(fit, level=LEVEL, placebos=placebos),
        "authorities": panel_authorities(fit),
        "placebo_adopters": placebos,
        "placebo_dates": placebo_dates(panel, fit),
    }
    place.mkdir(parents=True, exist_ok=True)
    for name, table in tables.items():
        table.to_csv(place / f"{name}.csv", index=False, lineterminator="\n", float_format="%.6g")
    return place
