"""Checks of forecasts against what happened."""
