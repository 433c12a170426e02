import { sayAtLength } from "../../test/support/serving/hostile-requests.ts";
import { HOSTILE_LIMITS, startLayer } from "../../test/support/serving/started-layer.ts";

/** The attacked process: the HTTP layer before a scripted inference. It tells its place, and its memory whenever it is asked. */
const layer = await startLayer({ limits: HOSTILE_LIMITS });
layer.inference.script(sayAtLength);
let failures = 0;
process.on("message", () => {
  globalThis.gc?.();
  failures += layer.log.filter((line) => line.includes('"level":"error"')).length;
  // a real log is written away, and a real inference remembers nobody
  layer.log.length = 0;
  layer.inference.asked.length = 0;
  process.send!({
    residentMib: Math.round(process.memoryUsage.rss() / 2 ** 20),
    heapMib: Math.round(process.memoryUsage().heapUsed / 2 ** 20),
    externalMib: Math.round(process.memoryUsage().external / 2 ** 20),
    ...layer.state(),
    held: layer.names.held,
    failures,
  });
});
process.send!({ url: layer.url });
