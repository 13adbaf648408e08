// Two pictures in one place: divided by a slider, side by side, or in turn. One view (zoom, centre) moves both.

const MOST_ZOOM = 8; // screen pixels for a pixel of the picture
const STEP = 1.5;

class Viewer {
  constructor(layers, { label, readings = null, onNext = () => {} }) {
    this.root = fromTemplate("viewer");
    const find = (selector) => this.root.querySelector(selector);
    this.stage = find(".stage");
    this.handle = find(".handle");
    this.panes = { left: find(".pane.left"), right: find(".pane.right") };
    this.tags = { left: find(".tag.left"), right: find(".tag.right") };
    this.picks = { left: find(".pick-left"), right: find(".pick-right") };
    this.percent = find(".percent");
    this.reading = find(".reading");
    this.label = label;
    this.readings = readings;
    this.onNext = onNext;
    this.pick = { left: 0, right: Math.min(1, layers.length - 1) };
    this.mode = "slider";
    this.divider = 50;
    this.shown = "right"; // in turn
    this.zoom = null; // CSS pixels for a unit of the picture; null: the whole picture
    this.centre = { x: 0.5, y: 0.5 };
    this.setLayers(layers);
    this.listen();
    this.setMode("slider");
    new ResizeObserver(() => this.place()).observe(this.stage);
  }

  // Shows other pictures with the same view.
  setLayers(layers) {
    this.layers = layers;
    this.size = layers[0].picture;
    this.stage.style.setProperty("--aspect", this.size.width / this.size.height);
    this.root.style.setProperty("--aspect", this.size.width / this.size.height);
    for (const side of ["left", "right"]) {
      const names = layers.map((layer) => layer.name);
      if (this.picks[side].length !== names.length)
        this.picks[side].replaceChildren(...names.map((name, at) => element("option", { value: at }, name)));
      this.choose(side, this.pick[side]);
    }
    this.describePixels();
  }

  choose(side, at) {
    this.pick[side] = at;
    this.picks[side].value = at;
    const layer = this.layers[at];
    const image = this.panes[side].firstElementChild;
    if (image.src !== layer.picture.uri) image.src = layer.picture.uri;
    image.alt = `${this.label}: ${layer.name}`;
    image.style.width = `${this.size.width}px`;
    image.style.height = `${this.size.height}px`;
    this.tags[side].textContent = layer.name;
    this.showLegend();
    this.place();
  }

  setMode(mode) {
    this.mode = mode;
    this.root.dataset.mode = mode;
    for (const button of this.root.querySelectorAll("[data-mode]")) {
      button.setAttribute("aria-checked", button.dataset.mode === mode);
      button.tabIndex = button.dataset.mode === mode ? 0 : -1;
    }
    this.handle.hidden = mode !== "slider";
    this.place();
  }

  flicker() {
    if (this.mode === "flicker") this.shown = this.shown === "left" ? "right" : "left";
    else {
      this.shown = "left";
      this.setMode("flicker");
    }
    this.place();
  }

  // Geometry: the pane in CSS pixels, and the zoom that is in force.
  pane() {
    const { clientWidth: width, clientHeight: height } = this.panes.right;
    return { width: width || 1, height: height || 1 };
  }

  fit() {
    const { width, height } = this.pane();
    return Math.min(width / this.size.width, height / this.size.height);
  }

  one() {
    return 1 / window.devicePixelRatio;
  }

  // Whether the picture is larger than its pane.
  isCut() {
    return this.current() > this.fit() * 1.001;
  }

  current() {
    return this.zoom === null ? this.fit() : this.zoom;
  }

  // Zooms and keeps the point of the pane under `at`, in CSS pixels from its middle, where it is.
  zoomTo(zoom, at = { x: 0, y: 0 }) {
    const before = this.current();
    const fit = this.fit();
    const most = Math.max(MOST_ZOOM * this.one(), fit);
    const after = Math.min(most, Math.max(Math.min(fit, this.one()), zoom));
    this.centre.x += (at.x / before - at.x / after) / this.size.width;
    this.centre.y += (at.y / before - at.y / after) / this.size.height;
    this.zoom = Math.abs(after / fit - 1) < 0.001 ? null : after;
    this.place();
  }

