"""LM2 beside RMT, ARMT and plain Llamas: the same data, as many parameters, several seeds, one table."""
