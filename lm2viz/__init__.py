"""Analyses and pictures of LM2 traces. Needs numpy and plotly; reads traces without torch."""
