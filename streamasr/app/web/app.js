// The page: starts and stops a source, sends it to the server, shows what comes back.

import { level } from "./level.js";
import { Fault, RATE, Session } from "./protocol.js";
import { openFile, openMicrophone, sleep } from "./sources.js";
import { transcript } from "./transcript.js";

const $ = (id) => document.getElementById(id);
const STATES = {
  idle: "Ready",
  opening: "Connecting…",
  listening: "Listening",
  finishing: "Finishing…",
};
const TITLES = {
  busy: "The server is busy",
  idle: "The server ended the session",
  session_limit: "The session reached its longest duration",
  drain: "The server is shutting down",
  lost: "Connection lost",
  not_ready: "The server is not ready",
  token: "The server asks for a valid token",
  unreachable: "No server",
};
const SLOW_S = 5; // audio waiting for the network, beyond which live captions make no sense
const MUTED = 0.0005; // a level below which a microphone is likely to be muted
const PRIVACY = $("model").textContent;
const KEY = "streamasr.token";

let session = null;
let source = null;
let reopen = null; // opens the last source again
let latency = 0; // of the model, in milliseconds

// The token moves from the address into this tab's storage, out of sight and history.
const here = new URL(location.href);
if (here.searchParams.has("token")) {
  sessionStorage.setItem(KEY, here.searchParams.get("token"));
  here.searchParams.delete("token");
  history.replaceState(null, "", here);
}

function setState(state, text = STATES[state]) {
  document.body.dataset.state = state;
  $("state").textContent = text;
  $("start").disabled = state === "opening" || state === "finishing";
  $("start").querySelector("span").textContent = state === "listening" ? "Stop" : "Start";
}

const sentence = (text) => text[0].toUpperCase() + text.slice(1).replace(/\.?$/, ".");

function complain(fault) {
  if (!(fault instanceof Fault)) console.error(fault);
  const title = TITLES[fault.code];
  const more = fault.code === "token" ? [] : [title && fault.message, fault.remedy];
  $("fault").textContent = sentence(title || fault.message || "Something failed");
  $("remedy").textContent = more.filter(Boolean).map(sentence).join(" ");
  $("token-form").hidden = fault.code !== "token";
  $("retry").hidden = fault.code === "token" || fault.code === "file";
  $("retry").textContent = ["lost", "unreachable"].includes(fault.code) ? "Reconnect" : "Try again";
  $("notice").hidden = false;
  $("token").value = "";
  if (fault.code === "token") $("token").focus();
}

/** Caption what a source gives until it ends, the user stops it, or the server does. */
async function caption(opener) {
  if (document.body.dataset.state !== "idle") {
    complain(new Fault("file", "captions are running", "stop them first"));
    return;
  }
  reopen = opener;
  $("notice").hidden = true;
  setState("opening");
  let lock = null;
  try {
    source = await opener();
    session = new Session(source.rate, sessionStorage.getItem(KEY), show);
    const ready = await session.ready;
    latency = ready.latency_ms;
    $("model").textContent = `Model ${ready.model} on ${ready.engine}. ${PRIVACY}`;
    $("empty").hidden = true;
    setState("listening");
    navigator.wakeLock?.request("screen").then((granted) => (lock = granted), () => {});
    const ended = source.start(push).catch((fault) => fault);
    const fault = await Promise.race([ended, session.closed.then(() => null)]);
    setState("finishing");
    source.stop();
    session.stop();
    const closed = await session.closed;
    if (fault) throw fault;
    if (closed.reason !== "stop") throw new Fault(closed.reason, "every word until then is here");
    setState("idle", `${closed.words} words in ${closed.audio_s.toFixed(1)} s`);
  } catch (fault) {
    complain(fault);
    setState("idle");
  } finally {
    lock?.release();
    source?.stop();
    session?.close("");
    transcript.end(session?.position ?? 0);
    source = session = null;
    level.clear();
  }
}

let began = 0; // of the file or microphone
let quietSince = 0;

async function push(block) {
  if (!session) return;
  const now = performance.now();
  if (session.position === 0) began = quietSince = now;
  let peak = 0;
  for (const sample of block) peak = Math.max(peak, Math.abs(sample));
  level.push(peak);
  session.send(block);
  if (peak > MUTED) quietSince = now;
  if (source.canBeMuted) {
    const text = now - quietSince > 3000 ? "No sound: muted?" : STATES.listening;
    if ($("state").textContent !== text) $("state").textContent = text;
  }
  if (source.isLive) {
    if (session.backlog > SLOW_S) session.close("the network is too slow for live audio");
  } else {
    while (session?.backlog > 0.5) await sleep(5);
  }
}

function show(event, from) {
  if (from !== session) return; // of a session that was given up
  if (event.type === "partial") {
    measure(event, from);
    transcript.partial(event.text);
  } else if (event.type === "final") {
    if (!source?.isLive) measure(event, from);
    transcript.final(event);
  } else if (event.type === "speech_ended") {
    transcript.partial("");
  } else if (event.type === "gap") {
    transcript.gap(event);
  }
}

function measure({ end }, from) {
  const isLive = source?.isLive ?? true;
  const speed = ((end / RATE) * 1000) / (performance.now() - began);
  const lag = latency + from.lag(end);
  $("lag").textContent = isLive ? `${Math.round(lag)} ms` : `${Math.round(speed)}×`;
  $("lag-name").textContent = isLive ? "lag" : "real time";
}

const take = (file) => file && caption(() => openFile(file, $("pace").value === "paced"));
$("start").onclick = () => (source && session ? source.stop() : caption(openMicrophone));
$("retry").onclick = () => caption(reopen);
$("open").onclick = () => $("file").click();
$("file").onchange = ({ target }) => {
  take(target.files[0]);
  target.value = ""; // the same file may be chosen again
};
$("token-form").onsubmit = (event) => {
  event.preventDefault();
  sessionStorage.setItem(KEY, $("token").value);
  caption(reopen);
};
for (const name of ["dragover", "dragleave", "drop"]) {
  addEventListener(name, (event) => {
    event.preventDefault();
    $("paper").classList.toggle("drop", name === "dragover");
    if (name === "drop") take(event.dataTransfer.files[0]);
  });
}
setState("idle");
