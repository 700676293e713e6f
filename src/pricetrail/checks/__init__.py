"""Verdicts: gates, decision, drift, fairness, errors and intervals."""
