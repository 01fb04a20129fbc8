"""Comparison of several models: along one story, and over many test sets."""
