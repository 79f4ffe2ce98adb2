"""Draws to children: the generic cohort kernel, and on it the care system by age and placement."""

from __future__ import annotations

from cba.projection.kernel import project

__all__ = ["project"]
