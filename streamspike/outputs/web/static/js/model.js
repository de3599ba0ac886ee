// The line about the model: which one is in service since when, and what the night shift does.

import { $ } from "./dom.js";
import { ask } from "./server.js";
import { moment, percent } from "./words.js";

const DAY_MS = 86400000;

export async function loadModel() {
  const { model, adapter, since, night_shift: night } = await ask("/api/model");
  const parts = [model ? `model ${model}` : "no camera asks a model"];
  if (model) parts.push(adapter ? `adapter ${adapter}` : "no adapter", `in service since ${moment(since)}`);
  if (night && Date.now() - Date.parse(night.at) < DAY_MS) {
    parts.push(`night shift ${percent(night.progress)}: ${night.words} (${moment(night.at)})`);
  }
  $("#model").textContent = parts.join(", ");
}
