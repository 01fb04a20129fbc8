/** The nodes of the stage, made once for a payload and filled again at each step. */

import { el, pool, setAttribute, setText } from "stage_dom";
import { editsOf, factsBySlot, isUnused, namesAt, sharesOf } from "stage_numbers";
import { UNUSED, chipLabel, editText, nameText, percent, slotLabel } from "stage_text";

export const HOLDS = 0.05; // a slot holds something of a sentence from this share of its content
const N_ANSWERS = 4;
const N_CONTROL_ANSWERS = 3;

/** The sentences, and one set of chips that stands in the sentence being read. */
export class StoryView {
  /** @param {(step: number) => void} onPick */
  constructor(payload, onPick) {
    this.rows = payload.sentences.map(({ text }, s) =>
      el(
        "li",
        { "data-sentence": s + 1 },
        el(
          "button",
          { type: "button", class: "sentence", "data-sentence": s + 1, onclick: () => onPick(s + 1) },
          el("span", { class: "count", text: s + 1 }),
          el("span", { class: "text", text }),
        ),
      ),
    );
    this.list = el("ol", { class: "sentences", "aria-label": "Sentences" }, ...this.rows);
    this.words = el("div", { class: "words" });
    this.chips = pool(this.words, () => el("button", { type: "button", class: "chip" }));
    const longest = Math.max(...payload.sentences.map(({ words }) => words.length));
    for (let word = 0; word < longest; word++) setAttribute(this.chips.at(word), "data-word", word);
  }

  draw(payload, state) {
    this.rows.forEach((row, s) => {
      row.className = s + 1 === state.step ? "now" : s < state.step ? "read" : "ahead";
      setAttribute(row.firstChild, "aria-current", s + 1 === state.step && "step");
    });
    const words = payload.sentences[state.step - 1]?.words ?? [];
    this.chips.hideFrom(words.length);
    if (state.step === 0) return;
    this.rows[state.step - 1].append(this.words);
    words.forEach((text, word) => {
      setText(this.chips.at(word), text);
      setAttribute(this.chips.at(word), "aria-label", chipLabel(payload, state, word));
    });
    this.scrollToNow(state.step);
  }

  /** Keeps the sentence being read in view where the list scrolls. */
  scrollToNow(step) {
    const row = this.rows[step - 1];
    const [top, bottom] = [row.offsetTop, row.offsetTop + row.offsetHeight];
    if (top < this.list.scrollTop) this.list.scrollTop = top;
    else if (bottom > this.list.scrollTop + this.list.clientHeight) {
      this.list.scrollTop = bottom - this.list.clientHeight;
    }
  }
}

/** The slots: large cells for those that a probe names at some step, small ones for the others. */
export class MemoryView {
  /** @param {number[]} slots those drawn */
  constructor(payload, slots, onPick) {
    const facts = factsBySlot(payload);
    this.slots = slots;
    this.cells = new Map(slots.map((slot) => [slot, cellOf(slot, facts.get(slot) ?? [], onPick)]));
    const named = slots.filter((slot) => facts.has(slot));
    const quiet = slots.filter((slot) => !facts.has(slot));
    this.node = el(
      "div",
      { class: "slots" },
      this.listOf("named", "Slots with a name", named),
      this.listOf("quiet", "Slots without a name", quiet),
    );
  }

  listOf(look, label, slots) {
    const items = slots.map((slot) => el("li", {}, this.cells.get(slot).button));
    return el("ol", { class: look, "aria-label": label, hidden: slots.length === 0 }, ...items);
  }

  draw(payload, state) {
    const names = new Map(namesAt(payload, state.step).map((name) => [name.fact, name]));
    const before = new Map(namesAt(payload, Math.max(0, state.step - 1)).map((name) => [name.fact, name]));
    const step = payload.steps[state.step - 1];
    for (const [slot, { button, lines, edits }] of this.cells) {
      const [change, keep] = step ? [step.change[slot], step.keep[slot]] : [0, 1];
      setAttribute(button, "data-change", change);
      setAttribute(button, "data-keep", keep);
      setAttribute(button, "aria-label", slotLabel(payload, state.step, slot));
      button.style.setProperty("--change", change);
      const made = editsOf(payload, slot).map(editText).join(", ");
      setText(edits, made);
      setAttribute(button, "data-edited", made !== "");
      for (const [fact, line] of lines) drawName(line, names.get(fact), before.get(fact), keep);
      setAttribute(button, "data-named", [...lines.keys()].some((fact) => names.has(fact)));
    }
    this.setTabStop(state.slot ?? this.slots[0]);
  }

  /** One cell is reached by Tab; the arrow keys lead to the others. */
  setTabStop(stop) {
    for (const [slot, { button }] of this.cells) setAttribute(button, "tabindex", slot === stop ? 0 : -1);
  }

