// Where a person writes: text, replies, edits, commands, attachments.

import { element, icon } from "./dom.js";
import { preview } from "./message.js";

const STICKERS = ["👍", "❤️", "😂", "🔥", "🎉", "🤔", "😢", "👀"];
const MAX_FILE_BYTES = 35 * 1024 * 1024;

const byId = (id) => document.getElementById(id);

export function asks(message) {
  return Boolean(message.force_reply && !message.edit_date);
}

// The newest message that forces a reply, unless the person has answered or gone on without it.
function openQuestion(messages) {
  const question = messages.findLast((message) => message.force_reply || !message.from.is_bot);
  return question && asks(question) ? question : null;
}

export class Composer {
  constructor({ onAction, onEditLast, onToast }) {
    this.onAction = onAction;
    this.onEditLast = onEditLast;
    this.onToast = onToast;
    this.field = byId("composer");
    this.form = byId("composer-form");
    this.send = byId("send");
    this.quoteBar = byId("quote-bar");
    this.commandList = byId("commands");
    this.attachMenu = byId("attach-menu");
    this.menuButton = byId("menu-button");
    this.startButton = byId("start");
    this.commands = [];
    this.mode = { kind: "write" };
    this.dismissed = null;
    this.selected = 0;
    this.listen();
  }

  setPerson(words) {
    this.words = words;
    byId("menu-label").textContent = words.menu;
    this.menuButton.setAttribute("aria-label", words.menu);
    this.startButton.textContent = words.start;
    byId("attach").setAttribute("aria-label", words.attach);
    byId("quote-cancel").setAttribute("aria-label", words.cancel);
    this.drawAttachMenu();
    this.field.value = "";
    this.dismissed = null;
    this.write();
    this.hideMenus();
  }

  setBot(bot) {
    this.commands = bot.commands;
    this.menuButton.hidden = bot.commands.length === 0;
  }

  // A dialog without messages has nothing but START, as in Telegram.
  setStarted(started) {
    this.form.hidden = !started;
    this.startButton.hidden = started;
    if (!started) this.hideMenus();
  }

  write() {
    this.mode = { kind: "write" };
    this.quoteBar.hidden = true;
    this.field.placeholder = this.words.message;
    this.field.setAttribute("aria-label", this.words.message);
    this.drawSend();
  }

  reply(message) {
    if (this.mode.kind === "edit") this.field.value = "";
    this.mode = { kind: "reply", message };
    this.field.placeholder = message.force_reply?.placeholder || this.words.message;
    this.drawQuote("reply", this.words.replyTo(message.from.first_name), message);
  }

  // After a (re)connection: what was said meanwhile counts, and an open question is asked again.
  resume(messages) {
    const { message } = this.mode;
    const current = messages.find((shown) => shown.message_id === message?.message_id);
    if (message && current) this.refresh(current);
    else if (message) this.write();
    const question = openQuestion(messages);
    const idle = this.mode.kind === "write";
    if (idle && question && question.message_id !== this.dismissed) this.reply(question);
  }

  // A question that is edited asks no more; Telegram gives back that it once forced a reply.
  refresh(message) {
    const shown = this.mode.message;
    if (shown?.message_id !== message.message_id) return;
    if (asks(shown) && !asks(message)) return this.write();
    this.mode.message = message;
    byId("quote-text").textContent = preview(message, this.words);
  }

  edit(message) {
    this.mode = { kind: "edit", message };
    this.field.value = message.text;
    this.drawQuote("edit", this.words.editing, message);
  }

  // A message that is gone can no longer be answered or edited.
  forget(messageIds) {
    if (this.mode.message && messageIds.includes(this.mode.message.message_id)) this.write();
  }

