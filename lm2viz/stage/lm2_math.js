/**
 * The arithmetic of an LM2: linear maps, norms, softmax, attention, rotary positions, routing.
 *
 * Arrays are row-major Float32Array; sums are taken in double precision.
 *
 * Axes: R rows, T tokens, J keys (tokens or slots), N slots, D width, H heads, G key heads (a divisor of H),
 * K width of one head.
 */

/**
 * `x W^T + b`, (R, nOut).
 * @param {Float32Array} x (R, nIn)
 * @param {Float32Array} weight (nOut, nIn)
 * @param {number} nIn
 * @param {Float32Array | null} bias (nOut)
 * @returns {Float32Array}
 */
export function linear(x, weight, nIn, bias = null) {
  const nRows = x.length / nIn;
  const nOut = weight.length / nIn;
  const out = new Float32Array(nRows * nOut);
  for (let r = 0; r < nRows; r++) {
    let o = 0;
    for (; o + 3 < nOut; o += 4) fourCells(out, r * nOut + o, x, r * nIn, weight, o * nIn, nIn);
    for (; o < nOut; o++) out[r * nOut + o] = dot(x, r * nIn, weight, o * nIn, nIn);
    if (bias) for (o = 0; o < nOut; o++) out[r * nOut + o] += bias[o];
  }
  return out;
}

/** Four neighbouring cells of a linear map: sums that do not wait for each other take half the time. */
function fourCells(out, to, x, fromX, weight, fromWeight, n) {
  let [a, b, c, d] = [0, 0, 0, 0];
  for (let i = 0, w = fromWeight; i < n; i++, w++) {
    const value = x[fromX + i];
    a += value * weight[w];
    b += value * weight[w + n];
    c += value * weight[w + 2 * n];
    d += value * weight[w + 3 * n];
  }
  out[to] = a;
  out[to + 1] = b;
  out[to + 2] = c;
  out[to + 3] = d;
}

/** The dot product of `n` values of `x` and of `y`, from one place of each on. */
function dot(x, fromX, y, fromY, n) {
  let sum = 0;
  for (let i = 0; i < n; i++) sum += x[fromX + i] * y[fromY + i];
  return sum;
}

/** @returns {Float32Array} `x + y`, the same shape. */
export const add = (x, y) => x.map((value, i) => value + y[i]);

/** @returns {Float32Array} `x * y` cell by cell, the same shape. */
export const multiply = (x, y) => x.map((value, i) => value * y[i]);

/** @returns {Float32Array} The logistic function of each cell, in [0, 1]. */
export const sigmoid = (x) => x.map((value) => 1 / (1 + Math.exp(-value)));

/** @returns {Float32Array} `x * sigmoid(x)` of each cell. */
export const silu = (x) => x.map((value) => value / (1 + Math.exp(-value)));

/** @returns {Float32Array} The hyperbolic tangent of each cell, in (-1, 1). */
export const tanh = (x) => x.map(Math.tanh);

/**
 * Llama's root-mean-square norm of each row.
 * @param {Float32Array} x (R, D)
 * @param {Float32Array} weight (D)
 * @param {number} eps added to the mean square
 * @returns {Float32Array} (R, D)
 */
export function rmsNorm(x, weight, eps) {
  const width = weight.length;
  const out = new Float32Array(x.length);
  for (let from = 0; from < x.length; from += width) {
    const row = x.subarray(from, from + width);
    const scale = 1 / Math.sqrt(dot(row, 0, row, 0, width) / width + eps);
    for (let i = 0; i < width; i++) out[from + i] = row[i] * scale * weight[i];
  }
  return out;
}

/**
 * Softmax over the last axis, in place; a row needs one finite score.
 * @param {Float32Array} scores (R, width)
 * @param {number} width
 */
export function softmaxRows(scores, width) {
  for (let from = 0; from < scores.length; from += width) {
    const row = scores.subarray(from, from + width);
    let highest = -Infinity;
    for (let i = 0; i < width; i++) highest = Math.max(highest, row[i]);
    let sum = 0;
    for (let i = 0; i < width; i++) sum += Math.exp(row[i] - highest);
    for (let i = 0; i < width; i++) row[i] = Math.exp(row[i] - highest) / sum;
  }
}

/**
 * `softmax(q k^T / sqrt(K)) v` of every head.
 * @param {Float32Array} q (T, H*K)
 * @param {Float32Array} k (J, G*K)
 * @param {Float32Array} v (J, G*K)
 * @param {object} options
 * @param {number} options.headDim K
 * @param {number} options.nHeads H
 * @param {number} [options.nKeyHeads] G
 * @param {boolean} [options.isCausal] token t attends to keys 0..t
 * @param {number | null} [options.topK] each token attends to so many keys, the strongest; null: all
 * @returns {{out: Float32Array, pattern: Float32Array}} (T, H*K), and the weights (H, T, J)
 */
