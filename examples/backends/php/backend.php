<?php
/**
 * A whole backend on Bellwire in PHP, without a framework:
 *
 *   php -S 127.0.0.1:8080 backend.php             serves it
 *   php backend.php generate_report               runs a task, as cron would
 *
 * There are no passwords and nothing is stored: it shows what realtime needs.
 */

declare(strict_types=1);

require __DIR__ . '/realtime.php';

// ---- Who is here -----------------------------------------------------------------------------------------------------

final class User_Model
{
    public const ROLE_ADMIN = 'admin';
    public const ALL = [
        'ann' => ['site' => 'acme', 'name' => 'Ann', 'role' => self::ROLE_ADMIN],
        'ben' => ['site' => 'acme', 'name' => 'Ben', 'role' => 'member'],
        'mallory' => ['site' => 'acme', 'name' => 'Mallory', 'role' => 'blocked'],
        'gil' => ['site' => 12, 'name' => 'Gil', 'role' => self::ROLE_ADMIN],
    ];
}

final class Permission
{
    /** Null also for somebody who claims to be of another tenant. */
    public static function role(?Realtime_Visitor $visitor): ?string
    {
        $user = User_Model::ALL[$visitor?->user] ?? null;
        return $user !== null && (string) $user['site'] === $visitor->site ? $user['role'] : null;
    }

    public static function is_welcome(?Realtime_Visitor $visitor): bool
    {
        return in_array(self::role($visitor), [User_Model::ROLE_ADMIN, 'member'], true);
    }
}

/** A signed cookie, so that nothing need be stored. The relay knows the session's id, which is not enough to forge one. */
final class Cookie
{
    public static function write(string $user, string $session): string
    {
        return "$user.$session." . hash_hmac('sha256', "session:$user.$session", realtime()->key());
    }

    /** @param string $cookies a whole Cookie header */
    public static function read(string $cookies): ?Realtime_Visitor
    {
        preg_match('/(?:^|;)\s*session=(\w+)\.(\w+)\.(\w+)/', $cookies, $found);
        [, $user, $session, $mac] = $found + ['', '', '', ''];
        $good = isset(User_Model::ALL[$user]) && hash_equals(self::write($user, $session), "$user.$session.$mac");
        return $good ? new Realtime_Visitor(User_Model::ALL[$user]['site'], $user, $session) : null;
    }
}

// ---- Topics: who may listen, by name or pattern. An empty filter means every message of the topic -----------------------

/** A topic may be a class. A contact was changed: {id, updated_by}. */
final class Contact_Updated_Topic
{
    public static function can_subscribe(Realtime_Visitor $visitor, array $filter): bool
    {
        return Permission::is_welcome($visitor);
    }
}

function realtime(): Realtime
{
    static $realtime = null;
    $welcome = fn (Realtime_Visitor $visitor) => Permission::is_welcome($visitor);
    return $realtime ??= new Realtime(topics: [
        'Contact_Updated_Topic' => [Contact_Updated_Topic::class, 'can_subscribe'],
        'News_Topic' => $welcome,
        'Report_Ready_Topic' => $welcome,
        'Chat_Message_Topic' => $welcome, // {text, by}: clients publish it themselves, after the publish hook
        'Admin_Alert_Topic' => fn ($visitor) => Permission::role($visitor) === User_Model::ROLE_ADMIN,
        'user.{id}' => fn ($visitor, $filter, $params) => Permission::is_welcome($visitor) && $visitor->user === $params['id'],
    ]);
}

// ---- What a relay asks -----------------------------------------------------------------------------------------------

