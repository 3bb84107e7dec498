// An edge node of Eclipse Tahu's client, led by lines of JSON on standard input.
// In: {"do": "data" | "device data" | "device birth" | "device death" | "skip" | "stop" | "kill", ...}
// Out: {"event": "birth" | "rebirth asked" | "error", ...}
const { createInterface } = require("node:readline");
const { newClient } = require("sparkplug-client");

const { births, ...config } = JSON.parse(process.argv[2]);
const say = (event, more = {}) => console.log(JSON.stringify({ event, ...more }));
const client = newClient(config);

// The client adds to what it is given: every payload is made anew.
const payload = (metrics) => ({ timestamp: Date.now(), metrics: structuredClone(metrics) });

function giveBirth() {
  client.publishNodeBirth(payload(births.node));
  for (const [device, metrics] of Object.entries(births.devices ?? {})) {
    client.publishDeviceBirth(device, payload(metrics));
  }
  say("birth");
}

client.on("birth", giveBirth);
client.on("error", (error) => say("error", { text: String(error) }));
client.on("ncmd", ({ metrics }) => {
  if (metrics.some((one) => one.name === "Node Control/Rebirth" && one.value === true)) {
    say("rebirth asked");
    giveBirth();
  }
});

createInterface({ input: process.stdin }).on("line", (line) => {
  const { do: what, device, metrics, options } = JSON.parse(line);
  if (what === "data") client.publishNodeData(payload(metrics), options);
  else if (what === "device data") client.publishDeviceData(device, payload(metrics), options);
  else if (what === "device birth") client.publishDeviceBirth(device, payload(metrics));
  else if (what === "device death") client.publishDeviceDeath(device, payload([]));
  else if (what === "skip") client.incrementSeqNum(); // as if a message had been lost on the way
  else if (what === "stop") client.stop();
  else if (what === "kill") process.exit(9); // the broker publishes its will
});
