/** The engine of a stage whose model runs in the browser: stories, questions and edits, without a server. */

import { openModel } from "lm2";
import { storyPayload } from "payload";

/**
 * @param {object} json the model, as weights.py writes it
 * @param {Object<string, object[]>} probes probes of each task of bAbI: "qa1" for people, "qa2" also for things
 * @param {object[]} told payloads of stories of which the page knows what is true; of others it does not
 */
export function makeEngine(json, probes, told) {
  const model = openModel(json);
  return {
    /** One line for words that the model does not know; null where it knows all. */
    check(texts) {
      const unknown = model.unknownWords(texts);
      return unknown.length ? `Unknown words: ${unknown.join(", ")}. ${knownOf(model)}` : null;
    },

    /** The payload of a story that is read with ``edits``. */
    run(sentences, questions, edits) {
      const own = told.find((one) => textOf(one) === sentences.join("\n")) ?? null;
      const options = { probes: probesFor(probes, sentences, model), edits, told: own };
      return storyPayload(model, sentences, questions, options);
    },
  };
}

function textOf({ sentences }) {
  return sentences.map(({ text }) => text).join("\n");
}

/** The model's words by kind, for a line: what one can write instead. */
function knownOf(model) {
  const words = model.knownWords().filter((word) => /^[a-z]+$/.test(word));
  return words.length > 120
    ? `This model knows ${words.length} words and parts of words.`
    : `This model knows: ${words.join(" ")}.`;
}

/** Probes of people alone, unless the story speaks of a thing. */
function probesFor(probes, sentences, model) {
  const words = new Set(sentences.flatMap((text) => model.tokenize(text).words));
  const holder = "holder of ";
  const things = (probes.qa2 ?? []).map(({ fact }) => fact).filter((fact) => fact.startsWith(holder));
  const hasThing = things.some((fact) => words.has(fact.slice(holder.length).toLowerCase()));
  return (hasThing ? probes.qa2 : probes.qa1) ?? [];
}
