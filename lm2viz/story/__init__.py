"""One story of a trace: the arrays behind its pictures, the pictures, and the report."""
