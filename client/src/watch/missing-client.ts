import { ClientError } from "../errors.js";

const REMEDY = "name one with the framework's provider, this.bellwire or setDefaultClient(client)";
let told = false;

/** Says once per page that a binding found no client. Silent on a server, where there is none by intention. */
export function warnOfMissingClient(): void {
  if (told || typeof document === "undefined") return;
  told = true;
  console.warn(`bellwire: there is no client, so nothing is subscribed: ${REMEDY}`);
}

/** What a binding answers for a client that is not there. */
export async function missingClient(): Promise<never> {
  throw new ClientError({ code: "unavailable", message: `There is no client: ${REMEDY}`, retry: "never" });
}
