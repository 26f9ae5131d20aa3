<?php
/**
 * Bellwire from PHP 8.1 or later, with PHP's own library alone: tokens, publishing, control, and the signature of hooks.
 * Copy this file and realtime_grants.php.
 *
 *   $realtime = new Realtime(topics: ['user.{id}' => fn ($visitor, $filter, $params) => $visitor->user === $params['id']]);
 *   $realtime->publish($site, 'Contact_Updated_Topic', ['id' => 5]);
 *
 * Sites, users and sessions are strings, or integers, which are written as strings.
 */

declare(strict_types=1);

require_once __DIR__ . '/realtime_grants.php';

/** Not everybody could be told. Thrown by publish_or_fail() alone. */
final class Realtime_Error extends RuntimeException
{
}

final class Realtime
{
    private const TOKEN_SECONDS = 60;
    private const MOST_SUBSCRIPTIONS = 500;
    private const MOST_REPLY_BYTES = 1_048_576;
    private const HOOK_TOLERANCE_SECONDS = 300;

    private readonly string $key;
    private readonly string $secret;
    private readonly string $url;
    private readonly string $public_url;
    private readonly string $api_key;
    private readonly bool $enabled;
    private readonly Realtime_Rules $rules;

    /**
     * What is not given comes from the environment. Frameworks that cache their configuration leave that empty: hand over theirs.
     * @param array<string, callable> $topics who may subscribe, by name or pattern: `fn (Realtime_Visitor $visitor, array $filter,
     *   array $params): bool`. An empty filter means every message of the topic.
     * @param ?string $key APP_KEY
     * @param ?string $url REALTIME_URL: a relay, as this backend reaches it
     * @param ?string $api_key REALTIME_API_KEY
     * @param ?string $public_url REALTIME_PUBLIC_URL: the relay as browsers reach it; default: $url with ws for http
     * @param ?string $hook_secret HOOK_SECRET
     * @param ?bool $enabled REALTIME_ENABLED; default: true
     * @param float $timeout seconds that publish and command take at most, both attempts together
     */
    public function __construct(
        array $topics = [],
        ?string $key = null,
        ?string $url = null,
        ?string $api_key = null,
        ?string $public_url = null,
        ?string $hook_secret = null,
        ?bool $enabled = null,
        private readonly float $timeout = 2.0,
    ) {
        $env = fn (string $name) => (string) getenv($name);
        $this->key = self::decode_key($key ?? $env('APP_KEY'));
        $this->secret = (string) base64_decode(preg_replace('/^whsec_/', '', $hook_secret ?? $env('HOOK_SECRET')), true);
        $this->enabled = $enabled ?? !in_array(strtolower(trim($env('REALTIME_ENABLED'))), ['false', '0', 'no', 'off'], true);
        $this->url = rtrim($url ?? $env('REALTIME_URL'), '/');
        if ($this->enabled && !preg_match('#^https?://[^/]#', $this->url)) {
            throw new InvalidArgumentException(
                "REALTIME_URL is a relay as this backend reaches it, such as http://127.0.0.1:6200, not '{$this->url}'"
            );
        }
        $this->public_url = ($public_url ?? $env('REALTIME_PUBLIC_URL')) ?: preg_replace('/^http/', 'ws', $this->url);
        $this->api_key = $api_key ?? $env('REALTIME_API_KEY');
        $this->rules = new Realtime_Rules($topics);
    }

    public function is_enabled(): bool
    {
        return $this->enabled;
    }

    /** The bytes of APP_KEY. */
    public function key(): string
    {
        return $this->key;
    }

    // ---- Tokens

    public function connection_token(Realtime_Visitor $visitor): string
    {
        return $this->sign(['aud' => 'bellwire:connect'], $visitor);
    }

    /** A token for one subscription of the visitor's. @throws Realtime_Refusal where the topic's rule, or the lack of one, says no */
    public function subscribe_token(Realtime_Visitor $visitor, string $topic, array $filter = []): string
    {
        $this->require_permission($visitor, $topic, Realtime_Filters::parse($filter));
        return $this->sign(['aud' => 'bellwire:subscribe', 'topic' => $topic, 'filter' => (object) $filter], $visitor);
    }

