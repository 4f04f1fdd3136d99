// One message as a bubble: what it answers to, its content, its keyboard; and a growing answer.

import { avatar, element, icon } from "./dom.js";
import { plainText, renderRich } from "./rich.js";
import { renderText } from "./text.js";

const STYLES = new Set(["danger", "success", "primary"]);

export function renderMessage(message, context) {
  const own = !message.from.is_bot;
  const keyboard = message.reply_markup?.inline_keyboard;
  const bare = Boolean(message.sticker);
  const bubble = element(
    "div",
    { class: bare ? "bubble bare" : "bubble" },
    message.reply_to_message ? quoted(message.reply_to_message, context) : null,
    content(message, context),
    reactions(message, context),
    meta(message, context),
  );
  const column = element("div", { class: keyboard ? "column with-keyboard" : "column" }, bubble);
  if (keyboard) column.append(renderKeyboard(message, keyboard, context));
  return element(
    "article",
    {
      class: own ? "message own" : "message",
      "aria-label": `${message.from.first_name}, ${time(message.date)}`,
      data: { testid: "message", messageId: message.message_id, out: own },
    },
    column,
    replyAction(message, context),
  );
}

export function renderDraft(draft, context) {
  const text = draft.text
    ? element("span", { class: "draft-text" }, renderText(draft.text, draft.entities, context))
    : element("span", { class: "thinking" }, context.words.thinking, dots());
  const column = element("div", { class: "column" }, element("div", { class: "bubble" }, text));
  if (draft.can_stop) {
    const properties = {
      class: "draft-stop",
      type: "button",
      data: { testid: "draft-stop" },
      on: { click: () => context.onStop(draft) },
    };
    column.append(element("button", properties, icon("stop"), context.words.stop));
  }
  const properties = { class: "message last draft", data: { testid: "draft", draftId: draft.draft_id } };
  return element("article", properties, column);
}

export function dots() {
  const parts = [element("i"), element("i"), element("i")];
  return element("span", { class: "dots", "aria-hidden": "true" }, ...parts);
}

export function preview(message, words) {
  if (message.sticker) return `${message.sticker.emoji} ${words.sticker}`;
  if (message.voice) return words.voice;
  if (message.document) return message.caption || message.document.file_name;
  const text = message.rich_message ? plainText(message.rich_message.blocks) : (message.text ?? "");
  return text.replace(/\s+/g, " ").slice(0, 160);
}

export function time(seconds) {
  return new Date(seconds * 1000).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hour12: false });
}

function content(message, context) {
  if (message.sticker) return element("div", { class: "sticker" }, message.sticker.emoji);
  if (message.voice) return voice(message.voice);
  if (message.rich_message) return renderRich(message.rich_message, message.formulas, context);
  const fragment = document.createDocumentFragment();
  if (message.document) fragment.append(fileLink(message.document, context));
  const text = message.text ?? message.caption ?? "";
  const entities = message.entities ?? message.caption_entities;
  const properties = { class: "text", data: { testid: "text" } };
  if (text) fragment.append(element("span", properties, renderText(text, entities, context)));
  return fragment;
}

function fileLink(file, context) {
  return element(
    "a",
    { class: "document", href: context.fileUrl(file.file_id), download: file.file_name, data: { testid: "document" } },
    element("span", { class: "document-icon" }, icon("download")),
    element("span", {}, element("b", {}, file.file_name), element("small", {}, size(file.file_size))),
  );
}

function size(bytes) {
  if (bytes < 1024) return `${bytes} B`;
  if (bytes < 1024 * 1024) return `${(bytes / 1024).toFixed(1)} KB`;
  return `${(bytes / 1024 / 1024).toFixed(1)} MB`;
}

function voice(file) {
  const waves = Array.from({ length: 28 }, (_, i) => {
    const bar = element("i");
    bar.style.height = `${4 + Math.round(18 * Math.abs(Math.sin(i * 1.7) * Math.cos(i * 0.45)))}px`;
    return bar;
  });
  const length = `${Math.floor(file.duration / 60)}:${String(file.duration % 60).padStart(2, "0")}`;
  return element(
    "div",
    { class: "voice" },
    element("span", { class: "document-icon" }, icon("play")),
    element("span", {}, element("span", { class: "waves" }, ...waves), element("small", {}, length)),
  );
}

function quoted(replied, context) {
  return element(
    "button",
    { class: "quoted", type: "button", data: { testid: "quoted" }, on: { click: () => context.onShow(replied.message_id) } },
    element("b", {}, replied.from.first_name),
    element("span", {}, preview(replied, context.words)),
  );
}

function meta(message, context) {
  // Telegram hides "edited" where a bot turns the pages of its menu.
  const edited = message.edit_date && !message.reply_markup;
  return element("span", { class: "meta" }, edited ? element("span", {}, context.words.edited) : null, time(message.date));
}

function reactions(message, context) {
  if (!message.reactions.length) return null;
  const shown = message.reactions.map((reaction) =>
    element("span", { class: "reaction", data: { testid: "reaction" } }, reaction.emoji ?? "★", avatar(context.bot())),
  );
  return element("div", { class: "reactions" }, ...shown);
}

function replyAction(message, context) {
  const properties = {
    class: "reply-action",
    type: "button",
    title: context.words.reply,
    "aria-label": context.words.reply,
    data: { testid: "reply" },
    on: { click: () => context.onReply(message) },
  };
  return element("button", properties, icon("reply"));
}

function renderKeyboard(message, rows, context) {
  const drawn = rows.map((row) => {
    const keys = row.map((button) => key(message, button, context));
    return element("div", { class: "keyboard-row" }, ...keys);
  });
  return element("div", { class: "keyboard", role: "group" }, ...drawn);
}

function key(message, button, context) {
  const style = STYLES.has(button.style) ? button.style : "";
  const waiting = context.isWaiting(message.message_id, button.callback_data) ? "waiting" : "";
  const properties = {
    class: `key ${style} ${waiting}`,
    type: "button",
    disabled: "disabled" in button,
    "aria-busy": waiting ? "true" : null,
    data: { testid: "button", style, waiting: Boolean(waiting) },
    on: { click: () => context.onPress(message, button) },
  };
  const mark = button.url ? icon("link") : button.copy_text ? icon("copy") : null;
  return element("button", properties, button.text, mark);
}
