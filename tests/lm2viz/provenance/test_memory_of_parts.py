"""Unrolling keeps the parts of one sentence, not of all: each is as many banks as there are sentences."""

import weakref

from lm2viz.provenance import decomposition, unroll
from tests.handmade import handmade_lm, handmade_stories
from tests.lm2viz.provenance.conftest import recorded


def test_parts_of_earlier_sentences_are_not_kept(monkeypatch):
    trace, _ = recorded(handmade_lm(), handmade_stories(1, n_sentences=6))
    alive, most, after = [], [], decomposition._after

    def counted(*args):
        parts = after(*args)
        alive.append(weakref.ref(parts.written))
        most.append(sum(ref() is not None for ref in alive))
        return parts

    monkeypatch.setattr(decomposition, "_after", counted)
    unroll(trace, 0, 5)
    assert len(most) >= 6
    assert max(most) <= 3
