"""The bAbI world: simulator with full state, tasks and their questions, the bAbI file format."""
