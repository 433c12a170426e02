import type { FastifyInstance, FastifyRequest } from "fastify";
import { RefusedRequest } from "../../contracts/openai/errors.ts";
import { parseWholeJson } from "../../formats/whole-json.ts";

/** A conversation nests four deep; schemas of tools, which a server behind takes, some more. */
const MAX_DEPTH = 64;

/** Takes bodies of JSON in UTF-8, and no others. */
export function readBodies(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("application/json", { parseAs: "buffer" }, (request, body, done) => {
    try {
      done(null, parseBody(request, body as Buffer));
    } catch (error) {
      done(error as Error);
    }
  });
}

function parseBody({ headers }: FastifyRequest, body: Buffer): unknown {
  const charset = /;\s*charset\s*=\s*"?([^";\s]+)/i.exec(headers["content-type"] ?? "")?.[1];
  if (charset !== undefined && !/^utf-?8$/i.test(charset))
    throw new RefusedRequest("UNSUPPORTED_MEDIA_TYPE", "expected application/json in UTF-8", { status: 415 });
  if ((headers["content-encoding"] ?? "identity") !== "identity")
    throw new RefusedRequest("UNSUPPORTED_MEDIA_TYPE", "expected a body without content-encoding", { status: 415 });
  return parseWholeJson(
    body,
    MAX_DEPTH,
    (reason) => new RefusedRequest("BODY_INVALID", `the request's body: ${reason}`),
  );
}
