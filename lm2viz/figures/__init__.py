"""Arrays to plotly figures, nothing else. The same quantity always has the same colours and range."""
