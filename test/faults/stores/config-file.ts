import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A relay's configuration file with this section on Redis. */
export class ConfigFile {
  readonly env: { readonly REALTIME_CONFIG: string };
  readonly #dir: string;

  private constructor(dir: string, path: string) {
    this.#dir = dir;
    this.env = { REALTIME_CONFIG: path };
  }

  static async write(redis: object): Promise<ConfigFile> {
    const dir = await mkdtemp(join(tmpdir(), "bellwire-config-"));
    const path = join(dir, "bellwire.json");
    await writeFile(path, JSON.stringify({ redis }));
    return new ConfigFile(dir, path);
  }

  async remove(): Promise<void> {
    await rm(this.#dir, { recursive: true, force: true });
  }
}
