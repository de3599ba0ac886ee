// Words and numbers: how likely, how rare, when, for how long.

export const percent = (p) => (p > 0 && p < 0.005 ? "< 1 %" : `${Math.round(p * 100)} %`);
export const number = (n) => n.toLocaleString("en", { maximumSignificantDigits: n < 1e9 ? 3 : 1, notation: n < 1e9 ? "standard" : "scientific" });
export const clock = (iso) => new Date(iso).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit" });
export const minute = (iso) => new Date(iso).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });

export function moment(iso) {
  const at = new Date(iso), now = new Date();
  if (at.toDateString() === now.toDateString()) return clock(iso);
  const year = at.getFullYear() === now.getFullYear() ? {} : { year: "numeric" };
  return `${at.toLocaleDateString([], { weekday: "short", day: "numeric", month: "short", ...year })}, ${clock(iso)}`;
}

export function lasting(seconds) {
  if (seconds < 90) return `${Math.max(1, Math.round(seconds))} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  if (seconds < 129600) return `${Math.round(seconds / 3600)} hours`;
  return `${number(Math.round(seconds / 86400))} days`;
}

export function meaning(nats) {
  const rate = Math.exp(nats);
  return rate < 1.5 ? "Nearly what was expected." : `As unlikely, to the model, as 1 in ${number(Math.round(rate))}.`;
}

// How rare a p-value is for a camera whose segments are so long; undefined where nobody knows.
export function rarity(pValue, seconds) {
  const share = 1 / pValue;
  if (share > 1e6) return "Far beyond anything this camera has shown of late.";
  if (!(pValue > 0) || share < 1.05) return "Too little has been seen of this camera to say how rare that is.";
  const often = seconds && share > 20 ? `, once in ${lasting(share * seconds)} or so` : "";
  return `Of this camera's recent segments ${share > 3 ? `1 in ${number(Math.round(share))}` : percent(pValue)} was as surprising${often}.`;
}

// What an event is about, where it is no surprise: a label, and what it means.
const KINDS = {
  motion: ["motion only", "A comparison of pixels rose, and no model says what it shows: it failed, or this camera has none."],
  moved: ["camera moved", "It looks elsewhere since then, and learns anew what is usual."],
};
export const labelOf = (kind) => KINDS[kind]?.[0] ?? "";
export const explanationOf = (kind) => KINDS[kind]?.[1] ?? "";
