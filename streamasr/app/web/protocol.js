// The native protocol (docs/PROTOCOL.md) as a browser speaks it: s16le mono at any rate.

export const RATE = 16000; // positions in events count samples at this rate
const FINISH_MS = 20_000; // for the last words after stop

/** Something to tell the user: what went wrong and what to do about it. */
export class Fault extends Error {
  constructor(code, message, remedy = "") {
    super(message);
    this.code = code;
    this.remedy = remedy;
  }
}

export const unreachable = () =>
  new Fault("unreachable", "the server does not answer", "check that it is running");

function address(token) {
  const url = new URL("v1/stream", location.href);
  if (token) url.searchParams.set("token", token);
  return url;
}

/** A browser does not say why a websocket was refused; plain HTTP at its address does. */
async function refusal(token) {
  let answer;
  try {
    answer = await fetch(address(token), { cache: "no-store" });
  } catch {
    return unreachable();
  }
  if (answer.status === 426) {
    const remedy = `its operator can add ${location.origin} to server.origins`;
    return new Fault("origin", "the server does not accept this page", remedy);
  }
  const said = await answer.json().catch(() => ({}));
  const { code = "refused", message = `the server answered HTTP ${answer.status}`, remedy } = said;
  return new Fault(code, message, remedy);
}

/** One stream: `ready` and `closed` are promises of those messages, or reject with a Fault. */
export class Session {
  #socket;
  #rate;
  #fail;
  #sent = 0; // samples, at our own rate
  #marks = []; // [position sent so far, when], oldest first

  constructor(rate, token, onEvent) {
    this.#rate = rate;
    const url = address(token);
    url.protocol = url.protocol.replace("http", "ws");
    const socket = (this.#socket = new WebSocket(url));
    const settle = {};
    for (const name of ["ready", "closed"]) {
      this[name] = new Promise((resolve, reject) => (settle[name] = { resolve, reject }));
      this[name].catch(() => {}); // whoever awaits it is told
    }
    this.#fail = (fault) => {
      settle.ready.reject(fault);
      settle.closed.reject(fault);
    };
    let isOpen = false;
    let last = null; // the message that ended the session
    socket.onopen = () => {
      isOpen = true;
      this.#tell({ type: "start", version: 1, encoding: "s16le", sample_rate: rate, punctuate: true });
    };
    socket.onmessage = ({ data }) => {
      const message = JSON.parse(data);
      if (message.type === "ready") settle.ready.resolve(message);
      else if (message.type === "closed" || message.type === "error") last = message;
      else onEvent(message, this);
    };
    socket.onclose = async () => {
      if (last?.type === "closed") settle.closed.resolve(last);
      if (last?.type === "error") this.#fail(new Fault(last.code, last.message, last.remedy));
      else if (isOpen) this.#fail(new Fault("lost", "the server went away"));
      else this.#fail(await refusal(token));
    };
  }

  #tell(message) {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message));
  }

  /** Send float samples, mono, -1..1. */
  send(samples) {
    if (this.#socket.readyState !== WebSocket.OPEN) return;
    const pcm = new DataView(new ArrayBuffer(samples.length * 2));
    samples.forEach((sample, i) => {
      const level = Math.round(sample * 32768);
      pcm.setInt16(2 * i, Math.max(-32768, Math.min(32767, level)), true);
    });
    this.#socket.send(pcm);
    this.#sent += samples.length;
    this.#marks.push([this.position, performance.now()]);
  }

  /** Say that no more audio comes; `closed` follows. */
  stop() {
    this.#tell({ type: "stop" });
    setTimeout(() => this.close("the server did not finish in time"), FINISH_MS);
  }

  /** Leave at once; `why` is told unless the session is over. */
  close(why) {
    this.#fail(new Fault("lost", why));
    this.#socket.close();
  }

  /** Samples sent, at RATE. */
  get position() {
    return Math.round((this.#sent / this.#rate) * RATE);
  }

  /** Seconds of audio that the network has not taken yet. */
  get backlog() {
    return this.#socket.bufferedAmount / 2 / this.#rate;
  }

  /** Milliseconds since the audio up to a position was sent. */
  lag(position) {
    while (this.#marks.length > 1 && this.#marks[0][0] < position) this.#marks.shift();
    return this.#marks.length ? Math.max(0, performance.now() - this.#marks[0][1]) : 0;
  }
}
