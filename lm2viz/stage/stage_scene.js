/** The picture of one payload: its nodes, and what they show for a state. */

import { el, setAttribute, setPieces } from "stage_dom";
import { Controls } from "stage_controls";
import { Flow } from "stage_flow";
import { AnswerView, HOLDS, MemoryView, StoryView } from "stage_layout";
import { drawnSlots, largestRead, largestWrite, readsAt, sharesOf, visible, writesAt } from "stage_numbers";
import { chipLabel, readCaption, sentenceNote, writeCaption } from "stage_text";

const SEEN = 0.1; // curves below this share of the largest are left out
const N_WRITES = 40;
const N_READS = 12;
const LEGEND = [
  ["write", "Orange"],
  ": what a word writes to a slot. ",
  ["read", "Blue"],
  ": what the question reads. Wider is more. A slot\u2019s fill is how much the sentence changed it; the " +
    "old name fades as far as it is forgotten. Grey italic: a name that answers do not use, or that is no " +
    "better than its controls.",
];

/** Its nodes are made for one shape of payload; see `shapeOf`. */
export class Scene {
  /**
   * @param {{show: (partial: Partial<import("stage_state").StageState>) => void, toggle: () => void,
   *   move: (by: number) => void}} actions
   * @param {{own: Node|null, card: Node}} parts that outlive a payload
   */
  constructor(payload, { show, toggle, move }, { own, card }) {
    this.slots = drawnSlots(payload);
    this.story = new StoryView(payload, (to) => show({ step: to }));
    this.memory = new MemoryView(payload, this.slots, (slot) => show({ slot }));
    this.answer = new AnswerView(payload, (question) => show({ question }));
    this.controls = new Controls(payload, {
      back: () => move(-1),
      next: () => move(1),
      toggle,
      go: (to) => show({ step: to }),
      choose: (block) => show({ block }),
    });
    this.wrote = el("p", {});
    this.read = el("p", {});
    this.caption = el("div", { class: "caption", "aria-live": "polite" }, this.wrote, this.read);
    this.legend = el("p", { class: "legend" });
    this.picture = el(
      "div",
      { class: "scene" },
      column("story", "Story", this.story.list, own),
      column("memory", memoryTitle(payload, this.slots), this.memory.node),
      column("asked", "Question", this.answer.node, card),
    );
    this.flow = new Flow(this.picture);
    this.picture.prepend(this.flow.svg);
    this.picture.append(this.flow.flying);
    this.nodes = [this.caption, this.picture, this.controls.node, this.legend];
    this.largest = new Map();
  }

  /** Fills everything for a state; the curves last, for they are measured. */
  draw(payload, state) {
    this.story.draw(payload, state);
    this.memory.draw(payload, state);
    this.answer.draw(payload, state);
    this.controls.draw(state);
    setPieces(this.wrote, writeCaption(payload, state));
    setPieces(this.read, readCaption(payload, state));
  }

  /** The curves of a state, between nodes that are in place. */
  drawCurves(payload, state) {
    const [writes, reads] = this.entries(payload, state);
    this.flow.draw(writes, reads, this.scales(payload, state.block));
  }

  entries(payload, { step, question, block }) {
    const cells = this.memory.cells;
    const isDrawn = ({ slot }) => cells.has(slot);
    const writes = visible(writesAt(payload, step, block).filter(isDrawn), N_WRITES, SEEN);
    const reads = payload.questions[question] ? readsAt(payload, question, step, block).filter(isDrawn) : [];
    const cell = ({ slot }) => cells.get(slot).button;
    return [
      writes.map((entry) => ({ ...entry, from: this.story.chips.at(entry.word), to: cell(entry) })),
      visible(reads, N_READS, SEEN).map((entry) => ({ ...entry, from: cell(entry), to: this.answer.first })),
    ];
  }

  scales(payload, block) {
    if (!this.largest.has(block)) {
      this.largest.set(block, { write: largestWrite(payload, block), read: largestRead(payload, block) });
    }
    return this.largest.get(block);
  }

  /** Plays the step that was drawn. */
  play(payload, { step }) {
    const names = [...this.memory.cells.values()].flatMap(({ button, lines }) =>
      [...lines.values()]
        .filter(({ line }) => line.hasAttribute("data-changed"))
        .map(({ now, old }) => ({ now, old, keep: Number(button.dataset.keep) })),
    );
    this.flow.play(payload.sentences[step - 1]?.words ?? [], names, this.answer.rows);
  }

  /**
   * Lights what belongs to the thing under the pointer or the focus, or to the open card.
   * @param {{word?: number, slot?: number, sentence?: number}} at
   */
  light(payload, state, at) {
    const reads = payload.questions[state.question]
      ? visible(readsAt(payload, state.question, state.step, state.block), N_READS, SEEN)
      : [];
    this.memory.light(payload, state, reads, at.sentence);
    this.flow.isolate(isolation(payload, state, at));
    setAttribute(this.picture, "data-isolated", Object.keys(at).length > 0);
    setPieces(this.legend, noteOf(payload, state, at) ?? LEGEND);
  }
}

function column(name, title, ...children) {
  const nodes = [el("p", { class: "title", text: title }), ...children.filter((child) => child !== null)];
  return el("section", { class: name, "aria-label": title }, ...nodes);
}

function memoryTitle({ model }, slots) {
  if (slots.length === model.n_slots) return `Memory: ${slots.length} slots`;
  return `Memory: ${slots.length} of ${model.n_slots} slots, those named, written or read most`;
}

/** Which curves belong to a word, a slot or a sentence; null where all are shown. */
function isolation(payload, state, { word, slot, sentence }) {
  if (word !== undefined) return (data, isRead) => !isRead && Number(data.word) === word;
  if (slot !== undefined) return (data) => Number(data.slot) === slot;
  if (sentence === undefined) return null;
  const shares = sharesOf(payload, state.step, sentence);
  return (data, isRead) => (isRead ? Math.abs(shares[data.slot]) >= HOLDS : sentence === state.step);
}

function noteOf(payload, state, { word, sentence }) {
  if (word !== undefined && state.step > 0) return [`${chipLabel(payload, state, word)}.`];
  if (sentence !== undefined) return [sentenceNote(payload, state, sentence)];
  return null;
}
