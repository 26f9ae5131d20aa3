import { createTokenEndpoint, createTopics, defineTopic, Topic, type Emitter, type TokenEndpoint, type Topics } from "@bellwire/emitter";
import type { Alert } from "./contacts.js";
import type { Session, Sessions } from "./sessions.js";
import type { User } from "./users.js";

/** Told when a contact changed or went: `{id, updated_by}`. All of a site may listen; the site itself is enforced by the relay. */
const contactUpdated = defineTopic("Contact_Updated_Topic", { canSubscribe: (_user: User) => true });

/** Told when something happened that admins should know: `{id, action, updated_by}`. */
class AdminAlert extends Topic<User> {
  static override readonly topic = "Admin_Alert_Topic";

  override canSubscribe(user: User): boolean {
    return user.admin;
  }
}

const definitions = [contactUpdated, defineTopic(AdminAlert)];

/** Who may listen to what: the token endpoint and the subscribe hook both go by these. */
export const topics: Topics<User> = createTopics<User>(definitions);

/** Where the page gets its tokens. */
export function createRealtime(sessions: Sessions, key: string, url: string): TokenEndpoint {
  return createTokenEndpoint<User>({
    key,
    url,
    enabled: true,
    topics: definitions,
    authenticate: (request) => {
      const session = sessions.find(request.headers);
      return session === undefined ? null : { site: session.user.site, user: session.user, session: session.id };
    },
  });
}

/** Rings the bells. Nobody waits for it: a page that was not told refetches when its connection is back. */
export function ring(emitter: Emitter, { site, id: by }: User, contact: number, alert: Alert["action"] | undefined): void {
  void emitter.site(site).publish("Contact_Updated_Topic", { id: contact, updated_by: by });
  if (alert !== undefined) void emitter.site(site).publish("Admin_Alert_Topic", { id: contact, action: alert, updated_by: by });
}

/**
 * Closes what is open of a session that has ended, its other tabs too: an open connection is not asked again who it is. Nobody
 * waits for it; a failure is told by the emitter.
 */
export function closeTabs(emitter: Emitter, { id, user }: Session): void {
  void emitter.site(user.site).session(id).revoke();
}
