<?php
/**
 * Bellwire from PHP 8.1 or later, with PHP's own library alone: tokens, topic permissions, publishing, control, and the
 * signature of hooks. Copy this file; `Session` is your application's, as `backend.php` shows it.
 *
 * Settings, from the environment: APP_KEY, REALTIME_URL (a relay, as this backend reaches it), REALTIME_API_KEY, HOOK_SECRET,
 * and optionally REALTIME_ENABLED (default true) and REALTIME_PUBLIC_URL (the relay, as browsers reach it).
 */

declare(strict_types=1);

/** A topic is a class: its name is the topic's, and it says who may listen. */
abstract class Realtime_Topic_Abstract
{
    /** May the current user subscribe with this filter? An empty filter means every message of the topic. */
    abstract public static function can_subscribe(array $filter = []): bool;
}

/** A refusal, as tokens' endpoint and hooks answer it. */
final class Realtime_Refusal extends RuntimeException
{
    private const CODES = ['bad-request' => ['never', 400], 'forbidden' => ['never', 403],
        'not-found' => ['never', 404], 'too-large' => ['never', 413],
        'token-missing' => ['refresh', 401], 'token-invalid' => ['refresh', 401], 'limit' => ['later', 429]];

    public function __construct(private readonly string $name, string $message)
    {
        parent::__construct($message);
    }

    public function status(): int
    {
        return self::CODES[$this->name][1];
    }

    /** @return array{code: string, message: string, retry: string} */
    public function error(): array
    {
        return ['code' => $this->name, 'message' => $this->getMessage(), 'retry' => self::CODES[$this->name][0]];
    }
}

final class Realtime
{
    private const TOKEN_SECONDS = 60;
    private const REQUEST_SECONDS = 3;
    private const MOST_SUBSCRIPTIONS = 500;
    /** Bytes of JSON: a token's text is a third longer, and a relay takes 16,384 characters. */
    private const MOST_GRANTS_BYTES = 11_000;
    private const HOOK_TOLERANCE_SECONDS = 300;
    private const LARGEST_INTEGER = 2 ** 53 - 1;

    public static function is_enabled(): bool
    {
        return !in_array(strtolower(trim((string) getenv('REALTIME_ENABLED'))), ['false', '0', 'no', 'off'], true);
    }

    /** A token that opens a connection for the current user; null where nobody is signed in, or realtime is off. */
    public static function connection_token(): ?string
    {
        if (!self::is_enabled() || Session::get_user_id() === null) {
            return null;
        }
        return self::sign(['aud' => 'bellwire:connect'] + self::claims());
    }

    /**
     * A token that allows the current user this one subscription; null where realtime is off.
     * @throws Realtime_Refusal where the topic's class, or the lack of one, says no
     */
    public static function subscribe_token(string $topic, array $filter = []): ?string
    {
        if (!self::is_enabled()) {
            return null;
        }
        self::require_permission($topic, $filter);
        return self::sign(['aud' => 'bellwire:subscribe', 'topic' => $topic, 'filter' => (object) $filter] + self::claims());
    }

    /**
     * Tells everybody who listens to the topic, or to any of several. Never throws: what the application did has happened, and
     * a page that was not told fetches anew when its connection is back.
     * @param array $options e.g. ['except' => ['client' => $id]], ['idempotencyKey' => $order_id]
     * @return ?array a result for each topic, {topic, epoch, offset}; null where realtime is off or not all could be told
     */
    public static function publish(string|array $topic, array $data, array $options = []): ?array
    {
        if (!self::is_enabled()) {
            return null;
        }
        $body = [is_array($topic) ? 'topics' : 'topic' => $topic, 'data' => (object) $data]
            + $options
            // With a key of its own, what was sent twice is heard once.
            + ['idempotencyKey' => bin2hex(random_bytes(16))];
        $reply = self::post('publish', $body);
        $errors = array_filter(array_column($reply['results'] ?? [], 'error'));
        foreach ($errors as $error) {
            error_log("realtime: not published: {$error['code']}: {$error['message']}");
        }
        return $reply === null || $errors !== [] ? null : $reply['results'];
    }

    /**
     * `subscribe`, `unsubscribe`, `disconnect` or `revoke`, on every relay. Never throws.
     * @param array $body whom and what: one of user, session and client; topic; filter
     */
    public static function command(string $kind, array $body): bool
    {
        if (isset($body['filter'])) {
            $body['filter'] = (object) $body['filter'];
        }
        return self::is_enabled() && self::post($kind, $body) !== null;
    }

