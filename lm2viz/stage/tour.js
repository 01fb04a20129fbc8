/**
 * A guided tour of the stage: five stops on one story. What each stop shows, and every number it tells, is
 * looked up in the payload; a stop that the story does not have is left out.
 */

import { mount } from "stage";
import { el, setPieces, setText } from "stage_dom";
import { controlSlot, editOf } from "stage_edits";
import { isUnused, namesAt, readsAt, refusal } from "stage_numbers";
import { amount, nameText, percent, writeCaption } from "stage_text";
import { followTheme } from "stage_theme";

const NO_ENGINE = "The two stops that edit the memory need the model; this page shows a recorded run.";

/**
 * Draws the stage in `root`, with the tour's caption above it.
 * @param {HTMLElement} root
 * @param {Object} payload
 * @param {Object} options as those of the stage's `mount`; also stop, the one to begin with, from 0, and
 *   onStop, which is called with the number of each that is shown
 * @returns {{stage: Object, stops: string[], at: number, go: (stop: number) => Promise<void>,
 *   destroy: () => void}} stops: their titles; go counts from 0
 */
export function mountTour(root, payload, options = {}) {
  const tour = new Tour(root, payload, options);
  return {
    stage: tour.stage,
    stops: tour.stops.map(({ title }) => title),
    get at() {
      return tour.at;
    },
    go: (stop) => tour.go(stop),
    destroy: () => tour.destroy(),
  };
}

class Tour {
  constructor(root, payload, options) {
    this.stops = stopsOf(payload, Boolean(options.engine));
    this.payload = payload;
    this.build(options);
    root.replaceChildren(this.node);
    this.listeners = new AbortController();
    followTheme(this.node, options.theme, this.listeners.signal);
    this.stage = mount(this.place, payload, options);
    this.onStop = options.onStop;
    this.at = 0;
    this.ready = Promise.resolve();
    this.bar.hidden = this.stops.length === 0;
    if (this.stops.length) this.go(options.stop ?? 0);
  }

  build({ engine }) {
    const button = (text, onclick) => el("button", { type: "button", text, onclick });
    this.title = el("b", {});
    this.text = el("p", { class: "tour-text" });
    this.back = button("Previous stop", () => this.go(this.at - 1));
    this.next = button("Next stop", () => this.go(this.at + 1));
    const full = button("Full screen", () => this.toggleFullScreen());
    full.hidden = !document.fullscreenEnabled;
    this.bar = el(
      "section",
      { class: "tour-bar", "aria-label": "Guided tour" },
      el("div", { "aria-live": "polite" }, el("p", {}, this.title), this.text),
      el("div", { class: "buttons" }, this.back, this.next, full),
      ...(engine ? [] : [el("p", { class: "no-engine", text: NO_ENGINE })]),
    );
    this.place = el("div", {});
    this.node = el("div", { class: "tour" }, this.bar, this.place);
  }

  /** Shows a stop once the one before it is done: an edit may still be read. */
  go(stop) {
    this.ready = this.ready.then(() => this.show(Math.min(Math.max(0, stop), this.stops.length - 1)));
    return this.ready;
  }

  async show(at) {
    this.at = at;
    const { title, text, state, edit } = this.stops[at];
    setText(this.title, `${at + 1} of ${this.stops.length}: ${title}`);
    setPieces(this.text, text);
    this.back.disabled = at === 0;
    this.next.disabled = at === this.stops.length - 1;
    if (this.stage.payload !== this.payload) this.stage.update(this.payload); // an edit, a story of one's own
    this.stage.show(state);
    if (edit) await this.stage.edit(edit);
    this.onStop?.(at);
  }

  toggleFullScreen() {
    if (document.fullscreenElement) document.exitFullscreen();
    else this.node.requestFullscreen();
  }

  destroy() {
    this.listeners.abort();
    this.stage.destroy();
    this.node.remove();
  }
}

/** The stops that this story has. */
function stopsOf(payload, hasEngine) {
  if (refusal(payload) !== null || !payload.questions.length) return [];
  const written = firstName(payload, (before) => !before);
  if (!written) return [];
  const overwritten = firstName(payload, (before, name) => before && before.value !== name.value);
  const { name, step } = overwritten ?? written;
  const where = { step, slot: name.slot, question: readerOf(payload, step, name.slot), block: "mean" };
  return [
    writeStop(payload, written),
    ...(overwritten ? [overwriteStop(payload, overwritten)] : []),
    readStop(payload, where),
    ...(hasEngine ? [eraseStop(payload, where), blockStop(payload, where)] : []),
  ];
}

/** The first name that answers go by, for which `isFound` holds of the same fact's name one step earlier. */
function firstName(payload, isFound) {
  for (let step = 1; step <= payload.sentences.length; step++) {
    const before = new Map(namesAt(payload, step - 1).map((name) => [name.fact, name]));
    const used = namesAt(payload, step).filter((each) => !isUnused(each));
    const name = used.find((each) => isFound(before.get(each.fact), each));
    if (name) return { step, name, before: before.get(name.fact) };
  }
  return null;
}

/** The question that reads most of a slot. */
function readerOf(payload, step, slot) {
  const reads = payload.questions.map(
    (_, q) => readsAt(payload, q, step, "mean").find((entry) => entry.slot === slot).amount,
  );
  return reads.indexOf(Math.max(...reads));
}

function writeStop(payload, { step, name }) {
  return {
    title: "A sentence is written",
    text: [...writeCaption(payload, { step, block: "mean" }), " A probe decodes the name from the slot."],
    state: { step, slot: null, question: readerOf(payload, step, name.slot), block: "mean" },
  };
}

function overwriteStop(payload, { step, name, before }) {
  const keep = payload.steps[step - 1].keep[name.slot];
  return {
    title: "A fact is overwritten",
    text: [
      `\u201c${payload.sentences[step - 1].text}\u201d `,
      ["write", `Slot ${name.slot}`],
      ` keeps ${percent(keep)} of what it held: `,
      ["name", nameText(before)],
      " becomes ",
      ["name", nameText(name)],
      ".",
    ],
    state: { step, slot: null, question: readerOf(payload, step, name.slot), block: "mean" },
  };
}

function readStop(payload, where) {
  const asked = payload.questions[where.question];
  const [[answer, p], [empty, pEmpty]] = [where.step, 0].map((step) => asked.steps[step].answers[0]);
  const [most] = readsAt(payload, where.question, where.step, "mean");
  return {
    title: "A question reads the memory",
    text: [
      `\u201c${asked.text}\u201d reads most from `,
      ["read", `slot ${most.slot}`],
      ` (${amount(most.amount)}) and answers `,
      ["read", answer],
      ` (${percent(p)}). Control: asked of an empty memory, it answers ${empty} (${percent(pEmpty)}).`,
    ],
    state: where,
  };
}

function eraseStop(payload, where) {
  const control = controlSlot(payload, editOf("zero", where.slot, where.step), where.step);
  return {
    title: "The slot is erased",
    text: [
      `If the answer is read from slot ${where.slot}, it should not survive when the slot is set to zeros`,
      control === null ? "." : `; erasing slot ${control} instead, the control, should change nothing.`,
    ],
    state: where,
    edit: "zero",
  };
}

function blockStop(payload, { step, slot, ...rest }) {
  return {
    title: "The fact goes elsewhere",
    text: [
      `While sentence ${step} is read, nothing may be written into slot ${slot}. `,
      "The sentence may be written to another slot instead; the line below says to which.",
    ],
    state: { step, slot, ...rest },
    edit: "clamp_gate",
  };
}
