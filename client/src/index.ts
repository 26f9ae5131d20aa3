export { createClient } from "./create-client.js";
export { getDefaultClient, setDefaultClient } from "./default-client.js";
export { ClientError } from "./errors.js";
export { withSubscriptions, type Subscribing } from "./bindings/component.js";
export type {
  Callback,
  Client,
  ClientEvents,
  Message,
  Replay,
  Resync,
  State,
  Subscribe,
  SubscribeOptions,
  Subscription,
  SubscriptionState,
} from "./api.js";
export type { ClientOptions, ConnectionToken, ReconnectOptions, SubscribeToken, SubscriptionRequest } from "./options.js";
export type { Filter, PresenceUser } from "@bellwire/protocol";
