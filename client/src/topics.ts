import type { Filter, JsonObject, Scalar } from "@bellwire/protocol";

/**
 * What each topic carries. Empty until the application says, once, and from there subscribe, publish, callbacks and hooks are typed:
 *
 * @example
 * declare module "@bellwire/client" {
 *   interface Topics {
 *     Contact_Updated_Topic: { data: { id: number; updated_by: number }; filter: { id?: number } };
 *     [room: `chat.${string}`]: { data: { text: string } };
 *   }
 * }
 *
 * `filter` names what may be filtered by; left out, it is every key of `data` that holds a scalar. While it is empty, every name is
 * taken, with any data. The same interface under any name may be given as a type parameter: `createClient<MyTopics>(options)`.
 */
// To be merged with.
// oxlint-disable-next-line typescript/no-empty-object-type, typescript/no-empty-interface
export interface Topics {}

/** True for no types at all: an empty `Topics`, or `any`. */
type Untyped<T> = 0 extends 1 & T ? true : [keyof T] extends [never] ? true : false;

/** The topics that may be named. */
export type TopicName<T> = Untyped<T> extends true ? string : keyof T & string;

type EntryOf<T, Name extends string> = Untyped<T> extends true ? unknown : Name extends keyof T ? T[Name] : unknown;

/** What a topic's messages carry. */
export type DataOf<T, Name extends string> = EntryOf<T, Name> extends { data: infer Data } ? Data : JsonObject;

/** What may be published to a topic. */
export type PublishDataOf<T, Name extends string> = EntryOf<T, Name> extends { data: infer Data } ? Data : object;

type Keys<Data> = { [Key in keyof Data as NonNullable<Data[Key]> extends Scalar ? Key : never]?: Extract<Data[Key], Scalar> };

/** The keys that a topic may be filtered by, with the type of one value. */
type FilterKeys<Entry> = Entry extends { filter: infer F } ? F : Entry extends { data: infer Data } ? Keys<Data> : never;

type Value<V> = Exclude<V, undefined>;

/** A topic's filter: a value for each key, or several of which any fits. */
export type FilterOf<T, Name extends string> =
  EntryOf<T, Name> extends { data: unknown }
    ? {
        readonly [Key in keyof FilterKeys<EntryOf<T, Name>>]:
          FilterKeys<EntryOf<T, Name>>[Key] | readonly Value<FilterKeys<EntryOf<T, Name>>[Key]>[];
      }
    : Filter;

/** The same where some values may not be there yet. */
export type PendingFilterOf<T, Name extends string> =
  EntryOf<T, Name> extends { data: unknown }
    ? {
        readonly [Key in keyof FilterKeys<EntryOf<T, Name>>]:
          FilterKeys<EntryOf<T, Name>>[Key] | readonly (Value<FilterKeys<EntryOf<T, Name>>[Key]> | undefined)[] | undefined;
      }
    : PendingFilter;

/** What a resync tells: the filter's keys that are pinned to one value. */
export type SinglesOf<T, Name extends string> =
  EntryOf<T, Name> extends { data: unknown }
    ? { readonly [Key in keyof FilterKeys<EntryOf<T, Name>>]?: Value<FilterKeys<EntryOf<T, Name>>[Key]> }
    : { readonly [key: string]: Scalar };

/** A filter of which some values may not be there yet: with `undefined` among them nothing is subscribed. */
export type PendingFilter = { readonly [key: string]: Scalar | undefined | readonly (Scalar | undefined)[] };
