"""Where what a question read came from, and its answer without each sentence, measured once."""

from collections.abc import Sequence

import streamlit as st

from app.loaders.models import workbench
from app.loaders.traces import load_answer, load_trace
from lm2core.babi.story import Question
from lm2core.reading.story_traces import single_question_trace
from lm2viz.causal.ablation import answers_without_sentences
from lm2viz.provenance.sources import Sources, check_length, sources_of


@st.cache_resource(max_entries=64, show_spinner=False)
def load_sources(
    model: str, sentences: Sequence[str], step: int, question: str, support: Sequence[int]
) -> Sources:
    """The sources of ``question`` asked after ``step`` sentences; ``support`` counts from 0.

    Raises
    ------
    UserError
        For memory whose content cannot be followed, or too many sentences.
    """
    check_length(step)
    answer = load_answer(model, sentences, step, question)
    trace = load_trace(model, sentences)
    lm, lock = workbench(model)
    with lock:
        ((_, without),) = answers_without_sentences(lm, sentences[:step], [Question(question, "", (), step)])
    return sources_of(trace, single_question_trace(answer, step, support=support), without)
