/** The form for a story and a question of one's own. */

import { el, setText } from "stage_dom";

export class OwnStory {
  /**
   * @param {(sentences: string[], question: string) => Promise<string|null>} read
   *   resolves to one line that says what is wrong, or null; the form keeps its text either way
   */
  constructor(read) {
    const label = "Your own sentences, one a line";
    this.sentences = el("textarea", { rows: 4, spellcheck: "false", "aria-label": label });
    this.question = el("input", { type: "text", spellcheck: "false", "aria-label": "Question" });
    this.message = el("p", { class: "message", role: "status" });
    const form = el(
      "form",
      {},
      this.sentences,
      this.question,
      el("button", { type: "submit", text: "Read this story" }),
      this.message,
    );
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.submit(read);
    });
    this.node = el("details", { class: "own" }, el("summary", { text: "Your own sentences" }), form);
  }

  /** The story that is shown is what one starts from. */
  prefill({ sentences, questions }) {
    this.sentences.value = sentences.map(({ text }) => text).join("\n");
    this.question.value = questions[0]?.text ?? "";
  }

  async submit(read) {
    const lines = this.sentences.value.split("\n").map((line) => line.trim());
    const sentences = lines.filter((line) => line !== "");
    const question = this.question.value.trim();
    if (!sentences.length || !question) {
      setText(this.message, "Write at least one sentence and a question.");
      return;
    }
    setText(this.message, "Reading\u2026");
    setText(this.message, (await read(sentences, question)) ?? "");
  }
}
