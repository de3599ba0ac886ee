// Parts of the page: found, and copied from templates. What comes from a camera or a model is only ever textContent.

export const $ = (selector, root = document) => root.querySelector(selector);

export const copyOf = (template) => $(template).content.firstElementChild.cloneNode(true);

export function element(name, words = "", kind = "") {
  const made = document.createElement(name);
  made.textContent = words;
  if (kind) made.className = kind;
  return made;
}
