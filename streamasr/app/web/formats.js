// Finals as text, SubRip and WebVTT, cut into cues as `streamasr transcribe` cuts them.

import { RATE } from "./protocol.js";

const CUE_CHARS = 84;
const LINE_CHARS = 42;
const CUE_SECONDS = 7;

function* cues(final) {
  let group = [];
  const cue = () => [group[0].start, group.at(-1).end, group.map((word) => word.text).join(" ")];
  for (const word of final.words.length ? final.words : [final]) {
    const length = group.reduce((sum, { text }) => sum + text.length + 1, word.text.length);
    const isLong = group.length && word.end - group[0].start > CUE_SECONDS * RATE;
    if (group.length && (length > CUE_CHARS || isLong)) {
      yield cue();
      group = [];
    }
    group.push(word);
  }
  yield cue();
}

function wrap(text) {
  const lines = [""];
  for (const word of text.split(" ")) {
    if (lines.at(-1) && lines.at(-1).length + 1 + word.length > LINE_CHARS) lines.push("");
    lines.push(`${lines.pop()} ${word}`.trim());
  }
  return lines.join("\n");
}

/** Samples as hours:minutes:seconds with milliseconds. */
function clock(samples, decimal) {
  const ms = Math.round((samples * 1000) / RATE);
  const [whole, rest] = new Date(ms % 86_400_000).toISOString().slice(11, 23).split(".");
  return whole + decimal + rest;
}

function subtitles(finals, decimal, escape = (text) => text) {
  let lastEnd = 0;
  return finals
    .flatMap((final) => [...cues(final)])
    .map(([from, to, text], i) => {
      const start = Math.max(from, lastEnd);
      lastEnd = Math.max(to, start + RATE / 1000);
      const times = `${clock(start, decimal)} --> ${clock(lastEnd, decimal)}`;
      return `${i + 1}\n${times}\n${wrap(escape(text))}\n\n`;
    })
    .join("");
}

const escape = (text) =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");

export const FORMATS = {
  txt: (finals) => finals.map((final) => `${final.text}\n`).join(""),
  srt: (finals) => subtitles(finals, ","),
  vtt: (finals) => `WEBVTT\n\n${subtitles(finals, ".", escape)}`,
};
