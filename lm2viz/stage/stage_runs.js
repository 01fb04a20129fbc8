/** The runs behind the stage: what the engine reads again for an edit, its control, and the way back. */

import { controlSlot, editOf, verdict } from "stage_edits";

export class Runs {
  /** @param {import("stage").Engine} engine */
  constructor(engine) {
    this.engine = engine;
    this.results = [];
  }

  /** Forgets the edits, for another story. */
  clear() {
    this.results = [];
  }

  /**
   * Reads the story with one edit more, and once more with the control slot edited in its place.
   * @param {"zero"|"clamp_gate"} kind
   * @param {number} step the sentence it acts on, from 1
   * @returns {Promise<Object>} the payload of the edited run
   */
  async edit(before, kind, slot, step) {
    const edit = editOf(kind, slot, step);
    const control = controlSlot(before, edit);
    const read = (last) => this.engine.run(...textsOf(before), [...before.edits, last]);
    const after = await read(edit);
    const controlRun = control === null ? null : await read({ ...edit, slots: [control] });
    this.results.push({ edit, before, after, control, controlRun });
    return after;
  }

  /** Takes the last edit back. @returns {Object} the payload before it */
  undo() {
    return this.results.pop().before;
  }

  /** What the last edit did to the answer; empty where there is none. */
  verdict(state) {
    const last = this.results.at(-1);
    return last ? verdict(last, state) : "";
  }

  /**
   * Reads another story.
   * @returns {Promise<{line: string}|{payload: Object}>} a line where the model does not know a word
   */
  async read(sentences, question) {
    const line = await this.engine.check([...sentences, question]);
    return line ? { line } : { payload: await this.engine.run(sentences, [question], []) };
  }
}

function textsOf({ sentences, questions }) {
  return [sentences, questions].map((entries) => entries.map(({ text }) => text));
}
