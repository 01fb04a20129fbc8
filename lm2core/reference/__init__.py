"""The public code's module, and the import of its checkpoints."""
