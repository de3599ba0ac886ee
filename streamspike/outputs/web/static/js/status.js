// The line beside the title: whether the page is live.

import { $ } from "./dom.js";
import { Refusal } from "./server.js";

export function note(text, kind = "lost") {
  const link = $("#link");
  if (link.textContent !== text) link.textContent = text;
  link.className = kind;
}

export function lost(error) {
  if (!(error instanceof Refusal)) throw error;
  note(error.message);
}
