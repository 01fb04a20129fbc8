"""Hook points, and how a run is recorded into a Trace."""
