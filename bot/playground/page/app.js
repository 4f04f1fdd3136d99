// Brings the parts together: who is writing, what the server tells, what the person does.

import { asks, Composer } from "./composer.js";
import { Connection } from "./connection.js";
import { DialogView } from "./dialog.js";
import { avatar, copy, element, initial } from "./dom.js";
import { dots } from "./message.js";
import { alert, clearToasts, toast } from "./overlay.js";
import { words } from "./strings.js";

const byId = (id) => document.getElementById(id);

class App {
  constructor(persons) {
    this.persons = persons;
    this.bot = null;
    this.connected = false;
    this.action = null;
    this.waiting = new Map();
    this.context = {
      onCommand: (command) => this.composer.deliver("send", { text: command }),
      onToast: toast,
      onReply: (message) => this.composer.reply(message),
      onPress: (message, button) => this.press(message, button),
      onShow: (messageId) => this.view.find(messageId),
      onStop: (draft) => this.act("stop", { draft_id: draft.draft_id }),
      isWaiting: (messageId, data) => this.isWaiting(messageId, data),
      fileUrl: (fileId) => this.connection.fileUrl(fileId),
      bot: () => this.bot,
    };
    this.composer = new Composer({
      onAction: (action, body) => this.act(action, body),
      onEditLast: () => this.editLast(),
      onToast: toast,
    });
    this.view = new DialogView(this.context);
    this.setTheme(storedTheme());
    byId("theme-toggle").addEventListener("click", () => this.setTheme(isDark() ? "light" : "dark"));
    addEventListener("hashchange", () => this.become(chosenPerson(persons)));
    this.become(chosenPerson(persons));
  }

  become(person) {
    if (this.person?.id === person.id) return;
    this.connection?.close();
    this.person = person;
    this.words = words(person.language_code);
    this.context.words = this.words;
    this.context.language = person.language_code;
    document.documentElement.lang = person.language_code;
    document.documentElement.dataset.user = person.id;
    byId("notice").textContent = this.words.notice;
    byId("to-end").setAttribute("aria-label", this.words.toEnd);
    byId("about-title").textContent = this.words.about;
    this.waiting.clear();
    clearToasts();
    this.composer.setPerson(this.words);
    this.view.reset([], []);
    this.drawSwitch();
    this.setTheme(storedTheme());
    this.setConnected(false);
    this.connection = new Connection(person.id, {
      onEvent: (event) => this.on(event),
      onState: (connected) => this.setConnected(connected),
    });
  }

  on(event) {
    switch (event.type) {
      case "dialog":
        return this.onDialog(event.dialog);
      case "message":
        return this.onMessage(event.message);
      case "deleted":
        this.view.remove(event.message_ids);
        this.composer.forget(event.message_ids);
        return this.drawAbout();
      case "draft":
        return this.view.showDraft(event.draft);
      case "draft_gone":
        return this.view.removeDraft(event.draft_id);
      case "action":
        this.action = event.action;
        return this.drawStatus();
      case "pressed":
        this.waiting.set(event.query.id, event.query);
        return this.view.redraw(event.query.message_id);
      case "answer":
        return this.onAnswer(event.answer);
      case "bot":
        return this.setBot(event.bot);
    }
  }

  onDialog(dialog) {
    this.action = dialog.chat_action;
    this.waiting = new Map(dialog.pending.map((query) => [query.id, query]));
    this.bot = dialog.bot;
    this.view.reset(dialog.messages, dialog.drafts);
    this.setBot(dialog.bot);
    this.drawAbout();
    this.composer.resume(dialog.messages);
    if (matchMedia("(hover: hover)").matches) byId("composer").focus();
  }

  onMessage(message) {
    const isNew = !this.view.messages.has(message.message_id);
    this.view.show(message);
    this.drawAbout();
    if (isNew && asks(message)) this.composer.reply(message);
    else this.composer.refresh(message);
  }

  onAnswer(answer) {
    this.waiting.delete(answer.id);
    this.view.redraw(answer.message_id);
    if (!answer.text) return;
    if (answer.show_alert) alert(this.bot.first_name, answer.text);
    else toast(answer.text);
  }

