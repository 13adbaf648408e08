// Puts the page together from the views in it.

function showCommand({ command, facts, program }) {
  const made = fromTemplate("command");
  made.querySelector("code").textContent = command;
  const lines = [...facts, ["Program", program]].flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, element("bdi", {}, value))]);
  made.querySelector(".facts").append(...lines);
  const said = made.querySelector(".copied");
  made.querySelector(".copy").addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(command);
      said.textContent = "Copied.";
    } catch {
      getSelection().selectAllChildren(made.querySelector("code"));
      said.textContent = "Selected: copy it by the keyboard.";
    }
  });
  return made;
}

function showPage() {
  const [head] = parts("head").map(read);
  const end = parts("end").map(read).at(-1);
  document.title = head.title;
  document.getElementById("title").textContent = head.title;
  const summary = document.getElementById("summary");
  summary.textContent = end.summary;
  summary.classList.toggle("problem", !end.is_complete);
  const main = document.getElementById("main");
  if (end.notes.length) main.append(element("ul", { class: "notes" }, ...end.notes.map((note) => element("li", {}, note))));
  const frames = parts("frame");
  if (frames.length) showSequence(main, head, frames, parts("keyframe"), end);
  else {
    const entries = parts("entry").map(read).sort((one, other) => one.number - other.number);
    const pairs = new Map(parts("pair").map((part) => [Number(part.dataset.number), part]));
    showPairs(main, entries, pairs);
  }
  main.append(showCommand(head));
  document.getElementById("footer").textContent = `Made by ${head.program}. This page loads nothing from elsewhere.`;
}

showPage();