  pan(x, y) {
    const zoom = this.current();
    this.centre.x -= x / zoom / this.size.width;
    this.centre.y -= y / zoom / this.size.height;
    this.place();
  }

  place() {
    const { width, height } = this.pane();
    const zoom = this.current();
    for (const [axis, pane, side] of [["x", width, "width"], ["y", height, "height"]]) {
      const half = pane / zoom / this.size[side] / 2; // share of the picture that half a pane shows
      this.centre[axis] = half >= 0.5 ? 0.5 : Math.min(1 - half, Math.max(half, this.centre[axis]));
    }
    const left = width / 2 - this.centre.x * this.size.width * zoom;
    const top = height / 2 - this.centre.y * this.size.height * zoom;
    const pixelated = zoom >= 2 * this.one() && this.isCut();
    for (const pane of Object.values(this.panes)) {
      const image = pane.firstElementChild;
      image.style.transform = `translate(${left}px, ${top}px) scale(${zoom})`;
      image.classList.toggle("pixelated", pixelated);
    }
    this.stage.classList.toggle("zoomed", this.isCut());
    this.placeDivider(width, left, this.size.width * zoom);
    this.percent.textContent = `${Math.round((zoom / this.one()) * 100)} %`;
  }

  // The divider goes over the part of the picture that is seen.
  placeDivider(width, left, drawnWidth) {
    const from = Math.max(0, left);
    const to = Math.min(width, left + drawnWidth);
    this.span = { from, width: Math.max(1, to - from) };
    const at = from + (this.divider / 100) * (to - from);
    const isSlider = this.mode === "slider";
    this.handle.style.left = `${at}px`;
    this.panes.left.style.clipPath = isSlider ? `inset(0 ${width - at}px 0 0)` : "";
    this.panes.left.hidden = this.mode === "flicker" && this.shown !== "left";
    this.panes.right.hidden = false;
    this.tags.left.hidden = this.mode === "flicker" && this.shown !== "left";
    this.tags.right.hidden = this.mode === "flicker" && this.shown !== "right";
    const names = { left: this.layers[this.pick.left].name, right: this.layers[this.pick.right].name };
    this.handle.setAttribute("aria-valuenow", Math.round(this.divider));
    this.handle.setAttribute("aria-valuetext", `${Math.round(this.divider)} % ${names.left}, the rest ${names.right}`);
    const showing = this.mode === "flicker" ? names[this.shown] : `${names.left} and ${names.right}`;
    this.stage.setAttribute("aria-label", `${this.label}: ${showing}`);
  }

  moveDivider(to) {
    this.divider = Math.min(100, Math.max(0, to));
    this.place();
  }

  // The text under the stage.
  describePixels() {
    const { scale } = this.size;
    this.root.querySelector(".pixels").textContent =
      scale > 1.001
        ? `1:1 shows the pixels of the embedded preview: one of them stands for ${number(scale)} × ${number(scale)} of the photo.`
        : "1:1 shows the photo’s own pixels, compressed with loss for this page.";
  }

  showLegend() {
    const legend = [this.pick.right, this.pick.left].map((at) => this.layers[at]?.legend).find(Boolean);
    const place = this.root.querySelector(".legend");
    place.hidden = !legend;
    place.replaceChildren(...(legend ? legendElements(legend) : []));
  }

  read(event) {
    const found = this.readings && this.pictureAt(event);
    this.reading.hidden = !found;
    if (!found) return;
    const { title, unit, width, height, step } = this.readings;
    this.numbers ??= bytes(this.readings.numbers, Int8Array);
    const column = Math.min(width - 1, Math.floor(found.x * width));
    const row = Math.min(height - 1, Math.floor(found.y * height));
    this.reading.textContent = `At the pointer: ${title} ${signed(this.numbers[row * width + column] * step)} ${unit}`;
  }

