"""Analyses and plots of LM2 traces. Only ``lm2viz.causal`` and the commands need torch."""
