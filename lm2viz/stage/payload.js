/**
 * The payload of the stage, made in the browser from the model itself: payload.py's twin, whose docstring is
 * the schema. A test holds the two against each other.
 *
 * Letters: B blocks with memory, T words of a sentence, N slots, D width, H memory heads.
 */

export const SCHEMA = 1;
const N_ANSWERS = 6;
const DIGITS = 1e4;
const [TINY, ROUNDING] = [1e-30, 1e-3]; // of gates in float32

/**
 * Read a story, ask questions after every sentence, and return what the stage draws.
 *
 * @param {Model} model see lm2.js
 * @param {string[]} sentences at least one, of words that the model knows
 * @param {string[]} questions
 * @param {{probes?: object[], edits?: object[], told?: object}} options probes: as slot_probes.py writes them;
 *   edits: see lm2.js; told: a payload of the same sentences, from which what is true is taken
 */
export function storyPayload(model, sentences, questions, { probes = [], edits = [], told = null } = {}) {
  const segments = model.readStory(sentences, edits).segments;
  const banks = [model.newBank(), ...segments.map((segment) => segment.bank)];
  return {
    schema: SCHEMA,
    model: { name: model.name, n_slots: model.config.memory_slots, blocks: blocksOf(model), ...told?.model },
    sentences: sentences.map((text, s) => ({ text, words: segments[s].words })),
    steps: stepsOf(model, segments, probes, told),
    probes: probes.map(({ weights, bias, ...probe }) => probe),
    questions: questions.map((text) => questionOf(model, text, banks, { edits, told })),
    edits,
  };
}

/** Indices of the blocks that have memory. */
function blocksOf({ config }) {
  return config.memory_layers ?? rows(config.num_hidden_layers, (block) => block);
}

function stepsOf(model, segments, probes, told) {
  const mentioned = new Set();
  const blocks = blocksOf(model);
  let parts = [];
  let start = Float64Array.from(model.newBank());
  return segments.map(({ words, bank, hooks }, s) => {
    words.forEach((word) => mentioned.add(word.toLowerCase()));
    const before = hooks[`blocks.${blocks[0]}.mem.hook_bank_pre`];
    const { memory_slots: nSlots, hidden_size: width } = model.config;
    const sizes = { nSlots, width, nWords: words.length };
    ({ parts, start } = unrolled(parts, start, hooks, blocks));
    emptied(bank, sizes).forEach((slot) => [...parts, start].forEach((part) => clear(part, slot, width)));
    const names = slotNames(probes, bank, mentioned, width);
    return {
      writes: blocks.map((block) => writtenByWords(hooks, block, sizes)),
      keep: keptOfSlots(hooks, blocks, sizes),
      change: rows(nSlots, (n) => {
        const difference = (d) => bank[n * width + d] - before[n * width + d];
        return rounded(rootMeanSquare(width, difference));
      }),
      sources: [...parts, start].map((part) => sharesOf(part, bank, sizes)),
      names: names.map((name) => ({ ...name, true: trueValue(told, s, name.fact) })),
    };
  });
}

/** Each word's share of a slot's update times the size of what it adds, (T, N) for one block. */
function writtenByWords(hooks, block, { nSlots, width, nWords }) {
  const hook = (name) => hooks[`blocks.${block}.mem.${name}`];
  const claims = hook("hook_write_pattern");
  const gate = hook("hook_gate_in_token");
  const candidate = hook("hook_candidate");
  const claimed = rows(nSlots, (n) => sum(nWords, (t) => claims[t * nSlots + n]));
  const share = (t, n) => claims[t * nSlots + n] / Math.max(claimed[n], 1);
  const letIn = (n, d) => sum(nWords, (t) => share(t, n) * gate[t * width + d]);
  const left = rows(nSlots, (n) => leftByEdits(n, letIn, hook("hook_gate_in"), hook("hook_write"), width));
  return rows(nWords, (t) => {
    const added = (d) => gate[t * width + d] * candidate[t * width + d];
    const size = rootMeanSquare(width, added);
    const sizeLeft = (n) => rootMeanSquare(width, (d) => share(t, n) * added(d) * left[n][d]);
    return rows(nSlots, (n) => rounded(left[n] ? sizeLeft(n) : share(t, n) * size));
  });
}

/** What is left of a slot's write where an edit holds its gate or its write, (D,); null where none does. */
function leftByEdits(slot, letIn, edited, write, width) {
  const isWritten = write.subarray(slot * width, (slot + 1) * width).some((value) => value !== 0);
  const leftAt = (d) => edited[slot * width + d] / Math.max(letIn(slot, d), TINY);
  const left = rows(width, (d) => (isWritten ? leftAt(d) : 0));
  return left.some((value) => Math.abs(value - 1) > ROUNDING) ? left : null;
}

/** What the forget gates of all blocks together leave of each slot, mean over the width, (N,). */
function keptOfSlots(hooks, blocks, { nSlots, width }) {
  const gates = blocks.map((block) => hooks[`blocks.${block}.mem.hook_gate_forget`]);
  const kept = (place) => gates.reduce((product, gate) => product * gate[place], 1);
  return rows(nSlots, (n) => rounded(sum(width, (d) => kept(n * width + d)) / width));
}

