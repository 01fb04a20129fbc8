"""The stage: a story, the memory that reads it and the answers, drawn in a browser without a server."""
