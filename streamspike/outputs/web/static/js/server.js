// The server: questions to its API, and the stream of what happens.

export class Refusal extends Error {} // of the server, or of the network; any other error is a mistake of this page

export async function ask(path, options) {
  const response = await fetch(path, options).catch(() => { throw new Refusal("connection lost, trying again"); });
  if (response.status === 401) location.assign("/login");
  const answer = await response.json();
  if (!response.ok) throw new Refusal(answer.error);
  return answer;
}

export function tell(path, wish) {
  return ask(path, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(wish) });
}

export const ofCamera = (id, what) => `/api/cameras/${encodeURIComponent(id)}/${what}`;
export const ofEvent = (id, what = "") => `/api/events/${encodeURIComponent(id)}${what}`;

// `takers` by the kind of message; `onLost` each time the connection is. It connects again by itself.
export function listen(takers, onLost) {
  const stream = new EventSource("/api/stream");
  for (const [kind, take] of Object.entries(takers)) {
    stream.addEventListener(kind, (message) => take(JSON.parse(message.data)));
  }
  stream.addEventListener("error", () => {
    onLost();
    // Refused, as when too many pages are open: then the browser does not try again.
    if (stream.readyState === EventSource.CLOSED) setTimeout(() => listen(takers, onLost), 5000);
  });
}
