// Opens the bundle in ./bundle with transformers.js, and runs it on what is typed in.

import {
  env, InterruptableStoppingCriteria, pipeline, TextStreamer,
} from "./node_modules/@huggingface/transformers/dist/transformers.min.js";

const BUNDLE = "bundle";
const DTYPES = { fp32: "fp32", int8: "q8", int4: "q4" }; // transformers.js's names of our variants
const NEW_TOKENS = 200;

// Everything comes from this folder; a bundle that was replaced is read anew.
env.allowRemoteModels = false;
env.allowLocalModels = true;
env.localModelPath = "./";
env.useBrowserCache = false;
env.backends.onnx.wasm.wasmPaths = new URL("./node_modules/onnxruntime-web/dist/", location.href).href;

const [variant, progress, status, form, question, text, stop, output] = [
  "variant", "progress", "status", "form", "question", "text", "stop", "output",
].map((id) => document.getElementById(id));
const stopping = new InterruptableStoppingCriteria();
let manifest, model;

/** What is shown for each task's answer. */
const SHOWN = {
  "text-classification": (labels) => labels.map(({ label, score }) => `${label}  ${score.toFixed(4)}`).join("\n"),
  "token-classification": (tokens) => tokens.map(({ word, entity, score }) => `${word}  ${entity}  ${score.toFixed(4)}`).join("\n"),
  "question-answering": ({ answer, score }) => `${answer}  ${score.toFixed(4)}`,
  "feature-extraction": (vector) => vector.tolist()[0].map((value) => value.toFixed(4)).join(" "),
  "fill-mask": (fills) => fills.map(({ token_str, score }) => `${token_str}  ${score.toFixed(4)}`).join("\n"),
};
const OPTIONS = {
  "text-classification": { top_k: null },
  "feature-extraction": { pooling: "mean", normalize: true },
};

async function start() {
  const response = await fetch(`./${BUNDLE}/kerasllm.json`);
  if (!response.ok) throw new Error(`There is no bundle in ./${BUNDLE}: copy one there.`);
  manifest = await response.json();
  variant.append(...Object.keys(manifest.variants).filter((name) => name in DTYPES).map((name) => new Option(name)));
  if (manifest.default_variant in DTYPES) variant.value = manifest.default_variant;
  document.getElementById("question-label").hidden = manifest.task !== "question-answering";
  await load();
}

async function load() {
  variant.disabled = form.hidden = true;
  progress.hidden = false;
  status.textContent = `Loading ${variant.value} …`;
  const began = performance.now();
  const parts = new Map(); // of each file, what has come and what will
  await model?.dispose();
  model = await pipeline(manifest.task, BUNDLE, {
    dtype: DTYPES[variant.value],
    device: "wasm",
    progress_callback({ file, loaded, total }) {
      if (!total) return;
      parts.set(file, [loaded, total]);
      const [come, all] = [...parts.values()].reduce(([a, b], [c, d]) => [a + c, b + d], [0, 0]);
      progress.value = come / all;
    },
  });
  progress.hidden = true;
  variant.disabled = form.hidden = false;
  status.textContent = `${manifest.task}, ${variant.value}: ready after ${((performance.now() - began) / 1000).toFixed(1)} s`;
}

async function run() {
  output.textContent = "";
  const began = performance.now();
  const count = manifest.task === "text-generation" ? await write() : await answer();
  const time = performance.now() - began;
  status.textContent = count
    ? `${count} tokens, ${((1000 * count) / time).toFixed(0)} a second`
    : `${time.toFixed(1)} ms`;
}

async function answer() {
  const inputs = manifest.task === "question-answering" ? [question.value, text.value] : [text.value];
  output.textContent = SHOWN[manifest.task](await model(...inputs, OPTIONS[manifest.task] ?? {}));
}

async function write() {
  let count = 0;
  stopping.reset();
  stop.disabled = false;
  const streamer = new TextStreamer(model.tokenizer, {
    skip_prompt: true,
    skip_special_tokens: true,
    callback_function: (piece) => output.append(piece),
    token_callback_function: () => { count += 1; },
  });
  await model(text.value, { max_new_tokens: NEW_TOKENS, do_sample: false, streamer, stopping_criteria: stopping });
  stop.disabled = true;
  return count;
}

/** Shows why something failed. */
const telling = (action) => () => action().catch((error) => { status.textContent = error.message; });

form.addEventListener("submit", (event) => {
  event.preventDefault();
  telling(run)();
});
stop.addEventListener("click", () => stopping.interrupt());
variant.addEventListener("change", telling(load));
telling(start)();
