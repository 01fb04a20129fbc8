"""Parts of pages. A panel's name begins with the page it belongs to; the others are shared."""
