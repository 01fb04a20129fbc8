/** The bar beneath the picture: back, play, next, the scrubber and the choice of a block. */

import { el, setAttribute, setText } from "stage_dom";

export class Controls {
  /**
   * @param {{back: () => void, toggle: () => void, next: () => void, go: (step: number) => void,
   *   choose: (block: "mean"|number) => void}} actions
   */
  constructor(payload, actions) {
    const blocks = ["mean", ...payload.model.blocks];
    this.n = payload.sentences.length;
    this.back = el("button", { type: "button", text: "Back", onclick: actions.back });
    this.toggle = el("button", { type: "button", class: "play", text: "Play", onclick: actions.toggle });
    this.next = el("button", { type: "button", text: "Next", onclick: actions.next });
    this.scrubber = el("input", {
      type: "range",
      min: 0,
      max: this.n,
      step: 1,
      "aria-label": "Sentences read",
      oninput: () => actions.go(Number(this.scrubber.value)),
    });
    this.where = el("span", { class: "where" });
    this.block = el(
      "select",
      { onchange: () => actions.choose(blocks[this.block.selectedIndex]) },
      el("option", { text: "mean over blocks" }),
      ...payload.model.blocks.map((block) => el("option", { text: `block ${block}` })),
    );
    this.blocks = blocks;
    this.node = el(
      "div",
      { class: "controls" },
      el("div", { class: "buttons" }, this.back, this.toggle, this.next),
      this.scrubber,
      this.where,
      el("label", { class: "block" }, "Amounts: ", this.block),
    );
  }

  draw({ step, block, playing }) {
    this.back.disabled = step === 0;
    this.next.disabled = step === this.n;
    setText(this.toggle, playing ? "Pause" : "Play");
    if (this.scrubber.valueAsNumber !== step) this.scrubber.value = step;
    const where = step === 0 ? "Start, nothing read" : `Sentence ${step} of ${this.n}`;
    setText(this.where, where);
    setAttribute(this.scrubber, "aria-valuetext", where);
    this.block.selectedIndex = this.blocks.indexOf(block);
  }
}
