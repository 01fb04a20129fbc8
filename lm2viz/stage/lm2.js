/**
 * Runs an LM2 in the browser: reads sentences into the memory bank, answers questions from it, edits it, and
 * gives every hook point of the memory. Results equal those of lm2core up to the rounding of float32.
 *
 * Only content routing, that of all shipped models; lm2viz/stage/weights.py writes models and refuses others.
 *
 * Arrays are row-major Float32Array; do not change those that a model returns, for they may share memory.
 * Axes: T tokens of a sentence, N slots, D width, V vocabulary.
 */

import { Block, weightShapes } from "lm2_blocks";
import { changesOf, QUESTION } from "lm2_edits";
import { linear, rmsNorm } from "lm2_math";
import { Tokenizer } from "lm2_tokenizer";

const SCHEMA = 1;
const RECORDS = ["none", "memory", "all"];

/**
 * @typedef {object} ModelJson what lm2viz.stage.weights.model_json gives
 * @property {number} schema
 * @property {string} name
 * @property {object} config fields of the model's config that are needed here, and `memory_blocks`
 * @property {Object<string, {shape: number[], data: string}>} tensors base64 of little-endian float32
 * @property {import("lm2_tokenizer").TokenizerJson} tokenizer
 *
 * @typedef {Object<string, Float32Array>} Hooks values by the names and with the axes of docs/HOOKS.md
 *   (without stories), e.g. "blocks.0.mem.hook_write_pattern" (T, N)
 *
 * @typedef {"none" | "memory" | "all"} Record which hook points to keep: none, those of the memory, or all
 *
 * @typedef {{kind: "zero", slots: number[], step?: number | null}
 *   | {kind: "swap", slots: number[], bank: Float32Array, step?: number | null}
 *   | {kind: "freeze", slots: number[], from_step: number}
 *   | {kind: "clamp_gate", gate: "in" | "forget", value: number, block?: number | null,
 *      slots?: number[] | null, step?: number | null}
 *   | {kind: "block_read", slots: number[], block?: number | null}} Edit
 *   An intervention, as in lm2viz/causal/interventions.py: after a sentence slots hold zeros, or the rows of
 *   another bank (N, D); slots keep what they hold after sentence `from_step`, 0: what a fresh bank holds; or
 *   while a sentence is read, a gate of slots stands at a value in [0, 1], where 1 is open, or keeps; or
 *   questions do not read the slots.
 *   `step` counts sentences from 1. Null is every sentence, block or slot.
 */

/**
 * A model from its JSON.
 * @param {ModelJson} json
 * @returns {Model}
 * @throws {Error} for another schema, and for tensors that do not fit the config
 */
export function openModel(json) {
  if (json?.schema !== SCHEMA) {
    throw new Error(`this model has schema ${json?.schema}, the page reads ${SCHEMA}; export the page again`);
  }
  const shapes = weightShapes(json.config);
  const extra = Object.keys(json.tensors).find((name) => !(name in shapes));
  if (extra) throw new Error(`tensor ${extra} does not belong to a model of this config`);
  const weights = new Map();
  for (const name of Object.keys(shapes)) weights.set(name, tensor(name, shapes[name], json.tensors[name]));
  return new Model(json, weights);
}

/** The values of one tensor, which must have this shape. */
function tensor(name, shape, given) {
  if (!given) throw new Error(`tensor ${name} is missing`);
  if (given.shape.join() !== shape.join()) {
    throw new Error(`tensor ${name} has shape (${given.shape}), but the config needs (${shape})`);
  }
  const bytes = atob(given.data);
  const size = shape.reduce((product, n) => product * n, 1);
  if (bytes.length !== 4 * size) throw new Error(`tensor ${name} has ${bytes.length} bytes, not ${4 * size}`);
  const buffer = new Uint8Array(bytes.length);
  for (let i = 0; i < bytes.length; i++) buffer[i] = bytes.charCodeAt(i);
  return new Float32Array(buffer.buffer); // every platform with a browser is little-endian
}

/** A model that reads and answers; holds no state but its weights. Made by {@link openModel}. */
class Model {
  #weights;
  #blocks;
  #tokenizer;

  constructor(json, weights) {
    this.name = json.name;
    this.config = json.config;
    this.#weights = weights;
    const indices = [...Array(json.config.num_hidden_layers).keys()];
    this.#blocks = indices.map((l) => new Block(json.config, l, weights));
    this.#tokenizer = new Tokenizer(json.tokenizer);
  }

  /**
   * @param {string} text
   * @returns {{ids: number[], words: string[]}} the tokens (T), as ids and in letters
   */
  tokenize(text) {
    const ids = this.#tokenizer.words(text).flatMap((word) => word.ids);
    return { ids, words: ids.map((id) => this.word(id)) };
  }

  /** @returns {string} The token of an id, such as that of the largest logit. */
  word(id) {
    return this.#tokenizer.json.vocabulary[id];
  }

  /**
   * @param {string[]} texts
   * @returns {string[]} words that the model does not know, as written, each once, in order of occurrence
   */
  unknownWords(texts) {
    return this.#tokenizer.unknown(texts);
  }

