"""Many stories: the bank after each sentence, and what was true then."""