  // Where an event is in the picture, from 0 to 1; null outside it.
  pictureAt(event) {
    const side = this.mode === "sides" && event.target.closest(".pane.left") ? "left" : "right";
    const box = this.panes[side].firstElementChild.getBoundingClientRect();
    const found = { x: (event.clientX - box.left) / box.width, y: (event.clientY - box.top) / box.height };
    return found.x >= 0 && found.x < 1 && found.y >= 0 && found.y < 1 ? found : null;
  }

  // Input.
  listen() {
    for (const side of ["left", "right"])
      this.picks[side].addEventListener("change", () => this.choose(side, Number(this.picks[side].value)));
    this.root.querySelector(".toolbar").addEventListener("click", ({ target }) => {
      if (target.dataset.mode === "flicker") this.flicker();
      else if (target.dataset.mode) this.setMode(target.dataset.mode);
      if (target.dataset.do) this.act(target.dataset.do);
    });
    this.root.querySelector(".choice").addEventListener("keydown", (event) => this.chooseMode(event));
    this.root.addEventListener("keydown", (event) => this.key(event));
    this.handle.addEventListener("keydown", (event) => this.dividerKey(event));
    this.stage.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    this.stage.addEventListener("dblclick", (event) =>
      this.zoom === null ? this.zoomTo(this.one(), this.fromMiddle(event)) : this.act("fit"),
    );
    this.stage.addEventListener("pointermove", (event) => this.read(event));
    new Gestures(this);
  }

  act(what) {
    if (what === "fit") this.zoom = null;
    if (what === "one") return this.zoomTo(this.one());
    if (what === "in") return this.zoomTo(this.current() * STEP);
    if (what === "out") return this.zoomTo(this.current() / STEP);
    return this.place();
  }

  chooseMode(event) {
    const turn = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (!turn) return;
    event.preventDefault();
    event.stopPropagation();
    const modes = [...this.root.querySelectorAll("[data-mode]")];
    const next = modes[(modes.findIndex((one) => one.dataset.mode === this.mode) + turn + 3) % 3];
    this.setMode(next.dataset.mode);
    next.focus();
  }

  // Keys work only while the focus is in this viewer.
  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("select, summary")) return;
    const onButton = event.target.matches("button");
    const step = 60;
    const moves = { ArrowLeft: [step, 0], ArrowRight: [-step, 0], ArrowUp: [0, step], ArrowDown: [0, -step] };
    const actions = {
      f: () => this.flicker(),
      " ": () => (onButton ? false : this.flicker()),
      s: () => this.setMode("slider"),
      d: () => this.setMode("sides"),
      "+": () => this.act("in"),
      "=": () => this.act("in"),
      "-": () => this.act("out"),
      0: () => this.act("fit"),
      1: () => this.act("one"),
      n: () => this.onNext(1),
      p: () => this.onNext(-1),
    };
    const move = event.target === this.stage && this.isCut() && moves[event.key];
    const action = move ? () => this.pan(...move) : actions[event.key.toLowerCase()];
    if (action && action() !== false) event.preventDefault();
  }

  dividerKey(event) {
    const size = event.shiftKey ? 10 : 2;
    const to = {
      ArrowLeft: this.divider - size,
      ArrowDown: this.divider - size,
      ArrowRight: this.divider + size,
      ArrowUp: this.divider + size,
      PageDown: this.divider - 10,
      PageUp: this.divider + 10,
      Home: 0,
      End: 100,
    }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    this.moveDivider(to);
  }

  wheel(event) {
    if (!event.ctrlKey && !this.isCut()) return; // the page scrolls
    event.preventDefault();
    this.zoomTo(this.current() * 2 ** (-event.deltaY / 300), this.fromMiddle(event));
  }

  // Where an event is, from the middle of its pane.
  fromMiddle({ clientX, clientY, target }) {
    const pane = this.mode === "sides" && target.closest?.(".pane.left") ? this.panes.left : this.panes.right;
    const box = pane.getBoundingClientRect();
    return { x: clientX - box.left - box.width / 2, y: clientY - box.top - box.height / 2 };
  }
}