    /**
     * What the browser's client asks for: a connection token, and subscribe tokens for what it may have of a list.
     * @param ?Realtime_Visitor $visitor null where nobody has signed in
     * @throws Realtime_Refusal
     */
    public function answer_token_request(string $method, ?string $content_type, string $body, ?Realtime_Visitor $visitor): array
    {
        if (!$this->enabled) {
            return ['enabled' => false];
        }
        $asked = $method === 'POST' ? self::read_json($content_type, $body)->subscriptions ?? null : null;
        if ($asked !== null && !is_array($asked)) {
            throw new Realtime_Refusal('bad-request', 'subscriptions is a list of {topic, filter}');
        }
        if (count($asked ?? []) > self::MOST_SUBSCRIPTIONS) {
            throw new Realtime_Refusal('too-large', 'At most ' . self::MOST_SUBSCRIPTIONS . ' subscriptions in one request');
        }
        if ($visitor === null) {
            throw new Realtime_Refusal('token-missing', 'Sign in first');
        }
        $reply = ['enabled' => true, 'url' => $this->public_url, 'site' => $visitor->site, 'token' => $this->connection_token($visitor)];
        return $asked === null ? $reply : $reply + $this->grant($asked, $visitor);
    }

    /** @throws Realtime_Refusal where the visitor may not subscribe */
    public function require_permission(?Realtime_Visitor $visitor, mixed $topic, array $filter): void
    {
        [$rule, $params] = $this->rules->find($topic) ?? [null, []];
        // Of a topic that there is not, nobody learns more than of one that refuses.
        if ($visitor === null || $rule === null || $rule($visitor, $filter, $params) !== true) {
            throw new Realtime_Refusal('forbidden', 'This topic may not be subscribed with this filter');
        }
    }

    // ---- The relay's API

    /**
     * Tells everybody on the site who listens to the topic, or to any of several. Never throws: what the application did has
     * happened, and a page that was not told fetches anew when its connection is back.
     * @param mixed $site a string or an integer
     * @param array $options e.g. ['except' => ['client' => $id]], ['idempotencyKey' => $order_id]
     * @return ?array a result for each topic, {topic, epoch, offset}; null where realtime is off or not all could be told: see the log
     */
    public function publish(mixed $site, string|array $topic, array $data, array $options = []): ?array
    {
        return $this->logging('publish', fn () => $this->publish_or_fail($site, $topic, $data, $options));
    }

    /**
     * The same, for what may not go on without it.
     * @throws Realtime_Error; InvalidArgumentException and JsonException for what can't be asked
     */
    public function publish_or_fail(mixed $site, string|array $topic, array $data, array $options = []): ?array
    {
        if (isset($options['except'])) {
            $options['except'] = self::with_ids($options['except']);
        }
        $body = [is_array($topic) ? 'topics' : 'topic' => $topic, 'data' => (object) $data]
            + $options
            // With a key of its own, what was sent twice is heard once.
            + ['idempotencyKey' => bin2hex(random_bytes(16))];
        return $this->ask($site, 'publish', $body)['results'] ?? null;
    }

    /**
     * `subscribe`, `unsubscribe`, `disconnect` or `revoke`, on every relay. Never throws.
     * @param array $body whom and what: one of user, session and client; topic; filter
     */
    public function command(mixed $site, string $kind, array $body): bool
    {
        return $this->logging($kind, function () use ($site, $kind, $body) {
            $filter = isset($body['filter']) ? ['filter' => (object) $body['filter']] : [];
            return $this->ask($site, $kind, $filter + self::with_ids($body));
        }) !== null;
    }

    // ---- Hooks

    /**
     * The question of a hook, after its signature (Standard Webhooks) was found right and fresh.
     * @param array $server $_SERVER; with Symfony or Laravel, `$request->server->all()`
     * @throws Realtime_Refusal
     */
    public function read_hook(string $body, array $server): object
    {
        $this->verify_signature($body, $server);
        return self::parse_object($body);
    }

    /**
     * The visitor who calls one of the application's own addresses over a socket, by `rpc("post:news/store", data)`; null for one
     * without a name.
     * @throws Realtime_Refusal where the signature is wrong, old or missing
     */
    public function read_caller(string $body, array $server): ?Realtime_Visitor
    {
        $asker = array_map(fn ($name) => $server["HTTP_BELLWIRE_$name"] ?? '', ['SITE', 'USER', 'SESSION']);
        $this->verify_signature(implode("\n", ["$server[REQUEST_METHOD] $server[REQUEST_URI]", ...$asker, $body]), $server);
        [$site, $user, $session] = array_map('rawurldecode', $asker);
        return $user === '' ? null : new Realtime_Visitor($site, $user, $session);
    }

