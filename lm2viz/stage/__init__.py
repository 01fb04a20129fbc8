"""The stage: a page that runs an LM2 in the browser."""
