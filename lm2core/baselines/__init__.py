"""What LM2 is compared with: models of as many parameters behind the same call."""
