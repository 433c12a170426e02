import net from "node:net";
import { type Duplex, duplexPair } from "node:stream";
import { type FauxqsServer, startFauxqs } from "fauxqs";
import { dropUnfinishedObjects } from "./unfinished-objects.ts";

export interface Stores {
  fauxqs: FauxqsServer;
  /** A connection to S3 and SQS inside this process; the only way to them. */
  connect(): Duplex;
}

/**
 * Starts fauxqs (S3 and SQS) without a port: its server is never bound, and gets its connections from `connect`. fauxqs itself asks
 * nobody for credentials, so no other process may reach it but through the front. Objects are files below `objectsFolder` and stay;
 * queues live in memory, for what their messages answer to (task tokens) dies with this process as well.
 */
export async function startStores(objectsFolder: string): Promise<Stores> {
  dropUnfinishedObjects(objectsFolder);
  let unbound: net.Server | undefined;
  // fauxqs hands out neither its server nor a way to leave it unbound: it is caught as it asks for 0.0.0.0, which nothing else does
  const listen = net.Server.prototype.listen;
  const caught = function (this: net.Server, ...asked: unknown[]) {
    const [options] = asked as [net.ListenOptions | undefined];
    if (typeof options !== "object" || options?.host !== "0.0.0.0")
      return (listen as (...listenArguments: unknown[]) => net.Server).apply(this, asked);
    unbound = pretendToListen(this);
    return this;
  };
  net.Server.prototype.listen = caught as typeof listen;
  let fauxqs: FauxqsServer;
  try {
    fauxqs = await startFauxqs({
      port: 0,
      logger: false,
      messageSpies: { bufferSize: 1 },
      s3StorageDir: objectsFolder,
    });
  } finally {
    net.Server.prototype.listen = listen;
  }
  const server = unbound!;
  return {
    fauxqs,
    connect() {
      const [client, inside] = duplexPair();
      // a pair's ends know of each other's end, not of each other's breaking off
      client.once("close", () => inside.destroy());
      inside.once("close", () => inside.writableFinished || client.destroy());
      for (const end of [client, inside]) end.on("error", () => {});
      server.emit("connection", inside);
      return client;
    },
  };
}

/** Tells the server's owner that it listens, on an address that nobody can connect to. */
function pretendToListen(server: net.Server): net.Server {
  const close = server.close;
  server.address = () => ({ address: "127.0.0.1", family: "IPv4", port: 1 });
  server.close = (done) => close.call(server, () => done?.()); // without the complaint that it never listened
  process.nextTick(() => server.emit("listening"));
  return server;
}
