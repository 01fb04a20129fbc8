/**
 * Lessons of a page that holds a model: a question is asked first, then answered by what was measured, and
 * the stage shows a story in which the result can be seen. The lessons are those of `lm2viz.lessons.page_json`.
 */

import { ResultView } from "lesson_result";
import { mount } from "stage";
import { el, setPieces, setText } from "stage_dom";
import { marked } from "stage_text";
import { followTheme } from "stage_theme";

/**
 * Draws the lessons in `root`, one at a time, with the stage beneath where a result is seen live.
 * @param {HTMLElement} root
 * @param {Object[]} lessons
 * @param {{engine?: import("stage").Engine|null, theme?: "auto"|"light"|"dark", lesson?: number,
 *   chosen?: Map<number, number>, onLesson?: (lesson: number) => void}} options
 *   lesson: the one to begin with, from 0; chosen: the choice of each lesson that was answered
 * @returns {{at: number, chosen: Map<number, number>, go: (lesson: number) => void, destroy: () => void}}
 */
export function mountLessons(root, lessons, options = {}) {
  const view = new Lessons(root, lessons, options);
  return {
    get at() {
      return view.at;
    },
    chosen: view.chosen,
    go: (lesson) => view.go(lesson),
    destroy: () => view.destroy(),
  };
}

class Lessons {
  constructor(root, lessons, { engine = null, theme, lesson = 0, chosen = new Map(), onLesson }) {
    Object.assign(this, { lessons, engine, theme, chosen, onLesson });
    this.build();
    root.replaceChildren(this.node);
    this.listeners = new AbortController();
    followTheme(this.node, theme, this.listeners.signal);
    this.show(lesson);
  }

  build() {
    const button = (text, onclick) => el("button", { type: "button", text, onclick });
    this.where = el("p", { class: "where", role: "status" });
    this.numbers = this.lessons.map((_, i) => button(String(i + 1), () => this.go(i)));
    this.back = button("Previous lesson", () => this.go(this.at - 1));
    this.next = button("Next lesson", () => this.go(this.at + 1));
    const list = el("ol", {}, ...this.numbers.map((number) => el("li", {}, number)));
    this.title = el("h2", { tabindex: -1 });
    this.text = el("p", {});
    this.choices = el("fieldset", {});
    this.result = new ResultView(() => this.showLive());
    this.place = el("div", {});
    const lesson = el(
      "article",
      { class: "lesson" },
      el("nav", { "aria-label": "Lessons" }, list, this.where),
      this.title,
      this.text,
      this.choices,
      this.result.node,
      el("div", { class: "buttons" }, this.back, this.next),
    );
    this.node = el("div", { class: "lessons" }, lesson, this.place);
  }

  /** Turns to a lesson; a screen reader goes on from its title. */
  go(lesson) {
    this.show(lesson);
    this.title.focus();
  }

  /** Shows a lesson, answered or not; one that is not there is the nearest. */
  show(lesson) {
    this.at = Math.min(Math.max(0, Math.round(lesson) || 0), this.lessons.length - 1);
    const { title, text } = this.lessons[this.at];
    this.endLive();
    setText(this.title, title);
    setPieces(this.text, marked(text));
    this.drawChoices();
    this.draw();
    this.onLesson?.(this.at);
  }

  drawChoices() {
    const { question, choices } = this.lessons[this.at];
    const radio = (text, i) =>
      el(
        "label",
        {},
        el("input", {
          type: "radio",
          name: "choice",
          checked: this.chosen.get(this.at) === i,
          onchange: () => this.choose(i),
        }),
        ` ${text}`,
      );
    this.choices.replaceChildren(el("legend", { text: question }), ...choices.map(radio));
  }

  choose(choice) {
    this.chosen.set(this.at, choice);
    this.draw();
  }

  draw() {
    const { at, chosen, lessons } = this;
    setText(this.where, `Lesson ${at + 1} of ${lessons.length} \u00b7 ${chosen.size} answered`);
    this.numbers.forEach((number, i) => {
      number.classList.toggle("done", chosen.has(i));
      number.setAttribute("aria-current", i === at ? "step" : "false");
      const done = chosen.has(i) ? ", answered" : "";
      number.setAttribute("aria-label", `Lesson ${i + 1}: ${lessons[i].title}${done}`);
    });
    this.back.disabled = at === 0;
    this.next.disabled = at === lessons.length - 1;
    this.result.draw(lessons[at], chosen.get(at) ?? null, this.engine !== null);
  }

  /** Reads the lesson's story, and opens the stage at the step and the slot that it speaks of. */
  async showLive() {
    const { sentences, question, step, slot, edits } = this.lessons[this.at].live;
    const payload = await this.engine.run(sentences, [question], edits);
    this.endLive();
    this.stage = mount(this.place, payload, { engine: this.engine, theme: this.theme, step, slot });
    this.place.scrollIntoView({ block: "start" });
  }

  endLive() {
    this.stage?.destroy();
    this.stage = null;
  }

  destroy() {
    this.endLive();
    this.listeners.abort();
    this.node.remove();
  }
}
