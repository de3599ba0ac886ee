// The strip of a camera: what was worth keeping under its hourly budget of keyframes, newest first.

import { $, copyOf, element } from "./dom.js";
import { ask, ofCamera } from "./server.js";
import { lost } from "./status.js";
import { view } from "./viewer.js";
import { clock, minute, moment } from "./words.js";

const MOST = 400; // pictures of one camera in the page

export class Strip {
  constructor(cameraId, box) {
    this.cameraId = cameraId;
    this.box = box;
    this.frames = []; // newest first
    this.before = null; // where it goes on
    this.isLoaded = false;
    box.setAttribute("aria-label", `Keyframes of ${cameraId}`);
    this.more = element("button", "more", "older");
    this.more.addEventListener("click", () => this.load(this.before).catch(lost));
    box.append(this.more);
    this.show();
  }

  async load(before = null) {
    const query = new URLSearchParams({ limit: "24", ...(before === null ? {} : { before }) });
    const newest = this.frames[0]?.number ?? 0;
    const page = await ask(`${ofCamera(this.cameraId, "keyframes")}?${query}`);
    const isJoined = this.isLoaded && page.keyframes.some((frame) => this.placeOf(frame) >= 0);
    // So much may be new that there would be a gap; only what was told while we asked is newer than the page.
    if (before === null && !isJoined) this.frames = this.frames.filter(({ number }) => number > newest);
    if (before !== null || !isJoined) this.before = page.before;
    this.isLoaded = true;
    for (const frame of page.keyframes) this.insert(frame);
    this.show();
  }

  take(frame) {
    this.insert(frame);
    if (this.frames.length > MOST) {
      this.frames.length = MOST;
      this.before = this.frames.at(-1).number;
    }
    this.show();
  }

  insert(frame) {
    if (this.placeOf(frame) >= 0) return;
    const place = this.frames.findIndex(({ number }) => number < frame.number);
    this.frames.splice(place < 0 ? this.frames.length : place, 0, frame);
  }

  placeOf(frame) {
    return this.frames.findIndex(({ number }) => number === frame.number);
  }

  at(place) {
    return this.frames[place];
  }

  focus(frame) {
    $(`[data-number="${frame.number}"]`, this.box)?.focus();
  }

  show() {
    const buttons = new Map([...this.box.querySelectorAll(".kept")].map((button) => [button.dataset.number, button]));
    this.frames.forEach((frame, place) => {
      const button = buttons.get(String(frame.number)) ?? this.buttonOf(frame);
      buttons.delete(String(frame.number));
      if (this.box.children[place] !== button) this.box.insertBefore(button, this.box.children[place] ?? null);
    });
    for (const button of buttons.values()) button.remove();
    this.more.hidden = this.before === null;
    this.box.hidden = !this.frames.length;
  }

  buttonOf(frame) {
    const button = copyOf("#kept-frame"), nats = frame.surprise_nats === null ? "" : `${frame.surprise_nats.toFixed(1)} nats`;
    button.dataset.number = frame.number;
    button.title = [moment(frame.taken_at), nats, frame.saw].filter(Boolean).join(", ");
    $("img", button).src = frame.url;
    $("img", button).alt = `Keyframe at ${clock(frame.taken_at)}`;
    $(".when", button).textContent = minute(frame.taken_at);
    $(".much", button).textContent = nats;
    $(".saw", button).textContent = frame.saw;
    button.addEventListener("click", () => view(this, frame));
    return button;
  }
}
