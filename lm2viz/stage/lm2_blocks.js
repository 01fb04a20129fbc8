/**
 * The blocks of an LM2 with content routing: their weights, and how they read and write the memory bank.
 *
 * The same as lm2core/model/block.py and memory.py. Source: Kang et al. 2025, arXiv:2502.06049, section 2.
 *
 * Arrays are row-major Float32Array. Axes: T tokens of a sentence, N slots, D width, V vocabulary.
 */

import { add, attend, attended, linear, multiply, rmsNorm, rotate, softmaxRows } from "lm2_math";
import { sigmoid, silu, tanh } from "lm2_math";
import { route, slotShares } from "lm2_math";

/**
 * @callback HookPoint records the values of a hook point of docs/HOOKS.md, and may replace them
 * @param {string} name
 * @param {Float32Array} values
 * @returns {Float32Array} the values to go on with
 */

/**
 * Shapes of a model's weights by their names in a checkpoint.
 * @param {object} config of {@link ModelJson}
 * @returns {Object<string, number[]>}
 */
export function weightShapes(config) {
  const { hidden_size: D, intermediate_size: M, vocab_size: V, head_dim: K } = config;
  const [nQ, nK] = [config.num_attention_heads * K, config.num_key_value_heads * K];
  const shapes = { "model.embed_tokens.weight": [V, D], "model.norm.weight": [D] };
  if (!config.tie_word_embeddings) shapes["lm_head.weight"] = [V, D];
  for (let l = 0; l < config.num_hidden_layers; l++) {
    const block = {
      "input_layernorm.weight": [D],
      "self_attn.q_proj.weight": [nQ, D],
      "self_attn.k_proj.weight": [nK, D],
      "self_attn.v_proj.weight": [nK, D],
      "self_attn.o_proj.weight": [D, nQ],
      "post_attention_layernorm.weight": [D],
      "mlp.gate_proj.weight": [M, D],
      "mlp.up_proj.weight": [M, D],
      "mlp.down_proj.weight": [D, M],
      ...(config.memory_blocks.includes(l) ? memoryShapes(config) : {}),
    };
    for (const [name, shape] of Object.entries(block)) shapes[`model.layers.${l}.${name}`] = shape;
  }
  return shapes;
}

/** Widths of what `token_proj` gives for each token, in its order. */
function tokenMaps({ hidden_size: D, memory_gate_rank: rank, candidate }) {
  const ofToken = candidate === "token" ? { gate_forget: rank ?? D, content: D } : {};
  return { gate_in: rank ?? D, ...ofToken, route_q: D };
}

/** Shapes of the weights of a block's memory, by their names in the block. */
function memoryShapes(config) {
  const { hidden_size: D, memory_gate_rank: rank } = config;
  const maps = tokenMaps(config);
  const shapes = {
    "mem.read_norm.weight": [D],
    "mem.bank_norm.weight": [D],
    "mem.write_norm.weight": [D],
    "mem.slot_key": [config.memory_slots, D],
    "mem.q_proj.weight": [D, D],
    "mem.token_proj.weight": [Object.values(maps).reduce((sum, width) => sum + width), D],
    "mem.bank_proj.weight": [3 * D, D],
  };
  for (const gate of ["gate_out", "gate_forget"]) {
    const last = rank === null ? `mem.${gate}` : `mem.${gate}.up`;
    Object.assign(shapes, { [`${last}.weight`]: [D, rank ?? D], [`${last}.bias`]: [D] });
    if (rank !== null) shapes[`mem.${gate}.down.weight`] = [rank, D];
  }
  for (const gate of ["gate_in", "gate_forget"]) {
    if (rank !== null && gate in maps) shapes[`mem.token_gates.${gate}.weight`] = [D, rank];
  }
  return shapes;
}

