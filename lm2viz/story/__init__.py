"""One story of a trace: its arrays, its pictures, its report."""
