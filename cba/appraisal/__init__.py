"""Wire the stages into one frozen record: inputs, fits, projection, costs, decisions, tables and headline."""

from cba.appraisal.record import Appraisal
from cba.appraisal.stages import appraise

__all__ = ["Appraisal", "appraise"]
