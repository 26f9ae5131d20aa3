export { BellwireError, type Code, type Filter, type Grant, type Position, type Reason } from "@bellwire/protocol";
export type { Command, DisconnectCommand, RevokeCommand, SubscribeCommand, Target, UnsubscribeCommand } from "./control/command.js";
export type { DisconnectOptions, PersonControl, RevokeOptions, SiteControl, TargetControl } from "./control/site-control.js";
export { createEmitter, type Emitter, type Site } from "./emitter.js";
export type { Fake, Published } from "./fake.js";
export type { Identifier } from "./identifier.js";
export { parseKey, type Key } from "./key.js";
export type { PublishOptions } from "./message.js";
export type { EmitterOptions } from "./options.js";
export type { ErrorContext, OnError } from "./reporter.js";
export { personalTopic, type Addressee, type PersonalKind } from "./personal.js";
export type { PersonalPublisher, PublishResult, SitePublisher } from "./site.js";
export { mintConnectToken, mintSubscribeToken, type ConnectTokenClaims, type MintOptions, type SubscribeTokenClaims } from "./tokens.js";
export {
  defineTopic,
  Topic,
  type CanSubscribe,
  type Permission,
  type TopicClass,
  type TopicContext,
  type TopicDefinition,
} from "./topics/define-topic.js";
export type { CompiledPattern, PatternParams } from "./topics/pattern.js";
export { createTopics, type Topics } from "./topics/create-topics.js";
export { toNodeHandler } from "./endpoint/node-handler.js";
export type { Identity, TokenEndpointOptions, UserLike } from "./endpoint/options.js";
export { createTokenEndpoint, type TokenEndpoint } from "./endpoint/token-endpoint.js";
export type { Except, LogTransport, Publication, Transport } from "./transport.js";
