// Beliefs as bars: each hypothesis before and after.

import { $, copyOf } from "./dom.js";
import { percent } from "./words.js";

export function union(expected, believed) {
  const rows = new Map(expected.map((b) => [b.text, { text: b.text, prior: b.probability, posterior: null }]));
  for (const b of believed) {
    if (!rows.has(b.text)) rows.set(b.text, { text: b.text, prior: null, posterior: null });
    rows.get(b.text).posterior = b.probability;
  }
  return [...rows.values()];
}

export function fillBeliefs(box, beliefs, saw, most) {
  const ranked = [...beliefs].sort((a, b) => Math.max(b.prior, b.posterior) - Math.max(a.prior, a.posterior)).slice(0, most);
  const rows = [...box.querySelectorAll(".belief:not(.title)")];
  if (!$(".title", box) && ranked.length) box.prepend(titleRow());
  $(".title", box)?.toggleAttribute("hidden", !ranked.length);
  while (rows.length > ranked.length) rows.pop().remove();
  while (rows.length < ranked.length) {
    rows.push(copyOf("#belief-row"));
    box.append(rows.at(-1));
  }
  ranked.forEach((belief, place) => fillRow(rows[place], belief, saw));
}

function titleRow() {
  const title = copyOf("#belief-row");
  title.classList.add("title");
  $(".pair", title).textContent = "expected before";
  $(".pair:last-child", title).textContent = "believed after";
  return title;
}

function fillRow(row, belief, saw) {
  $(".what", row).textContent = row.title = belief.text;
  row.classList.toggle("saw", belief.text === saw);
  for (const [side, value] of [["before", belief.prior], ["after", belief.posterior]]) {
    $(`span.${side} i`, row).style.width = `${value * 100}%`;
    const words = value === null ? "-" : percent(value); // not among the hypotheses
    $(`b.${side}`, row).textContent = words;
    $(`b.${side}`, row).setAttribute("aria-label", `${side} ${words}`);
  }
}
