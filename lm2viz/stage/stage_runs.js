/** The runs behind the stage: what the engine reads again for an edit, its control, and the way back. */

import { controlSlot, editOf, verdict } from "stage_edits";
import { refusal } from "stage_numbers";

export class Runs {
  /**
   * @param {import("stage").Engine} engine
   * @param {{state: import("stage_state").StageState, setPayload: (payload: Object) => void,
   *   say: (line: string) => void, setBusy: (isBusy: boolean) => void}} stage
   */
  constructor(engine, stage) {
    this.engine = engine;
    this.stage = stage;
    this.results = [];
    this.turn = 0;
    this.isBusy = false;
  }

  /** Forgets the edits, and drops what is still being read: another story is shown. */
  clear() {
    this.results = [];
    this.turn += 1;
  }

  /**
   * Reads the story with one edit more, and once more with the control slot edited in its place.
   * @param {Object} before the payload that is shown
   * @param {"zero"|"clamp_gate"|"block_read"} kind
   * @param {{slot: number, step: number}} where step: the sentence it acts on, from 1
   */
  edit(before, kind, { slot, step }) {
    return this.alone(async () => {
      const edit = editOf(kind, slot, step);
      const control = controlSlot(before, edit, step);
      const read = (last) => this.engine.run(...textsOf(before), [...before.edits, last]);
      const after = { ...(await read(edit)), edits: [...before.edits, edit] };
      const controlRun = control === null ? null : await read({ ...edit, slots: [control] });
      return () => {
        this.results.push({ edit, before, after, control, controlRun });
        this.stage.setPayload(after);
      };
    });
  }

  /** Takes the last edit back. */
  undo() {
    if (this.results.length) this.stage.setPayload(this.results.pop().before);
  }

  /** What the last edit did to the answer; empty where there is none. */
  verdict(state) {
    const last = this.results.at(-1);
    return last ? verdict(last, state) : "";
  }

  /**
   * Reads another story.
   * @returns {Promise<string|null>} one line where it cannot be read, as for a word the model does not know
   */
  async read(sentences, question) {
    let line = this.isBusy ? "The model is still reading; try again when it is done." : null;
    const failure = await this.alone(async () => {
      line = (await this.engine.check([...sentences, question])) ?? null;
      if (line !== null) return () => {};
      const payload = await this.engine.run(sentences, [question], []);
      line = refusal(payload);
      return () => {
        if (line !== null) return;
        this.clear();
        this.stage.setPayload(payload, { step: 1, question: 0 });
      };
    });
    return line ?? failure;
  }

  /**
   * Lets the engine work on one thing at a time. A failure is said in one line, and the picture stays.
   * @param {() => Promise<() => void>} work resolves to what shows its result
   * @returns {Promise<string|null>} the line, if it failed
   */
  async alone(work) {
    if (this.isBusy) return null;
    const { turn } = this;
    this.setBusy(true);
    this.stage.say("Reading the story again\u2026");
    try {
      const show = await work();
      if (turn === this.turn) show();
      this.stage.say(this.verdict(this.stage.state));
      return null;
    } catch (error) {
      this.stage.say(error.message);
      return error.message;
    } finally {
      this.setBusy(false);
    }
  }

  setBusy(isBusy) {
    this.isBusy = isBusy;
    this.stage.setBusy(isBusy);
  }
}

function textsOf({ sentences, questions }) {
  return [sentences, questions].map((entries) => entries.map(({ text }) => text));
}
