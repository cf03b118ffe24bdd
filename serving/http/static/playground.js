// The page on which one tries the models: choose one, fill its fields in, see what it says.

import { element } from "./elements.js";
import { ask } from "./server.js";
import { countTokens, TASKS } from "./tasks.js";
import { SAMPLING, writer } from "./writing.js";

const [select, keyField, key, form, status, result] = ["model", "key-field", "key", "form", "status", "result"].map(
  (id) => document.getElementById(id));
const models = new Map();
let task, running;

function say(text, wrong = false) {
  status.textContent = text;
  status.classList.toggle("wrong", wrong);
}

const milliseconds = (time) => (time < 10_000 ? `${time.toFixed(time < 10 ? 1 : 0)} ms` : `${(time / 1000).toFixed(1)} s`);

async function listModels() {
  try {
    const { data } = await ask("/v1/models");
    for (const model of data) models.set(model.id, model);
  } catch (error) {
    keyField.hidden = error.status !== 401;
    say(error.message, true);
    return;
  }
  if (!models.size) {
    say("The models are being loaded …");
    setTimeout(listModels, 1000);
    return;
  }
  select.replaceChildren(...[...models.values()].map(({ id, task }) => element("option", { value: id }, `${id} (${task})`)));
  select.disabled = false;
  showFields();
}

function showFields() {
  running?.abort();
  const model = models.get(select.value);
  const writes = model.task === "text-generation";
  task = writes ? writer(model.chat) : TASKS[model.task];
  const buttons = element("div", { class: "row" },
    element("button", { class: "main", title: "Ctrl+Enter" }, writes ? "Write" : "Ask"),
    element("button", { type: "button", id: "stop", disabled: true }, "Stop"));
  if (task.forget) buttons.append(element("button", { type: "button", id: "forget" }, "Start anew"));
  const numbers = writes ? [element("div", { class: "row" }, ...SAMPLING.map(numberField))] : [];
  form.replaceChildren(...task.fields(model).map(textField), ...numbers, buttons);
  form.querySelector("#stop").onclick = () => running?.abort();
  if (task.forget) form.querySelector("#forget").onclick = startAnew;
  result.replaceChildren();
  say("");
}

const textField = ({ name, label, rows }) => element("label", {}, label, element("textarea", { name, rows, required: true }));

const numberField = ({ name, label, ...limits }) => element("label", {}, label, element("input", { type: "number", name, ...limits }));

function startAnew() {
  running?.abort();
  task.forget();
  result.replaceChildren();
  say("");
  form.querySelector("textarea").focus();
}

/** The values of the fields; numbers that are left empty are left out. */
function fieldValues() {
  const fields = [...form.querySelectorAll("textarea, input")];
  return Object.fromEntries(fields.filter(({ type, value }) => type !== "number" || value !== "").map(
    ({ name, type, value, valueAsNumber }) => [name, type === "number" ? valueAsNumber : value]));
}

async function run() {
  running?.abort();
  const mine = running = new AbortController();
  const [submit, stop] = form.querySelectorAll("button");
  submit.disabled = true;
  stop.disabled = false;
  result.setAttribute("aria-busy", "true");
  say("…");
  try {
    if (models.get(select.value).task === "text-generation") await write(mine.signal);
    else await answer(mine.signal);
  } catch (error) {
    if (error.name === "AbortError") say("Stopped.");
    else say(error.message, true);
  }
  submit.disabled = false;
  stop.disabled = true;
  result.removeAttribute("aria-busy");
}

async function answer(signal) {
  const values = fieldValues();
  const began = performance.now();
  result.replaceChildren(...await task.run(select.value, values, signal));
  const time = performance.now() - began;
  say(`${await countTokens(select.value, values, signal)} tokens, ${milliseconds(time)}`);
}

async function write(signal) {
  const asking = task.run(select.value, fieldValues(), signal, result, (usage, first, whole) => {
    const rate = whole > first ? `, ${((1000 * (usage.completion_tokens - 1)) / (whole - first)).toFixed(0)} a second` : "";
    say(`${usage.prompt_tokens} tokens read, ${usage.completion_tokens} written; first after ${milliseconds(first)}${rate}`);
  });
  if (task.clears) form.querySelector("textarea").value = "";
  await asking;
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  run();
});
form.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
});
select.addEventListener("change", showFields);
key.addEventListener("change", listModels);
listModels();