  listen() {
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.submit();
    });
    this.startButton.addEventListener("click", () => this.onAction("send", { text: "/start" }));
    this.field.addEventListener("input", () => {
      this.drawSend();
      this.drawCommands(this.typedCommand());
    });
    this.field.addEventListener("keydown", (event) => this.onKey(event));
    byId("quote-cancel").addEventListener("click", () => this.cancel());
    this.menuButton.addEventListener("click", () => this.toggleCommands());
    byId("attach").addEventListener("click", () => this.toggleAttachMenu());
    byId("file").addEventListener("change", (event) => this.sendFile(event.target.files[0]));
    document.addEventListener("click", (event) => this.onOutside(event));
    document.addEventListener("keydown", (event) => event.key === "Escape" && this.onEscape());
  }

  submit() {
    const text = this.field.value;
    if (!text.trim()) return undefined;
    const { kind, message } = this.mode;
    if (kind === "edit") return this.deliver("edit", { message_id: message.message_id, text }, text);
    return this.deliver("send", { text }, text);
  }

  // Whatever is sent answers the message in the bar and closes it, as in Telegram.
  async deliver(action, body, typed = "") {
    const before = this.mode;
    const reply = before.kind === "reply" ? { reply_to: before.message.message_id } : {};
    if (typed) this.field.value = "";
    if (typed || before.kind === "reply") this.write();
    this.hideMenus();
    const after = this.mode;
    const done = await this.onAction(action, { ...body, ...reply });
    // What was not sent is not lost either, unless the person has gone on to something else.
    if (!done && this.mode === after && !this.field.value) this.restore(before, typed);
  }

  restore(mode, typed) {
    if (mode.kind === "reply") this.reply(mode.message);
    if (mode.kind === "edit") this.edit(mode.message);
    this.field.value = typed;
    this.drawSend();
  }

  onKey(event) {
    const listed = !this.commandList.hidden;
    if (event.isComposing) return;
    if (listed && (event.key === "ArrowDown" || event.key === "ArrowUp")) {
      event.preventDefault();
      this.select(this.selected + (event.key === "ArrowDown" ? 1 : -1));
    } else if (listed && event.key === "Tab" && this.found.length) {
      event.preventDefault();
      this.complete(this.found[this.selected]);
    } else if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      if (listed && this.found.length) this.sendCommand(this.found[this.selected]);
      else this.submit();
    } else if (event.key === "ArrowUp" && !this.field.value && this.mode.kind === "write") {
      event.preventDefault();
      this.onEditLast();
    }
  }

  onEscape() {
    if (!this.commandList.hidden || !this.attachMenu.hidden) this.hideMenus();
    else this.cancel();
  }

  onOutside(event) {
    if (!event.target.closest("#commands, #attach-menu, #menu-button, #attach, #composer")) this.hideMenus();
  }

  cancel() {
    if (this.mode.kind === "edit") this.field.value = "";
    if (this.mode.kind === "reply") this.dismissed = this.mode.message.message_id;
    this.write();
  }

  drawSend() {
    this.send.disabled = !this.field.value.trim();
    const editing = this.mode.kind === "edit";
    byId("send-icon").setAttribute("href", editing ? "#i-check" : "#i-send");
    this.send.setAttribute("aria-label", editing ? this.words.save : this.words.send);
    this.field.style.height = "auto";
    this.field.style.height = `${this.field.scrollHeight}px`;
  }

  drawQuote(name, title, message) {
    byId("quote-icon").setAttribute("href", `#i-${name}`);
    byId("quote-title").textContent = title;
    byId("quote-text").textContent = preview(message, this.words);
    this.quoteBar.hidden = false;
    this.drawSend();
    this.field.focus();
  }

  typedCommand() {
    const typed = /^\/(\w*)$/.exec(this.field.value);
    return typed ? typed[1].toLowerCase() : null;
  }

  toggleCommands() {
    if (this.commandList.hidden) this.drawCommands("");
    else this.hideMenus();
    this.field.focus();
  }

  drawCommands(prefix) {
    this.found = prefix === null ? [] : this.commands.filter((c) => c.command.startsWith(prefix));
    this.commandList.hidden = this.found.length === 0;
    this.menuButton.setAttribute("aria-expanded", String(!this.commandList.hidden));
    this.attachMenu.hidden = true;
    const rows = this.found.map((command) =>
      element(
        "li",
        { role: "option", data: { testid: "command-option" }, on: { click: () => this.sendCommand(command) } },
        element("b", {}, `/${command.command}`),
        element("span", {}, command.description),
      ),
    );
    this.commandList.replaceChildren(...rows);
    this.select(0);
  }

  select(index) {
    const rows = [...this.commandList.children];
    if (!rows.length) return;
    this.selected = (index + rows.length) % rows.length;
    rows.forEach((row, i) => row.setAttribute("aria-selected", String(i === this.selected)));
    rows[this.selected].scrollIntoView({ block: "nearest" });
  }

  complete(command) {
    this.field.value = `/${command.command} `;
    this.hideMenus();
    this.drawSend();
  }

  sendCommand(command) {
    const typed = this.typedCommand() === null ? "" : this.field.value;
    this.deliver("send", { text: `/${command.command}` }, typed);
  }

  toggleAttachMenu() {
    this.commandList.hidden = true;
    this.attachMenu.hidden = !this.attachMenu.hidden;
    byId("attach").setAttribute("aria-expanded", String(!this.attachMenu.hidden));
    if (!this.attachMenu.hidden) this.attachMenu.querySelector("button").focus();
  }

  drawAttachMenu() {
    const item = (name, label, action) =>
      element("button", { type: "button", role: "menuitem", data: { testid: `attach-${name}` }, on: { click: action } }, icon(name), label);
    const stickers = STICKERS.map((emoji) =>
      element("button", { type: "button", "aria-label": `${this.words.sticker} ${emoji}`, data: { testid: "sticker" }, on: { click: () => this.deliver("sticker", { emoji }) } }, emoji),
    );
    this.attachMenu.replaceChildren(
      item("file", this.words.file, () => byId("file").click()),
      item("mic", this.words.voice, () => this.deliver("voice", { duration: 3 })),
      element("div", { class: "stickers" }, ...stickers),
    );
  }

  async sendFile(file) {
    byId("file").value = "";
    this.hideMenus();
    if (!file) return;
    if (file.size > MAX_FILE_BYTES) return this.onToast(this.words.tooLarge);
    const url = await new Promise((resolve) => {
      const reader = new FileReader();
      reader.onload = () => resolve(reader.result);
      reader.readAsDataURL(file);
    });
    const content = url.slice(url.indexOf(",") + 1);
    const caption = this.field.value;
    this.deliver("document", { name: file.name, mime_type: file.type || null, content, caption }, caption);
  }

  hideMenus() {
    this.commandList.hidden = true;
    this.attachMenu.hidden = true;
    this.menuButton.setAttribute("aria-expanded", "false");
    byId("attach").setAttribute("aria-expanded", "false");
  }
}
