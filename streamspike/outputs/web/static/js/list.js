// The list of events: searched, newest first, and growing as they come.

import { openEvent, tellDetail } from "./detail.js";
import { $, copyOf, element } from "./dom.js";
import { cameras, events, list, remember } from "./memory.js";
import { ask } from "./server.js";
import { cameraOf } from "./wall.js";
import { labelOf, moment, percent } from "./words.js";

const filter = () => ({ words: $("#words").value.trim(), camera: $("#camera").value });

function matches(event) {
  const { words, camera } = filter();
  const text = [event.saw, ...event.expected.map((b) => b.text), ...event.believed_after.map((b) => b.text)].join("\n").toLowerCase();
  return (!camera || event.camera === camera) && words.toLowerCase().split(/\s+/).every((word) => text.includes(word));
}

function rowOf(event) {
  const item = copyOf("#event-row");
  item.dataset.event = event.id;
  $("button", item).addEventListener("click", () => openEvent(event.id));
  return item;
}

function fillRow(item, event) {
  const image = $("img", item), first = event.expected[0];
  if (event.picture && image.getAttribute("src") !== event.picture) image.src = event.picture;
  image.hidden = !event.picture;
  $(".saw", item).textContent = event.saw;
  $(".expected", item).textContent = first ? `expected ${first.text} (${percent(first.probability)})` : "";
  $(".kind", item).textContent = labelOf(event.kind);
  $(".kind", item).hidden = !labelOf(event.kind);
  $(".when", item).textContent = `${event.camera}, ${moment(event.onset_at)}`;
  $("button", item).classList.toggle("going", event.phase !== "end");
  const amount = [element("b", event.surprise_nats.toFixed(1)), "nats"];
  $(".amount", item).replaceChildren(...(event.kind === "moved" ? [] : amount));
}

export function showList() {
  const box = $("#list"), rows = new Map([...box.children].map((item) => [item.dataset.event, item]));
  list.ids.forEach((id, place) => {
    const item = rows.get(id) ?? rowOf(events.get(id));
    rows.delete(id);
    fillRow(item, events.get(id));
    if (box.children[place] !== item) box.insertBefore(item, box.children[place] ?? null);
  });
  for (const item of rows.values()) item.remove();
  const { words, camera } = filter();
  $("#none").hidden = list.ids.length > 0;
  $("#none").textContent = words || camera ? "No event is like that." : "No events yet. They appear here the moment something surprises.";
  $("#older").hidden = list.older === null;
}

let turns = 0;
export async function loadEvents(more = false) {
  const turn = ++turns, query = new URLSearchParams({ limit: "40" }), { words, camera } = filter();
  if (words) query.set("words", words);
  if (camera) query.set("camera", camera);
  if (more && list.older) query.set("before", list.older);
  const page = await ask(`/api/events?${query}`);
  if (turn !== turns) return; // something else has been asked meanwhile
  const ids = page.events.map((event) => remember(event).id);
  list.ids = more ? [...list.ids, ...ids.filter((id) => !list.ids.includes(id))] : ids;
  list.older = page.before;
  showList();
  cameras.forEach((camera) => camera.mark());
}

export function takeEvent(told) {
  const event = remember(told);
  if (!list.ids.includes(event.id) && matches(event)) {
    list.ids.push(event.id);
    list.ids.sort((a, b) => events.get(b).onset_at.localeCompare(events.get(a).onset_at) || b.localeCompare(a));
  }
  list.ids = list.ids.filter((id) => events.has(id));
  showList();
  cameraOf(event.camera).mark();
  tellDetail(event.id);
}

export function moveFocus(by) {
  const rows = [...document.querySelectorAll("#list button")], place = rows.indexOf(document.activeElement);
  const next = rows[place < 0 ? (by > 0 ? 0 : rows.length - 1) : Math.min(rows.length - 1, Math.max(0, place + by))];
  next?.focus();
}