    /** Checks what Standard Webhooks signs: id, time and content, of which a webhook's is its body. @throws Realtime_Refusal */
    private function verify_signature(string $content, array $server): void
    {
        [$id, $timestamp, $signatures] = array_map(fn ($name) => $server["HTTP_WEBHOOK_$name"] ?? '', ['ID', 'TIMESTAMP', 'SIGNATURE']);
        $fresh = preg_match('/^\d{1,12}$/D', $timestamp) && abs(time() - (int) $timestamp) <= self::HOOK_TOLERANCE_SECONDS;
        if ($this->secret === '' || !$fresh) {
            throw new Realtime_Refusal('token-invalid', 'The signature is missing or too old');
        }
        $right = 'v1,' . base64_encode(hash_hmac('sha256', "$id.$timestamp.$content", $this->secret, true));
        foreach (explode(' ', $signatures) as $signature) {
            if (hash_equals($right, $signature)) {
                return;
            }
        }
        throw new Realtime_Refusal('token-invalid', 'The signature is wrong');
    }

    // ---- JSON

    /** The object in a browser's request. Forms of foreign pages can send cookies, but not this type. @throws Realtime_Refusal */
    public static function read_json(?string $content_type, string $body): object
    {
        if (strtolower(trim(explode(';', (string) $content_type)[0])) !== 'application/json') {
            throw new Realtime_Refusal('bad-request', 'Send content-type: application/json, not ' . ($content_type ?: 'none'));
        }
        return self::parse_object($body);
    }

    /** @throws Realtime_Refusal where the text is no JSON object */
    public static function parse_object(string $json): object
    {
        try {
            $value = json_decode($json === '' ? '{}' : $json, false, 64, JSON_THROW_ON_ERROR);
        } catch (JsonException) {
            throw new Realtime_Refusal('bad-request', 'The body is no JSON');
        }
        $value = $value === [] ? (object) [] : $value; // as PHP writes an empty object
        return is_object($value) ? $value : throw new Realtime_Refusal('bad-request', 'The body is a JSON object');
    }

    public static function encode(mixed $value): string
    {
        return json_encode($value, JSON_THROW_ON_ERROR | JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE);
    }

    // ---- What is behind it

    /** Keys are often written as `base64:...`. */
    private static function decode_key(string $text): string
    {
        $key = str_starts_with($text, 'base64:') ? base64_decode(substr($text, 7), true) : $text;
        return is_string($key) && strlen($key) >= 32 ? $key : throw new InvalidArgumentException('APP_KEY needs at least 32 bytes');
    }

    /** A JSON Web Token, HS256. */
    private function sign(array $claims, Realtime_Visitor $visitor): string
    {
        // With fractions of a second, so that a revocation can tell the tokens of one second apart.
        $now = microtime(true);
        $claims += ['site' => $visitor->site, 'sub' => $visitor->user, 'sid' => $visitor->session,
            'iat' => $now, 'exp' => (int) ceil($now) + self::TOKEN_SECONDS];
        $base64url = fn (string $bytes) => rtrim(strtr(base64_encode($bytes), '+/', '-_'), '=');
        $text = $base64url('{"alg":"HS256","typ":"JWT"}') . '.' . $base64url(self::encode($claims));
        return $text . '.' . $base64url(hash_hmac('sha256', $text, $this->key, true));
    }

    /** Decides on each of a list. Where one token can't hold all that is allowed, there are several. */
    private function grant(array $asked, Realtime_Visitor $visitor): array
    {
        $allowed = $results = [];
        foreach ($asked as $place => $one) {
            [$topic, $filter] = is_object($one) ? [$one->topic ?? null, $one->filter ?? (object) []] : [null, (object) []];
            $results[$place] = ['topic' => $topic, 'filter' => $filter];
            try {
                $pair = ['topic' => $topic, 'filter' => Realtime_Filters::parse($filter)];
                $this->require_permission($visitor, $topic, $pair['filter']);
                Realtime_Grants::check_size($pair);
                $allowed[$place] = $pair;
                $results[$place]['filter'] = (object) $pair['filter'];
            } catch (Realtime_Refusal $refusal) {
                $results[$place]['error'] = $refusal->error();
            }
        }
        // A client that knows of one token only goes by the error, and asks again.
        $full = new Realtime_Refusal('limit', 'No room in the first token: use the one in `token`, or ask for this one again');
        $tokens = [];
        foreach (Realtime_Grants::fill_tokens(Realtime_Grants::merge($allowed)) as $number => ['grants' => $grants, 'places' => $places]) {
            $tokens[] = $this->sign(['aud' => 'bellwire:subscribe', 'grants' => $grants], $visitor);
            foreach ($number > 0 ? $places : [] as $place) {
                $results[$place] += ['token' => $number, 'error' => $full->error()];
            }
        }
        $first = $tokens === [] ? [] : ['subscribeToken' => $tokens[0]];
        return ['results' => $results] + $first + (count($tokens) > 1 ? ['subscribeTokens' => $tokens] : []);
    }

