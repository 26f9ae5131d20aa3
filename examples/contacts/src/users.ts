/** Somebody who can sign in. There are no passwords: this is a demo. */
export interface User {
  readonly id: string;
  readonly name: string;
  /** The tenant: whoever is on another one sees nothing of this one. */
  readonly site: string;
  readonly admin: boolean;
}

export const users: readonly User[] = [
  { id: "ann", name: "Ann", site: "acme", admin: true },
  { id: "ben", name: "Ben", site: "acme", admin: false },
  { id: "cleo", name: "Cleo", site: "acme", admin: false },
  { id: "gil", name: "Gil", site: "globex", admin: true },
  { id: "hana", name: "Hana", site: "globex", admin: false },
];

export function findUser(id: unknown): User | undefined {
  return users.find((user) => user.id === id);
}
