import { startChat } from "./server.js";

const host = process.env.HOST;
try {
  const chat = await startChat({
    port: Number(process.env.PORT ?? 6202),
    ...(host === undefined ? {} : { host }),
    log: (line) => console.log(line),
  });
  console.log(`The chat is at ${chat.url}`);
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, () => void chat.close().then(() => process.exit(0)));
  }
} catch (error) {
  console.error(`The chat can't start: ${(error as Error).message}`);
  process.exit(2);
}
