import { asObject, type JsonObject } from "@bellwire/protocol";

/**
 * Knows whom the page is signed in as, from the backend's tokens and the relay's hellos. Each is compared with its own kind, since a
 * connect hook may give a user another name than the token does.
 */
export class Identity {
  #token: string | undefined;
  #hello: string | undefined;

  /** Whether a token names somebody else than the one before. */
  isNewToken(token: unknown): boolean {
    const name = nameOfToken(token);
    const isNew = name !== undefined && this.#token !== undefined && name !== this.#token;
    this.#token = name ?? this.#token;
    // The hello that follows brings no news.
    if (isNew) this.#hello = undefined;
    return isNew;
  }

  /** Whether a hello names somebody else than the one before. */
  isNewHello(namespace: string, { user, session }: JsonObject): boolean {
    const name = nameOf(namespace, user, session);
    const isNew = this.#hello !== undefined && name !== this.#hello;
    this.#hello = name;
    return isNew;
  }
}

/** A user is the same in another session; an anonymous visitor is nothing but a session. */
function nameOf(site: unknown, user: unknown, session: unknown): string {
  return JSON.stringify(user ? [site, user] : [site, null, session]);
}

/** Undefined for a token that is not Bellwire's own: what its claims mean is known to the relay alone. */
function nameOfToken(token: unknown): string | undefined {
  try {
    const [, payload] = (token as string).split(".") as [string, string];
    // Bytes beyond ASCII stay apart, which does not matter where names are only compared.
    const claims = asObject(JSON.parse(atob(payload.replaceAll("-", "+").replaceAll("_", "/")))) ?? {};
    return String(claims.aud).startsWith("bellwire:") ? nameOf(claims.site, claims.sub, claims.sid) : undefined;
  } catch {
    return undefined;
  }
}
