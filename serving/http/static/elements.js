// Elements of a page. Texts are set as texts, never as HTML: they are anybody's.

/** An element with attributes and children; a child is an element or a text. */
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === true) made.setAttribute(key, "");
    else if (value !== false && value !== undefined) made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
}

/** A table whose rows are lists of cells; the first cell of each is its head. */
export function table(rows) {
  const made = rows.map(([head, ...cells]) =>
    element("tr", {}, element("th", { scope: "row" }, head), ...cells.map((cell) =>
      element("td", typeof cell === "string" ? { class: "number" } : {}, cell))));
  return element("table", {}, element("tbody", {}, ...made));
}

/** A share from 0 to 1 as a bar. */
export function meter(share, name) {
  return element("meter", { min: 0, max: 1, value: Math.max(0, Math.min(1, share)), "aria-label": name });
}

export const percent = (share) => `${(100 * share).toFixed(1)} %`;

/** A text of which some spans, sorted and apart, are marked: {start, end, name} in code points. */
export function marked(text, spans) {
  const points = [...text];
  const parts = [];
  let from = 0;
  for (const { start, end, name } of spans) {
    const note = name ? [element("small", {}, name)] : [];
    parts.push(points.slice(from, start).join(""), element("mark", {}, points.slice(start, end).join(""), ...note));
    from = end;
  }
  return element("p", { class: "text" }, ...parts, points.slice(from).join(""));
}
