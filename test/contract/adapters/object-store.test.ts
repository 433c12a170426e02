import { afterAll, beforeAll } from "@jest/globals";
import { MemoryObjectStore } from "../../../cli/src/validate/memory-object-store.ts";
import { S3ObjectStore } from "../../../shared/src/adapters/aws/s3-object-store.ts";
import { type EmbeddedStores, startEmbeddedStores } from "../../support/embedded-stores.ts";
import { describeObjectStore } from "../../support/object-store-contract.ts";

const BUCKET = "contract";
const memory = new MemoryObjectStore();
let embedded: EmbeddedStores;
let s3: S3ObjectStore;

beforeAll(async () => {
  embedded = await startEmbeddedStores([BUCKET]);
  s3 = new S3ObjectStore(embedded.s3);
});
afterAll(() => embedded.stop());

describeObjectStore("memory", () => memory, BUCKET);
describeObjectStore("S3", () => s3, BUCKET);