  setBot(bot) {
    this.bot = bot;
    document.title = bot.first_name;
    byId("bot-name").textContent = bot.first_name;
    byId("bot-avatar").textContent = initial(bot);
    byId("about-avatar").textContent = initial(bot);
    byId("about-text").textContent = bot.description || bot.short_description;
    this.composer.setBot(bot);
  }

  setConnected(connected) {
    this.connected = connected;
    this.drawStatus();
  }

  setTheme(theme) {
    if (theme) document.documentElement.dataset.theme = theme;
    if (theme) localStorage.setItem("playground-theme", theme);
    byId("theme-icon").setAttribute("href", isDark() ? "#i-sun" : "#i-moon");
    const label = this.words?.[isDark() ? "light" : "dark"] ?? "";
    byId("theme-toggle").setAttribute("aria-label", label);
    byId("theme-toggle").title = label;
  }

  drawStatus() {
    const status = byId("status");
    const shown = { typing: this.words.typing, upload_document: this.words.sendingFile }[this.action];
    status.classList.toggle("active", Boolean(this.connected && shown));
    status.dataset.connected = String(this.connected);
    if (!this.connected) return status.replaceChildren(this.words.connecting);
    if (!shown) return status.replaceChildren(this.words.bot);
    status.replaceChildren(element("span", { data: { testid: "typing" } }, shown, " ", dots()));
  }

  drawAbout() {
    const empty = this.view.messages.size === 0;
    byId("about").hidden = !empty;
    this.composer.setStarted(!empty);
  }

  drawSwitch() {
    const options = this.persons.map((person) => {
      const chosen = person.id === this.person.id;
      const properties = {
        type: "button",
        role: "radio",
        tabIndex: chosen ? 0 : -1,
        title: person.first_name,
        "aria-checked": String(chosen),
        data: { testid: `user-${person.id}` },
        on: { click: () => (location.hash = String(person.id)), keydown: (event) => this.onSwitchKey(event) },
      };
      return element("button", properties, avatar(person), element("span", { class: "name" }, person.first_name));
    });
    byId("user-switch").setAttribute("aria-label", this.words.whoAmI);
    byId("user-switch").replaceChildren(...options);
  }

  onSwitchKey(event) {
    if (!event.key.startsWith("Arrow")) return;
    event.preventDefault();
    const index = this.persons.findIndex((person) => person.id === this.person.id);
    const next = this.persons[(index + 1) % this.persons.length];
    location.hash = String(next.id);
    requestAnimationFrame(() => byId("user-switch").querySelector('[aria-checked="true"]').focus());
  }

  isWaiting(messageId, data) {
    if (data === undefined) return false;
    return [...this.waiting.values()].some((q) => q.message_id === messageId && q.data === data);
  }

  press(message, button) {
    if (button.url) return open(button.url, "_blank", "noopener,noreferrer");
    if (button.copy_text) return this.copyText(button.copy_text.text);
    if (this.isWaiting(message.message_id, button.callback_data)) return undefined;
    return this.act("press", { message_id: message.message_id, data: button.callback_data });
  }

  async copyText(text) {
    if (await copy(text)) toast(this.words.copied);
  }

  editLast() {
    const message = this.view.lastOwnText();
    if (message) this.composer.edit(message);
  }

  async act(action, body) {
    try {
      await this.connection.post(action, body);
      return true;
    } catch (error) {
      // fetch tells a lost connection by a TypeError.
      const offline = error instanceof TypeError;
      toast(offline ? this.words.offline : `${this.words.failed}: ${error.message}`);
      return false;
    }
  }
}

function chosenPerson(persons) {
  return persons.find((person) => location.hash === `#${person.id}`) ?? persons[0];
}

function storedTheme() {
  return localStorage.getItem("playground-theme");
}

function isDark() {
  const chosen = document.documentElement.dataset.theme;
  return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}

new App(await (await fetch("/person")).json());
