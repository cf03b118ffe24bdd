// A decoder writes: a text that goes on, or the next message of a dialogue.

import { element } from "./elements.js";
import { events } from "./server.js";

export const SAMPLING = [
  { name: "max_tokens", label: "Tokens", value: 128, min: 1, step: 1 },
  { name: "temperature", label: "Temperature", value: 0.8, min: 0, step: 0.1 },
  { name: "top_p", label: "Top p", value: 0.95, min: 0.05, max: 1, step: 0.05 },
  { name: "seed", label: "Seed", value: "", min: 0, step: 1 },
];

/** What a decoder is asked with, and how it answers; a dialogue is remembered as long as `messages` is. */
export function writer(chat) {
  const messages = [];
  return {
    fields: () => [{ name: "text", label: chat ? "Message" : "Beginning of a text", rows: chat ? 2 : 4 }],
    clears: chat,
    forget: () => messages.splice(0),
    /** Writes into `result`, and tells `progress` the tokens, the time to the first and the rate. */
    async run(model, values, signal, result, progress) {
      const { text, ...sampling } = values;
      const options = { model, ...sampling, stream: true, stream_options: { include_usage: true } };
      const [path, body] = chat
        ? ["/v1/chat/completions", { ...options, messages: [...messages, { role: "user", content: text }] }]
        : ["/v1/completions", { ...options, prompt: text }];
      const written = element("span");
      if (chat) result.append(element("p", { class: "turn user" }, text), element("p", { class: "turn" }, written));
      else result.replaceChildren(element("p", { class: "text" }, element("span", { class: "prompt" }, text), written));
      const whole = await stream(path, body, signal, written, progress);
      if (chat) messages.push({ role: "user", content: text }, { role: "assistant", content: whole });
    },
  };
}

async function stream(path, body, signal, written, progress) {
  const began = performance.now();
  let first;
  for await (const event of events(path, body, signal)) {
    const [choice] = event.choices;
    const piece = choice?.delta?.content ?? choice?.text;
    if (piece) {
      first ??= performance.now() - began;
      written.append(piece);
    }
    if (event.usage) progress(event.usage, first ?? 0, performance.now() - began);
  }
  return written.textContent;
}
