import { createLogger, readConfig, Relay, type FileInput } from "@bellwire/server";
import { until } from "../measure/clock.js";
import { readSettings, serve } from "../rpc.js";
import { collect, type ServerSettings } from "./settings.js";

const settings = readSettings<ServerSettings & { readonly apiKey: string; readonly inline?: FileInput }>();
const relay = new Relay({
  config: readConfig(
    {
      NODE_ENV: "production",
      REALTIME_WS_HOST: "127.0.0.1",
      REALTIME_WS_PORT: String(settings.port),
      REALTIME_PUBLIC_URL: "ws://127.0.0.1",
      REALTIME_API_KEY: settings.apiKey,
      APP_KEY: settings.appKey,
      REDIS_URL: settings.redis,
    },
    { personal: false, ...settings.inline },
  ),
  logger: createLogger({ write: () => undefined }),
});
await relay.start();
await until(() => relay.readiness().ready, 10_000, "The relay did not become ready");
serve({ collect, heard: () => relay.stats.heard }, { port: relay.port });
