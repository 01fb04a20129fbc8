"""Train a memory beside a frozen Llama, on streams of the Llama that are computed once."""
