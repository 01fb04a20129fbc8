/**
 * The tokenizers of lm2core/text/tokenizer.py: lower-cased words and punctuation marks, which are one token
 * each (WordLevel) or made of pieces (WordPiece).
 */

// What the two pre-tokenizers of Python take for a letter of a word.
const LETTERS = "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}";
const SPLITS = {
  // A list without spaces is one word. These superscripts and fractions are letters to Python's regex engine.
  words: splitter(`${LETTERS}²³¹¼½¾`, (letter, other) => `${letter}+(?:,${letter}+)*|${other}`),
  whitespace: splitter(`${LETTERS}\\p{Join_Control}`, (letter, other) => `${letter}+|${other}+`),
};

/** A pattern of words, made of what is a letter, and what is neither a letter nor white space. */
function splitter(letters, pattern) {
  return new RegExp(pattern(`[${letters}]`, `[^${letters}\\p{White_Space}]`), "gu");
}

/**
 * @typedef {object} TokenizerJson
 * @property {"WordLevel" | "WordPiece"} kind
 * @property {"words" | "whitespace"} split how text is cut into words
 * @property {string[]} vocabulary every token at its id
 * @property {number} unk_id id of words that it does not know
 * @property {number} pad_id
 * @property {string} [prefix] WordPiece: begins the pieces inside a word
 * @property {number} [max_word_length] WordPiece: longer words are unknown
 */

/** A tokenizer; `json` is a {@link TokenizerJson}. */
export class Tokenizer {
  /** @param {TokenizerJson} json */
  constructor(json) {
    if (!["WordLevel", "WordPiece"].includes(json.kind) || !(json.split in SPLITS)) {
      throw new Error(`unknown tokenizer: ${json.kind}, split by ${json.split}; export the page again`);
    }
    this.json = json;
    this.ids = new Map(json.vocabulary.map((token, id) => [token, id]));
    this.special = [json.pad_id, json.unk_id].map((id) => json.vocabulary[id]);
  }

  /**
   * The words of a text as they are written, each with the ids of its tokens.
   * @param {string} text
   * @returns {{word: string, ids: number[]}[]}
   */
  words(text) {
    const marks = this.special.map((token) => token.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
    return text.split(new RegExp(`(${marks.join("|")})`)).flatMap((part) =>
      this.special.includes(part)
        ? [{ word: part, ids: [this.ids.get(part)] }]
        : (part.match(SPLITS[this.json.split]) ?? []).map((word) => ({ word, ids: this.#idsOf(word) })),
    );
  }

  /**
   * Words that the tokenizer does not know, as they are written, each once, in order of occurrence.
   * @param {string[]} texts
   * @returns {string[]}
   */
  unknown(texts) {
    const { pad_id, unk_id } = this.json;
    const isUnknown = ({ ids }) => ids.includes(unk_id) || ids.includes(pad_id);
    const unknown = texts.flatMap((text) => this.words(text)).filter(isUnknown);
    return [...new Set(unknown.map(({ word }) => word))];
  }

  /** @returns {string[]} The vocabulary without special tokens, sorted. */
  known() {
    return this.json.vocabulary.filter((token) => !this.special.includes(token)).sort();
  }

  /** Ids of one word. */
  #idsOf(word) {
    const letters = Array.from(word, (letter) => letter.toLowerCase()).join(""); // each alone, as in Python
    const { kind, unk_id } = this.json;
    return kind === "WordLevel" ? [this.ids.get(letters) ?? unk_id] : this.#pieces(Array.from(letters));
  }

  /** Ids of a word's pieces, the longest first; of the unknown token if no pieces make up the word. */
  #pieces(letters) {
    const { prefix, max_word_length, unk_id } = this.json;
    if (letters.length > max_word_length) return [unk_id];
    const ids = [];
    for (let from = 0, to; from < letters.length; from = to) {
      const piece = (end) => (from ? prefix : "") + letters.slice(from, end).join("");
      for (to = letters.length; to > from && !this.ids.has(piece(to)); to--);
      if (to === from) return [unk_id];
      ids.push(this.ids.get(piece(to)));
    }
    return ids;
  }
}
