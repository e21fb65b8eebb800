// Where audio comes from. A source has `rate`, `start(push)` (a promise: settled when the audio
// ends; push takes a Float32Array and may return a promise to wait for) and `stop()`.

import { Fault, RATE, unreachable } from "./protocol.js";

const LARGEST_FILE = 300e6; // bytes; decoded audio lies in memory
const REFUSED = {
  NotAllowedError: [
    "The browser does not let this page use the microphone",
    "Allow the microphone in the site settings, beside the address",
  ],
  NotFoundError: ["No microphone was found", "Connect one, or open an audio file instead"],
  NotReadableError: ["The microphone cannot be opened", "Another program may be using it"],
};
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

export async function openMicrophone() {
  if (!window.isSecureContext) {
    throw new Fault(
      "insecure",
      "Browsers give the microphone to secure pages only",
      "Open this page as http://localhost on the server's machine, or serve it over https",
    );
  }
  const audio = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
  const context = new AudioContext();
  let media, finish;
  try {
    await context.audioWorklet.addModule(new URL("worklet.js", import.meta.url)).catch(() => {
      throw unreachable();
    });
    media = await navigator.mediaDevices.getUserMedia({ audio });
  } catch (error) {
    context.close();
    if (error instanceof Fault) throw error;
    throw new Fault("microphone", ...(REFUSED[error.name] ?? [`Microphone: ${error.message}`]));
  }
  return {
    rate: context.sampleRate,
    isLive: true,
    canBeMuted: true,
    async start(push) {
      const capture = new AudioWorkletNode(context, "capture");
      context.createMediaStreamSource(media).connect(capture).connect(context.destination);
      await new Promise((resolve, reject) => {
        finish = resolve;
        context.resume();
        capture.port.onmessage = ({ data }) => push(data);
        media.getTracks()[0].onended = () =>
          reject(new Fault("microphone", "The microphone was disconnected", "Connect it again"));
      });
    },
    stop() {
      media.getTracks().forEach((track) => track.stop());
      if (context.state !== "closed") context.close();
      finish?.();
    },
  };
}

/** A file, aloud and as fast as it plays, or silently and as fast as the server takes it. */
export async function openFile(file, isPaced) {
  if (file.size > LARGEST_FILE) {
    throw new Fault("file", `This page cannot hold ${file.name}`, "Use streamasr transcribe");
  }
  const decoder = new OfflineAudioContext(1, 1, RATE);
  const buffer = await decoder.decodeAudioData(await file.arrayBuffer()).catch(() => {
    throw new Fault("file", `This browser can read no audio in ${file.name}`);
  });
  const samples = new Float32Array(buffer.length);
  for (let channel = 0; channel < buffer.numberOfChannels; channel++) {
    const data = buffer.getChannelData(channel);
    for (let i = 0; i < data.length; i++) samples[i] += data[i] / buffer.numberOfChannels;
  }
  const size = isPaced ? RATE / 25 : RATE / 2;
  const player = isPaced ? new Audio(URL.createObjectURL(file)) : null;
  let isStopped = false;
  return {
    rate: RATE,
    isLive: isPaced,
    async start(push) {
      player?.play().catch(() => {}); // captions matter more than the sound
      const began = performance.now();
      for (let at = 0; at < samples.length && !isStopped; at += size) {
        const block = samples.subarray(at, at + size);
        const early = began + ((at + block.length) / RATE) * 1000 - performance.now();
        if (isPaced && early > 0) await sleep(early);
        if (!isStopped) await push(block);
      }
    },
    stop() {
      isStopped = true;
      if (player) {
        player.pause();
        URL.revokeObjectURL(player.src);
      }
    },
  };
}

export { sleep };
