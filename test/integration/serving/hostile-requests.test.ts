import { expect, it } from "@jest/globals";
import { hostileRequests, judgeAnswer, sayAtLength } from "../../support/serving/hostile-requests.ts";
import { exchangeRaw, statusesOf, writeRequest } from "../../support/serving/raw-exchange.ts";
import { HOSTILE_LIMITS, KEY, startLayer, until } from "../../support/serving/started-layer.ts";

/** Ten thousand: `npm run bench -- hostile-requests`. */
const COUNT = 312;
const AT_ONCE = 8;

it("hundreds of malformed and hostile requests are answered as they deserve, and leave nothing behind", async () => {
  const layer = await startLayer({ limits: HOSTILE_LIMITS });
  layer.inference.script(sayAtLength);
  const requests = hostileRequests(COUNT, 1);
  const wrong: string[] = [];
  const seen = new Set<string>();
  const attack = async () => {
    for (const request of requests) {
      const verdict = judgeAnswer(request, statusesOf(await exchangeRaw(layer.url, request)));
      seen.add(request.kind);
      if (verdict !== null) wrong.push(`${request.kind}: ${verdict}: ${String(request.send).slice(0, 300)}`);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, attack));
  expect(wrong).toEqual([]);
  expect(seen.size).toBe(26);
  await until(() => layer.state().running === 0 && layer.state().waiting === 0);
  expect([layer.inference.running, layer.names.held]).toEqual([0, 0]);
  const valid = writeRequest(
    "POST",
    "/v1/completions",
    { authorization: `Bearer ${KEY}`, "content-type": "application/json" },
    '{"model":"base","prompt":"x"}',
  );
  expect(await exchangeRaw(layer.url, { send: [valid] })).toContain("Once upon a time");
  expect(layer.log.filter((line) => line.includes('"level":"error"'))).toEqual([]);
  expect(layer.log.join("\n")).not.toContain(KEY);
  await layer.close(0);
});
