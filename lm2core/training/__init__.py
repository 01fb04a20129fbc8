"""Training on generated stories and on any text."""
