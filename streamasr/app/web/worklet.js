// Runs in the browser's audio thread: mixes the microphone down to mono, in blocks of 20 ms.

class Capture extends AudioWorkletProcessor {
  #block = new Float32Array(Math.round(sampleRate / 50));
  #filled = 0;

  process([channels]) {
    for (let i = 0; i < (channels[0]?.length ?? 0); i++) {
      let sum = 0;
      for (const channel of channels) sum += channel[i];
      this.#block[this.#filled++] = sum / channels.length;
      if (this.#filled === this.#block.length) {
        this.port.postMessage(this.#block);
        this.#filled = 0;
      }
    }
    return true;
  }
}

registerProcessor("capture", Capture);
