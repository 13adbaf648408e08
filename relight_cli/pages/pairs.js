// Photos before and after: a contact sheet if there are several, then each photo.

function showPairs(main, entries, pairs) {
  const articles = entries.map((entry) => article(entry, pairs.get(entry.number)));
  const shown = articles.filter((one) => one.querySelector(".place"));
  shown.forEach((one, at) => {
    one.next = (turn) => {
      const other = shown[at + turn];
      if (!other) return;
      other.build();
      other.scrollIntoView({ block: "start" });
      other.querySelector(".stage").focus({ preventScroll: true });
    };
  });
  if (entries.length > 1) main.append(contactSheet(entries, pairs));
  main.append(...shown);
  if (entries.length !== 1 || !shown.length) return;
  shown[0].classList.add("alone"); // the page has its name as title
  shown[0].build();
}

function contactSheet(entries, pairs) {
  const items = entries.map((entry) => {
    const name = element("bdi", { class: "name" }, entry.name);
    const state = entry.status === "done" ? "" : entry.status;
    const text = [name, element("span", { class: `state ${entry.status}` }, [state, entry.note].filter(Boolean).join(": "))];
    const frame = element("span", { class: "thumbnail" });
    if (entry.thumbnail) {
      const { uri, width, height } = entry.thumbnail;
      const image = element("img", { alt: "", width: Math.round(width), height: Math.round(height) });
      frame.append(image);
      whenSeen(frame, () => (image.src = uri));
    }
    const has = pairs.has(entry.number);
    const link = has ? element("a", { href: `#photo-${entry.number}` }, frame, ...text) : element("div", {}, frame, ...text);
    return element("li", {}, link);
  });
  const list = element("ol", { class: "sheet" }, ...items);
  const hint = element("p", {}, "Left half of each picture: before. Right half: after.");
  return element("nav", { "aria-label": "Contact sheet" }, element("h2", {}, "Contact sheet"), hint, list);
}

function article(entry, part) {
  if (!part) return element("div");
  const made = fromTemplate("photo");
  made.id = `photo-${entry.number}`;
  made.querySelector("bdi").textContent = entry.name;
  made.querySelector("h2").id = `name-${entry.number}`;
  made.setAttribute("aria-labelledby", `name-${entry.number}`);
  made.classList.add("pending");
  made.build = () => {
    if (!made.classList.contains("pending")) return;
    made.classList.remove("pending");
    fill(made, entry, read(part));
  };
  whenSeen(made, () => made.build());
  return made;
}

function fill(made, entry, pair) {
  const viewer = new Viewer(pair.layers, { label: entry.name, readings: pair.readings, onNext: (turn) => made.next(turn) });
  made.querySelector(".place").append(viewer.root);
  const notes = [...(entry.note ? [entry.note] : []), ...pair.notes];
  const list = made.querySelector(".notes");
  list.hidden = !notes.length;
  list.append(...notes.map((note) => element("li", {}, note)));
  const panels = made.querySelector(".panels");
  if (pair.relief) panels.append(reliefFigure(pair.relief, pair.layers[pair.relief.texture].picture));
  for (const { name, picture, legend } of pair.layers.filter((layer) => layer.legend)) panels.append(plainFigure(name, picture, legend));
  if (pair.histograms.length) panels.append(histogramFigure(pair.histograms));
  panels.append(...pair.charts.map(chartFigure));
  for (const { name, picture, legend } of pair.pictures) panels.append(plainFigure(name, picture, legend));
  if (pair.facts.length) panels.append(factsTable(pair.facts));
}

function plainFigure(name, { uri, width, height }, legend = null) {
  const image = element("img", { src: uri, alt: name, width: Math.round(width), height: Math.round(height) });
  const below = legend ? [element("div", { class: "legend" }, ...legendElements(legend))] : [];
  return element("figure", { class: "panel plain" }, element("figcaption", {}, name), image, ...below);
}

function factsTable(facts) {
  const head = element("tr", {}, element("td"), ...["Before", "After"].map((text) => element("th", { scope: "col" }, text)));
  const rows = facts.map(({ name, before, after }) =>
    element("tr", {}, element("th", { scope: "row" }, name), element("td", {}, element("bdi", {}, before)), element("td", {}, element("bdi", {}, after))),
  );
  const table = element("table", {}, element("thead", {}, head), element("tbody", {}, ...rows));
  return element("figure", { class: "panel table" }, element("figcaption", {}, "Files"), table);
}
