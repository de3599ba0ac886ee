// One event in a dialog: why it surprised, its pictures, and what a person says of it.

import { fillBeliefs, union } from "./beliefs.js";
import { $, element } from "./dom.js";
import { showFootage } from "./footage.js";
import { cameras, events, list, remember } from "./memory.js";
import { ask, ofEvent, tell } from "./server.js";
import { note } from "./status.js";
import { clock, explanationOf, labelOf, lasting, meaning, moment, rarity } from "./words.js";

const FRESH_MS = 180000; // so long after the end a clip may still come
const box = $("#detail");
let shown = null; // id

export const isOpen = () => box.open;

export function openEvent(id) {
  shown = id;
  $(".verdict span", box).textContent = "";
  if (!box.open) box.showModal();
  history.replaceState(null, "", `#event=${encodeURIComponent(id)}`);
  $("#detail-title").textContent = events.get(id)?.saw ?? "";
  showEvent(id);
}

// Something is new of an event; it matters only if it is the one that is shown.
export function tellDetail(id) {
  if (shown === id) showEvent(id);
}

export function step(by) {
  const place = list.ids.indexOf(shown) + by;
  if (list.ids.includes(shown) && list.ids[place]) openEvent(list.ids[place]);
}

async function showEvent(id) {
  let answer;
  try {
    answer = await ask(ofEvent(id));
  } catch (error) {
    if (shown === id) { shown = null; box.close(); note(error.message); }
    return;
  }
  if (shown !== id) return;
  const event = remember(answer.event);
  showReasons(event);
  const footage = JSON.stringify([id, answer.keyframes, answer.clip]);
  if (footage !== box.dataset.footage) { // else a person may be looking at one of them
    box.dataset.footage = footage;
    showFootage(box, answer);
  }
  showVerdict(answer.useful);
  $(".revisions", box).replaceChildren(...answer.revisions.map(lineOf));
  const place = list.ids.indexOf(id);
  $(".previous", box).disabled = place <= 0;
  $(".next", box).disabled = place < 0 || place === list.ids.length - 1;
  // The clip is written a while after the end, and nothing is told then.
  const isFresh = event.end_at && Math.abs(Date.now() - Date.parse(event.end_at)) < FRESH_MS;
  if (!answer.clip && isFresh) setTimeout(() => tellDetail(id), 5000);
}

function showReasons(event) {
  const { kind } = event, lasted = (Date.parse(event.end_at) - Date.parse(event.onset_at)) / 1000;
  $(".place", box).textContent = `${event.camera}, ${moment(event.onset_at)}, ${event.end_at ? lasting(lasted) : "still going on"}`;
  $("#detail-title").textContent = event.saw;
  $(".kind", box).textContent = labelOf(kind);
  $(".kind", box).hidden = !labelOf(kind);
  const amount = `${event.surprise_nats.toFixed(1)} nats of ${kind === "motion" ? "motion" : "surprise"}`;
  $(".why .amount", box).textContent = kind === "moved" ? "" : amount;
  $(".meaning", box).textContent = explanationOf(kind) || meaning(event.surprise_nats - event.change_nats);
  const isSeen = kind === "surprise" && event.change_nats >= 0.05;  // less would read as 0.0
  $(".change", box).textContent = isSeen ? `${event.change_nats.toFixed(1)} nats of it for how much more than usual the picture changed.` : "";
  $(".rarity", box).textContent = kind === "moved" ? "" : rarity(event.p_value, cameras.get(event.camera)?.latest?.seconds);
  const beliefs = union(event.expected, event.believed_after);
  fillBeliefs($(".why .beliefs", box), beliefs, event.saw, 8);
  $(".why h3", box).hidden = !beliefs.length;
  const above = kind === "moved" ? "" : `alerts were above ${event.threshold_nats.toFixed(1)} nats; `;
  $(".origin", box).textContent = `${kind === "surprise" ? "model" : "by"} ${event.model}; ${above}id ${event.id}`;
}

function lineOf(revision) {
  const at = clock(revision.end_at ?? revision.peak_at);
  const amount = revision.kind === "moved" ? "" : `${revision.surprise_nats.toFixed(1)} nats; `;
  return element("li", `${revision.phase}, ${at}: ${amount}${revision.sentence}`);
}

function showVerdict(useful) {
  $(".yes", box).setAttribute("aria-pressed", String(useful === true));
  $(".no", box).setAttribute("aria-pressed", String(useful === false));
}

async function judge(useful) {
  const id = shown;
  try {
    const answer = await tell(ofEvent(id, "/verdict"), { useful });
    if (shown !== id) return;
    showVerdict(answer.useful);
    $(".verdict span", box).textContent = answer.useful ? "Noted: more like this." : "Noted: fewer like this.";
  } catch (error) {
    $(".verdict span", box).textContent = error.message;
  }
}

$(".yes", box).addEventListener("click", () => judge(true));
$(".no", box).addEventListener("click", () => judge(false));
$(".close", box).addEventListener("click", () => box.close());
$(".previous", box).addEventListener("click", () => step(-1));
$(".next", box).addEventListener("click", () => step(1));
box.addEventListener("click", (click) => { if (click.target === box) box.close(); });
box.addEventListener("close", () => {
  const id = shown;
  shown = null;
  delete box.dataset.footage;
  $(".clip", box).pause();
  history.replaceState(null, "", location.pathname);
  $(`[data-event="${CSS.escape(id ?? "")}"] button`)?.focus();
});
