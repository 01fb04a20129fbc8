/** Edits of the memory: which slot is the control, and what an edit did to the answer. */

import { factsBySlot } from "stage_numbers";
import { amount, editText, percent } from "stage_text";

const GREW = 0.01; // smaller growth of a slot's change is not worth a sentence

/** How the control slot is chosen, for the reader. */
export const CONTROL_RULE = "the slot without a name that had changed most by then";

/** @returns {Object} the edit of one slot at a sentence, from 1; a question has no sentence */
export function editOf(kind, slot, step) {
  if (kind === "zero") return { kind, slots: [slot], step };
  if (kind === "block_read") return { kind, slots: [slot] };
  return { kind, gate: "in", value: 0, slots: [slot], step };
}

/** The control slot of an edit after a sentence: see `CONTROL_RULE`; null where every other slot has a name. */
export function controlSlot(payload, { slots }, step) {
  const named = new Set([...factsBySlot(payload).keys(), ...payload.probes.map((probe) => probe.slot)]);
  const changed = (slot) => payload.steps.slice(0, step).reduce((sum, { change }) => sum + change[slot], 0);
  const others = [...Array(payload.model.n_slots).keys()].filter((n) => !named.has(n) && !slots.includes(n));
  return others.sort((a, b) => changed(b) - changed(a) || a - b)[0] ?? null;
}

/**
 * What the edit did to the shown question's answer, beside the same edit of the control slot.
 * @param {{edit: Object, before: Object, after: Object, control: number|null, controlRun: Object|null}} runs
 *   payloads: of the run before the edit, after it, and with the control slot edited in its place
 * @param {{question: number, step: number}} state a step before the edit is shown as the step of the edit
 */
export function verdict({ edit, before, after, control, controlRun }, state) {
  const step = Math.max(state.step, edit.step ?? 0);
  const answer = (run) => run && answerAt(run, state.question, step);
  const [was, is, beside] = [before, after, controlRun].map(answer);
  const lines = [`Slot ${edit.slots[0]} ${editText(edit)}`];
  if (was) lines[0] += `: ${was} \u2192 ${is}`;
  lines[0] += ".";
  if (beside) lines.push(`Control, slot ${control} instead (${CONTROL_RULE}): ${beside}.`);
  if (control === null) lines.push("No control: every other slot has a name.");
  if (edit.kind === "clamp_gate") lines.push(insteadLine(edit, before, after));
  return lines.join(" ");
}

function answerAt(payload, question, step) {
  const answer = payload.questions[question]?.steps[step].answers[0];
  return answer ? `${answer[0]} (${percent(answer[1])})` : null;
}

/** Where the sentence was written instead: the slot whose change in it grew most. */
function insteadLine({ slots, step }, before, after) {
  const [was, is] = [before, after].map((run) => run.steps[step - 1].change);
  const grown = is.map((change, slot) => (slots.includes(slot) ? -Infinity : change - was[slot]));
  const most = grown.indexOf(Math.max(...grown));
  if (grown[most] < GREW) return "No other slot changed more than before.";
  return `Most of it was written to slot ${most} instead, which changed by ${amount(grown[most])} more.`;
}
