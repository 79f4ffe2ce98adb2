"""Every table of an appraisal, grouped by what it answers; workings in, frames out.

All files are read with the first of them, so that the catalogue is complete whichever is asked for.
"""

from cba.tables import (  # noqa: F401
    accounts,
    assumptions,
    attribution,
    beliefs,
    children,
    councils,
    decisions,
    explorer,
    fit_checks,
    money,
    pilots,
    society,
    stress,
    studies,
)
