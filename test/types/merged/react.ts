import { createClient } from "@bellwire/client";
import { BellwireProvider, createHooks, usePresence, usePublish, useSubscription } from "@bellwire/client/react";
import { createWatch } from "@bellwire/client/watch";

export function Card({ id }: { readonly id: number | undefined }): string {
  const { last, resync, error, status } = useSubscription("Contact_Updated_Topic", { id }, ({ data }) => data.id);
  const known: [number | undefined, number | undefined] = [last?.data.updated_by, resync?.data.id];
  // @ts-expect-error the topic carries no such field
  void last?.data.name;
  // @ts-expect-error no such topic
  useSubscription("Contact_Update_Topic");
  // @ts-expect-error an id is a number
  useSubscription("Contact_Updated_Topic", { id: "5" });
  useSubscription(id === undefined ? null : "chat.1", null, ({ data }) => data.text, { enabled: true, since: { epoch: "e", offset: 1 } });
  useSubscription("chat.1", null, undefined, { replay: { maxAge: 1000 } });
  usePresence("chat.1").users.map(({ user }) => user.length);
  // @ts-expect-error no such topic
  usePresence("chat");
  const publish = usePublish("chat.1");
  void publish({ text: "" });
  // @ts-expect-error not what the topic carries
  void publish({ words: "" });
  return `${known.join()} ${error?.code} ${status}`;
}

interface Mine {
  Mine_Topic: { data: { at: string } };
}
const mine = createClient<Mine>({ endpoint: "/realtime" });
BellwireProvider({ client: mine });
const hooks = createHooks<Mine>();

export function Mine(): string {
  // @ts-expect-error the other types do not count here
  hooks.useSubscription("Contact_Updated_Topic");
  return hooks.useSubscription("Mine_Topic", { at: ["x", undefined] }, ({ data }) => data.at?.length).last?.data.at ?? "";
}

const watch = createWatch(mine, "Mine_Topic", { at: "x" });
void watch.current.last?.data.at.length;
// @ts-expect-error not a string
createWatch(mine, "Mine_Topic", { at: 1 });
