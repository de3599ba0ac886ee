// The timeline of a camera: the last minutes of surprise, the threshold, the events, and below a strip of unrest.

import { eventsOf } from "./memory.js";
import { lasting } from "./words.js";

const MOST_POINTS = 2400;
const MOST_UNREST_NATS = 12; // who walks through a picture makes about five

export class Timeline {
  constructor(cameraId, canvas, onChoice) {
    this.cameraId = cameraId;
    this.canvas = canvas;
    this.points = []; // {at, nats, unrest, threshold, seconds, kind}, oldest first
    canvas.addEventListener("click", (click) => this.choose(click, onChoice));
  }

  add(seen) {
    const at = Date.parse(seen.started_at);
    if (this.points.length && at <= this.points.at(-1).at) return;
    const { surprise_nats: nats, unrest_nats: unrest, threshold_nats: threshold, seconds, kind } = seen;
    this.points.push({ at, nats, unrest, threshold, seconds, kind });
    if (this.points.length > MOST_POINTS) this.points.splice(0, MOST_POINTS / 6);
  }

  // Of what the store knows, oldest first; what came meanwhile stays.
  restore(history) {
    const since = this.points;
    this.points = [];
    for (const seen of history) this.add(seen);
    for (const point of since) if (!this.points.length || point.at > this.points.at(-1).at) this.points.push(point);
  }

  range() {
    const newest = this.points.at(-1);
    const last = newest ? newest.at + 1000 * newest.seconds : Date.now();
    const end = Math.abs(Date.now() - last) < 15000 ? Date.now() : last; // a recording has a time of its own
    const span = Math.min(600000, Math.max(120000, end - (this.points[0]?.at ?? end)));
    return [end - span, end];
  }

  choose(click, onChoice) {
    const [start, end] = this.range(), at = start + (click.offsetX / this.canvas.clientWidth) * (end - start);
    const distance = (event) => Math.max(Date.parse(event.onset_at) - at, at - Date.parse(event.end_at ?? event.peak_at), 0);
    const nearest = eventsOf(this.cameraId).sort((a, b) => distance(a) - distance(b))[0];
    if (nearest && distance(nearest) < (end - start) / 25) onChoice(nearest.id);
  }

  draw() {
    const width = this.canvas.clientWidth, height = this.canvas.clientHeight, scale = devicePixelRatio || 1;
    if (!width) return;
    if (this.canvas.width !== Math.round(width * scale)) {
      this.canvas.width = Math.round(width * scale);
      this.canvas.height = Math.round(height * scale);
    }
    const pen = this.canvas.getContext("2d"), style = getComputedStyle(document.documentElement);
    const [start, end] = this.range(), base = height - 18, top = 12;
    const points = this.points.filter((point) => point.at >= start - 2000);
    const most = Math.max(1, ...points.map((point) => Math.max(point.nats, point.threshold * 1.15)));
    const plot = {
      pen, width, height, base, start, end,
      colour: (name) => style.getPropertyValue(name).trim(),
      x: (at) => ((at - start) / (end - start)) * width,
      y: (nats) => base - (nats / most) * (base - top),
    };
    const shown = eventsOf(this.cameraId).filter((event) => Date.parse(event.end_at ?? event.peak_at) >= start);
    pen.setTransform(scale, 0, 0, scale, 0, 0);
    pen.clearRect(0, 0, width, height);
    drawSpans(plot, shown);
    drawBars(plot, points);
    drawUnrest(plot, points);
    drawThreshold(plot, points);
    drawMarks(plot, shown);
    drawAxis(plot);
    const now = (points.at(-1)?.nats ?? 0).toFixed(1);
    this.canvas.setAttribute("aria-label", `Surprise of the last ${lasting((end - start) / 1000)}: ${shown.length} events, now ${now} nats`);
  }
}

const inkOf = (kind) => (kind === "surprise" ? "--above" : "--warn");

function drawSpans({ pen, x, base, end, colour }, shown) {
  pen.fillStyle = colour("--shade");
  for (const event of shown) {
    const from = x(Date.parse(event.onset_at)), to = x(event.end_at ? Date.parse(event.end_at) : end);
    pen.fillRect(from, 0, Math.max(3, to - from), base);
  }
}

function drawBars({ pen, x, y, base, colour }, points) {
  for (const point of points) {
    const left = x(point.at), wide = Math.max(1, x(point.at + 1000 * point.seconds) - left - 0.5);
    const calm = point.kind === "motion" ? "--quiet" : "--before";
    pen.fillStyle = colour(point.nats > point.threshold ? inkOf(point.kind) : calm);
    pen.fillRect(left, y(point.nats), wide, Math.max(1, base - y(point.nats)));
  }
}

function drawUnrest({ pen, x, base, colour }, points) {
  pen.fillStyle = colour("--ink");
  for (const point of points) {
    const left = x(point.at);
    pen.globalAlpha = Math.min(1, point.unrest / MOST_UNREST_NATS);
    pen.fillRect(left, base + 1, Math.max(1, x(point.at + 1000 * point.seconds) - left), 3);
  }
  pen.globalAlpha = 1;
}

function drawThreshold({ pen, x, y, colour }, points) {
  pen.strokeStyle = colour("--quiet");
  pen.setLineDash([4, 4]);
  pen.beginPath();
  for (const point of points) {
    pen.lineTo(x(point.at), y(point.threshold));
    pen.lineTo(x(point.at + 1000 * point.seconds), y(point.threshold));
  }
  pen.stroke();
  pen.setLineDash([]);
}

function drawMarks({ pen, x, colour }, shown) {
  for (const event of shown) {
    const at = x(Date.parse(event.peak_at));
    pen.fillStyle = colour(inkOf(event.kind));
    pen.beginPath();
    pen.moveTo(at - 5, 0);
    pen.lineTo(at + 5, 0);
    pen.lineTo(at, 7);
    pen.fill();
  }
}

function drawAxis({ pen, width, height, start, end, colour }) {
  pen.fillStyle = colour("--quiet");
  pen.font = "11px system-ui, sans-serif";
  pen.fillText(`${lasting((end - start) / 1000)} ago`, 4, height - 3);
  pen.textAlign = "right";
  pen.fillText("now", width - 4, height - 3);
  pen.textAlign = "left";
}
