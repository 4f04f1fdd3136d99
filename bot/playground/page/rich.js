// A rich message drawn by its blocks. Formulas come in Unicode too; what is copied is their source.

import { element } from "./dom.js";
import { block, code, link } from "./text.js";

const SPANS = { bold: "b", italic: "i", underline: "u", strikethrough: "s", subscript: "sub", superscript: "sup" };

export function renderRich(rich, formulas, page) {
  const context = { ...page, formulas };
  const properties = { class: "text rich", dir: rich.is_rtl ? "rtl" : null, data: { testid: "text" } };
  return element("div", properties, ...blocks(rich.blocks, context));
}

// What a quote shows of it.
export function plainText(part) {
  if (typeof part === "string") return part;
  if (Array.isArray(part)) return part.map(plainText).join(isText(part) ? "" : "\n");
  const inner = part.expression ?? part.summary ?? part.text ?? part.blocks ?? part.items ?? part.cells;
  return inner === undefined ? "" : plainText(inner);
}

function isText(parts) {
  return parts.some((part) => typeof part === "string");
}

function blocks(list, context) {
  return list.map((one) => renderBlock(one, context));
}

function renderBlock(one, context) {
  switch (one.type) {
    case "heading":
      return element(`h${one.size}`, {}, renderPart(one.text, context));
    case "pre":
      return block(plainText(one.text), one.language, context);
    case "mathematical_expression":
      return element("div", { class: "formula" }, formula(one, context));
    case "divider":
      return element("hr");
    case "list":
      return element("div", { role: "list" }, ...one.items.map((item) => renderItem(item, context)));
    case "blockquote":
      return element("blockquote", {}, ...blocks(one.blocks, context));
    case "table":
      return renderTable(one.cells, context);
    case "details":
      return renderDetails(one, context);
    default:
      return element("p", {}, renderPart(one.text ?? "", context));
  }
}

function renderItem(item, context) {
  const box = { type: "checkbox", disabled: true, checked: Boolean(item.is_checked), "aria-label": item.label };
  const label = item.has_checkbox ? element("input", box) : item.label;
  const content = element("div", {}, ...blocks(item.blocks, context));
  return element("div", { class: "item", role: "listitem" }, element("span", { class: "label" }, label), content);
}

// It scrolls by itself where it is wider than the bubble, hence the focus.
function renderTable(rows, context) {
  const drawn = rows.map((cells) => element("tr", {}, ...cells.map((cell) => renderCell(cell, context))));
  return element("div", { class: "table", tabIndex: 0 }, element("table", {}, element("tbody", {}, ...drawn)));
}

function renderCell(cell, context) {
  const node = element(cell.is_header ? "th" : "td", {}, renderPart(cell.text ?? "", context));
  node.style.textAlign = cell.align;
  return node;
}

function renderDetails(one, context) {
  const summary = element("summary", {}, renderPart(one.summary, context));
  return element("details", { open: Boolean(one.is_open) }, summary, ...blocks(one.blocks, context));
}

function formula(part, context) {
  return code(part.expression, context, context.formulas[part.expression]);
}

// A text is a string, a list of texts, or a span with a text in it.
function renderPart(part, context) {
  if (typeof part === "string") return part;
  if (Array.isArray(part)) {
    const fragment = document.createDocumentFragment();
    fragment.append(...part.map((piece) => renderPart(piece, context)));
    return fragment;
  }
  if (part.type === "code") return code(plainText(part.text), context);
  if (part.type === "mathematical_expression") return formula(part, context);
  const content = renderPart(part.text ?? "", context);
  if (part.type === "url") return link(part.url, content);
  return part.type in SPANS ? element(SPANS[part.type], {}, content) : content;
}
