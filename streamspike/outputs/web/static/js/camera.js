// One camera on the wall: its live picture, state, beliefs, timeline, keyframes and settings.

import { fillBeliefs } from "./beliefs.js";
import { openEvent } from "./detail.js";
import { $, copyOf, element } from "./dom.js";
import { eventsOf } from "./memory.js";
import { ask, ofCamera, tell } from "./server.js";
import { lost } from "./status.js";
import { Strip } from "./strip.js";
import { Timeline } from "./timeline.js";
import { number } from "./words.js";

export class Camera {
  constructor(id) {
    this.id = id;
    this.latest = null;
    this.visible = false;
    this.busy = false;
    this.box = copyOf("#camera-card");
    this.box.dataset.camera = id;
    this.box.setAttribute("aria-label", id);
    this.box.classList.add("unseen-yet");
    $("h3", this.box).textContent = id;
    $(".picture img", this.box).alt = `Live picture of ${id}`;
    this.timeline = new Timeline(id, $("canvas", this.box), openEvent);
    this.strip = new Strip(id, $(".strip", this.box));
    $(".settings form", this.box).addEventListener("submit", (submit) => {
      submit.preventDefault();
      this.control({ alerts_per_day: $("input", submit.target).valueAsNumber });
    });
    $(".pause", this.box).addEventListener("click", () => this.control({ paused: !this.paused }));
  }

  // All of it, as /api/cameras has it.
  take(answer) {
    this.pictureUrl = answer.picture;
    this.setState(answer);
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
    try {
      this.set(await tell(ofCamera(this.id, "control"), wish));
      said.textContent = "Done.";
    } catch (error) {
      said.textContent = error.message;
    }
  }

  setState({ state, reason, degraded }) {
    const label = $(".state", this.box);
    label.dataset.state = state;
    label.title = reason ? `${state}: ${reason}` : state;
    label.textContent = reason.startsWith("degraded:") ? state : label.title; // that is said below
    $(".degraded", this.box).hidden = !degraded;
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
    if (isNew || !this.timeline.points.length) this.add(seen);
    const isMotion = seen.kind === "motion", nats = $(".nats", this.box);
    const motion = isMotion ? " of motion" : "", above = `alerts above ${seen.threshold_nats.toFixed(1)}`;
    const words = ` nats${motion}, ${above}; unrest ${seen.unrest_nats.toFixed(1)}`;
    nats.replaceChildren(element("b", seen.surprise_nats.toFixed(2)), words);
    nats.classList.toggle("above", seen.surprise_nats > seen.threshold_nats);
    const sees = $(".sees", this.box);
    sees.textContent = sees.title = seen.saw;
    if (seen.beliefs) fillBeliefs($(".beliefs", this.box), seen.beliefs, seen.saw, 3);
    if ("learning_progress" in seen) this.learn(seen.learning_progress);
    this.redraw();
  }

  add(seen) {
    this.timeline.add(seen);
    this.box.classList.remove("unseen-yet");
  }

  // What the store knows of the last minutes and of the last keyframes.
  async recall() {
    const [history] = await Promise.all([
      ask(ofCamera(this.id, "observations")).catch((error) => { lost(error); return { observations: [] }; }),
      this.strip.load().catch(lost),
    ]);
    this.timeline.restore(history.observations);
    if (this.timeline.points.length) this.box.classList.remove("unseen-yet");
    this.mark();
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

  redraw() {
    if (this.due) return;
    this.due = true;
    requestAnimationFrame(() => { this.due = false; if (this.visible) this.timeline.draw(); });
  }

  // Its events are others.
  mark() {
    this.box.classList.toggle("going", eventsOf(this.id).some((event) => event.phase !== "end"));
    this.redraw();
  }
}
