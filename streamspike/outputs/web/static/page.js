// The page. Everything that comes from a camera or a model is put in with textContent, never as markup.

const $ = (selector, root = document) => root.querySelector(selector);
const cameras = new Map(); // id -> Camera
const events = new Map(); // id -> event, as in the API; those in the list and those on timelines
let listed = []; // ids in the list, newest first
let older = null; // where the list goes on
let shown = null; // id in the dialog
let needsToken = false;

// ---- words and numbers

const percent = (p) => (p > 0 && p < 0.005 ? "< 1 %" : `${Math.round(p * 100)} %`);
const number = (n) => n.toLocaleString("en", { maximumSignificantDigits: n < 1e9 ? 3 : 1, notation: n < 1e9 ? "standard" : "scientific" });
const oneIn = (n) => (n < 1.5 ? "about as likely as not" : `1 in ${number(Math.round(n))}`);
const clock = (iso) => new Date(iso).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const sameDay = (a, b) => a.toDateString() === b.toDateString();

function moment(iso) {
  const at = new Date(iso), now = new Date();
  if (sameDay(at, now)) return clock(iso);
  const day = at.toLocaleDateString([], { weekday: "short", day: "numeric", month: "short", ...(at.getFullYear() === now.getFullYear() ? {} : { year: "numeric" }) });
  return `${day}, ${clock(iso)}`;
}

function lasting(seconds) {
  if (seconds < 90) return `${Math.max(1, Math.round(seconds))} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  if (seconds < 129600) return `${Math.round(seconds / 3600)} hours`;
  return `${number(Math.round(seconds / 86400))} days`;
}

const meaning = (nats) => {
  const rate = Math.exp(nats);
  return rate < 1.5 ? "Nearly what was expected." : `As unlikely, to the model, as ${oneIn(rate)}.`;
};

function rarity(event) {
  const seconds = cameras.get(event.camera)?.latest?.seconds;
  const share = 1 / event.p_value;
  if (share > 1e6) return "Far beyond anything this camera has shown of late.";
  if (!(event.p_value > 0) || share < 1.05) return "Too little has been seen of this camera to say how rare that is.";
  const often = seconds && share > 20 ? `, once in ${lasting(share * seconds)} or so` : "";
  return `Of this camera's recent segments ${share > 3 ? `1 in ${number(Math.round(share))}` : percent(event.p_value)} was as surprising${often}.`;
}

// ---- asking

class Refusal extends Error {} // of the server, or of the network; any other error is a mistake of this page

async function ask(path, options) {
  const response = await fetch(path, options).catch(() => { throw new Refusal("connection lost, trying again"); });
  if (response.status === 401) location.assign("/login");
  const answer = await response.json();
  if (!response.ok) throw new Refusal(answer.error);
  return answer;
}

// ---- beliefs as bars

function union(expected, believed) {
  const rows = new Map(expected.map((b) => [b.text, { text: b.text, prior: b.probability, posterior: null }]));
  for (const b of believed) {
    if (!rows.has(b.text)) rows.set(b.text, { text: b.text, prior: null, posterior: null });
    rows.get(b.text).posterior = b.probability;
  }
  return [...rows.values()];
}

