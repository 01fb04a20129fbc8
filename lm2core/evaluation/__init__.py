"""Scores: on stories, on long texts, on EleutherAI's evaluation harness."""