  /** Lights the slots that a question reads, and, in grey, those that hold something of a sentence. */
  light(payload, state, reads, sentence) {
    const read = new Map(reads.map((entry) => [entry.slot, entry.amount / reads[0].amount]));
    const shares = sentence ? sharesOf(payload, state.step, sentence) : null;
    for (const [slot, { button }] of this.cells) {
      button.style.setProperty("--read-share", read.get(slot) ?? 0);
      const share = shares ? Math.abs(shares[slot]) : 0;
      setAttribute(button, "data-lit", share >= HOLDS);
      button.style.setProperty("--lit", share);
      setAttribute(button, "aria-pressed", String(state.slot === slot));
    }
  }
}

function cellOf(slot, facts, onPick) {
  const lines = new Map(facts.map((fact) => [fact, lineOf(fact)]));
  const edits = el("span", { class: "edits-made" });
  const look = facts.length ? "slot large" : "slot";
  const button = el(
    "button",
    { type: "button", class: look, "data-slot": slot, onclick: () => onPick(slot) },
    el("span", { class: "count", text: slot }),
    el("span", { class: "held" }, ...[...lines.values()].map(({ line }) => line), edits),
  );
  return { button, lines, edits };
}

function lineOf(fact) {
  const now = el("span", { class: "now" });
  const share = el("span", { class: "share" });
  const was = el("span", { class: "was" });
  const use = el("span", { class: "use" });
  const old = el("span", { class: "old", "aria-hidden": "true" });
  const line = el("span", { class: "fact", "data-fact": fact }, now, share, was, use, old);
  return { line, now, share, was, use, old };
}

/**
 * The present name; beneath it what was there before, or what the story says, where they differ, and
 * whether a probe alone says so.
 */
function drawName({ line, now, share, was, use, old }, name, before, keep) {
  setAttribute(line, "hidden", !name);
  setText(old, before ? nameText(before) : "");
  if (!name) return;
  setText(now, nameText(name));
  setText(share, percent(name.probability));
  setAttribute(line, "data-unsure", !name.beats_control || isUnused(name));
  setText(use, isUnused(name) ? UNUSED : "");
  const wrong = name.true !== null && name.true !== name.value;
  setAttribute(line, "data-wrong", wrong);
  setAttribute(line, "data-changed", before?.value !== name.value);
  if (wrong) setText(was, `\u2717 the story says ${name.true}`);
  else if (before && before.value !== name.value) setText(was, `was ${before.value}, ${percent(keep)} kept`);
  else setText(was, "");
}

/** The question, its answer, and the same question asked of an empty bank. */
export class AnswerView {
  /** @param {(question: number) => void} onPick */
  constructor(payload, onPick) {
    this.select = el(
      "select",
      { "aria-label": "Question", onchange: () => onPick(this.select.selectedIndex) },
      ...payload.questions.map(({ text }) => el("option", { text })),
    );
    this.rows = el("ol", { class: "answers", "aria-label": "Answer" });
    const label = "Answer from empty memory, the control";
    this.control = el("ol", { class: "answers control", "aria-label": label });
    this.verdict = el("p", { class: "right-answer" });
    this.pools = [pool(this.rows, answerRow), pool(this.control, answerRow)];
    this.first = this.pools[0].at(0);
    this.node = el(
      "div",
      { class: "answer" },
      this.select,
      this.rows,
      this.verdict,
      el("p", { class: "title", text: "Control: the same question, empty memory" }),
      this.control,
    );
  }

  draw(payload, { question, step }) {
    const asked = payload.questions[question];
    setAttribute(this.node, "hidden", !asked);
    if (!asked) return;
    this.select.selectedIndex = question;
    const { answers, right } = asked.steps[step];
    drawAnswers(this.pools[0], answers.slice(0, N_ANSWERS), right);
    drawAnswers(this.pools[1], asked.steps[0].answers.slice(0, N_CONTROL_ANSWERS), null);
    setText(this.verdict, rightLine(answers[0][0], right));
    setAttribute(this.verdict, "data-right", right ? String(right === answers[0][0]) : "unknown");
  }
}

/** Empty for a story that the page knows no truth of, such as one of the reader's own. */
function rightLine(answer, right) {
  if (right === undefined) return "";
  if (right === null) return "The story does not tell the right answer.";
  return answer === right ? "\u2713 This is the right answer." : `\u2717 The right answer is ${right}.`;
}

function answerRow() {
  return el(
    "li",
    {},
    el("span", { class: "word" }),
    el("span", { class: "bar" }, el("span", { class: "length" })),
    el("span", { class: "share" }),
  );
}

function drawAnswers(rows, answers, right) {
  answers.forEach(([word, probability], i) => {
    const row = rows.at(i);
    const [text, bar, share] = row.children;
    setText(text, word);
    setText(share, percent(probability));
    setAttribute(row, "data-word", word);
    setAttribute(row, "data-probability", probability);
    setAttribute(row, "data-right", word === right);
    bar.firstChild.style.transform = `scaleX(${probability})`;
  });
  rows.hideFrom(answers.length);
}
