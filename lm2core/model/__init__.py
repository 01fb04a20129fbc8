"""The model itself: configuration, memory, blocks, segments, generation."""