    private static function with_ids(array $body): array
    {
        foreach (array_intersect(['user', 'session'], array_keys($body)) as $name) {
            $body[$name] = Realtime_Visitor::id($name, $body[$name]);
        }
        return $body;
    }

    private function logging(string $kind, callable $work): ?array
    {
        try {
            return $work();
        } catch (Realtime_Error | InvalidArgumentException | JsonException $problem) {
            error_log("realtime: $kind: {$problem->getMessage()}");
            return null;
        }
    }

    /** Asks the relay's API, once more where that may help. Null where realtime is off. @throws Realtime_Error */
    private function ask(mixed $site, string $kind, array $body): ?array
    {
        if (!$this->enabled) {
            return null;
        }
        $path = '/v1/sites/' . Realtime_Visitor::id('site', $site) . "/$kind";
        $text = self::encode($body);
        $deadline = self::now() + $this->timeout;
        $errors_of = fn (array $reply) => array_filter(array_column([$reply, ...(array) ($reply['results'] ?? [])], 'error'), 'is_array');
        [$status, $reply] = $this->request($path, $text, $deadline);
        if (in_array('later', array_column($errors_of($reply), 'retry'), true) && self::now() + 0.2 < $deadline) {
            usleep(random_int(50_000, 150_000));
            [$status, $reply] = $this->request($path, $text, $deadline);
        }
        $error = array_values($errors_of($reply))[0] ?? null;
        if ($error !== null || $status !== 200) {
            throw new Realtime_Error($error['message'] ?? "status $status");
        }
        return $reply;
    }

    /** @return array{int, array} the status, 0 where there was none, and the object */
    private function request(string $path, string $body, float $deadline): array
    {
        $url = parse_url($this->url);
        [$scheme, $port] = $url['scheme'] === 'https' ? ['tls', 443] : ['tcp', 80];
        $left = fn () => max($deadline - self::now(), 0.001);
        $stream = @stream_socket_client("$scheme://$url[host]:" . ($url['port'] ?? $port), $code, $why, $left());
        $reply = '';
        if ($stream !== false) {
            // HTTP/1.0: the answer ends with the connection.
            fwrite($stream, implode("\r\n", ['POST ' . ($url['path'] ?? '') . "$path HTTP/1.0", "Host: $url[host]",
                "Authorization: Bearer {$this->api_key}", 'Content-Type: application/json', 'Content-Length: ' . strlen($body), '', $body]));
            while (!feof($stream) && self::now() < $deadline && strlen($reply) < self::MOST_REPLY_BYTES) {
                stream_set_timeout($stream, (int) $left(), (int) (fmod($left(), 1) * 1e6));
                $reply .= fread($stream, 65_536);
            }
            fclose($stream);
        }
        if (self::now() >= $deadline) {
            return $this->unanswered("did not answer within {$this->timeout} s");
        }
        return $stream === false ? $this->unanswered("can't be reached: $why") : $this->read_reply($reply);
    }

    private function read_reply(string $reply): array
    {
        [$head, $text] = explode("\r\n\r\n", $reply, 2) + ['', ''];
        $header = fn (string $name) => preg_match("/^$name:[ \t]*([^\r\n]*)/im", $head, $found) ? $found[1] : null;
        if (!preg_match('#^HTTP/1\.\d (\d{3})#', $head, $found) || strlen($text) < (int) $header('content-length')) {
            return $this->unanswered('broke off');
        }
        $status = (int) $found[1];
        $object = json_decode($text, true);
        if (is_array($object)) {
            return [$status, $object];
        }
        $what = 'The reply is no JSON but ' . ($header('content-type') ?? 'no content-type') . " with the status $status: "
            . 'is REALTIME_URL a relay\'s address?';
        return [$status, ['error' => ['message' => $what, 'retry' => $status >= 500 ? 'later' : 'never']]];
    }

    private function unanswered(string $why): array
    {
        return [0, ['error' => ['message' => "{$this->url} $why", 'retry' => 'later']]];
    }

    /** Seconds of a clock that is never set. */
    private static function now(): float
    {
        return hrtime(true) / 1e9;
    }
}
