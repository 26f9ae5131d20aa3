<?php
/**
 * A whole backend on Bellwire in PHP, without a framework:
 *
 *   php -S 127.0.0.1:8080 backend.php             serves it
 *   php backend.php generate_report               runs a task, as cron would
 *
 * There are no passwords and nothing is stored: it shows what realtime needs. Beside the settings of realtime.php: REALTIME_SITE.
 */

declare(strict_types=1);

require __DIR__ . '/realtime.php';

// ---- Who is here -----------------------------------------------------------------------------------------------------

final class User_Model
{
    public const ROLE_ADMIN = 'admin';
    public const ALL = [
        'ann' => ['name' => 'Ann', 'role' => self::ROLE_ADMIN],
        'ben' => ['name' => 'Ben', 'role' => 'member'],
        'mallory' => ['name' => 'Mallory', 'role' => 'blocked'],
    ];
}

/** The visitor of this request, or the one that a hook asks about. */
final class Session
{
    private static ?string $user = null;
    private static ?string $session = null;

    public static function get_user_id(): ?string
    {
        return self::$user;
    }

    public static function get_session_id(): string
    {
        return (string) self::$session;
    }

    /** The tenant. Here there is one; yours may depend on the user. */
    public static function get_site_id(): string
    {
        return (string) getenv('REALTIME_SITE');
    }

    public static function act_as(?string $user, ?string $session): void
    {
        $known = $user !== null && isset(User_Model::ALL[$user]);
        [self::$user, self::$session] = $known ? [$user, $session] : [null, null];
    }

    /** A signed cookie, so that nothing need be stored. The relay knows the session's id, which is not enough to forge one. */
    public static function cookie(string $user, string $session): string
    {
        return "$user.$session." . hash_hmac('sha256', "session:$user.$session", Realtime::key());
    }

    /** @param string $cookies a whole Cookie header */
    public static function from_cookies(string $cookies): void
    {
        preg_match('/(?:^|;)\s*session=(\w+)\.(\w+)\.(\w+)/', $cookies, $found);
        [, $user, $session] = $found + ['', '', ''];
        $good = $found !== [] && hash_equals(self::cookie($user, $session), "$user.$session.$found[3]");
        self::act_as($good ? $user : null, $good ? $session : null);
    }
}

final class Permission
{
    public static function has_role(string $role): bool
    {
        return (User_Model::ALL[Session::get_user_id() ?? '']['role'] ?? null) === $role;
    }
}

// ---- Topics ----------------------------------------------------------------------------------------------------------

/** A contact was changed: {id, updated_by}. */
class Contact_Updated_Topic extends Realtime_Topic_Abstract
{
    public static function can_subscribe(array $filter = []): bool
    {
        return !Permission::has_role('blocked');
    }
}

class Admin_Alert_Topic extends Realtime_Topic_Abstract
{
    public static function can_subscribe(array $filter = []): bool
    {
        return Permission::has_role(User_Model::ROLE_ADMIN);
    }
}

/** A report is there: {report_id}. */
class Report_Ready_Topic extends Contact_Updated_Topic
{
}

/** There is news: {id}. */
class News_Topic extends Contact_Updated_Topic
{
}

/** What somebody says: {text, by}. Clients publish it themselves, after the publish hook. */
class Chat_Message_Topic extends Contact_Updated_Topic
{
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
        Session::act_as($question->user ?? null, $question->session ?? null);
        return match ($question->event) {
            'refresh' => Session::get_user_id() === null || Permission::has_role('blocked')
                ? self::error('signed-out', 'Sign in again') : ['until' => time() + 3600],
            'subscribe' => self::subscribe($question),
            'publish' => self::publish($question),
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
        if (isset($question->claims->sub)) {
            Session::act_as($question->claims->sub, $question->claims->sid ?? null);
        } else {
            Session::from_cookies($question->headers->cookie ?? '');
        }
        $user = Session::get_user_id();
        if ($user === null) {
            return self::error('signed-out', 'Sign in first');
        }
        if (Permission::has_role('blocked')) {
            return ['disconnect' => ['code' => 'blocked', 'reason' => 'This account is blocked']];
        }
        return [
            'user' => $user,
            'session' => Session::get_session_id(),
            'info' => ['name' => User_Model::ALL[$user]['name']],
            'until' => time() + 3600,
            'subscriptions' => [['topic' => 'News_Topic']],
        ];
    }

    private static function subscribe(object $question): array
    {
        try {
            Realtime::require_permission($question->topic, Realtime::parse_filter($question->filter ?? null));
            return [];
        } catch (Realtime_Refusal $refusal) {
            return self::error('not-allowed', $refusal->getMessage());
        }
    }

