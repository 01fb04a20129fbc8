/** What the stage shows: its state, and what a payload allows of it. */

import { factsBySlot } from "stage_numbers";

/**
 * @typedef {Object} StageState
 * @property {number} step sentences read, from 0
 * @property {number} question index into `payload.questions`
 * @property {number|null} slot whose card is open
 * @property {"mean"|number} block
 * @property {boolean} playing
 * @property {Object[]} edits
 */

/** A state that the payload has: what lies outside is brought to its nearest end, or to the usual. */
export function within(state, { model, sentences, questions }) {
  const clamp = (value, last) => Math.min(Math.max(0, Math.round(value) || 0), Math.max(0, last));
  return {
    ...state,
    step: clamp(state.step, sentences.length),
    question: clamp(state.question, questions.length - 1),
    slot: state.slot === null || state.slot >= model.n_slots ? null : clamp(state.slot, model.n_slots - 1),
    block: model.blocks.includes(state.block) ? state.block : "mean",
  };
}

/** All that the nodes are made for: equal shapes share them. */
export function shapeOf(payload) {
  const texts = payload.questions.map(({ text }) => text);
  return JSON.stringify([payload.model, payload.sentences, texts, [...factsBySlot(payload)]]);
}

/** What a node of the stage stands for: {word}, {slot} or {sentence}; {} where it is none of them. */
export function thingAt(node) {
  const found = node.closest(".chip, .slot, .sentence");
  if (!found) return {};
  const { word, slot, sentence } = found.dataset;
  if (word !== undefined) return { word: Number(word) };
  return slot === undefined ? { sentence: Number(sentence) } : { slot: Number(slot) };
}
