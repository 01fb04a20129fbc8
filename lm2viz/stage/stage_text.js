/** Numbers and names of a payload in words: captions, labels and the sentence of an edit's result. */

import { editsOf, isErased, isUnused, namesAt, readsAt, sharesOf, writesAt } from "stage_numbers";

/** Said of a name that a probe decodes from a slot that answers do not use. */
export const UNUSED = "decoded, not used";

/** 0.9985 -> "100 %", with a space that does not break. */
export function percent(share) {
  return `${Math.round(100 * share)}\u00a0%`.replace("-", "\u2212");
}

/** An amount in [0, 1] with two digits. */
export function amount(value) {
  return value.toFixed(2);
}

/** What a probe says a slot holds, "Mary: kitchen", "milk held by Mary"; or its word by the slot lens. */
export function nameText({ fact, value }) {
  const [relation, subject] = fact.split(" of ");
  if (relation === "place") return `${subject}: ${value}`;
  if (relation === "word") return `\u201c${value}\u201d`;
  if (relation === "holder") return `${subject} held by ${value}`;
  return `${fact}: ${value}`;
}

/** All that a slot is called after `step` sentences; empty where nothing names it. */
export function namesOfSlot(payload, step, slot) {
  return namesAt(payload, step)
    .filter((name) => name.slot === slot)
    .map((name) => `${nameText(name)} (${percent(name.probability)}${isUnused(name) ? `, ${UNUSED}` : ""})`)
    .join(", ");
}

/** What was done to a slot: "erased after sentence 5". */
export function editText({ kind, step }) {
  if (kind === "block_read") return "hidden from the question";
  return `${kind === "zero" ? "erased after" : "blocked during"} sentence ${step}`;
}

/** The strongest write of a step, as pieces for `setPieces`. */
export function writeCaption(payload, { step, block }) {
  if (step === 0) return ["Nothing is read yet: the memory is in its start state."];
  const [{ word, slot, amount: wrote }] = writesAt(payload, step, block);
  const names = namesOfSlot(payload, step, slot);
  const nameless = isErased(payload, step, slot) ? ", then the slot was erased" : ", a slot without a name";
  return [
    `Sentence ${step}: `,
    ["write", payload.sentences[step - 1].words[word]],
    ` wrote ${amount(wrote)} to `,
    ["write", `slot ${slot}`],
    ...(names ? [", now ", ["name", names]] : [nameless]),
    ".",
  ];
}

/** The answer and the slot that it is read from most, as pieces for `setPieces`. */
export function readCaption(payload, { step, question, block }) {
  const asked = payload.questions[question];
  if (!asked) return [];
  const [word, probability] = asked.steps[step].answers[0];
  const [{ slot, amount: read }] = readsAt(payload, question, step, block);
  return [
    `${asked.text} `,
    ["answer", word],
    ` (${percent(probability)}), reading most from `,
    ["read", `slot ${slot}`],
    ` (${amount(read)}).`,
  ];
}

/** What a word writes, for its chip: the three largest amounts. */
export function chipLabel(payload, { step, block }, word) {
  const largest = writesAt(payload, step, block)
    .filter((write) => write.word === word)
    .slice(0, 3)
    .map((write) => `${amount(write.amount)} to slot ${write.slot}`);
  return `${payload.sentences[step - 1].words[word]} wrote ${largest.join(", ")}`;
}

/** What a slot holds and how it changed, for its cell. */
export function slotLabel(payload, step, slot) {
  const names = namesOfSlot(payload, step, slot) || "no name";
  const parts = [`Slot ${slot}`, names, ...editsOf(payload, slot).map(editText)];
  if (step === 0) return parts.join(", ");
  const { change, keep } = payload.steps[step - 1];
  return [...parts, `changed by ${amount(change[slot])}`, `${percent(keep[slot])} kept`].join(", ");
}

/** What is left of a sentence: the slots that hold most of it, and its part in what the question reads. */
export function sentenceNote(payload, state, sentence) {
  if (sentence > state.step) return `Sentence ${sentence} is not read yet.`;
  const shares = sharesOf(payload, state.step, sentence);
  const largest = shares
    .map((share, slot) => ({ share, slot }))
    .sort((a, b) => Math.abs(b.share) - Math.abs(a.share))
    .slice(0, 3)
    .map(({ share, slot }) => `${percent(share)} of slot ${slot}`);
  const wrote = `Sentence ${sentence} wrote ${largest.join(", ")}`;
  const asked = payload.questions[state.question];
  if (!asked) return `${wrote}.`;
  const reads = readsAt(payload, state.question, state.step, state.block);
  const read = reads.reduce((sum, { slot, amount: by }) => sum + by * shares[slot], 0);
  const all = reads.reduce((sum, { amount: by }) => sum + by, 0);
  const part = `${percent(read / all)} of what \u201c${asked.text}\u201d reads`;
  return `${wrote}; ${part}, slots weighted by their reads.`;
}

/** 0.1094 -> "10.9 %": a share with one digit after the point. */
export function shareOf(value) {
  return `${(100 * value).toFixed(1)}\u00a0%`.replace("-", "\u2212");
}

/** Text with **strong** and *said* words, as pieces for `setPieces`. */
export function marked(text) {
  const pieces = text.split(/(\*\*[^*]+\*\*|\*[^*]+\*)/).filter((piece) => piece !== "");
  return pieces.map((piece) => {
    if (piece.startsWith("**")) return ["number", piece.slice(2, -2)];
    return piece.startsWith("*") ? ["said", piece.slice(1, -1)] : piece;
  });
}
