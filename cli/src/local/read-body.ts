import type { IncomingMessage } from "node:http";

/** fauxqs refuses longer bodies; S3 itself takes 5 GiB in one request, so clients upload in parts of 8 MiB. */
export const MAX_BODY_BYTES = 11 * 1024 * 1024;

/** @throws Error where it is longer than {@link MAX_BODY_BYTES}, whatever its header said */
export async function readBody(message: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of message as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MAX_BODY_BYTES) throw new Error(`a body longer than ${MAX_BODY_BYTES} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
