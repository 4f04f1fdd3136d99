// Notifications: toasts that go by themselves, alerts that wait for OK.

import { element } from "./dom.js";

const TOAST_MS = 3500;

export function toast(text) {
  const node = element("div", { class: "toast", data: { testid: "toast" } }, text);
  document.getElementById("toasts").replaceChildren(node); // the newest says what matters
  setTimeout(() => node.classList.add("leaving"), TOAST_MS - 300);
  setTimeout(() => node.remove(), TOAST_MS);
}

export function clearToasts() {
  document.getElementById("toasts").replaceChildren();
}

export function alert(title, text) {
  document.getElementById("alert-title").textContent = title;
  document.getElementById("alert-text").textContent = text;
  const dialog = document.getElementById("alert");
  if (!dialog.open) dialog.showModal();
}