function fillBeliefs(box, beliefs, saw, most) {
  const ranked = [...beliefs].sort((a, b) => Math.max(b.prior, b.posterior) - Math.max(a.prior, a.posterior)).slice(0, most);
  const rows = [...box.querySelectorAll(".belief:not(.title)")];
  if (!$(".title", box) && ranked.length) {
    const title = $("#belief-row").content.firstElementChild.cloneNode(true);
    title.classList.add("title");
    $(".pair", title).textContent = "expected before";
    $(".pair:last-child", title).textContent = "believed after";
    box.prepend(title);
  }
  $(".title", box)?.toggleAttribute("hidden", !ranked.length);
  while (rows.length > ranked.length) rows.pop().remove();
  while (rows.length < ranked.length) {
    rows.push($("#belief-row").content.firstElementChild.cloneNode(true));
    box.append(rows.at(-1));
  }
  ranked.forEach((belief, place) => {
    const row = rows[place];
    $(".what", row).textContent = row.title = belief.text;
    row.classList.toggle("saw", belief.text === saw);
    for (const [side, value] of [["before", belief.prior], ["after", belief.posterior]]) {
      $(`span.${side} i`, row).style.width = `${value * 100}%`;
      const words = value === null ? "-" : percent(value); // not among the hypotheses
      $(`b.${side}`, row).textContent = words;
      $(`b.${side}`, row).setAttribute("aria-label", `${side} ${words}`);
    }
  });
}

// ---- one camera

class Camera {
  constructor(id) {
    this.id = id;
    this.points = []; // {at, nats, threshold}, oldest first
    this.latest = null;
    this.visible = false;
    this.busy = false;
    this.box = $("#camera-card").content.firstElementChild.cloneNode(true);
    this.canvas = $("canvas", this.box);
    $("h3", this.box).textContent = id;
    $(".picture img", this.box).alt = `Live picture of ${id}`;
    this.box.setAttribute("aria-label", id);
    this.canvas.addEventListener("click", (click) => this.openAt(click));
    const option = document.createElement("option");
    option.value = option.textContent = id;
    $("#camera").append(option);
    this.box.dataset.camera = id;
    this.box.classList.add("unseen-yet");
    $(".settings form", this.box).addEventListener("submit", (submit) => {
      submit.preventDefault();
      this.control({ alerts_per_day: $("input", submit.target).valueAsNumber });
    });
    $(".pause", this.box).addEventListener("click", () => this.control({ paused: !this.paused }));
    this.place();
    sight.observe(this.box);
    sizes.observe(this.canvas);
  }

  place() {
    const next = [...$("#wall").children].find((box) => box.dataset.camera > this.id);
    $("#wall").insertBefore(this.box, next ?? null);
  }

  take(answer) {
    this.pictureUrl = answer.picture;
    this.setState(answer.state, answer.reason);
    this.learn(answer.learning_progress);
    this.set(answer);
    if (answer.latest) this.observe(answer.latest, false);
  }

  set({ alerts_per_day, paused }) {
    this.paused = paused;
    $(".settings summary", this.box).textContent = `Budget: ${number(alerts_per_day)} alerts a day${paused ? ", paused" : ""}`;
    const input = $(".settings input", this.box);
    if (input !== document.activeElement) input.value = alerts_per_day;
    $(".pause", this.box).textContent = paused ? "Go on watching" : "Pause";
  }

  async control(wish) {
    const said = $(".settings [role=status]", this.box);
    const options = { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(wish) };
    try {
      this.set(await ask(`/api/cameras/${encodeURIComponent(this.id)}/control`, options));
      said.textContent = "Done.";
    } catch (error) {
      said.textContent = error.message;
    }
  }

  setState(state, reason) {
    const label = $(".state", this.box);
    label.dataset.state = state;
    label.textContent = label.title = reason ? `${state}: ${reason}` : state;
    $(".picture", this.box).classList.toggle("stale", ["offline", "finished", "paused", ""].includes(state));
  }

  learn(progress) {
    const box = $(".learning", this.box);
    box.hidden = !(progress < 1);
    $("progress", box).value = progress;
    $("span", box).textContent = `learning what is usual: ${Math.floor(progress * 100)} %`;
  }

  observe(seen, isNew = true) {
    this.latest = seen;
    if (isNew || !this.points.length) this.add(seen);
    const above = seen.surprise_nats > seen.threshold_nats;
    const nats = $(".nats", this.box), bold = document.createElement("b");
    bold.textContent = seen.surprise_nats.toFixed(2);
    nats.replaceChildren(bold, ` nats, alerts above ${seen.threshold_nats.toFixed(1)}`);
    nats.classList.toggle("above", above);
    const sees = $(".sees", this.box);
    sees.textContent = sees.title = seen.saw;
    if (seen.beliefs) fillBeliefs($(".beliefs", this.box), seen.beliefs, seen.saw, 3);
    if ("learning_progress" in seen) this.learn(seen.learning_progress);
    this.redraw();
  }

