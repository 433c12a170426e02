import { readFileSync } from "node:fs";
import { describe, expect, it } from "@jest/globals";
import OpenAI from "openai";
import { chatChunk } from "../../../shared/src/contracts/openai/chat.ts";
import { completionChunk } from "../../../shared/src/contracts/openai/completion.ts";
import { errorBody } from "../../../shared/src/contracts/openai/errors.ts";
import { modelList } from "../../../shared/src/contracts/openai/models.ts";
import { answerOnWire, WIRE_REQUESTS, type WireExchange } from "../../support/serving/wire-cases.ts";

const recorded: WireExchange[] = JSON.parse(
  readFileSync(new URL("../fixtures/serving/wire.json", import.meta.url), "utf8"),
);
const find = (name: string) => recorded.find((exchange) => exchange.name === name)!;

const headOf = ({ answer }: WireExchange) => answer.slice(0, answer.indexOf("\r\n\r\n"));
const statusOf = (exchange: WireExchange) => Number(headOf(exchange).split(" ")[1]);

/** A recorded answer's body, its chunks joined. */
function bodyOf(exchange: WireExchange): string {
  const body = exchange.answer.slice(headOf(exchange).length + 4);
  if (!/transfer-encoding: chunked/i.test(headOf(exchange))) return body;
  let text = "";
  for (let at = 0; ; ) {
    const lineEnd = body.indexOf("\r\n", at);
    const length = Number.parseInt(body.slice(at, lineEnd), 16);
    if (length === 0) return text;
    text += body.slice(lineEnd + 2, lineEnd + 2 + length);
    at = lineEnd + 2 + length + 2;
  }
}

const eventsOf = (exchange: WireExchange) =>
  bodyOf(exchange)
    .split("\n\n")
    .filter((event) => event !== "")
    .map((event) => event.replace(/^data: /, ""));

describe("recorded exchanges", () => {
  it("are those that the script records", () => {
    expect(recorded.map(({ name, request }) => [name, request])).toEqual(
      WIRE_REQUESTS.map(({ name, request }) => [name, request.toString("latin1")]),
    );
  });

  it.each(recorded)("are answered byte for byte the same: $name", async ({ answer, request, ...asked }) => {
    expect(await answerOnWire({ ...asked, request: Buffer.from(request, "latin1") })).toBe(answer);
  });

  it("have the forms that the contracts, which a gateway reads them by, say", () => {
    expect(modelList.parse(JSON.parse(bodyOf(find("models")))).data).toHaveLength(3);
    for (const name of ["chat, streamed", "chat, streamed with usage"])
      for (const event of eventsOf(find(name)).slice(0, -1)) chatChunk.parse(JSON.parse(event));
    for (const event of eventsOf(find("completion, streamed")).slice(0, -1)) completionChunk.parse(JSON.parse(event));
    const failed = recorded.filter((exchange) => statusOf(exchange) >= 400);
    expect(failed.map(statusOf).sort()).toEqual([400, 400, 400, 400, 401, 403, 404, 404, 404, 405, 415, 500, 503]);
    for (const exchange of failed) errorBody.parse(JSON.parse(bodyOf(exchange)));
  });

  it("are read by OpenAI's client as they were recorded", async () => {
    const replay = (name: string) =>
      new OpenAI({
        apiKey: "any",
        maxRetries: 0,
        fetch: async () =>
          new Response(bodyOf(find(name)), {
            status: statusOf(find(name)),
            headers: Object.fromEntries(
              headOf(find(name))
                .split("\r\n")
                .slice(1)
                .map((line) => line.split(": ") as [string, string]),
            ),
          }),
      });
    const messages = [{ role: "user" as const, content: "x" }];
    const whole = await replay("chat").chat.completions.create({ model: "base", messages });
    expect(whole.choices[0].message.content).toBe("Once upon a time");
    let text = "";
    for await (const chunk of await replay("chat, streamed").chat.completions.create({
      model: "base",
      messages,
      stream: true,
    }))
      text += chunk.choices[0].delta.content ?? "";
    expect(text).toBe("Once upon a time");
    const error = await replay("a field out of range")
      .chat.completions.create({ model: "base", messages })
      .catch((e) => e);
    expect(error).toMatchObject({ status: 400, param: "temperature" });
    const breaking = replay("a failure in a stream").completions.create({ model: "base", prompt: "x", stream: true });
    await expect(async () => {
      for await (const _ of await breaking);
    }).rejects.toMatchObject({ code: "internal_error" });
  });
});
