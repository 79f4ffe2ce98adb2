"""Wire the stages into one frozen record: inputs, fits, projection, costs, decisions, tables and headline."""

from typing import TYPE_CHECKING, Any

from cba.appraisal.record import Appraisal

if TYPE_CHECKING:
    from cba.appraisal.stages import appraise

__all__ = ["Appraisal", "appraise"]


def __getattr__(name: str) -> Any:
    """Load the stages, and with them the samplers, only for who appraises: reading a stored run needs neither."""
    if name == "appraise":
        from cba.appraisal.stages import appraise

        return appraise
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
