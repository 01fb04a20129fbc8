"""Several models side by side: along one story, and over many test sets."""
