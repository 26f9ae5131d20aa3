import { createClient, type Client } from "@bellwire/client";

const client = createClient({ endpoint: "/realtime" });

client.subscribe("Contact_Updated_Topic", { id: 5 }, (event) => {
  if (event.resync) {
    const id: number | undefined = event.data.id;
    // @ts-expect-error a resync knows what the filter pins, and no more
    return [id, event.data.updated_by];
  }
  const { id, updated_by }: { id: number; updated_by: number } = event.data;
  // @ts-expect-error the topic carries no such field
  return [id, updated_by, event.data.name];
});
client.subscribe("Contact_Updated_Topic", ({ data }) => data.id);
client.subscribe("Contact_Updated_Topic", { id: [5, 6] }, () => {}, { onResync: ({ data }) => data.id?.toFixed() });
client.subscribe("chat.42", ({ data }) => data.text);

// @ts-expect-error no such topic
client.subscribe("Contact_Update_Topic", () => {});
// @ts-expect-error an id is a number
client.subscribe("Contact_Updated_Topic", { id: "5" }, () => {});
// @ts-expect-error no such key
client.subscribe("Contact_Updated_Topic", { ids: 5 }, () => {});
// @ts-expect-error not what this topic may be filtered by
client.subscribe("Contact_Updated_Topic", { updated_by: 5 }, () => {});

// Without a filter's type: every scalar of the data.
client.subscribe("Plain_Topic", { kind: "a", open: [true, false] }, () => {});
// @ts-expect-error no such value
client.subscribe("Plain_Topic", { kind: "c" }, () => {});
// @ts-expect-error no scalar
client.subscribe("Plain_Topic", { tags: "x" }, () => {});

void client.publish("Contact_Updated_Topic", { id: 5, updated_by: 6 });
// @ts-expect-error something is missing
void client.publish("Contact_Updated_Topic", { id: 5 });
// @ts-expect-error no such topic
void client.publish("Nothing", {});

// As a type parameter.
interface Mine {
  Mine_Topic: { data: { at: string }; filter: { at: string } };
}
const mine: Client<Mine> = createClient<Mine>({ endpoint: "/realtime" });
mine.subscribe("Mine_Topic", { at: "x" }, ({ data }) => data.at?.length);
// @ts-expect-error the other types do not count here
mine.subscribe("Contact_Updated_Topic", () => {});
// @ts-expect-error not a string
mine.subscribe("Mine_Topic", { at: 1 }, () => {});

// Whatever the types say: no types.
// oxlint-disable-next-line typescript/no-explicit-any
const any: Client<any> = createClient<any>({ endpoint: "/realtime" });
any.subscribe("Anything", { x: "y" }, ({ data }) => data.whatever);
void any.publish("Anything", { x: "y" });
