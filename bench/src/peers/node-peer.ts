import type { ServerReady, ServerSettings } from "../servers/settings.js";
import { Worker } from "../worker.js";
import type { Relay, StartOptions } from "./peer.js";

/** Starts one of the servers in `servers/` as a process of its own. */
export async function startNode(file: string, { redis, sites, appKey, execArgv }: StartOptions, more: object = {}): Promise<Relay> {
  const settings: ServerSettings = { redis, port: 0, sites, ...(appKey === undefined ? {} : { appKey }), ...more };
  const { worker, ready } = await Worker.start<ServerReady>(file, { settings, execArgv: ["--expose-gc", ...execArgv] });
  return { pid: worker.pid, port: ready.port, worker, kill: () => worker.kill(), stop: () => worker.stop() };
}

export async function always(): Promise<undefined> {
  return undefined;
}
