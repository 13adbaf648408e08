// A timelapse: a scrubber over its frames, each next to the input frame it comes from.

function showSequence(main, head, frames, keyframes, end) {
  const made = fromTemplate("sequence");
  made.querySelector("bdi").textContent = "Frames";
  main.append(made);
  const scrubber = made.querySelector("input");
  const output = made.querySelector("output");
  const play = made.querySelector(".play");
  const inputs = new Map(keyframes.map((part) => [Number(part.dataset.number), part]));
  const keyframe = (wanted) => (inputs.has(wanted) ? read(inputs.get(wanted)) : null);
  const charts = end.charts.map(chartFigure);
  made.querySelector(".panels").append(...charts);
  let viewer = null;

  const ordered = [...frames].sort((one, other) => one.dataset.number - other.dataset.number);
  const show = (at) => {
    const frame = read(ordered[at]);
    const before = frame.keyframe === null ? null : keyframe(frame.keyframe);
    const layers = [{ name: "Input", picture: (before ?? frame).picture }, { name: "Output", picture: frame.picture }];
    if (viewer) viewer.setLayers(layers);
    else {
      viewer = new Viewer(layers, { label: "Frame", onNext: (turn) => move(at + turn) });
      viewer.onNext = (turn) => move(Number(scrubber.value) + turn);
      made.querySelector(".place").append(viewer.root);
    }
    const time = head.time_unit === "frames" ? "" : `, ${number(frame.time, 2)} ${head.time_unit}`;
    const from = before && frame.is_keyframe ? `, at the input frame ${before.name}` : before ? `, after the input frame ${before.name}` : "";
    const text = `Frame ${frame.number}${time}${from}${frame.name ? `: ${frame.name}` : ""}`;
    output.textContent = text;
    scrubber.setAttribute("aria-valuetext", text);
    for (const chart of charts) chart.move(frame.time);
  };
  const move = (to) => {
    scrubber.value = Math.max(0, Math.min(frames.length - 1, to));
    show(Number(scrubber.value));
  };

  scrubber.max = frames.length - 1;
  scrubber.addEventListener("input", () => show(Number(scrubber.value)));
  let timer = 0;
  const stop = () => {
    clearInterval(timer);
    timer = 0;
    play.textContent = "Play";
    play.setAttribute("aria-pressed", "false");
  };
  play.addEventListener("click", () => {
    if (timer) return stop();
    play.textContent = "Pause";
    play.setAttribute("aria-pressed", "true");
    timer = setInterval(() => move((Number(scrubber.value) + 1) % frames.length), 100);
  });
  show(0);
}
