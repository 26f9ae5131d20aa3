import { readFlag, readInteger, readText, type Environment } from "@bellwire/emitter/environment";

export type { Environment } from "@bellwire/emitter/environment";

/** A wrong setting, as one clear line. The command prints it and exits with status 2. */
export class ConfigError extends Error {
  override readonly name: string = "ConfigError";
}

/** What the emitter's readers say of a wrong value, as the relay says it. */
export function orConfigError<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw error instanceof TypeError ? new ConfigError(error.message) : error;
  }
}

/** Reads environment variables, as an emitter does; an empty one, or `null` as Laravel writes it, counts as absent. Each error names its variable. */
export class Reader {
  readonly #env: Environment;

  constructor(env: Environment) {
    this.#env = env;
  }

  text(name: string): string | undefined {
    return readText(this.#env, name);
  }

  list(name: string): string[] | undefined {
    const items = this.text(name)
      ?.split(",")
      .map((item) => item.trim())
      .filter((item) => item !== "");
    return items === undefined || items.length === 0 ? undefined : items;
  }

  flag(name: string, fallback: boolean): boolean {
    return orConfigError(() => readFlag(this.#env, name, fallback));
  }

  integer(name: string, least: number, most: number): number | undefined {
    return orConfigError(() => readInteger(this.#env, name, least, most));
  }

  url(name: string, protocols: readonly string[]): URL | undefined {
    const value = this.text(name);
    if (value === undefined) return undefined;
    const url = URL.canParse(value) ? new URL(value) : undefined;
    if (url === undefined || !protocols.includes(url.protocol)) {
      throw new ConfigError(
        `${name} must be a URL that begins with ${protocols.map((protocol) => `${protocol}//`).join(" or ")}, not "${withoutSecrets(value)}"`,
      );
    }
    return url;
  }
}

/** An address that may hold a user and password, fit to be printed. */
function withoutSecrets(address: string): string {
  return address.replace(/^([^/]*\/\/)?.*@/, "$1***@");
}
