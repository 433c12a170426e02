import { writeFileSync } from "node:fs";
import { writeRunSchema } from "../shared/src/contracts/run-schema.ts";

// docs/run.schema.json: what editors complete and check a run.yaml by. Run it after every change of the spec.
const target = new URL("../docs/run.schema.json", import.meta.url);
writeFileSync(target, writeRunSchema());
