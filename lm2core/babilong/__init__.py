"""BABILong: bAbI facts among background text, of any length; the published data sets and their scorer."""
