"""Names in a user's own sentences: to ask where everybody is, and nobody else."""

import pytest

from lm2core.english.names import people_named


@pytest.mark.parametrize(
    ("sentence", "named"),
    [
        ("Irene took the violin to the attic.", ["Irene"]),  # a first name that is known
        ("Covaket went home.", []),  # begins a sentence, and might be any word
        ("Later, Covaket met Irene.", ["Covaket", "Irene"]),
        ("Yesterday Mary's brother met O'Brien on Monday.", ["Mary", "O'Brien"]),
        ("In May José and McDonald left.", ["José", "McDonald"]),
        ("Then I saw him.", []),
    ],
)
def test_people_are_named_once_and_days_are_nobody(sentence, named):
    assert people_named([sentence, sentence]) == named
