/** The result of a lesson: what was measured beside what was predicted, with its control and its numbers. */

import { el, setAttribute, setPieces, setText } from "stage_dom";
import { marked, shareOf } from "stage_text";

const FIRST = "Choose an answer first. You learn more from a result that you tried to predict.";

export class ResultView {
  /** @param {() => void} showLive opens the lesson's story on the stage */
  constructor(showLive) {
    this.verdict = el("p", { class: "result", role: "status" });
    this.numbers = el("p", {});
    this.chart = el("table", {});
    this.caption = el("p", { class: "small" });
    this.moral = el("p", {});
    this.source = el("p", { class: "small" });
    this.look = el("p", {});
    this.open = el("button", { type: "button", class: "play", text: "See it live", onclick: showLive });
    this.live = el("div", { class: "see" }, this.look, this.open);
    this.rest = el(
      "div",
      {},
      this.numbers,
      this.chart,
      this.caption,
      this.moral,
      this.source,
      this.live,
    );
    this.node = el("div", {}, this.verdict, this.rest);
  }

  /** @param {number|null} chosen index of the choice; null before there is one: nothing is told */
  draw(lesson, chosen, hasEngine) {
    setAttribute(this.rest, "hidden", chosen === null);
    if (chosen === null) {
      setText(this.verdict, FIRST);
      this.rest.querySelector("table").replaceChildren();
      return;
    }
    const { choices, right, value, control, is_share: isShare, chart, caption, moral, source, live } = lesson;
    setText(this.verdict, verdictOf(choices, right, chosen));
    setPieces(this.numbers, [
      `${value.of}: `,
      ["number", estimateText(value, isShare)],
      `. Control: ${control.of[0].toLowerCase()}${control.of.slice(1)}: `,
      ["number", estimateText(control, isShare)],
      ".",
    ]);
    drawChart(this.chart, chart);
    setText(this.caption, caption);
    setPieces(this.moral, [["number", "What to remember. "], ...marked(moral)]);
    setText(this.source, source);
    setAttribute(this.live, "hidden", !live || !hasEngine);
    if (live) setPieces(this.look, marked(live.text));
  }
}

function verdictOf(choices, right, chosen) {
  if (chosen === right) return `Correct: ${choices[right]}.`;
  return `Measured: ${choices[right]}. You predicted: ${choices[chosen]}.`;
}

/** A value with its interval and n, in percent where it is a share. */
function estimateText({ value, low, high, n }, isShare) {
  if (!isShare) return value.toFixed(1);
  const interval = low === null ? "no interval" : `${shareOf(low)} to ${shareOf(high)}`;
  return `${shareOf(value)} (${interval}, n = ${n})`;
}

/** A table with a bar in every cell. */
function drawChart(table, { title, names, groups }) {
  const head = el("tr", {}, el("td", {}), ...groups.map(([name]) => el("th", { scope: "col", text: name })));
  const rows = names.map((name, i) =>
    el("tr", {}, el("th", { scope: "row", text: name }), ...groups.map(([, values]) => cell(values[i]))),
  );
  table.replaceChildren(
    el("caption", { text: title }),
    el("thead", {}, head),
    el("tbody", {}, ...rows),
  );
}

function cell(value) {
  if (value === null) return el("td", { text: "not reported" });
  const length = el("span", { class: "length" });
  length.style.transform = `scaleX(${Math.min(1, Math.max(0, value))})`;
  const bar = el("span", { class: "bar" }, length);
  return el("td", {}, el("span", { class: "cell" }, bar, el("span", { text: shareOf(value) })));
}
