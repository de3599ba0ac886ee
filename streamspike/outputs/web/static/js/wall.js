// The wall: all cameras by name, those that are chosen, and which of them can be seen.

import { Camera } from "./camera.js";
import { $, element } from "./dom.js";
import { cameras } from "./memory.js";

const sight = new IntersectionObserver((entries) => {
  for (const entry of entries) {
    const camera = cameras.get(entry.target.dataset.camera);
    camera.visible = entry.isIntersecting;
    if (camera.visible) { camera.refresh(); camera.redraw(); }
  }
}, { rootMargin: "100px" });
const sizes = new ResizeObserver(() => cameras.forEach((camera) => camera.redraw()));

// The camera of a name; it comes onto the wall when it is new.
export function cameraOf(id) {
  if (!cameras.has(id)) {
    const camera = new Camera(id);
    cameras.set(id, camera);
    const option = element("option", id);
    option.value = id;
    $("#camera").append(option);
    const next = [...$("#wall").children].find((box) => box.dataset.camera > id);
    $("#wall").insertBefore(camera.box, next ?? null);
    sight.observe(camera.box);
    sizes.observe($("canvas", camera.box));
    filterWall();
  }
  return cameras.get(id);
}

export function filterWall() {
  const chosen = $("#camera").value;
  for (const [id, { box }] of cameras) box.hidden = Boolean(chosen) && id !== chosen;
  $("#wall").classList.toggle("lone", [...cameras.values()].filter(({ box }) => !box.hidden).length === 1);
}

export function refreshWall() {
  cameras.forEach((camera) => { camera.refresh(); camera.redraw(); });
}
