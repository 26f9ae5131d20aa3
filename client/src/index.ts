export { createClient } from "./create-client.js";
export { getDefaultClient, setDefaultClient } from "./default-client.js";
export { ClientError } from "./errors.js";
export { withSubscriptions, type Subscribing } from "./bindings/component.js";
export type {
  Callback,
  CallbackOf,
  Client,
  ClientEvents,
  Message,
  Replay,
  Resync,
  State,
  Subscribe,
  SubscribeOptions,
  SubscribeOptionsOf,
  Subscription,
  SubscriptionState,
} from "./api.js";
export type { ClientOptions, ConnectionToken, ReconnectOptions, SubscribeToken, SubscriptionRequest } from "./options.js";
export type { DataOf, FilterOf, PendingFilter, PendingFilterOf, PublishDataOf, SinglesOf, TopicName, Topics } from "./topics.js";
export type { Filter, Position, PresenceUser } from "@bellwire/protocol";
