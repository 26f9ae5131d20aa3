/** A wrong setting, as one clear line. The command prints it and exits with status 2. */
export class ConfigError extends Error {
  override readonly name: string = "ConfigError";
}

export type Environment = Readonly<Record<string, string | undefined>>;

/** Reads environment variables; an empty one, or `null` as Laravel writes it, counts as absent. Each error names its variable. */
export class Reader {
  readonly #env: Environment;

  constructor(env: Environment) {
    this.#env = env;
  }

  text(name: string): string | undefined {
    const value = this.#env[name]?.trim();
    return value === undefined || value === "" || value === "null" ? undefined : value;
  }

  list(name: string): string[] | undefined {
    const items = this.text(name)
      ?.split(",")
      .map((item) => item.trim())
      .filter((item) => item !== "");
    return items === undefined || items.length === 0 ? undefined : items;
  }

  flag(name: string, fallback: boolean): boolean {
    const value = this.text(name)?.toLowerCase();
    if (value === undefined) return fallback;
    if (["true", "1", "yes", "on"].includes(value)) return true;
    if (["false", "0", "no", "off"].includes(value)) return false;
    throw new ConfigError(`${name} must be true or false, not "${value}"`);
  }

  integer(name: string, least: number, most: number): number | undefined {
    const value = this.text(name);
    if (value === undefined) return undefined;
    const number = Number(value);
    if (!/^\d+$/.test(value) || number < least || number > most) {
      throw new ConfigError(`${name} must be a whole number from ${least} to ${most}, not "${value}"`);
    }
    return number;
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
