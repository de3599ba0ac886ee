// The page: what is loaded at first and again after a lost connection, what the stream tells, and the search.

import { openEvent } from "./detail.js";
import { $ } from "./dom.js";
import "./keys.js";
import { loadEvents, takeEvent } from "./list.js";
import { cameras } from "./memory.js";
import { loadModel } from "./model.js";
import { ask, listen } from "./server.js";
import { lost, note } from "./status.js";
import { cameraOf, filterWall, refreshWall } from "./wall.js";

async function loadAll() {
  const [list] = await Promise.all([ask("/api/cameras"), loadEvents(), loadModel()]);
  for (const answer of list.cameras) if (answer.watched || cameras.has(answer.id)) cameraOf(answer.id).take(answer);
  await Promise.all(list.cameras.filter((answer) => answer.watched).map(({ id }) => cameraOf(id).recall()));
  if (!list.cameras.length) note("no camera yet", "connecting");
}

listen({
  hello: () => { note("live", "live"); loadAll().catch(lost); },
  lost: () => loadAll().catch(lost),
  observation: (seen) => { const camera = cameraOf(seen.camera); camera.observe(seen); camera.refresh(); },
  state: (told) => {
    const camera = cameraOf(told.camera);
    camera.setState(told);
    if (told.alerts_per_day) camera.set({ alerts_per_day: told.alerts_per_day, paused: told.state === "paused" });
    camera.redraw();
  },
  event: takeEvent,
  keyframe: (frame) => cameraOf(frame.camera).strip.take(frame),
  model: () => loadModel().catch(lost),
}, () => note("connection lost, trying again"));

let typing;
$("#words").addEventListener("input", () => { clearTimeout(typing); typing = setTimeout(() => loadEvents().catch(lost), 200); });
$("#camera").addEventListener("change", () => { filterWall(); loadEvents().catch(lost); });
$("#search").addEventListener("submit", (submit) => { submit.preventDefault(); loadEvents().catch(lost); $("#list button")?.focus(); });
$("#older").addEventListener("click", () => loadEvents(true).catch(lost));

ask("/api/health").then((health) => { $("#logout").hidden = !health.needs_token; }).catch(lost);
setInterval(refreshWall, 1000);
setInterval(() => loadModel().catch(lost), 60000);
const linked = new URLSearchParams(location.hash.slice(1)).get("event");
if (linked) openEvent(linked);
