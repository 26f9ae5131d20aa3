import { isRefused, type Holder, type Permit, type Revocation, type Scope } from "./revocation.js";

type Lists = Map<string, Set<Revocation>>;

/** The revocations of one site, by what finds them. */
interface SiteRevocations {
  readonly users: Lists;
  readonly sessions: Lists;
  readonly clients: Lists;
  /** Of whole topics, for everybody. */
  readonly topics: Lists;
  /** Of tokens, whoever holds them. */
  readonly tokens: Lists;
  /** Of topics with a prefix, for everybody. */
  readonly prefixes: Lists;
}

/** Revocations in memory: whether a permit is refused costs the same among ten and among a hundred thousand. */
export class RevocationIndex {
  readonly #byText = new Map<string, Revocation>();
  readonly #sites = new Map<string, SiteRevocations>();

  get size(): number {
    return this.#byText.size;
  }

  get(text: string): Revocation | undefined {
    return this.#byText.get(text);
  }

  [Symbol.iterator](): IterableIterator<Revocation> {
    return this.#byText.values();
  }

  add(revocation: Revocation): void {
    this.#byText.set(revocation.text, revocation);
    const [lists, key] = this.#place(revocation);
    const list = lists.get(key);
    if (list === undefined) lists.set(key, new Set([revocation]));
    else list.add(revocation);
  }

  delete(revocation: Revocation): void {
    this.#byText.delete(revocation.text);
    const [lists, key] = this.#place(revocation);
    const list = lists.get(key);
    list?.delete(revocation);
    if (list?.size === 0) lists.delete(key);
    const { site } = revocation.command;
    const all = this.#sites.get(site);
    if (all !== undefined && Object.values(all).every((one: Lists) => one.size === 0)) this.#sites.delete(site);
  }

  /** Where a revocation is looked for: by the one thing it names that says most. */
  #place({ command }: Revocation): [Lists, string] {
    const { site, user, session, client, jti, topic } = command;
    let all = this.#sites.get(site);
    if (all === undefined) {
      const lists = (): Lists => new Map();
      all = { users: lists(), sessions: lists(), clients: lists(), topics: lists(), tokens: lists(), prefixes: lists() };
      this.#sites.set(site, all);
    }
    if (user !== undefined) return [all.users, user];
    if (session !== undefined) return [all.sessions, session];
    if (client !== undefined) return [all.clients, client];
    if (jti !== undefined) return [all.tokens, jti];
    return topic?.endsWith("*") === true ? [all.prefixes, ""] : [all.topics, topic ?? ""];
  }

  /** @param scope of a subscription; undefined for a connection */
  refuses(holder: Holder, permit: Permit, scope?: Scope): boolean {
    const all = this.#sites.get(holder.site);
    if (all === undefined) return false;
    const some = (list: Set<Revocation> | undefined): boolean => {
      for (const revocation of list ?? []) if (isRefused(revocation, holder, permit, scope)) return true;
      return false;
    };
    return (
      some(all.users.get(holder.user)) ||
      some(all.sessions.get(holder.session)) ||
      some(all.clients.get(holder.client)) ||
      (permit.jti !== undefined && some(all.tokens.get(permit.jti))) ||
      (scope !== undefined && (some(all.topics.get(scope.topic)) || some(all.prefixes.get(""))))
    );
  }
}
