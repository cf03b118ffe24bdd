// Every path of the server, from its own description (/openapi.json).

import { element } from "./elements.js";

const { paths, components } = await (await fetch("/openapi.json")).json();

/** A schema whose reference is followed. */
const followed = (schema) => (schema?.$ref ? components.schemas[schema.$ref.split("/").pop()] : schema);

/** A type in a few words. */
function words(schema) {
  if (schema.$ref) return schema.$ref.split("/").pop();
  if (schema.const !== undefined || schema.enum) return (schema.enum ?? [schema.const]).map((each) => JSON.stringify(each)).join(" or ");
  if (schema.anyOf) return schema.anyOf.map(words).filter((each) => each !== "null").join(" or ");
  if (schema.type === "array") return `list of ${schema.items ? words(schema.items) : "anything"}`;
  return schema.type ?? "anything";
}

function fields(schema) {
  const rows = Object.entries(schema.properties ?? {}).map(([name, field]) => {
    const notes = [schema.required?.includes(name) ? "needed" : "", field.description ?? ""].filter(Boolean);
    return element("tr", {},
      element("th", { scope: "row" }, element("code", {}, name)),
      element("td", {}, [words(field), ...notes].join("; ")));
  });
  return element("table", {}, element("tbody", {}, ...rows));
}

function article(method, path, { description, summary, requestBody, parameters = [] }) {
  const body = followed(requestBody?.content?.["application/json"]?.schema);
  const asked = parameters.filter((each) => each.in === "query").map((each) => each.name);
  return element("article", {},
    element("h3", {}, `${method.toUpperCase()} ${path}${asked.length ? `?${asked.join("&")}` : ""}`),
    element("p", {}, description ?? summary),
    ...(body?.properties ? [fields(body)] : []));
}

const groups = new Map();
for (const [path, methods] of Object.entries(paths)) {
  for (const [method, operation] of Object.entries(methods)) {
    const [group] = operation.tags ?? ["others"];
    groups.set(group, [...(groups.get(group) ?? []), article(method, path, operation)]);
  }
}
const main = document.getElementById("paths");
for (const [group, articles] of groups) main.append(element("h2", {}, group), ...articles);
