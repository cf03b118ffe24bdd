// What each task of an encoder is asked with, and how its answer is shown.

import { element, marked, meter, percent, table } from "./elements.js";
import { ask } from "./server.js";

/** Rows of name, bar and number, for scores from 0 to 1. */
const scores = (entries) => table(entries.map(([name, score]) => [name, meter(score, name), percent(score)]));

const TEXT = { name: "text", label: "Text", rows: 4 };

/** Task to its fields, and to a function of the model's name, the fields' values and a signal that gives elements. */
export const TASKS = {
  "text-classification": {
    fields: (model) => [TEXT, ...(model.pair ? [{ name: "text_pair", label: "Second text", rows: 4 }] : [])],
    async run(model, { text, text_pair }, signal) {
      const inputs = text_pair === undefined ? text : { text, text_pair };
      const labels = await ask("/classify", { model, inputs }, signal);
      return [scores(labels.map(({ label, score }) => [label, score]))];
    },
  },
  "token-classification": {
    fields: () => [TEXT],
    async run(model, { text }, signal) {
      const found = await ask("/ner", { model, inputs: text }, signal);
      const spans = found.map(({ start, end, entity_group, score }) => ({
        start, end, name: `${entity_group} ${percent(score)}`,
      }));
      return [marked(text, spans), ...(spans.length ? [] : [element("p", {}, "Nothing found.")])];
    },
  },
  "question-answering": {
    fields: () => [{ name: "question", label: "Question", rows: 1 }, { name: "context", label: "Text with the answer", rows: 7 }],
    async run(model, { question, context }, signal) {
      const { answer, score, start, end } = await ask("/qa", { model, question, context }, signal);
      const said = answer ? [scores([[answer, score]])] : [element("p", {}, `The text has no answer (${percent(score)}).`)];
      return [...said, marked(context, answer ? [{ start, end }] : [])];
    },
  },
  "feature-extraction": {
    fields: () => [{ name: "texts", label: "Texts, one a line: how near is each to the first?", rows: 5 }],
    async run(model, { texts }, signal) {
      const inputs = texts.split("\n").filter((line) => line.trim());
      const vectors = await ask("/embed", { model, inputs }, signal);
      const near = vectors.map((vector) => vector.reduce((sum, value, place) => sum + value * vectors[0][place], 0));
      const rows = inputs.map((text, place) => [text, meter(near[place], text), near[place].toFixed(3)]);
      return [table(rows), element("p", {}, `Cosines of vectors of ${vectors[0].length} numbers.`)];
    },
  },
  "fill-mask": {
    fields: () => [{ ...TEXT, label: "Text with a mask" }],
    async run(model, { text }, signal) {
      const fills = await ask("/fill", { model, inputs: text }, signal);
      return [scores(fills.flat().map(({ token_str, score }) => [token_str, score]))];
    },
  },
};

/** How many tokens the model makes of texts. */
export async function countTokens(model, values, signal) {
  const tokens = await ask("/tokenize", { model, inputs: Object.values(values) }, signal);
  return tokens.reduce((sum, each) => sum + each.length, 0);
}
