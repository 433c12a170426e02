import net from "node:net";
import { type FauxqsServer, startFauxqs } from "fauxqs";

/**
 * Starts fauxqs (S3 and SQS) on a free port of 127.0.0.1. It asks for 0.0.0.0 whatever one tells it, so while it starts, this
 * process's listeners on 0.0.0.0 are held on the loopback interface. Objects are files below `objectsFolder` and stay;
 * queues live in memory, for what their messages answer to (task tokens) dies with this process as well.
 */
export async function startStores(objectsFolder: string): Promise<FauxqsServer> {
  const listen = net.Server.prototype.listen;
  const held = function (this: net.Server, first: unknown, ...rest: unknown[]) {
    const options = typeof first === "object" && first !== null && (first as net.ListenOptions).host === "0.0.0.0";
    const asked = options ? { ...(first as net.ListenOptions), host: "127.0.0.1" } : first;
    return (listen as (...listenArguments: unknown[]) => net.Server).call(this, asked, ...rest);
  };
  net.Server.prototype.listen = held as typeof listen;
  try {
    return await startFauxqs({ port: 0, logger: false, messageSpies: { bufferSize: 1 }, s3StorageDir: objectsFolder });
  } finally {
    net.Server.prototype.listen = listen;
  }
}
