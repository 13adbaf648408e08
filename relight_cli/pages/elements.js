// Elements of the page. Every text becomes a text node; nothing is ever parsed as markup.

const SVG = "http://www.w3.org/2000/svg";

function fromTemplate(name) {
  return document.getElementById(name).content.firstElementChild.cloneNode(true);
}

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

function drawn(name, attributes = {}, ...children) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

function parts(name) {
  return [...document.querySelectorAll(`script[type="application/json"][data-part="${name}"]`)];
}

const read = (part) => JSON.parse(part.textContent);

// Calls `build` once when an element is about to be seen, so that pictures far away are not decoded.
const builders = new WeakMap();
const watcher = new IntersectionObserver(
  (seen) => {
    for (const { isIntersecting, target } of seen) {
      if (!isIntersecting) continue;
      watcher.unobserve(target);
      builders.get(target)();
    }
  },
  { rootMargin: "60% 0px" },
);

function whenSeen(target, build) {
  builders.set(target, build);
  watcher.observe(target);
}

function bytes(base64, type) {
  const text = atob(base64);
  const found = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) found[i] = text.charCodeAt(i);
  return type ? new type(found.buffer) : found;
}

const number = (value, digits = 1) => value.toFixed(digits).replace("-", "−");
const signed = (value) => (value > 0 ? "+" : "") + number(value);
