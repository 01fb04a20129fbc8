/**
 * What the stage draws of a payload, as plain numbers. A step is the number of sentences read: 0 is the start
 * bank, before any of them. A block is "mean" or one of `payload.model.blocks`.
 */

export const SCHEMA = 1;
const MAX_SENTENCES = 999;
const ALL_SENTENCES_UP_TO = 60; // a longer story writes to more slots than one screen tells apart
const ALL_SLOTS_UP_TO = 64;
const N_CHOSEN = 32; // cells where not all are drawn
const N_HISTORY = 6; // rows of a slot's history
const SMALL = 0.01; // shares below this are summed

/** Why a payload cannot be drawn, in one line; null where it can. */
export function refusal(payload) {
  if (payload?.schema !== SCHEMA) {
    const got = payload?.schema ?? "none";
    return `This stage draws payloads of schema ${SCHEMA}; got ${got}. Make the payload again.`;
  }
  const n = payload.sentences.length;
  if (n <= MAX_SENTENCES) return null;
  return `A story of ${n} sentences cannot be drawn; at most ${MAX_SENTENCES}. Shorten it.`;
}

/** Values (n_blocks, ...) of one block, or their mean over blocks. */
export function ofBlock(values, blocks, block) {
  return block === "mean" ? mean(values) : values[blocks.indexOf(block)];
}

function mean(values) {
  if (!Array.isArray(values[0])) return values.reduce((sum, x) => sum + x, 0) / values.length;
  return values[0].map((_, i) => mean(values.map((value) => value[i])));
}

/**
 * What each word of the step's sentence wrote to each slot, the largest first.
 * @returns {{word: number, slot: number, amount: number}[]} amount in [0, 1]; empty at step 0
 */
export function writesAt(payload, step, block) {
  if (step === 0) return [];
  return kept(payload, `write ${step} ${block}`, () => {
    const amounts = ofBlock(payload.steps[step - 1].writes, payload.model.blocks, block);
    return amounts
      .flatMap((row, word) => row.map((amount, slot) => ({ word, slot, amount })))
      .sort((a, b) => b.amount - a.amount);
  });
}

/** What the question reads from each slot, the largest first. @returns {{slot: number, amount: number}[]} */
export function readsAt(payload, question, step, block) {
  return kept(payload, `read ${question} ${step} ${block}`, () =>
    ofBlock(payload.questions[question].steps[step].reads, payload.model.blocks, block)
      .map((amount, slot) => ({ slot, amount }))
      .sort((a, b) => b.amount - a.amount),
  );
}

const results = new WeakMap(); // by payload: a step is drawn often, and every part of it asks for these

function kept(payload, key, compute) {
  const of = results.get(payload) ?? results.set(payload, new Map()).get(payload);
  return of.get(key) ?? of.set(key, compute()).get(key);
}

/** The entries that can be seen: above a share of the largest, and at most `n` of them. */
export function visible(entries, n, share) {
  return entries.filter(({ amount }) => amount > 0 && amount >= share * entries[0].amount).slice(0, n);
}

/** The largest write of the whole story, so that widths can be compared between steps. */
export function largestWrite(payload, block) {
  return Math.max(1e-9, ...payload.steps.map((_, s) => writesAt(payload, s + 1, block)[0].amount));
}

/** The largest read over all questions and steps. */
export function largestRead(payload, block) {
  const reads = payload.questions.flatMap((asked, q) =>
    asked.steps.map((_, step) => readsAt(payload, q, step, block)[0].amount),
  );
  return Math.max(1e-9, ...reads);
}

/** What the probes decode after `step` sentences; a slot erased just now holds zeros, and has no name. */
export function namesAt(payload, step) {
  if (step === 0) return [];
  return payload.steps[step - 1].names.filter(({ slot }) => !isErased(payload, step, slot));
}

/** Whether the answers do not go with the slot that a probe decodes this from: see `used_slots`. */
export function isUnused({ used }) {
  return used === false; // null: nobody asks for such a fact
}

/** Whether a slot holds zeros because it was erased after this very step. */
export function isErased(payload, step, slot) {
  return editsOf(payload, slot).some((edit) => edit.kind === "zero" && edit.step === step);
}

/** The edits that act on a slot. */
export function editsOf(payload, slot) {
  return payload.edits.filter((edit) => edit.slots?.includes(slot));
}

/** Facts by slot, in order, of all that is named at some step. @returns {Map<number, string[]>} */
export function factsBySlot(payload) {
  const facts = new Map();
  for (const { slot, fact } of payload.steps.flatMap((step) => step.names)) {
    const of = facts.get(slot) ?? [];
    if (!of.includes(fact)) facts.set(slot, [...of, fact].sort());
  }
  return facts;
}

/** The slots to draw, in order: all, or those named, written and read most. @returns {number[]} */
export function drawnSlots(payload) {
  const all = [...Array(payload.model.n_slots).keys()];
  if (all.length <= ALL_SLOTS_UP_TO && payload.sentences.length <= ALL_SENTENCES_UP_TO) return all;
  const named = new Set(factsBySlot(payload).keys());
  const use = all.map((slot) => (named.has(slot) ? Infinity : timesUsed(payload, slot)));
  return all
    .sort((a, b) => use[b] - use[a] || a - b)
    .slice(0, Math.max(N_CHOSEN, named.size))
    .sort((a, b) => a - b);
}

/** Change over all steps plus what all questions read in the end. */
function timesUsed(payload, slot) {
  const changed = payload.steps.reduce((sum, step) => sum + step.change[slot], 0);
  const reads = payload.questions.map((asked) => mean(asked.steps.at(-1).reads)[slot]);
  return changed + reads.reduce((sum, x) => sum + x, 0);
}

/**
 * Who wrote what a slot holds after `step` sentences: the largest shares, in the order of the story, the
 * start bank last; the small ones are summed. Empty for an empty slot.
 * @returns {{sentence: number|null, share: number}[]} sentence from 1; 0 is the start bank, null the rest
 */
export function historyOf(payload, step, slot) {
  if (step === 0) return [{ sentence: 0, share: 1 }];
  const sources = payload.steps[step - 1].sources.map((row) => row[slot]);
  if (sources.every((share) => share === null)) return [];
  const shares = sources.map((share) => share ?? 0);
  const entries = shares.map((share, s) => ({ sentence: s === shares.length - 1 ? 0 : s + 1, share }));
  const bySize = [...entries].sort((a, b) => Math.abs(b.share) - Math.abs(a.share));
  const largest = bySize.slice(0, N_HISTORY).filter(({ share }) => Math.abs(share) >= SMALL);
  const rest = entries.filter((entry) => !largest.includes(entry)).reduce((sum, { share }) => sum + share, 0);
  const kept = entries.filter((entry) => largest.includes(entry));
  return kept.length < entries.length ? [...kept, { sentence: null, share: rest }] : kept;
}

/** The signed share of each slot's content that a sentence wrote; zeros where it is yet to be read. */
export function sharesOf(payload, step, sentence) {
  if (sentence > step) return Array(payload.model.n_slots).fill(0);
  return payload.steps[step - 1].sources[sentence - 1].map((share) => share ?? 0);
}