  add(seen) {
    const at = Date.parse(seen.started_at);
    if (this.points.length && at <= this.points.at(-1).at) return;
    this.points.push({ at, nats: seen.surprise_nats, threshold: seen.threshold_nats, seconds: seen.seconds });
    this.box.classList.remove("unseen-yet");
    if (this.points.length > 2400) this.points.splice(0, 400);
  }

  // A picture at a time, and only while it can be seen; the same picture again costs an empty answer.
  async refresh() {
    if (this.busy || !this.visible || !this.pictureUrl || document.hidden) return;
    this.busy = true;
    try {
      const response = await fetch(this.pictureUrl, { cache: "no-cache" });
      const tag = response.headers.get("etag"), image = $(".picture img", this.box), old = image.src;
      if (response.status === 204) { image.hidden = true; this.tag = null; }
      else if (response.ok && tag !== this.tag) {
        image.src = URL.createObjectURL(await response.blob());
        image.hidden = false;
        this.tag = tag;
        if (old.startsWith("blob:")) image.addEventListener("load", () => URL.revokeObjectURL(old), { once: true });
      }
    } catch { /* the stream says that the connection is lost */ }
    this.busy = false;
  }

  // ---- the timeline: the last minutes of surprise, the threshold, and the events

  range() {
    const last = this.points.length ? this.points.at(-1).at + 1000 * this.points.at(-1).seconds : Date.now();
    const end = Math.abs(Date.now() - last) < 15000 ? Date.now() : last; // a recording has a time of its own
    const first = this.points.length ? this.points[0].at : end;
    const span = Math.min(600000, Math.max(120000, end - first));
    return [end - span, end];
  }

  own() {
    return [...events.values()].filter((event) => event.camera === this.id);
  }

  redraw() {
    if (this.due) return;
    this.due = true;
    requestAnimationFrame(() => { this.due = false; if (this.visible) this.draw(); });
  }

  draw() {
    const width = this.canvas.clientWidth, height = this.canvas.clientHeight, scale = devicePixelRatio || 1;
    if (!width) return;
    if (this.canvas.width !== Math.round(width * scale)) {
      this.canvas.width = Math.round(width * scale);
      this.canvas.height = Math.round(height * scale);
    }
    const pen = this.canvas.getContext("2d"), style = getComputedStyle(document.documentElement);
    const colour = (name) => style.getPropertyValue(name).trim();
    const [start, end] = this.range(), base = height - 14, top = 12;
    const points = this.points.filter((point) => point.at >= start - 2000);
    const most = Math.max(1, ...points.map((point) => Math.max(point.nats, point.threshold * 1.15)));
    const x = (at) => ((at - start) / (end - start)) * width, y = (nats) => base - (nats / most) * (base - top);
    pen.setTransform(scale, 0, 0, scale, 0, 0);
    pen.clearRect(0, 0, width, height);
    const shown = this.own().filter((event) => Date.parse(event.end_at ?? event.peak_at) >= start);
    pen.fillStyle = colour("--shade");
    for (const event of shown) {
      const from = x(Date.parse(event.onset_at)), to = x(event.end_at ? Date.parse(event.end_at) : end);
      pen.fillRect(from, 0, Math.max(3, to - from), base);
    }
    for (const point of points) {
      const left = x(point.at), wide = Math.max(1, x(point.at + 1000 * point.seconds) - left - 0.5);
      pen.fillStyle = colour(point.nats > point.threshold ? "--above" : "--before");
      pen.fillRect(left, y(point.nats), wide, Math.max(1, base - y(point.nats)));
    }
    pen.strokeStyle = colour("--quiet");
    pen.setLineDash([4, 4]);
    pen.beginPath();
    for (const point of points) {
      pen.lineTo(x(point.at), y(point.threshold));
      pen.lineTo(x(point.at + 1000 * point.seconds), y(point.threshold));
    }
    pen.stroke();
    pen.setLineDash([]);
    pen.fillStyle = colour("--above");
    for (const event of shown) {
      const at = x(Date.parse(event.peak_at));
      pen.beginPath();
      pen.moveTo(at - 5, 0);
      pen.lineTo(at + 5, 0);
      pen.lineTo(at, 7);
      pen.fill();
    }
    pen.fillStyle = colour("--quiet");
    pen.font = "11px system-ui, sans-serif";
    pen.fillText(`${lasting((end - start) / 1000)} ago`, 4, height - 3);
    pen.textAlign = "right";
    pen.fillText("now", width - 4, height - 3);
    pen.textAlign = "left";
    this.canvas.setAttribute("aria-label", `Surprise of the last ${lasting((end - start) / 1000)}: ${shown.length} events, now ${(points.at(-1)?.nats ?? 0).toFixed(1)} nats`);
  }

