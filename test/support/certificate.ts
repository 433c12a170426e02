import { generateKeyPairSync, randomBytes, sign } from "node:crypto";

/** A certificate for this machine's loopback that signed itself, as `openssl req -x509` makes one. */
export function makeCertificate(name = "localhost"): { cert: string; key: string } {
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const algorithm = sequence(objectId("2a8648ce3d040302")); // ecdsa-with-SHA256
  const subject = sequence(element(0x31, sequence(objectId("550403"), element(0x0c, Buffer.from(name))))); // CN
  const validity = sequence(time("20200101000000Z"), time("20991231235959Z"));
  const names = sequence(element(0x82, Buffer.from("localhost")), element(0x87, Buffer.from([127, 0, 0, 1])));
  const extensions = element(0xa3, sequence(sequence(objectId("551d11"), element(0x04, names)))); // subjectAltName
  const version = element(0xa0, element(0x02, Buffer.from([2])));
  const serial = element(0x02, Buffer.concat([Buffer.from([1]), randomBytes(8)]));
  const spki = publicKey.export({ type: "spki", format: "der" });
  const body = sequence(version, serial, algorithm, subject, validity, subject, spki, extensions);
  const signature = element(0x03, Buffer.concat([Buffer.from([0]), sign("sha256", body, privateKey)]));
  const lines = sequence(body, algorithm, signature)
    .toString("base64")
    .match(/.{1,64}/g)!;
  return {
    cert: ["-----BEGIN CERTIFICATE-----", ...lines, "-----END CERTIFICATE-----", ""].join("\n"),
    key: privateKey.export({ type: "pkcs8", format: "pem" }) as string,
  };
}

/** ASN.1, DER: a tag, the length, the content. */
function element(tag: number, content: Buffer): Buffer {
  const { length } = content;
  const written = length < 128 ? [length] : length < 256 ? [0x81, length] : [0x82, length >> 8, length & 255];
  return Buffer.concat([Buffer.from([tag, ...written]), content]);
}

const sequence = (...parts: Buffer[]) => element(0x30, Buffer.concat(parts));
const objectId = (hex: string) => element(0x06, Buffer.from(hex, "hex"));
const time = (text: string) => element(0x18, Buffer.from(text));
