import { BellwireError } from "@bellwire/protocol";

/** A request's body as text, read no further than allowed: a body in chunks does not say how long it is. @throws BellwireError `too-large` */
export async function readText(request: Request, most: number): Promise<string> {
  const tooLarge = (): BellwireError => new BellwireError("too-large", "The request is too large");
  if (Number(request.headers.get("content-length")) > most) throw tooLarge();
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of request.body ?? []) {
    length += (chunk as Uint8Array).length;
    if (length > most) throw tooLarge();
    chunks.push(chunk as Uint8Array);
  }
  return Buffer.concat(chunks).toString();
}
