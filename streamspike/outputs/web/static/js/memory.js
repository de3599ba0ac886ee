// What the page knows: cameras, events, and which events are listed in which order.

export const cameras = new Map(); // id -> Camera
export const events = new Map(); // id -> event, as in the API; those in the list and those on timelines
export const list = { ids: [], older: null }; // newest first; where it goes on

export function remember(event) {
  const known = events.get(event.id);
  if (known && known.revision > event.revision) return known;
  const merged = { ...event, picture: event.picture ?? known?.picture ?? null };
  events.set(event.id, merged);
  if (events.size > 2000) events.delete(events.keys().next().value);
  return merged;
}

export const eventsOf = (cameraId) => [...events.values()].filter((event) => event.camera === cameraId);
