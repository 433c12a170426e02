import { onEmulators } from "./jest.integration.config.mjs";

export default onEmulators("localstack");
