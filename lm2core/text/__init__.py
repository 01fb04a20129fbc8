"""Text in: corpora, tokenizers, packing into blocks."""
