import { BellwireError, isCode, parseWireError, type WireError } from "@bellwire/protocol";

/** Whatever was thrown, as an error of the contract. What was not meant for outside stays inside, as `cause`. */
export function toBellwireError(error: unknown): BellwireError {
  if (error instanceof BellwireError) return error;
  return new BellwireError("internal", "Something went wrong on the relay", { cause: error });
}

/** An error again, of what one was told as. */
export function fromWire(error: WireError): BellwireError {
  const { code, message, ...detail } = parseWireError(error);
  return new BellwireError(isCode(code) ? code : "internal", message, detail);
}
