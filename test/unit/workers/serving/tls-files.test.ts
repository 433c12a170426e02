import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { followTls, isSelfSigned, readTls, type TlsFiles } from "../../../../gpu-workers/src/serving/tls-files.ts";
import { makeCertificate } from "../../../support/certificate.ts";

const LOOK_MS = 5;

describe("the files of TLS", () => {
  let folder: string;
  let places: { certificate: string; key: string };
  const put = ({ cert, key }: { cert: string; key: string }) => {
    writeFileSync(places.certificate, cert);
    writeFileSync(places.key, key);
  };
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "fedmkt-tls-"));
    places = { certificate: join(folder, "tls.pem"), key: join(folder, "tls.key") };
    put(makeCertificate());
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it("are a certificate and its key", async () => {
    const files = await readTls(places);
    expect(files.certificate).toContain("BEGIN CERTIFICATE");
    expect(isSelfSigned(files)).toBe(true);
  });

  it("are refused where one is missing, is none, or belongs to another", async () => {
    await expect(readTls({ ...places, key: join(folder, "none.key") })).rejects.toMatchObject({
      code: "FILE_MISSING",
      message: expect.stringContaining("none.key"),
    });
    await expect(readTls({ ...places, key: folder })).rejects.toMatchObject({ code: "TLS_INVALID" });
    writeFileSync(places.key, makeCertificate().key);
    await expect(readTls(places)).rejects.toMatchObject({ code: "TLS_INVALID" });
    writeFileSync(places.certificate, "no certificate");
    await expect(readTls(places)).rejects.toMatchObject({ code: "TLS_INVALID" });
  });

  it("are taken up when they are renewed; what is no pair leaves the old one in place", async () => {
    const taken: TlsFiles[] = [];
    const said: string[] = [];
    const note = (message: string) => void said.push(message);
    const log = { info: note, warn: note, error: note };
    const stop = followTls(places, await readTls(places), (files) => void taken.push(files), log, LOOK_MS);
    await sleep(10 * LOOK_MS);
    expect(taken).toEqual([]);
    const renewed = makeCertificate("renewed");
    writeFileSync(places.certificate, renewed.cert);
    while (said.length === 0) await sleep(LOOK_MS);
    await sleep(10 * LOOK_MS);
    expect([said, taken]).toEqual([["certificate not taken up"], []]);
    writeFileSync(places.key, renewed.key);
    while (taken.length === 0) await sleep(LOOK_MS);
    expect(taken[0].certificate).toBe(renewed.cert);
    expect(said.at(-1)).toBe("certificate taken up");
    stop();
  });

  it("are taken up where they were renewed between being read and being followed", async () => {
    const taken: TlsFiles[] = [];
    const first = await readTls(places);
    const renewed = makeCertificate("renewed");
    put(renewed);
    const log = { info: () => {}, warn: () => {}, error: () => {} };
    const stop = followTls(places, first, (files) => void taken.push(files), log, LOOK_MS);
    while (taken.length === 0) await sleep(LOOK_MS);
    stop();
    expect(taken[0].certificate).toBe(renewed.cert);
  });
});
