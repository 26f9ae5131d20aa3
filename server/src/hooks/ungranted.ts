import { BellwireError } from "@bellwire/protocol";

/** What is said to a client that wants to publish where nothing and nobody allows it to. */
export function ungranted(): BellwireError {
  return new BellwireError(
    "forbidden",
    "Nothing allows this client to publish here: it needs a grant with publish: true, or a publish hook",
  );
}
