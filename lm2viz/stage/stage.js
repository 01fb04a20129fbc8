/**
 * The stage: a story flows into memory, slots take names, a question reads them. It draws a payload, the JSON
 * of `lm2viz.stage.payload`, and fetches nothing. Its style is that of modules.py, which the page brings.
 */

import { el, setAttribute, setText } from "stage_dom";
import { SlotCard } from "stage_detail";
import { onKeys } from "stage_keys";
import { refusal } from "stage_numbers";
import { OwnStory } from "stage_own";
import { Runs } from "stage_runs";
import { Scene } from "stage_scene";
import { shapeOf, thingAt, within } from "stage_state";
import { followTheme } from "stage_theme";

const BETWEEN_STEPS = 2600; // ms, in play: the time to see a step and to read its caption

/**
 * @typedef {Object} Engine reads stories with the model
 * @property {(sentences: string[], questions: string[], edits: Object[]) => Object|Promise<Object>} run
 *   gives the payload of the run with the edits
 * @property {(texts: string[]) => string|null} check one line about words that the model does not know
 */

/**
 * Draws a payload into `root`, in place of what is there.
 * @param {HTMLElement} root
 * @param {Object} payload
 * @param {{step?: number, question?: number, slot?: number|null, block?: "mean"|number, autoplay?: boolean,
 *   theme?: "auto"|"light"|"dark", engine?: Engine|null,
 *   onChange?: (state: import("stage_state").StageState) => void}} options
 *   step: sentences read, from 0; what lies beyond the story is brought back to its end
 * @returns {{state: import("stage_state").StageState, payload: Object,
 *   show: (partialState: Object) => void, play: () => void, pause: () => void,
 *   update: (payload: Object) => void, edit: (kind: "zero"|"clamp_gate"|"block_read") => Promise<string|null>,
 *   destroy: () => void}} edit: as the buttons of the open card; resolves to one line if it failed
 */
export function mount(root, payload, options = {}) {
  const stage = new Stage(root, payload, options);
  return {
    get state() {
      return { ...stage.state };
    },
    get payload() {
      return stage.payload;
    },
    show: (partialState) => stage.take(partialState),
    play: () => stage.play(),
    pause: () => stage.pause(),
    update: (next) => stage.update(next),
    edit: (kind) => stage.edit(kind),
    destroy: () => stage.destroy(),
  };
}

class Stage {
  constructor(root, payload, options) {
    this.options = options;
    const label = "A story read into memory";
    this.node = el("div", { class: "stage", tabindex: 0, role: "group", "aria-label": label });
    root.replaceChildren(this.node);
    const engine = options.engine ?? null;
    this.runs = engine && new Runs(engine, this);
    this.card = new SlotCard({
      close: () => this.closeCard(),
      edit: engine && ((kind) => this.edit(kind)),
      undo: () => this.runs.undo(),
    });
    this.own = engine && new OwnStory((sentences, question) => this.runs.read(sentences, question));
    this.result = el("p", { class: "result", role: "status", hidden: true });
    this.at = {}; // what is under the pointer or the focus
    const { step = 1, question = 0, slot = null, block = "mean" } = options;
    this.state = { step, question, slot, block, playing: false, edits: [] };
    this.listen();
    this.update(payload);
    if (this.scene) this.own?.prefill(payload);
    if (options.autoplay && !this.prefersStill.matches) this.play();
  }

  listen() {
    this.prefersStill = matchMedia("(prefers-reduced-motion: reduce)");
    this.listeners = new AbortController();
    const on = (target, type, listener, options) =>
      target.addEventListener(type, listener, { signal: this.listeners.signal, ...options });
    on(this.node, "pointerover", ({ target }) => this.point(target));
    on(this.node, "pointerleave", () => this.point(null));
    on(this.node, "focusin", ({ target }) => this.focus(target));
    on(this.node, "focusout", () => this.point(null));
    on(this.node, "keydown", (event) => onKeys(event, this));
    on(this.node, "scroll", () => this.drawCurves(), { capture: true }); // of the list of sentences
    on(this.node, "toggle", () => this.drawCurves(), { capture: true }); // of the form
    this.resized = new ResizeObserver(() => this.drawCurves());
    followTheme(this.node, this.options.theme, this.listeners.signal);
  }

  /** Draws another payload; the step, the question and the slot stay where they can. */
  update(payload) {
    this.pause();
    this.runs?.clear();
    this.setPayload(payload);
  }

