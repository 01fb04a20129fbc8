/** The curves: from words to slots in the colour of writes, from slots to the answer in that of reads. */

import { el, pool, setAttribute, setText, svgEl } from "stage_dom";

export const DURATION = 700; // ms that the words take to their slots
const READ_DURATION = 500; // ms that the answer takes, once they arrived
const WIDEST = 1; // em, the largest write or read of the story
const EASE = "cubic-bezier(.45, .05, .25, 1)";

/** Draws the curves of a step over the scene, and moves the words along them. */
export class Flow {
  /** @param {HTMLElement} scene that the curves lie in; its children are measured against it */
  constructor(scene) {
    this.scene = scene;
    this.svg = svgEl("svg", { class: "flow", "aria-hidden": "true" });
    this.writes = pool(this.svg, () => svgEl("path", { class: "write", pathLength: 1 }));
    this.reads = pool(this.svg, () => svgEl("path", { class: "read", pathLength: 1 }));
    this.flying = el("div", { class: "flying", "aria-hidden": "true" });
    this.tokens = pool(this.flying, () => el("span", {}));
    this.running = [];
  }

  /**
   * @param {{word: number, slot: number, amount: number, from: Element, to: Element}[]} writes
   * @param {{slot: number, amount: number, from: Element, to: Element}[]} reads
   * @param {{write: number, read: number}} largest the amounts that get the widest curve
   */
  draw(writes, reads, largest) {
    const origin = this.scene.getBoundingClientRect();
    const isAcross = directionOf(writes[0] ?? reads[0]);
    const measured = new Map();
    const box = (node) => measured.get(node) ?? measured.set(node, boxIn(origin, node)).get(node);
    const curves = [writes, reads].map((entries) =>
      entries.map(({ from, to }) => curve(box(from), box(to), isAcross)),
    );
    this.fill(this.writes, writes, curves[0], largest.write);
    this.fill(this.reads, reads, curves[1], largest.read);
  }

  fill(paths, entries, curves, largest) {
    entries.forEach(({ word, slot, amount }, i) => {
      const path = paths.at(i);
      const size = Math.min(1, amount / largest);
      setAttribute(path, "d", curves[i]);
      setAttribute(path, "data-word", word);
      setAttribute(path, "data-slot", slot);
      setAttribute(path, "data-amount", amount);
      path.style.strokeWidth = `max(1px, ${WIDEST * size}em)`;
      path.style.setProperty("--size", Math.sqrt(size));
    });
    paths.hideFrom(entries.length);
  }

  /** Isolates the curves for which `isShown` holds of their data; null shows all. */
  isolate(isShown) {
    for (const path of [...this.writes.nodes, ...this.reads.nodes]) {
      const isOff = isShown !== null && !isShown(path.dataset, path.classList.contains("read"));
      setAttribute(path, "data-off", isOff);
    }
  }

  /**
   * Plays a step that is drawn: the words fly in, old names fade, new ones appear, the answer is read.
   * @param {string[]} words of the sentence
   * @param {Iterable<{now: Element, old: Element, keep: number}>} names those that change
   * @param {Element} answer
   */
  play(words, names, answer) {
    this.end();
    const shown = (paths) => paths.nodes.filter((path) => !path.hasAttribute("hidden"));
    for (const path of shown(this.writes)) this.grow(path, DURATION, 0);
    for (const path of shown(this.reads)) this.grow(path, READ_DURATION, DURATION);
    this.fly(shown(this.writes), words);
    this.appear(answer, DURATION + READ_DURATION);
    for (const { now, old, keep } of names) {
      this.animate(old, [{ opacity: 1 }, { opacity: keep }], { duration: DURATION });
      this.appear(now, DURATION);
    }
  }

  appear(node, delay) {
    this.animate(node, [{ opacity: 0.1 }, { opacity: 1 }], { duration: 200, delay });
  }

  /** Ends what is running, so that the step that is drawn is what is seen. */
  end() {
    for (const animation of this.running) animation.cancel();
    this.running = [];
    this.tokens.hideFrom(0);
  }

  animate(node, frames, timing) {
    this.running.push(node.animate(frames, { easing: EASE, fill: "backwards", ...timing }));
    return this.running.at(-1);
  }

  grow(path, duration, delay) {
    const frame = (offset) => ({ strokeDasharray: "1", strokeDashoffset: offset, opacity: 1 });
    this.animate(path, [frame(1), frame(0)], { duration, delay });
  }

  /** Each word flies along its widest curve. */
  fly(paths, words) {
    const widest = new Map();
    for (const path of paths) if (!widest.has(path.dataset.word)) widest.set(path.dataset.word, path);
    [...widest.entries()].forEach(([word, path], i) => {
      const token = this.tokens.at(i);
      setText(token, words[word]);
      token.style.offsetPath = `path("${path.getAttribute("d")}")`;
      setAttribute(token, "hidden", false);
      const frames = [
        { offsetDistance: "0%", opacity: 1 },
        { offsetDistance: "88%", opacity: 1, offset: 0.9 },
        { offsetDistance: "100%", opacity: 0 },
      ];
      const flight = this.animate(token, frames, { duration: DURATION + 100 });
      flight.onfinish = () => setAttribute(token, "hidden", true);
    });
  }
}

/** Whether curves run from left to right, as on a wide screen, and not from above. */
function directionOf(entry) {
  if (!entry) return true;
  return entry.to.getBoundingClientRect().left >= entry.from.getBoundingClientRect().right;
}

function boxIn(origin, node) {
  const { left, right, top, bottom } = node.getBoundingClientRect();
  return {
    left: left - origin.left,
    right: right - origin.left,
    top: top - origin.top,
    bottom: bottom - origin.top,
  };
}

function curve(from, to, isAcross) {
  const middle = (a, b) => (a + b) / 2;
  if (isAcross) {
    const [x0, y0, x1, y1] = [from.right, middle(from.top, from.bottom), to.left, middle(to.top, to.bottom)];
    const bend = Math.max(20, (x1 - x0) / 2);
    return `M${x0} ${y0}C${x0 + bend} ${y0} ${x1 - bend} ${y1} ${x1} ${y1}`;
  }
  const [x0, y0, x1, y1] = [middle(from.left, from.right), from.bottom, middle(to.left, to.right), to.top];
  const bend = Math.max(20, (y1 - y0) / 2);
  return `M${x0} ${y0}C${x0} ${y0 + bend} ${x1} ${y1 - bend} ${x1} ${y1}`;
}