/** One decoder block: self-attention, memory read, MLP; and the memory's write, if the block has one. */
export class Block {
  /**
   * @param {object} config of {@link ModelJson}
   * @param {number} index
   * @param {Map<string, Float32Array>} weights of the whole model, in the shapes of {@link weightShapes}
   */
  constructor(config, index, weights) {
    this.config = config;
    this.name = `blocks.${index}`;
    this.hasMemory = config.memory_blocks.includes(index);
    this.weight = (name) => weights.get(`model.layers.${index}.${name}`);
  }

  /**
   * Run the tokens of a sentence, which read the bank.
   * @param {Float32Array} x (T, D), the stream
   * @param {Float32Array} bank (N, D), from before the sentence
   * @param {HookPoint} hook
   * @returns {{x: Float32Array, mid: Float32Array}} the stream after the block, after the read
   */
  run(x, bank, hook) {
    const entering = hook(`${this.name}.hook_resid_pre`, x);
    const attention = this.#attention(this.#norm(entering, "input_layernorm"), hook);
    let mid = add(entering, hook(`${this.name}.hook_attn_out`, attention));
    if (this.hasMemory) mid = add(mid, hook(`${this.name}.hook_mem_out`, this.#read(mid, bank, hook)));
    const mlp = this.#mlp(this.#norm(mid, "post_attention_layernorm"));
    const after = add(mid, hook(`${this.name}.hook_mlp_out`, mlp));
    return { x: hook(`${this.name}.hook_resid_post`, after), mid };
  }

  /**
   * The bank after this block's write (eq. 4-6).
   * @param {Float32Array} mid (T, D), the stream after the block's read
   * @param {Float32Array} bank (N, D), after the writes of earlier blocks
   * @param {HookPoint} hook
   * @returns {Float32Array} (N, D)
   */
  write(mid, bank, hook) {
    const { hidden_size: D, memory_slots: nSlots, candidate } = this.config;
    const at = (point, values) => hook(`${this.name}.mem.hook_${point}`, values);
    const before = at("bank_pre", bank);
    const token = this.#tokenMaps(this.#norm(mid, "mem.write_norm"));
    const slots = this.#norm(before, "mem.bank_norm");
    const { out, pattern } = this.#attendSlots(mid, slots);
    at("write_read_pattern", pattern);
    const read = at("write_read", out);
    const shares = slotShares(at("write_pattern", this.#writePattern(token.route_q, slots)), nSlots);

    const gateIn = at("gate_in_token", sigmoid(token.gate_in));
    const ofRead = this.#gate(read, "gate_forget");
    const isToken = candidate === "token";
    const forget = at("gate_forget_token", sigmoid(isToken ? add(ofRead, token.gate_forget) : ofRead));
    const content = at("candidate", tanh(isToken ? add(read, token.content) : read));

    const lost = route(shares, forget.map((gate) => 1 - gate), nSlots, D);
    const written = route(shares, multiply(gateIn, content), nSlots, D);
    const slotGate = route(shares, gateIn, nSlots, D);
    const gated = throughSlotGate(slotGate, at("gate_in", slotGate), written);
    const keep = at("gate_forget", lost.map((share) => 1 - share));
    const added = at("write", gated);
    return at("bank_post", add(multiply(keep, before), added));
  }

  #norm(x, name) {
    return rmsNorm(x, this.weight(`${name}.weight`), this.config.rms_norm_eps);
  }

  #linear(x, name) {
    return linear(x, this.weight(`${name}.weight`), this.config.hidden_size);
  }

  /** Self-attention of normed tokens (T, D) within their sentence, (T, D). */
  #attention(x, hook) {
    const { head_dim: headDim, num_attention_heads: nHeads, num_key_value_heads: nKeyHeads } = this.config;
    const theta = this.config.rope_theta;
    const q = rotate(this.#linear(x, "self_attn.q_proj"), nHeads, headDim, theta);
    const k = rotate(this.#linear(x, "self_attn.k_proj"), nKeyHeads, headDim, theta);
    const v = this.#linear(x, "self_attn.v_proj");
    const { out, pattern } = attend(q, k, v, { headDim, nHeads, nKeyHeads, isCausal: true });
    hook(`${this.name}.attn.hook_pattern`, pattern);
    return linear(out, this.weight("self_attn.o_proj.weight"), nHeads * headDim);
  }

  #mlp(x) {
    const inner = multiply(silu(this.#linear(x, "mlp.gate_proj")), this.#linear(x, "mlp.up_proj"));
    return linear(inner, this.weight("mlp.down_proj.weight"), this.config.intermediate_size);
  }

  /** What the memory adds to the stream (eq. 1-2): the output gate times the read, (T, D). */
  #read(x, bank, hook) {
    const { out, pattern, values, sizes } = this.#attendSlots(x, this.#norm(bank, "mem.bank_norm"));
    const edited = hook(`${this.name}.mem.hook_read_pattern`, pattern);
    const taken = edited === pattern ? out : attended(edited, values, sizes);
    const read = hook(`${this.name}.mem.hook_read`, taken);
    return multiply(hook(`${this.name}.mem.hook_gate_out`, sigmoid(this.#gate(read, "gate_out"))), read);
  }

  /** What tokens of the stream read from the slots of a normed bank, and the weights (H, T, N) of values. */
  #attendSlots(x, slots) {
    const { hidden_size: D, memory_heads: nHeads, memory_top_k: topK } = this.config;
    const q = this.#linear(this.#norm(x, "mem.read_norm"), "mem.q_proj");
    const k = add(this.#bankMap(slots, 0), this.weight("mem.slot_key"));
    const sizes = { headDim: D / nHeads, nHeads };
    const values = this.#bankMap(slots, 1);
    return { ...attend(q, k, values, { ...sizes, topK }), values, sizes };
  }

  /** Map `i` of a normed bank: 0 keys, 1 values, 2 keys of the routing; (N, D). */
  #bankMap(slots, i) {
    const D = this.config.hidden_size;
    return linear(slots, this.weight("mem.bank_proj.weight").subarray(i * D * D, (i + 1) * D * D), D);
  }

  /** Where each token writes, P(slot | token), (T, N). */
  #writePattern(queries, slots) {
    const { hidden_size: D, memory_slots } = this.config;
    const keys = add(this.#bankMap(slots, 2), this.weight("mem.slot_key"));
    const scores = linear(queries, keys, D).map((score) => score / Math.sqrt(D));
    softmaxRows(scores, memory_slots);
    return scores;
  }

  /** What the normed tokens alone give for their write, (T, D) each, by the names of {@link tokenMaps}. */
  #tokenMaps(x) {
    const { hidden_size: D, memory_gate_rank: rank } = this.config;
    const weight = this.weight("mem.token_proj.weight");
    const values = {};
    let from = 0;
    for (const [name, width] of Object.entries(tokenMaps(this.config))) {
      const mapped = linear(x, weight.subarray(from * D, (from + width) * D), D);
      const thin = this.weight(`mem.token_gates.${name}.weight`);
      values[name] = thin ? linear(mapped, thin, rank) : mapped;
      from += width;
    }
    return values;
  }

  /** A gate of the read before its sigmoid, (T, D). */
  #gate(read, name) {
    const { hidden_size: D, memory_gate_rank: rank } = this.config;
    const thin = rank === null ? read : this.#linear(read, `mem.${name}.down`);
    const last = rank === null ? `mem.${name}` : `mem.${name}.up`;
    return linear(thin, this.weight(`${last}.weight`), rank ?? D, this.weight(`${last}.bias`));
  }
}

/** The write (N, D) scaled by how an edit changed the slots' input gates; other cells stay exactly equal. */
function throughSlotGate(gate, edited, write) {
  const smallest = 2 ** -126; // of float32
  return write.map((value, i) =>
    edited[i] === gate[i] ? value : (value * edited[i]) / Math.max(gate[i], smallest),
  );
}
