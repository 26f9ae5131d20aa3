import type { FastifyInstance } from "fastify";
import { ConfigError } from "../config/reader.js";

/**
 * Listens on a port.
 * @param variable the setting that names the port, for the error
 * @throws ConfigError where that can't be
 */
export async function listen(app: FastifyInstance, port: number, host: string | undefined, variable: string): Promise<void> {
  await app.ready();
  const { server } = app;
  await new Promise<void>((resolve, reject) => {
    const fail = (error: NodeJS.ErrnoException): void => {
      const reason =
        error.code === "EADDRINUSE"
          ? `port ${port} is taken: stop what listens there, or set ${variable}`
          : `${error.message} (${variable}, REALTIME_WS_HOST)`;
      reject(new ConfigError(`Can't listen: ${reason}`));
    };
    server.once("error", fail);
    server.listen({ port, ...(host === undefined ? {} : { host }) }, () => {
      server.off("error", fail);
      resolve();
    });
  });
}