final class Hooks
{
    /** @return array the reply to a question; an empty one means yes */
    public static function answer(object $question): array
    {
        if (!isset($question->event)) {
            return []; // notices, in `events`: somebody to keep a list of who is online would look at them
        }
        if ($question->event === 'connect') {
            return self::connect($question);
        }
        $visitor = ($question->user ?? '') === '' ? null : new Realtime_Visitor($question->site, $question->user, $question->session ?? '');
        return match ($question->event) {
            'refresh' => Permission::is_welcome($visitor) ? ['until' => time() + 3600] : self::error('signed-out', 'Sign in again'),
            'subscribe' => self::subscribe($question, $visitor),
            'publish' => self::publish($question, $visitor),
            'rpc' => match ($question->method) {
                'ping' => ['data' => 'pong'],
                default => throw new Realtime_Refusal('not-found', 'There is no such method'),
            },
            default => self::error('unknown-event', 'This backend does not know that question'),
        };
    }

    /** By the token's claims, which the relay has verified, or else by the browser's cookie. */
    private static function connect(object $question): array
    {
        $visitor = isset($question->claims->sub)
            ? new Realtime_Visitor($question->site, $question->claims->sub, $question->claims->sid ?? '')
            : Cookie::read($question->headers->cookie ?? '');
        // A cookie says which tenant's site somebody may enter: no other.
        if (Permission::role($visitor) === null || $visitor->site !== $question->site) {
            return self::error('signed-out', 'Sign in first');
        }
        if (!Permission::is_welcome($visitor)) {
            return ['disconnect' => ['code' => 'blocked', 'reason' => 'This account is blocked']];
        }
        return [
            'user' => $visitor->user,
            'session' => $visitor->session,
            'info' => ['name' => User_Model::ALL[$visitor->user]['name']],
            'until' => time() + 3600,
            'subscriptions' => [['topic' => 'News_Topic']],
        ];
    }

    private static function subscribe(object $question, ?Realtime_Visitor $visitor): array
    {
        try {
            realtime()->require_permission($visitor, $question->topic, Realtime_Filters::parse($question->filter ?? null));
            return [];
        } catch (Realtime_Refusal $refusal) {
            return self::error('forbidden', $refusal->getMessage());
        }
    }

    /** What a client wants to publish. */
    private static function publish(object $question, ?Realtime_Visitor $visitor): array
    {
        $text = trim(is_string($question->data->text ?? null) ? $question->data->text : '');
        if ($question->topic !== 'Chat_Message_Topic' || !Permission::is_welcome($visitor)) {
            return self::error('forbidden', 'Only the chat is open to clients');
        }
        if ($text === '' || strlen($text) > 1000) {
            return self::error('invalid', 'text has 1 to 1000 bytes');
        }
        return ['data' => ['text' => $text, 'by' => $visitor->user]];
    }

    /** `forbidden` is about permission; any other code is this backend's own, and reaches the page as the reason of `rejected`. */
    private static function error(string $code, string $message): array
    {
        return ['error' => ['code' => $code, 'message' => $message]];
    }
}

// ---- Controllers and tasks -------------------------------------------------------------------------------------------

final class Controller
{
    public static function save_contact(Realtime_Visitor $visitor, int $id): array
    {
        // Here the contact would be stored.
        $told = realtime()->publish($visitor->site, 'Contact_Updated_Topic', ['id' => $id, 'updated_by' => $visitor->user]);
        return [200, ['success' => true, 'told' => $told !== null]];
    }

    /** Subscribes the visitor's pages, all that are open, without their doing. */
    public static function follow_contact(Realtime_Visitor $visitor, int $id, bool $on): array
    {
        $what = ['session' => $visitor->session, 'topic' => 'Contact_Updated_Topic', 'filter' => ['id' => $id]];
        return [200, ['success' => realtime()->command($visitor->site, $on ? 'subscribe' : 'unsubscribe', $what)]];
    }

    /** An ordinary form, which a page may also send over its socket: `rpc("post:news/store", {title})`. */
    public static function store_news(Realtime_Visitor $visitor, object $input): array
    {
        $title = trim(is_string($input->title ?? null) ? $input->title : '');
        if ($title === '') {
            return [422, ['message' => 'The news needs a title', 'errors' => ['title' => ['Write a title']]]];
        }
        $id = random_int(1, 1_000_000);
        realtime()->publish($visitor->site, 'News_Topic', ['id' => $id]);
        return [201, ['id' => $id, 'title' => $title, 'author' => $visitor->user]];
    }
}

