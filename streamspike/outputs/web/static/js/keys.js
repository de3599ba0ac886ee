// Keys: j and k through events or keyframes, / to search, Escape out of it.

import * as detail from "./detail.js";
import { $ } from "./dom.js";
import { loadEvents, moveFocus } from "./list.js";
import { lost } from "./status.js";
import * as viewer from "./viewer.js";

const STEPS = { j: 1, k: -1 };

document.addEventListener("keydown", (key) => {
  if (key.ctrlKey || key.metaKey || key.altKey) return;
  const isWriting = key.target.matches("input, select, textarea"), by = STEPS[key.key];
  if (key.key === "Escape" && isWriting) { $("#words").value = ""; key.target.blur(); loadEvents().catch(lost); }
  if (isWriting) return;
  if (by && viewer.isOpen()) viewer.step(by);
  else if (by && detail.isOpen()) detail.step(by);
  else if (by) moveFocus(by);
  else if (key.key === "/" && !detail.isOpen() && !viewer.isOpen()) { key.preventDefault(); $("#words").focus(); }
});