/** The bank as a sum of what each sentence wrote, and the start bank: each decays as the bank does. */
function unrolled(parts, start, hooks, blocks) {
  const all = [...parts, new Float64Array(start.length), start].map((part) => Float64Array.from(part));
  const current = all[all.length - 2];
  for (const block of blocks) {
    const keep = hooks[`blocks.${block}.mem.hook_gate_forget`];
    const write = hooks[`blocks.${block}.mem.hook_write`];
    all.forEach((part) => part.forEach((value, i) => (part[i] = value * keep[i])));
    write.forEach((value, i) => (current[i] += value));
  }
  return { parts: all.slice(0, -1), start: all[all.length - 1] };
}

/** Slots that hold zeros: an edit has erased them, and with them all that was written before. */
function emptied(bank, { nSlots, width }) {
  return rows(nSlots, (n) => n).filter((n) => bank.subarray(n * width, (n + 1) * width).every((x) => x === 0));
}

function clear(part, slot, width) {
  part.fill(0, slot * width, (slot + 1) * width);
}

/** Signed share of a part in each slot, <part, bank> / <bank, bank>; null for an empty slot. */
function sharesOf(part, bank, { nSlots, width }) {
  return rows(nSlots, (n) => {
    const product = (other) => sum(width, (d) => other[n * width + d] * bank[n * width + d]);
    const size = product(bank);
    return size > 0 ? rounded(product(part) / size) : null;
  });
}

/** What the probes decode from the bank, for each fact whose subject was mentioned. */
function slotNames(probes, bank, mentioned, width) {
  return probes
    .filter((probe) => mentioned.has(subjectOf(probe.fact)))
    .map((probe) => {
      const content = bank.subarray(probe.slot * width, (probe.slot + 1) * width);
      const scores = probe.weights.map((row, c) => probe.bias[c] + sum(width, (d) => row[d] * content[d]));
      const probabilities = softmax(scores);
      const best = probabilities.indexOf(Math.max(...probabilities));
      return {
        fact: probe.fact,
        slot: probe.slot,
        value: probe.classes[best],
        probability: rounded(probabilities[best]),
        beats_control: probe.beats_control,
        used: probe.used,
      };
    });
}

/** Whom or what a fact is about, in lower case: "place of Mary" is about mary. */
function subjectOf(fact) {
  return fact.split(" ").at(-1).toLowerCase();
}

function questionOf(model, text, banks, { edits, told }) {
  const asked = text.trim().endsWith("?") ? text.trim() : `${text.trim()}?`;
  const { ids, words } = model.tokenize(asked);
  const told_question = told?.questions.find((question) => question.text === asked);
  const steps = banks.map((bank, k) => {
    const { logits, hooks } = model.ask(bank, ids, { edits });
    const probabilities = softmax(Array.from(logits));
    const ranked = probabilities.map((_, i) => i).sort((a, b) => probabilities[b] - probabilities[a]);
    return {
      answers: ranked.slice(0, N_ANSWERS).map((id) => [model.word(id), rounded(probabilities[id])]),
      reads: blocksOf(model).map((block) => readByLastWord(model, hooks, block, words.length)),
      right: told_question?.steps[k].right, // undefined where nobody says what is true
    };
  });
  return { text: asked, words, steps };
}

/** Attention of the last word over slots, mean over heads, times its output gate, mean over the width, (N,). */
function readByLastWord(model, hooks, block, nWords) {
  const pattern = hooks[`blocks.${block}.mem.hook_read_pattern`];
  const gate = hooks[`blocks.${block}.mem.hook_gate_out`];
  const { memory_slots: nSlots, memory_heads: nHeads, hidden_size: width } = model.config;
  const last = nWords - 1;
  const opened = sum(width, (d) => gate[last * width + d]) / width;
  return rows(nSlots, (n) => {
    const attention = sum(nHeads, (h) => pattern[(h * nWords + last) * nSlots + n]) / nHeads;
    return rounded(attention * opened);
  });
}

function trueValue(told, step, fact) {
  return told?.steps[step]?.names.find((name) => name.fact === fact)?.true ?? null;
}

function softmax(scores) {
  const largest = Math.max(...scores);
  const powers = scores.map((score) => Math.exp(score - largest));
  const total = powers.reduce((a, b) => a + b, 0);
  return powers.map((power) => power / total);
}

/** Root mean square, at most 1. */
function rootMeanSquare(n, value) {
  return Math.min(Math.sqrt(sum(n, (i) => value(i) ** 2) / n), 1);
}

function sum(n, value) {
  let total = 0;
  for (let i = 0; i < n; i += 1) total += value(i);
  return total;
}

function rows(n, value) {
  return Array.from({ length: n }, (_, i) => value(i));
}

function rounded(value) {
  return Math.round(value * DIGITS) / DIGITS;
}