    /**
     * What the browser's client asks for: a connection token, and one subscribe token for all that it may have of a list.
     * @throws Realtime_Refusal
     */
    public static function answer_token_request(object $body): array
    {
        if (!self::is_enabled()) {
            return ['enabled' => false];
        }
        $asked = $body->subscriptions ?? null;
        if ($asked !== null && !(is_array($asked) && array_is_list($asked))) {
            throw new Realtime_Refusal('bad-request', 'subscriptions is a list of {topic, filter}');
        }
        if (count($asked ?? []) > self::MOST_SUBSCRIPTIONS) {
            throw new Realtime_Refusal('too-large', 'At most ' . self::MOST_SUBSCRIPTIONS . ' subscriptions in one request');
        }
        $token = self::connection_token() ?? throw new Realtime_Refusal('token-missing', 'Sign in first');
        $url = getenv('REALTIME_PUBLIC_URL') ?: preg_replace('/^http/', 'ws', (string) getenv('REALTIME_URL'));
        $reply = ['enabled' => true, 'url' => $url, 'site' => Session::get_site_id(), 'token' => $token];
        return $asked === null ? $reply : $reply + self::grant($asked);
    }

    /**
     * The question of a hook, after its signature (Standard Webhooks) was found right and fresh.
     * @throws Realtime_Refusal
     */
    public static function read_hook(string $body): object
    {
        self::verify_signature($body);
        return self::parse_object($body);
    }

    /**
     * Who calls one of the application's own addresses over a socket, by `rpc("post:news/store", data)`.
     * @return array{string, string} user and session, "" for none
     * @throws Realtime_Refusal where the signature is wrong, or old
     */
    public static function read_caller(string $body): array
    {
        [$site, $user, $session] = array_map(fn ($name) => $_SERVER["HTTP_BELLWIRE_$name"] ?? '', ['SITE', 'USER', 'SESSION']);
        self::verify_signature("$_SERVER[REQUEST_METHOD] $_SERVER[REQUEST_URI]\n$site\n$user\n$session\n$body");
        if ($site !== Session::get_site_id()) {
            throw new Realtime_Refusal('forbidden', 'This backend is not for that site');
        }
        return [rawurldecode($user), rawurldecode($session)];
    }

    /** Checks what Standard Webhooks signs: id, time and content, of which a webhook's is its body. @throws Realtime_Refusal */
    private static function verify_signature(string $content): void
    {
        [$id, $timestamp, $signatures] = array_map(fn ($name) => $_SERVER["HTTP_WEBHOOK_$name"] ?? '', ['ID', 'TIMESTAMP', 'SIGNATURE']);
        $secret = base64_decode(preg_replace('/^whsec_/', '', (string) getenv('HOOK_SECRET')), true);
        if (!$secret || !preg_match('/^\d{1,12}$/', $timestamp) || abs(time() - (int) $timestamp) > self::HOOK_TOLERANCE_SECONDS) {
            throw new Realtime_Refusal('token-invalid', 'The signature is missing or too old');
        }
        $right = 'v1,' . base64_encode(hash_hmac('sha256', "$id.$timestamp.$content", $secret, true));
        foreach (explode(' ', $signatures) as $signature) {
            if (hash_equals($right, $signature)) {
                return;
            }
        }
        throw new Realtime_Refusal('token-invalid', 'The signature is wrong');
    }

    /** @throws Realtime_Refusal where the current user may not subscribe */
    public static function require_permission(mixed $topic, array $filter): void
    {
        // Names of classes are not case-sensitive in PHP; topics are.
        $known = is_string($topic) && preg_match('/^[A-Za-z_]\w{0,127}$/', $topic)
            && is_subclass_of($topic, Realtime_Topic_Abstract::class) && (new ReflectionClass($topic))->getName() === $topic;
        // Of a topic that there is not, nobody learns more than of one that refuses.
        if (!$known || Session::get_user_id() === null || !$topic::can_subscribe($filter)) {
            throw new Realtime_Refusal('forbidden', 'This topic may not be subscribed with this filter');
        }
    }

    /** @throws Realtime_Refusal where the text is no JSON object */
    public static function parse_object(string $json): object
    {
        try {
            $value = json_decode($json === '' ? '{}' : $json, false, 64, JSON_THROW_ON_ERROR);
        } catch (JsonException) {
            throw new Realtime_Refusal('bad-request', 'The body is no JSON');
        }
        return is_object($value) ? $value : throw new Realtime_Refusal('bad-request', 'The body is a JSON object');
    }

    /** A filter as an array. @throws Realtime_Refusal where a relay would refuse the whole token for it */
    public static function parse_filter(mixed $value): array
    {
        $filter = is_object($value) ? get_object_vars($value) : ($value ?? []);
        if (!is_array($filter) || count($filter) > 8) {
            throw new Realtime_Refusal('bad-request', 'A filter is an object of at most 8 keys');
        }
        $combinations = 1;
        foreach ($filter as $key => $allowed) {
            $values = is_array($allowed) ? $allowed : [$allowed];
            $combinations *= count($values);
            $good = array_filter($values, fn ($one) => $one === null || is_bool($one)
                || (is_string($one) && strlen($one) <= 1024)
                || ((is_int($one) || is_float($one)) && abs($one) <= self::LARGEST_INTEGER));
            if (count($good) !== count($values) || $combinations < 1 || $combinations > 256 || strlen((string) $key) > 128) {
                throw new Realtime_Refusal('bad-request', 'Each key of a filter has a string, number, boolean or null, or a list of them');
            }
        }
        return $filter;
    }

