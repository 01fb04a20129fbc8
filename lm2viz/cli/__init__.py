"""The analysis commands of ``lm2``. Heavy imports happen inside them, so that --help is fast."""
