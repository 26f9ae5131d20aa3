import { createClient } from "@bellwire/client";
import * as lit from "@bellwire/client/lit";
import * as solid from "@bellwire/client/solid";
import * as svelte from "@bellwire/client/svelte";
import * as stores from "@bellwire/client/svelte/store";
import * as vue from "@bellwire/client/vue";
import type { ReactiveControllerHost } from "lit";

const T = "Contact_Updated_Topic";
declare const host: ReactiveControllerHost;

export const ids: (number | undefined)[] = [
  vue.useSubscription(
    T,
    () => ({ id: undefined }),
    ({ data }) => data.id,
  ).last.value?.data.updated_by,
  svelte.subscription(
    T,
    () => ({ id: 5 }),
    ({ data }) => data.id,
  ).current.resync?.data.id,
  solid.createSubscription(
    T,
    { id: [5, 6] },
    ({ data }) => data.id,
    () => ({ enabled: false }),
  ).last?.data.id,
  lit.subscription(
    host,
    T,
    () => ({ id: 5 }),
    ({ data }) => data.id,
  ).current.last?.data.id,
];
stores.subscription(T, { id: 5 }).subscribe(({ last }) => last?.data.updated_by);

// @ts-expect-error no such topic
vue.useSubscription("Contact");
// @ts-expect-error an id is a number
vue.useSubscription(T, () => ({ id: "5" }));
// @ts-expect-error not what the topic carries
void vue.usePublish("chat.1")({ words: "" });
// @ts-expect-error no such topic
svelte.subscription("Contact");
// @ts-expect-error an id is a number
svelte.subscription(T, { id: "5" });
// @ts-expect-error no such topic
stores.presence("Contact");
// @ts-expect-error an id is a number
solid.createSubscription(T, () => ({ id: "5" }));
// @ts-expect-error no such topic
lit.presence(host, "Contact");

interface Mine {
  Mine_Topic: { data: { at: string } };
}
vue.bellwire(createClient<Mine>({ endpoint: "/realtime" }));
svelte.setBellwire(createClient<Mine>({ endpoint: "/realtime" }));
solid.BellwireProvider({ client: createClient<Mine>({ endpoint: "/realtime" }) });
void vue.useSubscription<"Mine_Topic", Mine>("Mine_Topic", { at: "x" }).last.value?.data.at.length;
