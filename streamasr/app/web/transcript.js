// What was said: shown line by line, kept for copying and downloading.

import { FORMATS } from "./formats.js";
import { RATE } from "./protocol.js";

const $ = (id) => document.getElementById(id);
const UNSURE = 0.8; // words below this confidence are fainter ...
const DOUBTFUL = 0.5; // ... and below this one underlined too

let finals = []; // with positions on the clock of the whole page
let base = 0; // where on that clock the present session began
let open = ""; // text of the open utterance

const minutes = (samples) => {
  const seconds = Math.floor(samples / RATE);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
};

function element(tag, text = "", className = "") {
  return Object.assign(document.createElement(tag), { textContent: text, className });
}

function wordOf({ text, start, confidence }) {
  const doubt = confidence < DOUBTFUL ? " doubtful" : confidence < UNSURE ? " unsure" : "";
  const span = element("span", text, `word${doubt}`);
  span.dataset.tip = `${Math.round(confidence * 100)} % sure · ${minutes(start)}`;
  return span;
}

/** Keep the newest line in view, unless the reader has scrolled up. */
function follow() {
  const paper = $("paper");
  const isNearEnd = paper.scrollHeight - paper.scrollTop - paper.clientHeight < 120;
  if (isNearEnd) paper.scrollTop = paper.scrollHeight;
}

function add(at, content, className = "") {
  const line = element("p");
  const time = element("time", minutes(at));
  const said = element("span", "", className);
  time.setAttribute("aria-hidden", "true");
  said.append(...content);
  line.append(time, said);
  $("finals").append(line);
  enableExports();
  follow();
}

export const transcript = {
  partial(text) {
    open = text;
    $("partial").textContent = text;
    follow();
  },
  final({ words = [], ...final }) {
    const move = ({ text, written, start, end, ...rest }) => {
      return { ...rest, text: written ?? text, start: base + start, end: base + end };
    };
    finals.push({ ...move(final), words: words.map(move) });
    const { start, text, words: moved } = finals.at(-1);
    this.partial("");
    add(start, moved.length ? moved.flatMap((word) => [wordOf(word), " "]) : [text]);
  },
  gap({ at, samples }) {
    add(base + at, [`${(samples / RATE).toFixed(1)} s of audio were lost`], "lost");
  },
  /** The session is over after so many samples: an utterance still open is kept as it stands. */
  end(position) {
    if (open) this.final({ text: open, start: position, end: position });
    base += position;
  },
};

// The tools below it

function enableExports() {
  for (const button of $("exports").children) button.disabled = !finals.length;
}

async function copy(button) {
  try {
    await navigator.clipboard.writeText(FORMATS.txt(finals));
    button.textContent = "Copied";
  } catch {
    getSelection().selectAllChildren($("finals"));
    button.textContent = "Press Ctrl+C";
  }
  setTimeout(() => (button.textContent = "Copy"), 1500);
}

function clear() {
  finals = [];
  $("finals").replaceChildren();
  enableExports();
  if (document.body.dataset.state !== "idle") return;
  base = 0;
  $("empty").hidden = false;
}

function download(format) {
  const url = URL.createObjectURL(new Blob([FORMATS[format](finals)], { type: "text/plain" }));
  Object.assign(document.createElement("a"), { href: url, download: `captions.${format}` }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

$("exports").onclick = ({ target }) => {
  const what = target.dataset.do;
  if (what in FORMATS) download(what);
  else if (what === "copy") copy(target);
  else if (what === "clear") clear();
};

for (const name of ["pointerover", "click"]) {
  $("finals").addEventListener(name, ({ target }) => {
    const { tip } = target.dataset;
    $("tip").hidden = !tip;
    if (!tip) return;
    const box = target.getBoundingClientRect();
    const middle = Math.min(innerWidth - 70, box.left + box.width / 2);
    $("tip").textContent = tip;
    $("tip").style.left = `${Math.max(70, middle)}px`;
    $("tip").style.top = `${box.top}px`;
  });
}
$("finals").addEventListener("pointerleave", () => ($("tip").hidden = true));
