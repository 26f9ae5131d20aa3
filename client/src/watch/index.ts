export { fieldOf, fieldsOf, PRESENCE, WATCHED } from "./fields.js";
export { valueOf, type MaybeGetter } from "./maybe-getter.js";
export { missingClient } from "./missing-client.js";
export { createPresenceWatch, type Presence } from "./presence-watch.js";
export { createStateWatch } from "./state-watch.js";
export type { Store, WatchError, WatchStatus } from "./store.js";
export { createWatch, type NoTopic, type Watched, type WatchedOf, type WatchOptions } from "./watch.js";
export { watchKey } from "./watch-key.js";
