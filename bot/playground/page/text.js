// A text drawn by its entities. Offsets are UTF-16 code units, which is how JavaScript counts too.

import { copy, element, icon } from "./dom.js";

const STYLES = { bold: "b", italic: "i", underline: "u", strikethrough: "s" };
const SAFE_LINKS = new Set(["http:", "https:", "mailto:"]);

export function renderText(text, entities, context) {
  const sorted = [...(entities ?? [])].sort((a, b) => a.offset - b.offset || b.length - a.length);
  return renderRange(text, sorted, 0, text.length, context);
}

function renderRange(text, entities, start, end, context) {
  const fragment = document.createDocumentFragment();
  let position = start;
  let index = 0;
  while (index < entities.length) {
    const entity = entities[index];
    const from = Math.max(entity.offset, position);
    const to = Math.min(entity.offset + entity.length, end);
    index += 1;
    if (to <= from) continue;
    fragment.append(text.slice(position, from));
    const inner = [];
    while (index < entities.length && entities[index].offset < to) inner.push(entities[index++]);
    fragment.append(renderEntity(text, entity, from, to, inner, context));
    position = to;
    // A block stands on its own line, so the line break after it would be an empty line.
    if (isBlock(entity) && text[position] === "\n" && position < end) position += 1;
  }
  fragment.append(text.slice(position, end));
  return fragment;
}

function isBlock(entity) {
  return ["pre", "blockquote", "expandable_blockquote"].includes(entity.type);
}

function renderEntity(text, entity, from, to, inner, context) {
  const source = text.slice(from, to);
  const content = () => renderRange(text, inner, from, to, context);
  if (entity.type in STYLES) return element(STYLES[entity.type], {}, content());
  switch (entity.type) {
    case "spoiler":
      return spoiler(content());
    case "code":
      return code(source, context);
    case "pre":
      return block(source, entity.language, context);
    case "blockquote":
      return element("blockquote", {}, content());
    case "expandable_blockquote":
      return expandable(content());
    case "text_link":
      return link(entity.url, content());
    case "url":
      return link(source.includes("://") ? source : `https://${source}`, content());
    case "email":
      return link(`mailto:${source}`, content());
    case "bot_command":
      return command(source, context);
    case "mention":
    case "text_mention":
    case "hashtag":
    case "cashtag":
      return element("span", { class: "tappable" }, content());
    default:
      return content();
  }
}

export function link(url, content) {
  let safe = false;
  try {
    safe = SAFE_LINKS.has(new URL(url).protocol);
  } catch {
    safe = false;
  }
  if (!safe) return element("span", { class: "tappable", title: url }, content);
  const properties = { href: url, title: url, target: "_blank", rel: "noopener noreferrer" };
  return element("a", properties, content);
}

function pressable(tag, properties, action, ...children) {
  const press = (event) => {
    if (event.type === "keydown" && event.key !== "Enter") return;
    event.preventDefault();
    action();
  };
  const more = { role: "button", tabIndex: 0, on: { click: press, keydown: press } };
  return element(tag, { ...properties, ...more }, ...children);
}

function command(source, context) {
  const properties = { class: "tappable", data: { testid: "command" } };
  return pressable("span", properties, () => context.onCommand(source), source);
}

export function code(source, context, shown = source) {
  return pressable("code", { title: context.words.copy }, () => copied(source, context), shown);
}

export function block(source, language, context) {
  const head = element(
    "button",
    { class: "block-head", type: "button", on: { click: () => copied(source, context) } },
    language || context.words.copy,
    icon("copy"),
  );
  return element("span", { class: "block" }, head, element("pre", {}, source));
}

async function copied(source, context) {
  if (await copy(source)) context.onToast(context.words.copied);
}

function spoiler(content) {
  const node = pressable("span", { class: "spoiler" }, () => node.classList.add("open"), content);
  return node;
}

function expandable(content) {
  const inner = element("div", { class: "folded" }, content);
  const toggle = element("button", { type: "button", "aria-expanded": "false", "aria-label": "…" }, icon("down"));
  toggle.addEventListener("click", () => {
    const folded = inner.classList.toggle("folded");
    toggle.setAttribute("aria-expanded", String(!folded));
  });
  return element("blockquote", { class: "expandable" }, inner, toggle);
}
