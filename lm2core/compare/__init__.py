"""LM2 beside RMT and plain Llamas: the same data, as many parameters, several seeds, one table."""