final class Task
{
    /** A task has no visitor: it goes from tenant to tenant. */
    public static function generate_report(): void
    {
        foreach (array_unique(array_column(User_Model::ALL, 'site')) as $site) {
            realtime()->publish($site, 'Report_Ready_Topic', ['report_id' => random_int(1, 1_000_000)]);
        }
    }
}

// ---- HTTP ------------------------------------------------------------------------------------------------------------

/** @return array{int, mixed} status and body */
function answer(string $method, string $path, string $body): array
{
    if (strlen($body) > 256 * 1024) {
        throw new Realtime_Refusal('too-large', 'At most 256 KiB');
    }
    $kind = $_SERVER['CONTENT_TYPE'] ?? null;
    if ("$method $path" === 'POST /hooks') {
        return [200, (object) Hooks::answer(realtime()->read_hook($body, $_SERVER))];
    }
    $visitor = isset($_SERVER['HTTP_WEBHOOK_SIGNATURE'])
        ? realtime()->read_caller($body, $_SERVER)
        : Cookie::read($_SERVER['HTTP_COOKIE'] ?? '');
    if (Permission::role($visitor) === null) {
        $visitor = null;
    }
    if ($path === '/realtime' && ($method === 'GET' || $method === 'POST')) {
        return [200, realtime()->answer_token_request($method, $kind, $body, $visitor)];
    }
    $input = $method === 'POST' ? Realtime::read_json($kind, $body) : (object) [];
    if ("$method $path" === 'POST /sign-in') {
        return sign_in($input);
    }
    if ($visitor === null) {
        throw new Realtime_Refusal('token-missing', 'Sign in first');
    }
    if ($method === 'POST' && preg_match('#^/contacts/(\d{1,9})(/follow|/unfollow)?$#', $path, $found)) {
        $id = (int) $found[1];
        return isset($found[2])
            ? Controller::follow_contact($visitor, $id, $found[2] === '/follow')
            : Controller::save_contact($visitor, $id);
    }
    return match ("$method $path") {
        'POST /news/store' => Controller::store_news($visitor, $input),
        'POST /sign-out' => sign_out($visitor),
        default => throw new Realtime_Refusal('not-found', 'There is nothing here'),
    };
}

function sign_in(object $input): array
{
    $user = $input->user ?? null;
    if (!is_string($user) || !isset(User_Model::ALL[$user])) {
        return [422, ['message' => 'Nobody has this name']];
    }
    $cookie = Cookie::write($user, bin2hex(random_bytes(12)));
    header("Set-Cookie: session=$cookie; Path=/; HttpOnly; SameSite=Lax");
    return [200, ['user' => $user]];
}

/** Ends what the session's tokens opened, in all its tabs. */
function sign_out(Realtime_Visitor $visitor): array
{
    header('Set-Cookie: session=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0');
    return [200, ['success' => realtime()->command($visitor->site, 'revoke', ['session' => $visitor->session])]];
}

if (PHP_SAPI === 'cli') {
    ($argv[1] ?? '') === 'generate_report' ? Task::generate_report() : print("Usage: php -S 127.0.0.1:8080 backend.php\n");
    exit;
}

// A warning of PHP's belongs to the log, not into an answer.
ini_set('display_errors', 'stderr');
try {
    $path = (string) parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH);
    [$status, $reply] = answer($_SERVER['REQUEST_METHOD'], $path, (string) file_get_contents('php://input'));
} catch (Realtime_Refusal $refusal) {
    [$status, $reply] = [$refusal->status(), ['error' => $refusal->error()]];
} catch (Throwable $problem) {
    error_log((string) $problem);
    [$status, $reply] = [500, ['error' => ['code' => 'internal', 'message' => 'The backend failed', 'retry' => 'later']]];
}
http_response_code($status);
header('Content-Type: application/json');
header('Cache-Control: no-store');
echo Realtime::encode($reply);