export function attend(q, k, v, { headDim, nHeads, nKeyHeads = nHeads, isCausal = false, topK = null }) {
  const [nQ, nK] = [nHeads * headDim, nKeyHeads * headDim]; // widths of the rows
  const [nTokens, nKeys] = [q.length / nQ, k.length / nK];
  const keyHeadAt = (h) => Math.floor((h * nKeyHeads) / nHeads) * headDim;
  const pattern = new Float32Array(nHeads * nTokens * nKeys).fill(-Infinity);
  const out = new Float32Array(q.length);
  for (let h = 0; h < nHeads; h++) {
    for (let t = 0; t < nTokens; t++) {
      const row = pattern.subarray((h * nTokens + t) * nKeys, (h * nTokens + t + 1) * nKeys);
      const query = q.subarray(t * nQ + h * headDim, t * nQ + (h + 1) * headDim);
      const nVisible = isCausal ? t + 1 : nKeys;
      for (let j = 0; j < nVisible; j++) {
        row[j] = dot(k, j * nK + keyHeadAt(h), query, 0, headDim) / Math.sqrt(headDim);
      }
      softmaxRows(row, nKeys);
      if (topK !== null && topK < nKeys) keepStrongest(row, topK);
      for (let i = 0; i < headDim; i++) {
        let sum = 0;
        for (let j = 0; j < nVisible; j++) sum += row[j] * v[j * nK + keyHeadAt(h) + i];
        out[t * nQ + h * headDim + i] = sum;
      }
    }
  }
  return { out, pattern };
}

/**
 * The sum of values under given weights, as in `attend`, for as many heads of keys as of queries.
 * @param {Float32Array} pattern (H, T, J)
 * @param {Float32Array} v (J, H*K)
 * @param {{headDim: number, nHeads: number}} sizes K and H
 * @returns {Float32Array} (T, H*K)
 */
export function attended(pattern, v, { headDim, nHeads }) {
  const width = nHeads * headDim;
  const nKeys = v.length / width;
  const nTokens = pattern.length / (nHeads * nKeys);
  const out = new Float32Array(nTokens * width);
  for (let h = 0; h < nHeads; h++) {
    for (let t = 0; t < nTokens; t++) {
      const row = pattern.subarray((h * nTokens + t) * nKeys, (h * nTokens + t + 1) * nKeys);
      for (let i = h * headDim; i < (h + 1) * headDim; i++) {
        out[t * width + i] = row.reduce((sum, weight, j) => sum + weight * v[j * width + i], 0);
      }
    }
  }
  return out;
}

/** Set all but the `n` largest weights of a row to zero, and let the rest sum to 1 again; in place. */
function keepStrongest(row, n) {
  const order = [...row.keys()].sort((i, j) => row[j] - row[i]);
  for (const j of order.slice(n)) row[j] = 0;
  const sum = row.reduce((total, weight) => total + weight, 0);
  for (const j of order.slice(0, n)) row[j] /= sum;
}

/**
 * Rotary positions of tokens 0..T-1, in place: the first half of each head is paired with the second.
 * @param {Float32Array} x (T, H*K)
 * @param {number} nHeads
 * @param {number} headDim K
 * @param {number} theta wavelengths grow from 2 pi to almost 2 pi theta
 * @returns {Float32Array} x
 */
export function rotate(x, nHeads, headDim, theta) {
  const half = headDim / 2;
  for (let from = 0; from < x.length; from += headDim) {
    const position = Math.floor(from / (nHeads * headDim));
    for (let i = 0; i < half; i++) {
      const angle = position * theta ** (-i / half);
      const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
      const [first, second] = [x[from + i], x[from + half + i]];
      x[from + i] = first * cos - second * sin;
      x[from + half + i] = second * cos + first * sin;
    }
  }
  return x;
}

/**
 * Routing R: the share of each token in the update of each slot; a slot's shares sum to at most 1.
 * @param {Float32Array} pattern (T, N), P(slot | token)
 * @param {number} nSlots
 * @returns {Float32Array} (N, T)
 */
export function slotShares(pattern, nSlots) {
  const nTokens = pattern.length / nSlots;
  const shares = new Float32Array(pattern.length);
  for (let n = 0; n < nSlots; n++) {
    let claims = 0;
    for (let t = 0; t < nTokens; t++) claims += pattern[t * nSlots + n];
    for (let t = 0; t < nTokens; t++) shares[n * nTokens + t] = pattern[t * nSlots + n] / Math.max(claims, 1);
  }
  return shares;
}

/**
 * Route token values to slots: `R x`.
 * @param {Float32Array} shares (N, T)
 * @param {Float32Array} x (T, D)
 * @param {number} nSlots
 * @param {number} width D
 * @returns {Float32Array} (N, D)
 */
export function route(shares, x, nSlots, width) {
  const nTokens = x.length / width;
  const out = new Float32Array(nSlots * width);
  for (let n = 0; n < nSlots; n++) {
    for (let i = 0; i < width; i++) {
      let sum = 0;
      for (let t = 0; t < nTokens; t++) sum += shares[n * nTokens + t] * x[t * width + i];
      out[n * width + i] = sum;
    }
  }
  return out;
}