    public static function encode(mixed $value): string
    {
        return json_encode($value, JSON_THROW_ON_ERROR | JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE);
    }

    /** The bytes of APP_KEY: keys are often written as `base64:...`. */
    public static function key(): string
    {
        $text = (string) getenv('APP_KEY');
        $key = str_starts_with($text, 'base64:') ? base64_decode(substr($text, 7), true) : $text;
        return is_string($key) && strlen($key) >= 32 ? $key : throw new LogicException('APP_KEY needs at least 32 bytes');
    }

    /** What both kinds of tokens say. */
    private static function claims(): array
    {
        // With fractions of a second, so that a revocation can tell the tokens of one second apart.
        $now = microtime(true);
        return ['site' => Session::get_site_id(), 'sub' => Session::get_user_id(), 'sid' => Session::get_session_id(),
            'iat' => $now, 'exp' => (int) ceil($now) + self::TOKEN_SECONDS];
    }

    /** A JSON Web Token, HS256. */
    private static function sign(array $claims): string
    {
        $base64url = fn (string $bytes) => rtrim(strtr(base64_encode($bytes), '+/', '-_'), '=');
        $text = $base64url('{"alg":"HS256","typ":"JWT"}') . '.' . $base64url(self::encode($claims));
        return $text . '.' . $base64url(hash_hmac('sha256', $text, self::key(), true));
    }

    /** Decides on each of a list; one token for all that is allowed. */
    private static function grant(array $asked): array
    {
        $grants = $results = [];
        $bytes = 0;
        foreach ($asked as $one) {
            [$topic, $filter] = [$one->topic ?? null, $one->filter ?? (object) []];
            try {
                $grant = ['topic' => $topic, 'filter' => (object) self::parse_filter($filter)];
                self::require_permission($topic, (array) $grant['filter']);
                $bytes += strlen(self::encode($grant)) + 1;
                if ($bytes > self::MOST_GRANTS_BYTES) {
                    throw new Realtime_Refusal('limit', 'No room in this token: ask for this one again, with fewer others');
                }
                $grants[] = $results[] = $grant;
            } catch (Realtime_Refusal $refusal) {
                $results[] = ['topic' => $topic, 'filter' => $filter, 'error' => $refusal->error()];
            }
        }
        $token = $grants === [] ? [] : ['subscribeToken' => self::sign(['aud' => 'bellwire:subscribe', 'grants' => $grants] + self::claims())];
        return ['results' => $results] + $token;
    }

    /** Asks the relay's API, once more where that may help. Null, and a line in the log, where it failed. */
    private static function post(string $kind, array $body): ?array
    {
        $url = rtrim((string) getenv('REALTIME_URL'), '/') . '/v1/sites/' . rawurlencode(Session::get_site_id()) . "/$kind";
        $options = [
            'method' => 'POST',
            'header' => ['Authorization: Bearer ' . getenv('REALTIME_API_KEY'), 'Content-Type: application/json', 'Connection: close'],
            'timeout' => self::REQUEST_SECONDS,
            'ignore_errors' => true, // gives the body of refusals too
            'follow_location' => 0,
        ];
        try {
            $context = stream_context_create(['http' => $options + ['content' => self::encode($body)]]);
        } catch (JsonException $problem) {
            error_log("realtime: $kind: {$problem->getMessage()}");
            return null;
        }
        for ($attempt = 1; ; $attempt++) {
            [$status, $reply] = self::request($url, $context);
            $errors = array_column([$reply ?? [], ...($reply['results'] ?? [])], 'error');
            $again = $reply === null || in_array('later', array_column($errors, 'retry'), true);
            if (!$again || $attempt === 2) {
                break;
            }
            usleep(random_int(50_000, 150_000));
        }
        if ($status === 200 && $reply !== null) {
            return $reply;
        }
        error_log("realtime: $kind: " . ($reply['error']['message'] ?? ($status === 0 ? 'the relay can\'t be reached' : "status $status")));
        return null;
    }

    /** @return array{int, ?array} the status, 0 where there was none, and the JSON */
    private static function request(string $url, mixed $context): array
    {
        $stream = @fopen($url, 'r', false, $context);
        if ($stream === false) {
            return [0, null];
        }
        $line = stream_get_meta_data($stream)['wrapper_data'][0] ?? '';
        $reply = json_decode((string) stream_get_contents($stream), true);
        fclose($stream);
        return [(int) (explode(' ', $line)[1] ?? 0), is_array($reply) ? $reply : null];
    }
}