    /** What a client wants to publish. */
    private static function publish(object $question): array
    {
        $text = trim(is_string($question->data->text ?? null) ? $question->data->text : '');
        if ($question->topic !== 'Chat_Message_Topic' || Session::get_user_id() === null || Permission::has_role('blocked')) {
            return self::error('not-allowed', 'Only the chat is open to clients');
        }
        if ($text === '' || strlen($text) > 1000) {
            return self::error('invalid', 'text has 1 to 1000 bytes');
        }
        return ['data' => ['text' => $text, 'by' => Session::get_user_id()]];
    }

    private static function error(string $code, string $message): array
    {
        return ['error' => ['code' => $code, 'message' => $message]];
    }
}

// ---- Controllers and tasks -------------------------------------------------------------------------------------------

final class Controller
{
    public static function save_contact(int $id): array
    {
        // Here the contact would be stored.
        $told = Realtime::publish('Contact_Updated_Topic', ['id' => $id, 'updated_by' => Session::get_user_id()]);
        return [200, ['success' => true, 'told' => $told !== null]];
    }

    /** Subscribes the visitor's pages, all that are open, without their doing. */
    public static function follow_contact(int $id, bool $on): array
    {
        $what = ['session' => Session::get_session_id(), 'topic' => 'Contact_Updated_Topic', 'filter' => ['id' => $id]];
        return [200, ['success' => Realtime::command($on ? 'subscribe' : 'unsubscribe', $what)]];
    }

    /** An ordinary form, which a page may also send over its socket: `rpc("post:news/store", {title})`. */
    public static function store_news(object $input): array
    {
        $title = trim(is_string($input->title ?? null) ? $input->title : '');
        if ($title === '') {
            return [422, ['message' => 'The news needs a title', 'errors' => ['title' => ['Write a title']]]];
        }
        $id = random_int(1, 1_000_000);
        Realtime::publish('News_Topic', ['id' => $id]);
        return [201, ['id' => $id, 'title' => $title, 'author' => Session::get_user_id()]];
    }
}

final class Task
{
    public static function generate_report(): void
    {
        Realtime::publish('Report_Ready_Topic', ['report_id' => random_int(1, 1_000_000)]);
    }
}

// ---- HTTP ------------------------------------------------------------------------------------------------------------

/** @return array{int, mixed} status and body */
function answer(string $method, string $path, string $body): array
{
    if (strlen($body) > 256 * 1024) {
        throw new Realtime_Refusal('too-large', 'At most 256 KiB');
    }
    if ("$method $path" === 'POST /hooks') {
        return [200, (object) Hooks::answer(Realtime::read_hook($body))];
    }
    if (isset($_SERVER['HTTP_WEBHOOK_SIGNATURE'])) {
        [$user, $session] = Realtime::read_caller($body);
        Session::act_as($user, $session);
    } else {
        Session::from_cookies($_SERVER['HTTP_COOKIE'] ?? '');
        // Forms of foreign pages can send cookies, but not this type.
        if ($method === 'POST' && !str_starts_with($_SERVER['CONTENT_TYPE'] ?? '', 'application/json')) {
            throw new Realtime_Refusal('bad-request', 'Send content-type: application/json');
        }
    }
    $input = Realtime::parse_object($body);
    if ($path === '/realtime' && ($method === 'GET' || $method === 'POST')) {
        return [200, Realtime::answer_token_request($input)];
    }
    if ("$method $path" === 'POST /sign-in') {
        return sign_in($input);
    }
    if (Session::get_user_id() === null) {
        throw new Realtime_Refusal('token-missing', 'Sign in first');
    }
    if ($method === 'POST' && preg_match('#^/contacts/(\d{1,9})(/follow|/unfollow)?$#', $path, $found)) {
        $id = (int) $found[1];
        return isset($found[2]) ? Controller::follow_contact($id, $found[2] === '/follow') : Controller::save_contact($id);
    }
    return match ("$method $path") {
        'POST /news/store' => Controller::store_news($input),
        'POST /sign-out' => sign_out(),
        default => throw new Realtime_Refusal('not-found', 'There is nothing here'),
    };
}

function sign_in(object $input): array
{
    $user = $input->user ?? null;
    if (!is_string($user) || !isset(User_Model::ALL[$user])) {
        return [422, ['message' => 'Nobody has this name']];
    }
    $cookie = Session::cookie($user, bin2hex(random_bytes(12)));
    header("Set-Cookie: session=$cookie; Path=/; HttpOnly; SameSite=Lax");
    return [200, ['user' => $user]];
}

/** Ends what the session's tokens opened, in all its tabs. */
function sign_out(): array
{
    header('Set-Cookie: session=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0');
    return [200, ['success' => Realtime::command('revoke', ['session' => Session::get_session_id()])]];
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