  openAt(click) {
    const [start, end] = this.range(), at = start + (click.offsetX / this.canvas.clientWidth) * (end - start);
    const distance = (event) => Math.max(Date.parse(event.onset_at) - at, at - Date.parse(event.end_at ?? event.peak_at), 0);
    const nearest = this.own().sort((a, b) => distance(a) - distance(b))[0];
    if (nearest && distance(nearest) < (end - start) / 25) openEvent(nearest.id);
  }

  mark() {
    this.box.classList.toggle("going", this.own().some((event) => event.phase !== "end"));
    this.redraw();
  }
}

const sight = new IntersectionObserver((entries) => {
  for (const entry of entries) {
    const camera = cameras.get(entry.target.dataset.camera);
    if (!camera) continue;
    camera.visible = entry.isIntersecting;
    if (camera.visible) { camera.refresh(); camera.redraw(); }
  }
}, { rootMargin: "100px" });
const sizes = new ResizeObserver(() => cameras.forEach((camera) => camera.redraw()));

function cameraOf(id) {
  if (!cameras.has(id)) {
    const camera = new Camera(id);
    cameras.set(id, camera);
    filterWall();
  }
  return cameras.get(id);
}

// ---- the list of events

const filter = () => ({ words: $("#words").value.trim(), camera: $("#camera").value });

function matches(event) {
  const { words, camera } = filter();
  const text = [event.saw, ...event.expected.map((b) => b.text), ...event.believed_after.map((b) => b.text)].join("\n").toLowerCase();
  return (!camera || event.camera === camera) && words.toLowerCase().split(/\s+/).every((word) => text.includes(word));
}

function filterWall() {
  const { camera } = filter();
  for (const [id, { box }] of cameras) box.hidden = Boolean(camera) && id !== camera;
  $("#wall").classList.toggle("lone", [...cameras.values()].filter(({ box }) => !box.hidden).length === 1);
}

function remember(event) {
  const known = events.get(event.id);
  if (known && known.revision > event.revision) return known;
  const merged = { ...event, picture: event.picture ?? known?.picture ?? null };
  events.set(event.id, merged);
  if (events.size > 2000) events.delete(events.keys().next().value);
  return merged;
}

function rowOf(event) {
  const item = $("#event-row").content.firstElementChild.cloneNode(true);
  item.dataset.event = event.id;
  $("button", item).addEventListener("click", () => openEvent(event.id));
  return item;
}

