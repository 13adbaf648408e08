// Charts as SVG, drawn again when their width changes, so that their text keeps its size.

const MARGIN = { left: 48, right: 14, top: 10, bottom: 38 };

function legendElements({ title, unit, low, high, colours, notes }) {
  const swatches = colours.map((fill, at) => drawn("rect", { x: at, width: 1.02, height: 1, fill }));
  const bar = drawn("svg", { viewBox: `0 0 ${colours.length} 1`, preserveAspectRatio: "none", class: "bar" }, ...swatches);
  bar.setAttribute("aria-hidden", "true");
  const heading = unit ? `${title}, ${unit}` : title;
  if (!colours.length) return [element("p", { class: "legend-title" }, heading)];
  const digits = Math.max(0, Math.min(6, 1 - Math.floor(Math.log10(high - low || 1))));
  const marks = low < 0 ? [signed(low), "0", signed(high)] : [low, (low + high) / 2, high].map((value) => number(value, digits));
  return [
    element("p", { class: "legend-title" }, heading),
    bar,
    element("div", { class: "marks" }, ...marks.map((mark) => element("span", {}, mark))),
    ...notes.map((note) => element("p", {}, note)),
  ];
}

// Returns a figure whose picture `draw(width)` makes, now and at every other width.
function figure(title, description, draw) {
  const place = element("div", { class: "drawing", role: "img", "aria-label": description });
  new ResizeObserver(([{ contentRect }]) => {
    const width = Math.round(contentRect.width);
    if (width && width !== place.drawnWidth) {
      place.drawnWidth = width;
      place.replaceChildren(draw(width));
    }
  }).observe(place);
  return element("figure", { class: "panel" }, element("figcaption", {}, title), place);
}

function histogramFigure(histograms) {
  const names = histograms.map((one) => one.name).join(" and ");
  return figure("Histogram", `Histograms of red, green and blue, ${names}`, (width) => {
    const height = 92;
    const made = drawn("svg", { width, height: histograms.length * (height + 24), class: "chart" });
    histograms.forEach((one, row) => {
      const top = row * (height + 24);
      const inner = ["red", "green", "blue"].flatMap((name) => one[name].slice(1, -1));
      const most = Math.max(1, ...inner);
      made.append(drawn("rect", { x: 0, y: top, width, height, class: "back" }));
      for (const name of ["red", "green", "blue"]) {
        const step = width / one[name].length;
        const points = one[name].map((count, at) => {
          const y = top + height - Math.min(1, count / most) * (height - 4);
          return `L${(at * step).toFixed(1)},${y.toFixed(1)}H${((at + 1) * step).toFixed(1)}`;
        });
        made.append(drawn("path", { d: `M0,${top + height}${points.join("")}V${top + height}Z`, class: `area ${name}` }));
      }
      for (const [at, text, anchor] of [[0, "dark", "start"], [width / 2, one.name, "middle"], [width, "bright", "end"]])
        made.append(drawn("text", { x: at, y: top + height + 15, "text-anchor": anchor }, text));
    });
    return made;
  });
}

function niceStep(range, count) {
  const rough = Math.max(range, 1e-9) / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  return [1, 2, 5, 10].map((factor) => factor * power).find((step) => step >= rough);
}

function ticks(low, high, count, isWhole = false) {
  const step = Math.max(niceStep(high - low, count), isWhole ? 1 : 0);
  const found = [];
  for (let at = Math.ceil(low / step - 1e-9) * step; at <= high + step * 1e-6; at += step) found.push(at);
  return { found, digits: Math.max(0, -Math.floor(Math.log10(step) + 1e-9)) };
}

function range(values, fromZero) {
  let low = Math.min(...values);
  let high = Math.max(...values);
  if (fromZero) low = Math.min(0, low);
  const margin = Math.max((high - low) * 0.06, fromZero ? 0 : 0.05, 1e-9);
  return [fromZero && low === 0 ? 0 : low - margin, high + margin];
}

// Returns a figure of lines, and a function that puts a mark at a value of x.
function chartFigure(chart) {
  const lines = chart.lines.filter((line) => line.x.length);
  const xs = lines.flatMap((line) => line.x);
  const ys = lines.flatMap((line) => line.y);
  const [left, right] = [Math.min(...xs), Math.max(...xs)];
  const [low, high] = range(ys, chart.from_zero);
  let mark = null;
  let cursor = null;
  let position = () => 0;
  const made = figure(chart.title, `${chart.title}: ${chart.y_title} over ${chart.x_title}`, (width) => {
    const height = 230;
    const x = (value) => MARGIN.left + ((value - left) / (right - left || 1)) * (width - MARGIN.left - MARGIN.right);
    const y = (value) => height - MARGIN.bottom - ((value - low) / (high - low)) * (height - MARGIN.top - MARGIN.bottom);
    position = x;
    const svg = drawn("svg", { width, height, class: "chart" });
    const across = ticks(low, high, 5);
    for (const value of across.found) {
      svg.append(drawn("line", { x1: MARGIN.left, x2: width - MARGIN.right, y1: y(value), y2: y(value), class: "grid" }));
      const text = number(value, across.digits);
      svg.append(drawn("text", { x: MARGIN.left - 6, y: y(value) + 4, "text-anchor": "end" }, text));
    }
    const along = ticks(left, right, Math.max(2, Math.min(10, width / 80)), chart.whole_x);
    for (const value of along.found)
      svg.append(
        drawn("text", { x: x(value), y: height - MARGIN.bottom + 16, "text-anchor": "middle" }, number(value, along.digits)),
      );
    svg.append(
      drawn("text", { x: (width + MARGIN.left) / 2, y: height - 4, "text-anchor": "middle" }, chart.x_title),
    );
    for (const line of lines) {
      const points = line.x.map((value, at) => `${x(value).toFixed(1)},${y(line.y[at]).toFixed(1)}`);
      svg.append(drawn("polyline", { points: points.join(" "), class: `line ${line.style}` }));
      if (line.dots || points.length === 1)
        for (const point of points) {
          const [cx, cy] = point.split(",");
          svg.append(drawn("circle", { cx, cy, r: 3, class: `dot ${line.style}` }));
        }
    }
    cursor = drawn("line", { y1: MARGIN.top, y2: height - MARGIN.bottom, class: "cursor" });
    svg.append(cursor);
    made.move(mark);
    return svg;
  });
  made.move = (value) => {
    mark = value;
    if (!cursor) return;
    cursor.setAttribute("visibility", value === null ? "hidden" : "visible");
    cursor.setAttribute("x1", position(value ?? left));
    cursor.setAttribute("x2", position(value ?? left));
  };
  const names = lines.map((line) =>
    element("li", {}, drawn("svg", { width: 22, height: 10, "aria-hidden": "true" }, drawn("line", { x1: 0, x2: 22, y1: 5, y2: 5, class: `line ${line.style}` })), ` ${line.name}`),
  );
  made.firstElementChild.append(element("span", { class: "unit" }, `: ${chart.y_title}`));
  if (lines.length > 1) made.append(element("ul", { class: "names" }, ...names));
  return made;
}
