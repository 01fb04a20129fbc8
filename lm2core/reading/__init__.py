"""Open a model, read stories with it, ask it questions."""
