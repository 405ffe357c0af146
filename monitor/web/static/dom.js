// Small helpers over the DOM. Text goes in as text nodes only, so nothing a venue says can become markup.

export function element(tag, className, ...children) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  node.append(...children);
  return node;
}

// Sets text only where it changed: screen readers, selections and the layout are left alone otherwise.
export function text(node, value) {
  if (node.shown !== value) {
    node.shown = value;
    node.textContent = value;
  }
}

export function name(node, className) {
  if (node.className !== className) node.className = className;
}

// A figure, or a dash that is read out as "unknown".
export function figure(node, value, mark = "") {
  const shown = value === null ? null : mark === "floor" ? `≥ ${value}` : value;
  const key = `${shown}|${mark}`;
  if (node.shown === key) return;
  node.shown = key;
  if (shown === null) {
    const dash = element("span", "unknown", "—");
    dash.setAttribute("aria-hidden", "true");
    node.replaceChildren(dash, element("span", "sr", "unknown"));
  } else {
    node.replaceChildren(shown, ...(mark === "snapshot" ? [element("small", "mark", " snap")] : []));
  }
}

// A figure, or "not known" with its reason.
export function told(node, value, reason) {
  const known = value !== null && value !== undefined;
  name(node, known ? "" : "unknown");
  text(node, known ? value : `not known: ${reason}`);
}

// The head of a table.
export function headers(labels, classes) {
  const tr = element("tr");
  labels.forEach((label, i) => {
    // an empty corner heads nothing
    const cell = element(label ? "th" : "td", classes[i], label);
    if (label) cell.scope = "col";
    tr.append(cell);
  });
  return element("thead", "", tr);
}

// Keeps one child of `parent` for each item, in order, by key; children that stay keep their focus and scroll.
export function keyed(parent, items, keyOf, make, update) {
  const old = parent.children_by_key ?? new Map();
  const now = new Map();
  let at = parent.firstElementChild;
  for (const item of items) {
    const key = keyOf(item);
    if (now.has(key)) continue;
    const node = old.get(key) ?? make(item);
    now.set(key, node);
    if (node === at) at = at.nextElementSibling;
    else parent.insertBefore(node, at);
    update(node, item);
  }
  for (const [key, node] of old) if (!now.has(key)) node.remove();
  parent.children_by_key = now;
}
