// What an application writes once. Types only: the compiler is the test.
declare module "@bellwire/client" {
  interface Topics {
    Contact_Updated_Topic: { data: { id: number; updated_by: number }; filter: { id?: number } };
    Plain_Topic: { data: { kind: "a" | "b"; tags: string[]; open?: boolean } };
    [room: `chat.${string}`]: { data: { text: string } };
  }
}

import "@bellwire/client";
