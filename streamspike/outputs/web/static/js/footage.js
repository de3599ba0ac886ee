// The pictures of an event: its clip, and each keyframe.

import { $, element } from "./dom.js";
import { clock } from "./words.js";

// Fill `box` with what the API answered of an event. A person may be looking: call it only when there is something new.
export function showFootage(box, { event, keyframes, clip }) {
  const video = $(".clip", box), large = $(".large", box), frames = $(".frames", box);
  if (clip && video.dataset.url !== clip.url) {
    video.dataset.url = video.src = clip.url;
    video.setAttribute("aria-label", `Video of ${event.saw}`);
    video.play().catch(() => {}); // some browsers want a click first
  }
  if (!clip) { video.removeAttribute("src"); delete video.dataset.url; video.load(); }
  const mark = (button) => { for (const each of frames.children) each.setAttribute("aria-current", String(each === button)); };
  const choose = (frame, button) => {
    large.src = frame.url;
    large.alt = `${event.camera} at ${clock(frame.taken_at)}: ${event.saw}`;
    large.hidden = false;
    video.hidden = true;
    mark(button);
  };
  const play = (button) => {
    video.hidden = false;
    large.hidden = true;
    mark(button);
  };
  frames.replaceChildren(...(clip ? [clipButton(play)] : []), ...keyframes.map((frame) => frameButton(frame, choose)));
  video.hidden = !clip;
  large.hidden = true;
  if (!clip && keyframes.length) choose(keyframes.at(-1), frames.lastElementChild);
  frames.hidden = frames.children.length < 2;
}

function frameButton(frame, choose) {
  const button = element("button"), image = element("img");
  image.src = frame.url;
  image.alt = `Keyframe at ${clock(frame.taken_at)}`;
  button.append(image);
  button.addEventListener("click", () => choose(frame, button));
  return button;
}

function clipButton(play) {
  const button = element("button", "\u25b6 clip", "film");
  button.setAttribute("aria-current", "true");
  button.addEventListener("click", () => play(button));
  return button;
}
