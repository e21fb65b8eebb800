// Deepgram's JavaScript client: node deepgram_client.mjs http://HOST:PORT, prints the text.
import { readFileSync } from "node:fs";
import { DeepgramClient } from "@deepgram/sdk";

const http = process.argv[2];
const ws = http.replace("http", "ws");
const client = new DeepgramClient({
  apiKey: "unused",
  environment: { base: http, production: ws, agent: ws, agentRest: http },
});
const audio = readFileSync("clip.pcm");
const connection = await client.listen.v1.connect({
  model: "nova-3", encoding: "linear16", sample_rate: 16000, reconnectAttempts: 0,
});
const texts = [];
connection.on("message", (message) => {
  if (message.type === "Results" && message.is_final) {
    texts.push(message.channel.alternatives[0].transcript);
  } else if (message.type === "Metadata") {
    console.log(texts.filter(Boolean).join(" "));
    process.exit(0);
  }
});
connection.on("error", (error) => { console.error(error); process.exit(1); });
connection.connect();
await connection.waitForOpen();
for (let at = 0; at < audio.length; at += 8000) {
  connection.sendMedia(audio.subarray(at, at + 8000));
}
connection.sendCloseStream({ type: "CloseStream" });
