// How the server is asked: JSON there and back, and events of a text that is being written.

const key = () => document.getElementById("key")?.value.trim() ?? "";

/** A response of the server. Throws an Error whose message is the server's sentence, and whose `status` its status. */
async function request(path, body, signal) {
  const headers = { "Content-Type": "application/json" };
  if (key()) headers.Authorization = `Bearer ${key()}`;
  const options = body === undefined ? { headers, signal } : { method: "POST", headers, signal, body: JSON.stringify(body) };
  const response = await fetch(path, options);
  if (response.ok) return response;
  const told = await response.json().catch(() => ({}));
  const error = new Error(told.error?.message ?? told.error ?? `The server answered ${response.status}.`);
  error.status = response.status;
  throw error;
}

export const ask = async (path, body, signal) => (await request(path, body, signal)).json();

/** The data of server-sent events up to [DONE]. */
export async function* events(path, body, signal) {
  const response = await request(path, body, signal);
  let rest = "";
  for await (const piece of pieces(response.body.pipeThrough(new TextDecoderStream()))) {
    const lines = (rest + piece).split("\n");
    rest = lines.pop();
    for (const line of lines) {
      if (!line.startsWith("data: ")) continue;
      if (line === "data: [DONE]") return;
      const event = JSON.parse(line.slice(6));
      if (event.error) throw new Error(event.error.message);
      yield event;
    }
  }
}

async function* pieces(stream) {
  const reader = stream.getReader();
  try {
    for (let read = await reader.read(); !read.done; read = await reader.read()) yield read.value;
  } finally {
    reader.cancel().catch(() => {});
  }
}