function fillRow(item, event) {
  const image = $("img", item);
  if (event.picture && image.getAttribute("src") !== event.picture) image.src = event.picture;
  image.hidden = !event.picture;
  $(".saw", item).textContent = event.saw;
  $(".expected", item).textContent = event.expected.length ? `expected ${event.expected[0].text} (${percent(event.expected[0].probability)})` : "";
  $(".when", item).textContent = `${event.camera}, ${moment(event.onset_at)}`;
  $("button", item).classList.toggle("going", event.phase !== "end");
  const amount = document.createElement("b");
  amount.textContent = event.surprise_nats.toFixed(1);
  $(".amount", item).replaceChildren(amount, "nats");
}

function showList() {
  const list = $("#list"), rows = new Map([...list.children].map((item) => [item.dataset.event, item]));
  listed.forEach((id, place) => {
    const item = rows.get(id) ?? rowOf(events.get(id));
    rows.delete(id);
    fillRow(item, events.get(id));
    if (list.children[place] !== item) list.insertBefore(item, list.children[place] ?? null);
  });
  for (const item of rows.values()) item.remove();
  const { words, camera } = filter();
  $("#none").hidden = listed.length > 0;
  $("#none").textContent = words || camera ? "No event is like that." : "No events yet. They appear here the moment something surprises.";
  $("#older").hidden = older === null;
}

let asked = 0;
async function loadEvents(more = false) {
  const turn = ++asked, query = new URLSearchParams({ limit: "40" }), { words, camera } = filter();
  if (words) query.set("words", words);
  if (camera) query.set("camera", camera);
  if (more && older) query.set("before", older);
  const page = await ask(`/api/events?${query}`);
  if (turn !== asked) return; // something else has been asked meanwhile
  const ids = page.events.map((event) => remember(event).id);
  listed = more ? [...listed, ...ids.filter((id) => !listed.includes(id))] : ids;
  older = page.before;
  showList();
  cameras.forEach((camera) => camera.mark());
}

function takeEvent(told) {
  const event = remember(told);
  if (!listed.includes(event.id) && matches(event)) {
    listed.push(event.id);
    listed.sort((a, b) => events.get(b).onset_at.localeCompare(events.get(a).onset_at) || b.localeCompare(a));
  }
  listed = listed.filter((id) => events.has(id));
  showList();
  cameraOf(event.camera).mark();
  if (shown === event.id) showEvent(event.id);
}

// ---- one event

const detail = $("#detail");

function openEvent(id) {
  shown = id;
  $(".verdict span", detail).textContent = "";
  if (!detail.open) detail.showModal();
  history.replaceState(null, "", `#event=${encodeURIComponent(id)}`);
  $("#detail-title").textContent = events.get(id)?.saw ?? "";
  showEvent(id);
}

async function showEvent(id) {
  let answer;
  try {
    answer = await ask(`/api/events/${encodeURIComponent(id)}`);
  } catch (error) {
    if (shown === id) { shown = null; detail.close(); note(error.message); }
    return;
  }
  if (shown !== id) return;
  const event = remember(answer.event);
  const lasted = event.end_at ? `, ${lasting((Date.parse(event.end_at) - Date.parse(event.onset_at)) / 1000)}` : ", still going on";
  $(".place", detail).textContent = `${event.camera}, ${moment(event.onset_at)}${lasted}`;
  $("#detail-title").textContent = event.saw;
  $(".why .amount", detail).textContent = `${event.surprise_nats.toFixed(1)} nats of surprise`;
  $(".meaning", detail).textContent = meaning(event.surprise_nats);
  $(".rarity", detail).textContent = rarity(event);
  const beliefs = union(event.expected, event.believed_after);
  fillBeliefs($(".why .beliefs", detail), beliefs, event.saw, 8);
  $(".why h3", detail).hidden = !beliefs.length;
  const footage = JSON.stringify([id, answer.keyframes, answer.clip]);
  if (footage !== detail.dataset.footage) { // else a person may be looking at one of them
    detail.dataset.footage = footage;
    showFootage(answer);
  }
  showVerdict(answer.useful);
  $(".revisions", detail).replaceChildren(...answer.revisions.map((revision) => {
    const line = document.createElement("li");
    line.textContent = `${revision.phase}, ${clock(revision.end_at ?? revision.peak_at)}: ${revision.surprise_nats.toFixed(1)} nats; ${revision.sentence}`;
    return line;
  }));
  $(".origin", detail).textContent = `model ${event.model}; alerts were above ${event.threshold_nats.toFixed(1)} nats; id ${event.id}`;
  const place = listed.indexOf(id);
  $(".previous", detail).disabled = place <= 0;
  $(".next", detail).disabled = place < 0 || place === listed.length - 1;
  // The clip is written a while after the end, and nothing is told then.
  const isFresh = event.end_at && Math.abs(Date.now() - Date.parse(event.end_at)) < 180000;
  if (!answer.clip && isFresh) setTimeout(() => { if (shown === id) showEvent(id); }, 5000);
}

