// The list of messages: kept in order, joined into groups, scrolled as a reader expects.

import { element } from "./dom.js";
import { renderDraft, renderMessage } from "./message.js";

const GROUP_SECONDS = 600;
const NEAR_END_PX = 120;

export class DialogView {
  constructor(context) {
    this.context = context;
    this.list = document.getElementById("messages");
    this.draftList = document.getElementById("drafts");
    this.scroll = document.getElementById("scroll");
    this.toEnd = document.getElementById("to-end");
    this.badge = document.getElementById("unseen");
    this.messages = new Map();
    this.nodes = new Map();
    this.unseen = 0;
    this.toEnd.addEventListener("click", () => this.showEnd(true));
    this.scroll.addEventListener("scroll", () => this.onScroll());
    // Opened quotes, a growing composer, a turned phone: who was at the end stays there.
    this.atEnd = true;
    new ResizeObserver(() => this.atEnd && this.showEnd()).observe(this.scroll);
  }

  reset(messages, drafts) {
    this.messages = new Map(messages.map((message) => [message.message_id, message]));
    this.nodes.clear();
    for (const message of messages) this.nodes.set(message.message_id, renderMessage(message, this.context));
    this.list.replaceChildren(...this.nodes.values());
    this.draftList.replaceChildren();
    this.arrange();
    for (const draft of drafts) this.showDraft(draft);
    this.showEnd();
  }

  show(message) {
    const known = this.nodes.get(message.message_id);
    const node = renderMessage(message, this.context);
    this.messages.set(message.message_id, message);
    this.nodes.set(message.message_id, node);
    if (known) {
      const focused = [...known.querySelectorAll(".key")].indexOf(document.activeElement);
      known.replaceWith(node);
      if (focused >= 0) node.querySelectorAll(".key")[focused]?.focus();
    } else {
      node.classList.add("new");
      this.list.append(node);
    }
    this.arrange();
    if (this.atEnd || (!known && !message.from.is_bot)) this.showEnd();
    else if (!known) this.countUnseen();
  }

  redraw(messageId) {
    const message = this.messages.get(messageId);
    if (message) this.show(message);
  }

  remove(messageIds) {
    for (const id of messageIds) {
      this.nodes.get(id)?.remove();
      this.nodes.delete(id);
      this.messages.delete(id);
    }
    this.arrange();
  }

  showDraft(draft) {
    const node = renderDraft(draft, this.context);
    const known = this.draftNode(draft.draft_id);
    if (known) known.replaceWith(node);
    else this.draftList.append(node);
    if (this.atEnd) this.showEnd();
  }

  removeDraft(draftId) {
    this.draftNode(draftId)?.remove();
  }

  draftNode(draftId) {
    return [...this.draftList.children].find((node) => node.dataset.draftId === draftId);
  }

  find(messageId) {
    const node = this.nodes.get(messageId);
    if (!node) return this.context.onToast(this.context.words.deleted);
    node.scrollIntoView({ block: "center", behavior: "smooth" });
    node.classList.remove("found");
    void node.offsetWidth;
    node.classList.add("found");
  }

  lastOwnText() {
    return [...this.messages.values()].reverse().find((message) => !message.from.is_bot && message.text);
  }

  showEnd(smooth = false) {
    this.scroll.scrollTo({ top: this.scroll.scrollHeight, behavior: smooth ? "smooth" : "instant" });
    this.unseen = 0;
    this.atEnd = true;
    this.showButton();
  }

  onScroll() {
    const { scrollTop, scrollHeight, clientHeight } = this.scroll;
    this.atEnd = scrollHeight - scrollTop - clientHeight < NEAR_END_PX;
    if (this.atEnd) this.unseen = 0;
    this.showButton();
  }

  countUnseen() {
    this.unseen += 1;
    this.showButton();
  }

  showButton() {
    this.toEnd.hidden = this.atEnd;
    this.badge.hidden = this.unseen === 0;
    this.badge.textContent = String(this.unseen);
  }

  // Days apart, and which bubbles belong together: only the last one of a group has a tail.
  arrange() {
    for (const day of this.list.querySelectorAll(".day")) day.remove();
    const messages = [...this.messages.values()];
    messages.forEach((message, index) => {
      const node = this.nodes.get(message.message_id);
      const joined = index > 0 && belong(messages[index - 1], message);
      const last = index === messages.length - 1 || !belong(message, messages[index + 1]);
      node.classList.toggle("joined", joined);
      node.classList.toggle("last", last);
      if (index === 0 || day(messages[index - 1].date) !== day(message.date)) {
        node.before(element("div", { class: "day" }, this.dayName(message.date)));
      }
    });
  }

  dayName(seconds) {
    if (day(seconds) === day(Date.now() / 1000)) return this.context.words.today;
    const format = { day: "numeric", month: "long", year: "numeric" };
    return new Date(seconds * 1000).toLocaleDateString(this.context.language, format);
  }
}

function belong(one, next) {
  const near = next.date - one.date < GROUP_SECONDS && day(one.date) === day(next.date);
  return near && one.from.id === next.from.id && !one.reply_markup;
}

function day(seconds) {
  return new Date(seconds * 1000).toDateString();
}
