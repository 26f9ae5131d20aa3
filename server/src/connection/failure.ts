import { BellwireError } from "@bellwire/protocol";

/** Whatever was thrown, as an error of the contract. What was not meant for outside stays inside, as `cause`. */
export function toBellwireError(error: unknown): BellwireError {
  if (error instanceof BellwireError) return error;
  return new BellwireError("internal", "Something went wrong on the relay", { cause: error });
}