function showFootage({ event, keyframes, clip }) {
  const video = $(".clip", detail), large = $(".large", detail), frames = $(".frames", detail);
  if (clip && video.dataset.url !== clip.url) {
    video.dataset.url = video.src = clip.url;
    video.setAttribute("aria-label", `Video of ${event.saw}`);
    video.play().catch(() => {}); // some browsers want a click first
  }
  if (!clip) { video.removeAttribute("src"); delete video.dataset.url; video.load(); }
  const choose = (frame, button) => {
    large.src = frame.url;
    large.alt = `${event.camera} at ${clock(frame.taken_at)}: ${event.saw}`;
    large.hidden = false;
    video.hidden = true;
    for (const each of frames.children) each.setAttribute("aria-current", String(each === button));
  };
  frames.replaceChildren(...(clip ? [clipButton(video, large, frames)] : []), ...keyframes.map((frame) => {
    const button = document.createElement("button"), image = document.createElement("img");
    image.src = frame.url;
    image.alt = `Keyframe at ${clock(frame.taken_at)}`;
    button.append(image);
    button.addEventListener("click", () => choose(frame, button));
    return button;
  }));
  video.hidden = !clip;
  large.hidden = true;
  if (!clip && keyframes.length) choose(keyframes.at(-1), frames.lastElementChild);
  frames.hidden = frames.children.length < 2;
}

function clipButton(video, large, frames) {
  const button = document.createElement("button");
  button.textContent = "\u25b6 clip";
  button.className = "film";
  button.setAttribute("aria-current", "true");
  button.addEventListener("click", () => {
    video.hidden = false;
    large.hidden = true;
    for (const each of frames.children) each.setAttribute("aria-current", String(each === button));
  });
  return button;
}

function showVerdict(useful) {
  $(".yes", detail).setAttribute("aria-pressed", String(useful === true));
  $(".no", detail).setAttribute("aria-pressed", String(useful === false));
}

async function judge(useful) {
  const id = shown, options = { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ useful }) };
  try {
    const answer = await ask(`/api/events/${encodeURIComponent(id)}/verdict`, options);
    if (shown !== id) return;
    showVerdict(answer.useful);
    $(".verdict span", detail).textContent = answer.useful ? "Noted: more like this." : "Noted: fewer like this.";
  } catch (error) {
    $(".verdict span", detail).textContent = error.message;
  }
}

function step(by) {
  const place = listed.indexOf(shown) + by;
  if (listed.includes(shown) && listed[place]) openEvent(listed[place]);
}

$(".yes", detail).addEventListener("click", () => judge(true));
$(".no", detail).addEventListener("click", () => judge(false));
$(".close", detail).addEventListener("click", () => detail.close());
$(".previous", detail).addEventListener("click", () => step(-1));
$(".next", detail).addEventListener("click", () => step(1));
detail.addEventListener("click", (click) => { if (click.target === detail) detail.close(); });
detail.addEventListener("close", () => {
  const id = shown;
  shown = null;
  delete detail.dataset.footage;
  $(".clip", detail).pause();
  history.replaceState(null, "", location.pathname);
  $(`[data-event="${CSS.escape(id ?? "")}"] button`)?.focus();
});

