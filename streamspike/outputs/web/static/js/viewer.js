// One keyframe of the budget, enlarged; its neighbours are a key away.

import { $ } from "./dom.js";
import { meaning, moment } from "./words.js";

const box = $("#viewer");
let strip = null; // whose keyframe is shown
let shown = null;

export const isOpen = () => box.open;

export function view(from, frame) {
  [strip, shown] = [from, frame];
  $(".place", box).textContent = `${frame.camera}, ${moment(frame.taken_at)}`;
  $("h2", box).textContent = frame.saw;
  $("h2", box).hidden = !frame.saw;
  $("img", box).src = frame.url;
  $("img", box).alt = `${frame.camera} at ${moment(frame.taken_at)}${frame.saw ? `: ${frame.saw}` : ""}`;
  const nats = frame.surprise_nats;
  $(".amount", box).textContent = nats === null ? "" : `${nats.toFixed(2)} nats of surprise. ${meaning(nats)}`;
  const place = strip.placeOf(frame);
  $(".previous", box).disabled = place <= 0;
  $(".next", box).disabled = !strip.at(place + 1);
  if (!box.open) box.showModal();
}

export function step(by) {
  const next = strip?.at(strip.placeOf(shown) + by);
  if (next) view(strip, next);
}

$(".close", box).addEventListener("click", () => box.close());
$(".previous", box).addEventListener("click", () => step(-1));
$(".next", box).addEventListener("click", () => step(1));
box.addEventListener("click", (click) => { if (click.target === box) box.close(); });
box.addEventListener("close", () => strip?.focus(shown));
