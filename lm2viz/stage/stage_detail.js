/** The card of a slot: what it holds, how well a probe reads it, who put it there, and the edits. */

import { el, pool, setAttribute, setText } from "stage_dom";
import { historyOf, isErased } from "stage_numbers";
import { amount, namesOfSlot, percent } from "stage_text";

const NO_ENGINE = {
  probes: "Edits need the model; this page shows a recorded run.",
  lens: "This model is too large to run in the browser; edit its memory on the page Interventions.",
};

const NAMELESS = {
  probes: "No probe names what it holds.",
  lens: "Read alone, it makes the model say no word that a fresh slot does not.",
};
const LENS = "Slot lens: what the model says when the question can read this slot alone.";

/**
 * @typedef {Object} CardActions
 * @property {() => void} close
 * @property {((kind: "zero"|"clamp_gate"|"block_read") => void)|null} edit null where there is no engine
 * @property {() => void} undo
 */

export class SlotCard {
  /** @param {CardActions} actions */
  constructor(actions) {
    this.title = el("p", { class: "card-title" });
    this.holds = el("p", { class: "holds" });
    this.accuracy = el("p", { class: "accuracy" });
    this.who = el("p", { class: "title" });
    this.rows = el("ol", { class: "history" });
    this.pool = pool(this.rows, historyRow);
    const close = el("button", { type: "button", class: "close", text: "\u00d7", onclick: actions.close });
    setAttribute(close, "aria-label", "Close the card");
    this.buttons = actions.edit ? editButtons(actions) : null;
    this.noEngine = el("p", { class: "no-engine" });
    this.node = el(
      "aside",
      { class: "card", "aria-label": "Slot", hidden: true },
      this.title,
      close,
      this.holds,
      this.accuracy,
      this.who,
      this.rows,
      this.buttons?.row ?? this.noEngine,
    );
  }

  /** @param {number|null} slot null hides the card */
  draw(payload, { step, edits }, slot, isBusy) {
    setAttribute(this.node, "hidden", slot === null);
    if (slot === null) return;
    setText(this.title, `Slot ${slot}`);
    setText(this.holds, holdsLine(payload, step, slot));
    setText(this.accuracy, accuracyLine(payload, slot));
    this.drawHistory(payload, step, slot);
    if (this.buttons) drawButtons(this.buttons, step, edits, isBusy);
    else setText(this.noEngine, NO_ENGINE[payload.named_by ?? "probes"]);
  }

  drawHistory(payload, step, slot) {
    const entries = historyOf(payload, step, slot);
    setText(this.who, entries.length ? "Who put it there" : "Nobody put anything there: the slot is empty");
    const largest = Math.max(...entries.map(({ share }) => Math.abs(share)), 1e-9);
    entries.forEach(({ sentence, share }, i) => {
      const row = this.pool.at(i);
      const [text, bar, number] = row.children;
      setText(text, sourceText(payload, sentence));
      setText(number, percent(share));
      setAttribute(row, "data-sentence", sentence);
      setAttribute(row, "data-share", share);
      bar.firstChild.style.transform = `scaleX(${Math.abs(share) / largest})`;
    });
    this.pool.hideFrom(entries.length);
  }
}

function historyRow() {
  return el(
    "li",
    {},
    el("span", { class: "text" }),
    el("span", { class: "bar" }, el("span", { class: "length" })),
    el("span", { class: "share" }),
  );
}

function sourceText(payload, sentence) {
  if (sentence === null) return "all others together";
  if (sentence === 0) return "start of the memory";
  return `${sentence} ${payload.sentences[sentence - 1].text}`;
}

function holdsLine(payload, step, slot) {
  if (isErased(payload, step, slot)) return `Erased after sentence ${step}: it holds zeros.`;
  const names = namesOfSlot(payload, step, slot);
  const holds = names ? `Holds ${names}.` : NAMELESS[payload.named_by ?? "probes"];
  if (step === 0) return holds;
  const { change, keep } = payload.steps[step - 1];
  return `${holds} Sentence ${step} changed it by ${amount(change[slot])} and kept ${percent(keep[slot])}.`;
}

/** How the slot got its name: its probes' accuracy, with interval and controls, or the slot lens. */
function accuracyLine(payload, slot) {
  if (payload.named_by === "lens") return LENS;
  return payload.probes
    .filter((probe) => probe.slot === slot)
    .map((probe) => {
      const interval = `95\u00a0% interval ${percent(probe.low)} to ${percent(probe.high)}`;
      const right = `${percent(probe.accuracy)} right (${interval}, ${probe.n_stories} stories)`;
      const [untrained, majority] = [probe.untrained, probe.majority].map(percent);
      const controls = `untrained model ${untrained}, most frequent value ${majority}`;
      const verdict = probe.beats_control ? "" : " No better than its controls.";
      return `Probe for ${probe.fact}: ${right}; ${controls}.${verdict}${useLine(probe)}`;
    })
    .join(" ");
}

/** Whether answers go with the slot when it is put into another story; empty where no question can tell. */
function useLine({ used }) {
  if (used === null) return "";
  return used
    ? " Answers use it: they go with this slot into other stories."
    : " Answers do not use it: they do not go with this slot into other stories.";
}

function editButtons({ edit, undo }) {
  const button = (text, onclick) => el("button", { type: "button", text, onclick });
  const erase = button("Erase this slot", () => edit("zero"));
  const block = button("Block writes of this sentence", () => edit("clamp_gate"));
  const hide = button("Hide it from the question", () => edit("block_read"));
  const back = button("Undo", undo);
  return { erase, block, hide, back, row: el("div", { class: "edits" }, erase, block, hide, back) };
}

/** An edit acts on a sentence: before the first there is none. */
function drawButtons({ erase, block, hide, back }, step, edits, isBusy) {
  erase.disabled = block.disabled = hide.disabled = isBusy || step === 0;
  back.disabled = isBusy || edits.length === 0;
}
