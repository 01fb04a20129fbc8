/** Helpers that build and change nodes. Data reaches the page as text only, never as markup. */

const SVG = "http://www.w3.org/2000/svg";

/**
 * @param {string} tag
 * @param {Object<string, any>} props attributes; `text` sets the text, `onclick` and the like add listeners,
 *   false and null leave an attribute out
 * @param {...(Node|string)} children
 * @returns {HTMLElement}
 */
export function el(tag, props = {}, ...children) {
  return filled(document.createElement(tag), props, children);
}

/** As `el`, for the elements of a drawing. @returns {SVGElement} */
export function svgEl(tag, props = {}, ...children) {
  return filled(document.createElementNS(SVG, tag), props, children);
}

function filled(node, props, children) {
  for (const [name, value] of Object.entries(props)) {
    if (name === "text") node.textContent = value;
    else if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else setAttribute(node, name, value);
  }
  node.append(...children);
  return node;
}

/** Sets an attribute if it differs; false, null and undefined remove it, true sets it empty. */
export function setAttribute(node, name, value) {
  const text = value === true ? "" : value;
  if (text === false || text === null || text === undefined) node.removeAttribute(name);
  else if (node.getAttribute(name) !== String(text)) node.setAttribute(name, String(text));
}

/** Sets the text if it differs. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Replaces the children by pieces of text: a string, or [class, string] for one with a look of its own. */
export function setPieces(node, pieces) {
  const bold = ([look, text]) => el("b", { class: look, text });
  node.replaceChildren(...pieces.map((piece) => (typeof piece === "string" ? piece : bold(piece))));
}

/** Nodes of one kind in a parent, made on first use and hidden, not removed, where they are not needed. */
export function pool(parent, make) {
  const nodes = [];
  return {
    nodes,
    at(i) {
      while (nodes.length <= i) parent.append(nodes[nodes.push(make(nodes.length)) - 1]);
      return nodes[i];
    },
    hideFrom(i) {
      nodes.forEach((node, at) => setAttribute(node, "hidden", at >= i));
    },
  };
}
