import { startContacts, type ContactsOptions } from "./server.js";

/** Ends with one line that says what is missing. */
function need(name: string): string {
  const value = process.env[name];
  if (value !== undefined && value !== "") return value;
  console.error(`${name} is not set: start the demo with "npm start" in the repository's root, or set it as the relay has it`);
  process.exit(2);
}

/** How the relay knows people: CONTACTS_AUTH is `tokens` (or nothing) or `hooks`. */
function readAuth(): NonNullable<ContactsOptions["auth"]> {
  const auth = process.env.CONTACTS_AUTH ?? "";
  if (auth === "" || auth === "tokens") return "tokens";
  if (auth === "hooks") return { hookSecret: need("CONTACTS_HOOK_SECRET") };
  console.error(`CONTACTS_AUTH is tokens or hooks, not ${auth}`);
  process.exit(2);
}

const host = process.env.HOST;
try {
  const contacts = await startContacts({
    port: Number(process.env.PORT ?? 6201),
    ...(host === undefined ? {} : { host }),
    appKey: need("APP_KEY"),
    apiKey: need("REALTIME_API_KEY"),
    relayUrl: need("REALTIME_PUBLIC_URL"),
    relayHttpUrl: need("RELAY_HTTP_URL"),
    auth: readAuth(),
  });
  console.log(`The contacts are at ${contacts.url}`);
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, () => void contacts.close().then(() => process.exit(0)));
  }
} catch (error) {
  console.error(`The demo can't start: ${(error as Error).message}`);
  process.exit(2);
}
