// transformers.js, in Node and in a browser alike.

const DTYPES = { fp32: "fp32", int8: "q8", int4: "q4" };

const ANSWERS = {
  "text-classification": async (pipe, text) =>
    Object.fromEntries((await pipe(text, { top_k: null })).map(({ label, score }) => [label, score])),
  "token-classification": async (pipe, text) => (await pipe(text)).map(({ index, entity, score }) => [index, entity, score]),
  "question-answering": async (pipe, { question, context }) => (await pipe(question, context)).answer,
  "feature-extraction": async (pipe, text) => (await pipe(text, { pooling: "mean", normalize: true })).tolist()[0],
  "fill-mask": async (pipe, text) => (await pipe(text, { top_k: 3 })).map(({ token_str, score }) => [token_str, score]),
  "text-generation": async (pipe, text, { new_tokens }) => {
    const encoded = pipe.tokenizer(text);
    const ids = await pipe.model.generate({ ...encoded, max_new_tokens: new_tokens, do_sample: false });
    return ids.tolist()[0].slice(encoded.input_ids.dims[1]).map(Number);
  },
};

/** Does one job: {answers}, or {error}. */
export async function answer({ pipeline }, job, device) {
  try {
    const pipe = await pipeline(job.task, job.bundle, { dtype: DTYPES[job.variant], device });
    const answers = [];
    for (const given of job.inputs) answers.push(await ANSWERS[job.task](pipe, given, job));
    await pipe.dispose();
    return { answers };
  } catch (error) {
    return { error: String(error?.stack ?? error).slice(0, 500) };
  }
}