// ---- searching and keys

let typing;
$("#words").addEventListener("input", () => { clearTimeout(typing); typing = setTimeout(() => loadEvents().catch(lost), 200); });
$("#camera").addEventListener("change", () => { filterWall(); loadEvents().catch(lost); });
$("#search").addEventListener("submit", (submit) => { submit.preventDefault(); loadEvents().catch(lost); $("#list button")?.focus(); });
$("#older").addEventListener("click", () => loadEvents(true).catch(lost));

document.addEventListener("keydown", (key) => {
  if (key.ctrlKey || key.metaKey || key.altKey) return;
  const writing = key.target.matches("input, select, textarea");
  if (key.key === "Escape" && writing) { $("#words").value = ""; key.target.blur(); loadEvents().catch(lost); }
  if (writing) return;
  const by = { j: 1, k: -1 }[key.key];
  if (by && detail.open) step(by);
  else if (by) moveFocus(by);
  else if (key.key === "/" && !detail.open) { key.preventDefault(); $("#words").focus(); }
});

function moveFocus(by) {
  const rows = [...document.querySelectorAll("#list button")], place = rows.indexOf(document.activeElement);
  const next = rows[place < 0 ? (by > 0 ? 0 : rows.length - 1) : Math.min(rows.length - 1, Math.max(0, place + by))];
  next?.focus();
}

// ---- living

function note(text, kind = "lost") {
  const link = $("#link");
  if (link.textContent !== text) link.textContent = text;
  link.className = kind;
}

function lost(error) {
  if (!(error instanceof Refusal)) throw error;
  note(error.message);
}

async function loadAll() {
  const [list] = await Promise.all([ask("/api/cameras"), loadEvents()]);
  for (const answer of list.cameras) if (answer.watched || cameras.has(answer.id)) cameraOf(answer.id).take(answer);
  await Promise.all(list.cameras.filter((answer) => answer.watched).map(async ({ id }) => {
    const history = await ask(`/api/cameras/${encodeURIComponent(id)}/observations`).catch(() => ({ observations: [] }));
    const camera = cameraOf(id), since = camera.points;
    camera.points = [];
    for (const seen of history.observations) camera.add(seen);
    for (const point of since) if (!camera.points.length || point.at > camera.points.at(-1).at) camera.points.push(point);
    camera.mark();
  }));
  if (!list.cameras.length) note("no camera yet", "connecting");
}

function listen() {
  const stream = new EventSource("/api/stream");
  const on = (kind, take) => stream.addEventListener(kind, (message) => take(JSON.parse(message.data)));
  on("hello", () => { note("live", "live"); loadAll().catch(lost); });
  on("lost", () => loadAll().catch(lost));
  on("observation", (seen) => { const camera = cameraOf(seen.camera); camera.observe(seen); camera.refresh(); });
  on("state", (told) => {
    const camera = cameraOf(told.camera);
    camera.setState(told.state, told.reason);
    if (told.alerts_per_day) camera.set({ alerts_per_day: told.alerts_per_day, paused: told.state === "paused" });
    camera.redraw();
  });
  on("event", takeEvent);
  stream.addEventListener("error", () => {
    note("connection lost, trying again");
    if (stream.readyState === EventSource.CLOSED) setTimeout(listen, 5000); // refused, as when too many pages are open
  });
}

ask("/api/health").then((health) => { needsToken = health.needs_token; $("#logout").hidden = !needsToken; }).catch(lost);
setInterval(() => cameras.forEach((camera) => { camera.refresh(); camera.redraw(); }), 1000);
listen();
const linked = new URLSearchParams(location.hash.slice(1)).get("event");
if (linked) openEvent(linked);
