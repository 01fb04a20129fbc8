"""The ``lm2`` command without analyses. Heavy imports happen inside the commands."""