  /** @param {Object} partial of the state, to be shown with it */
  setPayload(payload, partial = {}) {
    const line = refusal(payload);
    if (line) return this.refuse(line);
    const isSameStory = this.scene && shapeOf(payload) === shapeOf(this.payload);
    this.payload = payload;
    if (!isSameStory) this.build();
    this.show({ step: this.state.step, ...partial, edits: payload.edits });
  }

  refuse(line) {
    this.scene?.flow.end();
    this.scene = null;
    this.node.replaceChildren(el("p", { class: "refusal", text: line }));
  }

  build() {
    this.scene?.flow.end();
    const actions = {
      show: (partial) => this.take(partial),
      toggle: () => this.toggle(),
      move: (by) => this.move(by),
    };
    this.scene = new Scene(this.payload, actions, { own: this.own?.node ?? null, card: this.card.node });
    this.node.replaceChildren(this.result, ...this.scene.nodes);
    this.resized.disconnect();
    this.resized.observe(this.scene.picture);
  }

  /** Shows a state that a person chose: play stops. */
  take(partial) {
    this.pause();
    this.show(partial);
  }

  show(partial) {
    if (!this.scene) return;
    const before = this.state.step;
    this.state = within({ ...this.state, ...partial }, this.payload);
    this.draw();
    const isRead = partial.step !== undefined && this.state.step >= before;
    if (isRead && !this.prefersStill.matches) this.scene.play(this.payload, this.state);
    this.options.onChange?.({ ...this.state });
  }

  draw() {
    this.scene.flow.end();
    this.scene.draw(this.payload, this.state);
    this.say(this.runs?.verdict(this.state) ?? "");
    this.drawCard();
    this.scene.light(this.payload, this.state, this.at);
    this.drawCurves();
  }

  drawCurves() {
    this.scene?.drawCurves(this.payload, this.state);
  }

  drawCard() {
    this.card.draw(this.payload, this.state, this.at.slot ?? this.state.slot, this.runs?.isBusy);
  }

  /** What the pointer or the focus is on: a word, a slot or a sentence; null is nothing. */
  point(target) {
    const at = target ? thingAt(target) : {};
    if (!this.scene || JSON.stringify(at) === JSON.stringify(this.at)) return;
    this.at = at;
    this.scene.light(this.payload, this.state, at);
    this.drawCard();
  }

  /** The focus on a slot opens its card, so that Tab leads on to the card's buttons. */
  focus(target) {
    this.point(target);
    if (this.at.slot !== undefined && this.at.slot !== this.state.slot) this.show({ slot: this.at.slot });
  }

  nextSlot(slot, by) {
    const { slots, memory } = this.scene;
    const at = Math.min(slots.length - 1, Math.max(0, slots.indexOf(slot) + by));
    memory.cells.get(slots[at]).button.focus();
  }

  closeCard() {
    this.at = {};
    this.take({ slot: null });
  }

  move(by) {
    const step = this.state.step + by;
    this.pause();
    if (this.scene && step >= 0 && step <= this.payload.sentences.length) this.show({ step });
  }

  toggle() {
    if (this.state.playing) this.pause();
    else this.play();
  }

  /** Plays to the end of the story; from its first sentence where it is at its end. */
  play() {
    if (!this.scene || this.state.playing) return;
    const n = this.payload.sentences.length;
    this.show({ playing: true, step: this.state.step < n ? Math.max(1, this.state.step) : 1 });
    this.timer = setInterval(() => {
      this.show({ step: this.state.step + 1 });
      if (this.state.step === n) this.pause();
    }, BETWEEN_STEPS);
  }

  pause() {
    clearInterval(this.timer);
    if (this.state.playing) this.show({ playing: false });
  }

  async edit(kind) {
    const { slot, step } = this.state;
    if (!this.runs) return "Edits need an engine.";
    if (slot === null || step === 0) return "Choose a slot, and a sentence to edit it after.";
    return this.runs.edit(this.payload, kind, { slot, step });
  }

  setBusy(isBusy) {
    setAttribute(this.node, "aria-busy", isBusy);
    if (this.scene) this.drawCard();
  }

  say(line) {
    setText(this.result, line);
    setAttribute(this.result, "hidden", line === "");
  }

  destroy() {
    clearInterval(this.timer);
    this.scene?.flow.end();
    this.listeners.abort();
    this.resized.disconnect();
    this.node.remove();
    this.scene = null;
  }
}
