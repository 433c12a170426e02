import { createHash, createHmac, type Hash } from "node:crypto";
import { readFileSync } from "node:fs";
import { request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import { SignatureV4 } from "@smithy/signature-v4";
import type { Emulator } from "./emulator.ts";

/** The hash that the signer asks for, by Node's own. */
class Sha256 {
  readonly #hash: Hash;

  constructor(key?: string | ArrayBuffer | ArrayBufferView) {
    this.#hash =
      key === undefined
        ? createHash("sha256")
        : (createHmac("sha256", key as string | NodeJS.ArrayBufferView) as unknown as Hash);
  }

  update(data: Uint8Array | string): void {
    this.#hash.update(data);
  }

  async digest(): Promise<Uint8Array> {
    return new Uint8Array(this.#hash.digest());
  }
}

export interface ServiceRequest {
  service: string;
  method?: "GET" | "POST";
  path?: string;
  body?: string;
  headers?: Record<string, string>;
}

/**
 * One request to a service whose client the project does not have, as the account's owner; a POST to `/` unless said otherwise.
 * @throws Error with the service's answer where it refuses
 */
export async function signedRequest(
  { endpoint, region, owner, authority }: Emulator,
  { service, method = "POST", path = "/", body = "", headers = {} }: ServiceRequest,
): Promise<string> {
  const { protocol, hostname, port, host } = new URL(endpoint);
  const signer = new SignatureV4({ service, region, credentials: owner, sha256: Sha256 as never });
  const signed = await signer.sign({
    method,
    protocol,
    hostname,
    port: Number(port),
    path,
    query: {},
    headers: { host, ...headers },
    body,
  });
  return new Promise((resolve, reject) => {
    const ca = authority === null ? undefined : readFileSync(authority);
    const send = protocol === "https:" ? requestHttps : requestHttp;
    const outgoing = send({ method, hostname, port, path, headers: signed.headers, ca }, (answer) => {
      let text = "";
      answer.setEncoding("utf8");
      answer.on("data", (chunk: string) => {
        text += chunk;
      });
      answer.on("end", () =>
        answer.statusCode === 200 ? resolve(text) : reject(new Error(`${service}: ${answer.statusCode} ${text}`)),
      );
    });
    outgoing.once("error", reject);
    outgoing.end(body);
  });
}

/** One request in a JSON protocol. @param target - `TrentService.ListKeys` and the like */
export async function jsonRequest<T>(
  emulator: Emulator,
  service: string,
  target: string,
  body: object = {},
  version: "1.0" | "1.1" = "1.1",
): Promise<T> {
  const headers = { "content-type": `application/x-amz-json-${version}`, "x-amz-target": target };
  return JSON.parse(await signedRequest(emulator, { service, body: JSON.stringify(body), headers }));
}
