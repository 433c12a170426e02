import { createEngine } from "../../../shared/src/engine/engine.ts";
import { describeTrainer } from "./trainer-conformance.ts";

describeTrainer("the engine", () => createEngine());
