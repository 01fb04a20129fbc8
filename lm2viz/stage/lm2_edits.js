/**
 * Edits of a running memory, with the names and the meaning of lm2viz/causal/interventions.py.
 *
 * An edit becomes changes: values that are set at hook points while a sentence is read.
 */

/**
 * @typedef {object} Change
 * @property {string[]} points names of hook points, of values (N, D)
 * @property {(step: number) => boolean} isOn whether it acts on the sentence of this number
 * @property {(values: Float32Array) => void} apply in place
 */

const TINY = 1e-30; // of a share of attention, in float32

// By the names of interventions in JSON: functions that give the changes of an edit.
const KINDS = {
  zero: (edit, config) => [onBank(edit, config, () => 0)],
  swap: (edit, config) => [onBank(checkedSwap(edit, config), config, (i) => edit.bank[i])],
  freeze: (edit, config) =>
    [["gate_forget", 1], ["write", 0]].map(([point, value]) => ({
      points: pointsOf(config.memory_blocks, point),
      isOn: (step) => step > edit.from_step,
      apply: filling(edit.slots, config, () => value),
    })),
  clamp_gate: (edit, config) => {
    const block = checkedClamp(edit, config).block ?? null;
    return [
      {
        points: pointsOf(block === null ? config.memory_blocks : [block], `gate_${edit.gate}`),
        isOn: isAt(edit.step),
        apply: filling(edit.slots ?? [...Array(config.memory_slots).keys()], config, () => edit.value),
      },
    ];
  },
  block_read: (edit, config) => {
    const block = checkedBlock(edit, config).block ?? null;
    return [
      {
        points: pointsOf(block === null ? config.memory_blocks : [block], "read_pattern"),
        isOn: (step) => step === QUESTION,
        apply: hiding(edit.slots, config),
      },
    ];
  },
};

/** The step of a question, which no sentence has. */
export const QUESTION = 0;

/**
 * The changes of a list of edits, in its order.
 * @param {import("lm2").Edit[]} edits
 * @param {object} config of the model
 * @param {number} [nSentences] of the story, if it is known
 * @returns {Change[]}
 * @throws {Error} for an unknown kind, and for slots, blocks, steps or values that do not exist
 */
export function changesOf(edits, config, nSentences = Infinity) {
  return edits.flatMap((edit) => {
    if (!Object.hasOwn(KINDS, edit.kind)) {
      throw new Error(`no edit of kind "${edit.kind}"; known: ${Object.keys(KINDS).join(", ")}`);
    }
    check(edit, config, nSentences);
    return KINDS[edit.kind](edit, config);
  });
}

/** Refuse slots and sentences that do not exist. */
function check({ kind, slots = null, step = null, from_step = null }, { memory_slots }, nSentences) {
  const isSlot = (slot) => Number.isInteger(slot) && slot >= 0 && slot < memory_slots;
  if (slots === null ? kind !== "clamp_gate" : !slots.length || !slots.every(isSlot)) {
    throw new Error(`${kind}: slots ${JSON.stringify(slots)}; give a list of numbers 0..${memory_slots - 1}`);
  }
  const [number, lowest] = kind === "freeze" ? [from_step, 0] : [step ?? 1, 1];
  if (!Number.isInteger(number) || number < lowest || number > nSentences) {
    throw new Error(`${kind}: step ${number}; give a sentence from ${lowest} to the story's last`);
  }
}

function checkedSwap(edit, { memory_slots, hidden_size }) {
  if (edit.bank?.length !== memory_slots * hidden_size) {
    throw new Error(`swap: a bank of ${edit.bank?.length} values; give ${memory_slots} x ${hidden_size}`);
  }
  return edit;
}

function checkedClamp(edit, { memory_blocks }) {
  if (!["in", "forget"].includes(edit.gate)) {
    throw new Error(`clamp_gate: no gate "${edit.gate}"; known: in, forget`);
  }
  if (!(edit.value >= 0 && edit.value <= 1)) throw new Error(`clamp_gate: value ${edit.value}; give 0 to 1`);
  return checkedBlock(edit, { memory_blocks });
}

function checkedBlock(edit, { memory_blocks }) {
  if (!memory_blocks.includes(edit.block ?? memory_blocks[0])) {
    throw new Error(`${edit.kind}: no memory in block ${edit.block}; it is in ${memory_blocks.join(", ")}`);
  }
  return edit;
}

/** @returns {Change} Rows of the bank that is passed to the next sentence. */
function onBank(edit, config, valueAt) {
  return { points: ["hook_bank"], isOn: isAt(edit.step), apply: filling(edit.slots, config, valueAt) };
}

/** Whether a sentence is the one of an edit; an edit without one acts on all. */
function isAt(step = null) {
  return (number) => step === null || step === number;
}

function pointsOf(blocks, point) {
  return blocks.map((block) => `blocks.${block}.mem.hook_${point}`);
}

/** Sets the rows `slots` of (N, D) to `valueAt(i)`, where i counts the cells of (N, D). */
function filling(slots, { hidden_size: D }, valueAt) {
  return (values) => {
    for (const slot of slots) {
      for (let i = slot * D; i < (slot + 1) * D; i++) values[i] = valueAt(i);
    }
  };
}

/** Takes slots out of weights (H, T, N), and lets the weights of the others sum to 1 again. */
function hiding(slots, { memory_slots: N }) {
  return (pattern) => {
    for (let start = 0; start < pattern.length; start += N) {
      const row = pattern.subarray(start, start + N);
      for (const slot of slots) row[slot] = 0;
      const left = Math.max(row.reduce((sum, weight) => sum + weight, 0), TINY);
      row.forEach((weight, n) => (row[n] = weight / left));
    }
  };
}