  /** @returns {string[]} The vocabulary without special tokens, sorted. */
  knownWords() {
    return this.#tokenizer.known();
  }

  /** @returns {Float32Array} A fresh bank (N, D): rows of the identity, repeated if there are more slots. */
  newBank() {
    const { memory_slots, hidden_size: D } = this.config;
    const bank = new Float32Array(memory_slots * D);
    for (let n = 0; n < memory_slots; n++) bank[n * D + (n % D)] = 1;
    return bank;
  }

  /**
   * Read one sentence: every block reads the bank from before it, then they write one after another.
   * @param {Float32Array} bank (N, D)
   * @param {number[]} ids (T)
   * @param {{edits?: Edit[], step?: number, record?: Record}} [options] `step` is the number of this sentence
   * @returns {{bank: Float32Array, hooks: Hooks}} the bank (N, D) after the sentence; hooks after edits
   * @throws {Error} for a bank of another size, and edits that do not fit the model
   */
  readSentence(bank, ids, { edits = [], step = 1, record = "memory" } = {}) {
    return this.#read(bank, ids, changesOf(edits, this.config), step, record);
  }

  /**
   * Ask a question without writing.
   * @param {Float32Array} bank (N, D)
   * @param {number[]} ids (T) of the question, with its question mark
   * @param {{edits?: Edit[], record?: Record}} [options] those edits act that hide slots from questions
   * @returns {{logits: Float32Array, hooks: Hooks}} logits (V) after the last word
   * @throws {Error} for a question without words, a bank of another size, and edits that do not fit the model
   */
  ask(bank, ids, { edits = [], record = "memory" } = {}) {
    if (!ids.length) throw new Error("the question is empty; ask for example: Where is Mary?");
    const { hidden_size: D, rms_norm_eps, tie_word_embeddings } = this.config;
    const hooks = {};
    const hook = hookPoint(changesOf(edits, this.config), QUESTION, record, hooks);
    const { x } = this.#runBlocks(bank, ids, hook);
    const head = tie_word_embeddings ? "model.embed_tokens.weight" : "lm_head.weight";
    const last = x.subarray((ids.length - 1) * D);
    const normed = rmsNorm(last, this.#weights.get("model.norm.weight"), rms_norm_eps);
    return { logits: linear(normed, this.#weights.get(head), D), hooks };
  }

  /**
   * Read a story from a fresh bank, one segment per sentence.
   * @param {string[]} sentences
   * @param {Edit[]} [edits] applied in their order
   * @param {{record?: Record}} [options]
   * @returns {{segments: {words: string[], bank: Float32Array, hooks: Hooks}[]}} banks (N, D): after each
   * @throws {Error} for unknown words, and edits that do not fit the model or the story
   */
  readStory(sentences, edits = [], { record = "memory" } = {}) {
    const unknown = this.unknownWords(sentences);
    if (unknown.length) throw new Error(`unknown words: ${unknown.join(", ")}`);
    const changes = changesOf(edits, this.config, sentences.length);
    let bank = this.newBank();
    const segments = sentences.map((sentence, s) => {
      const { ids, words } = this.tokenize(sentence);
      const after = this.#read(bank, ids, changes, s + 1, record);
      bank = after.bank;
      return { words, ...after };
    });
    return { segments };
  }

  #read(bank, ids, changes, step, record) {
    const hooks = {};
    const hook = hookPoint(changes, step, record, hooks);
    const { streams } = this.#runBlocks(bank, ids, hook);
    let after = bank;
    this.#blocks.forEach((block, l) => {
      if (block.hasMemory) after = block.write(streams[l], after, hook);
    });
    return { bank: hook("hook_bank", after), hooks };
  }

  /** The stream (T, D) after the last block, and of each block that after its read. */
  #runBlocks(bank, ids, hook) {
    const { memory_slots, hidden_size: D } = this.config;
    if (bank.length !== memory_slots * D) {
      throw new Error(`a bank of ${bank.length} values; this model has ${memory_slots} slots of ${D}`);
    }
    const embeddings = this.#weights.get("model.embed_tokens.weight");
    let x = new Float32Array(ids.length * D);
    ids.forEach((id, t) => x.set(embeddings.subarray(id * D, (id + 1) * D), t * D));
    const streams = this.#blocks.map((block) => {
      const after = block.run(x, bank, hook);
      x = after.x;
      return after.mid;
    });
    return { x, streams };
  }
}

/** A hook point: applies the changes of its name at this step, in order, and keeps the values. */
function hookPoint(changes, step, record, hooks) {
  if (!RECORDS.includes(record)) throw new Error(`record "${record}"; known: ${RECORDS.join(", ")}`);
  const isKept = (name) => record === "all" || (record === "memory" && /\.mem\.|^hook_bank$/.test(name));
  return (name, values) => {
    const now = changes.filter((change) => change.points.includes(name) && change.isOn(step));
    const changed = now.length ? values.slice() : values;
    for (const change of now) change.apply(changed);
    if (isKept(name)) hooks[name] = changed;
    return changed;
  };
}
