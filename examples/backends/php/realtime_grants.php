<?php
/**
 * Who may subscribe what, for realtime.php: visitors, rules by topic, filters, and grants that say much in few bytes.
 * Copy this file too.
 */

declare(strict_types=1);

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

/** Who a request is from. */
final class Realtime_Visitor
{
    public readonly string $site;
    public readonly string $user;
    public readonly string $session;

    /** @throws InvalidArgumentException that names what it got */
    public function __construct(mixed $site, mixed $user, mixed $session = '')
    {
        $this->site = self::id('site', $site);
        $this->user = self::id('user', $user);
        $this->session = self::id('session', $session);
    }

    /** A site, user or session as a string. @throws InvalidArgumentException that names what it got */
    public static function id(string $name, mixed $value): string
    {
        $text = is_string($value) || is_int($value) ? (string) $value : null;
        $wanted = match (true) {
            $text === null => 'a string or an integer',
            $name === 'site' && !preg_match('/^[A-Za-z0-9_-]{1,64}$/D', $text) => '1 to 64 characters of A-Z a-z 0-9 _ -',
            strlen($text) > 128 || ($name === 'user' && $text === '') => '1 to 128 bytes',
            default => null,
        };
        if ($wanted !== null) {
            $got = is_scalar($value) ? json_encode($value, JSON_PRESERVE_ZERO_FRACTION) . ' ' : '';
            throw new InvalidArgumentException("$name is $wanted, not $got(" . get_debug_type($value) . ')');
        }
        return $text;
    }
}

/**
 * Rules by topic, or by a pattern like `user.{id}`, whose placeholders stand for characters other than the dot. Whole names go
 * before patterns, more literal characters before fewer.
 */
final class Realtime_Rules
{
    /** @var list<array{string, callable}> */
    private array $rules = [];

    /** @param array<string, callable> $topics */
    public function __construct(array $topics)
    {
        $ranks = [];
        foreach ($topics as $topic => $rule) {
            $parts = preg_split('/\{(\w+)\}/', (string) $topic, -1, PREG_SPLIT_DELIM_CAPTURE);
            $literals = '';
            $pattern = '';
            foreach ($parts as $i => $part) {
                $literals .= $i % 2 === 0 ? $part : '';
                $pattern .= $i % 2 === 0 ? preg_quote($part, '/') : "(?<$part>[A-Za-z0-9_:$-]+)";
            }
            $this->rules[] = ["/^$pattern$/D", $rule];
            $ranks[] = [count($parts) > 1, -strlen($literals)];
        }
        array_multisort($ranks, $this->rules);
    }

    /**
     * The rule, and what its placeholders stand for. Names that begin with $ are the server's.
     * @return ?array{callable, array<string, string>}
     */
    public function find(mixed $topic): ?array
    {
        if (!is_string($topic) || !preg_match('/^(?!\$)[A-Za-z0-9_.:$-]{1,128}$/D', $topic)) {
            return null;
        }
        foreach ($this->rules as [$pattern, $rule]) {
            if (preg_match($pattern, $topic, $found)) {
                return [$rule, array_filter($found, 'is_string', ARRAY_FILTER_USE_KEY)];
            }
        }
        return null;
    }
}

final class Realtime_Filters
{
    private const MOST_LENGTH = 8192;
    private const MOST_COMBINATIONS = 256;
    private const LARGEST_INTEGER = 2 ** 53 - 1;

    /** A filter as an array. @throws Realtime_Refusal where a relay would refuse the whole token for it */
    public static function parse(mixed $value): array
    {
        $filter = is_object($value) ? get_object_vars($value) : ($value ?? []);
        if (!is_array($filter) || count($filter) > 8) {
            throw new Realtime_Refusal('bad-request', 'A filter is an object of at most 8 keys');
        }
        foreach ($filter as $key => $allowed) {
            $good = self::is_text((string) $key, 128) && !in_array($key, ['__proto__', 'constructor', 'prototype'], true);
            foreach (self::values($filter, $key) as $one) {
                $good = $good && self::is_scalar($one);
            }
            if (!$good || (is_array($allowed) && !array_is_list($allowed))) {
                throw new Realtime_Refusal('bad-request', 'Each key of a filter has a string, number, boolean or null, or a list of them');
            }
        }
        $combinations = self::combinations($filter);
        if ($combinations < 1 || $combinations > self::MOST_COMBINATIONS || !self::is_text(Realtime::encode($filter), self::MOST_LENGTH)) {
            throw new Realtime_Refusal('bad-request', 'A filter has 1 to 256 combinations of values, and at most 8,192 characters');
        }
        return $filter;
    }

    /** Is it within bounds with what was merged into it? */
    public static function fits(array $filter): bool
    {
        return self::combinations($filter) <= self::MOST_COMBINATIONS && strlen(Realtime::encode($filter)) <= self::MOST_LENGTH;
    }

    public static function values(array $filter, string|int $key): array
    {
        return is_array($filter[$key]) ? $filter[$key] : [$filter[$key]];
    }

    private static function combinations(array $filter): int
    {
        return (int) array_product(array_map(fn ($key) => count(self::values($filter, $key)), array_keys($filter)));
    }

    private static function is_scalar(mixed $value): bool
    {
        return $value === null || is_bool($value) || (is_string($value) && self::is_text($value, 1024))
            || ((is_int($value) || is_float($value)) && abs($value) <= self::LARGEST_INTEGER);
    }

    /** In UTF-16, as relays count: characters beyond U+FFFF, which have four bytes, count twice. */
    private static function is_text(string $text, int $longest): bool
    {
        return strlen($text) <= $longest || preg_match_all('/./su', $text) + preg_match_all('/[\x{10000}-\x{10FFFF}]/u', $text) <= $longest;
    }
}

final class Realtime_Grants
{
    /** Bytes of JSON: a token's text is a third longer, and a relay takes 16,384 characters. */
    private const MOST_BYTES = 11_000;

    /** @param array{topic: string, filter: array} $grant @throws Realtime_Refusal */
    public static function check_size(array $grant): void
    {
        if (strlen(Realtime::encode($grant)) > self::MOST_BYTES) {
            throw new Realtime_Refusal('too-large', 'This filter is too long for a token');
        }
    }

    /**
     * Pairs that differ in one key's values only become one grant that lists them: exactly their union, never more.
     * @param array<int, array{topic: string, filter: array}> $allowed by place
     * @return list<array{topic: string, filter: array, places: list<int>}>
     */
    public static function merge(array $allowed): array
    {
        $alike = [];
        foreach ($allowed as $place => ['topic' => $topic, 'filter' => $filter]) {
            ksort($filter, SORT_STRING);
            $alike[Realtime::encode([$topic, array_keys($filter)])][$place] = ['topic' => $topic, 'filter' => $filter];
        }
        $merged = [];
        foreach ($alike as $pairs) {
            $axis = self::axis($pairs);
            $growing = [];
            foreach ($pairs as $place => ['topic' => $topic, 'filter' => $filter]) {
                $rest = Realtime::encode(array_diff_key($filter, [$axis => true]));
                $at = $growing[$rest] ?? -1;
                $wider = $at < 0 ? $filter : self::widen($merged[$at]['filter'], $filter, $axis);
                if ($at < 0 || !Realtime_Filters::fits($wider)) {
                    $at = $growing[$rest] = count($merged);
                    $wider = $filter;
                    $merged[] = ['topic' => $topic, 'places' => []];
                }
                $merged[$at]['filter'] = $wider;
                $merged[$at]['places'][] = $place;
            }
        }
        return $merged;
    }

    /**
     * Lists of grants that fit into one token each, with the places of what they cover. Each goes to the first with room for it.
     * @return list<array{bytes: int, grants: list<array>, places: list<int>}>
     */
    public static function fill_tokens(array $merged): array
    {
        $tokens = [];
        foreach ($merged as ['topic' => $topic, 'filter' => $filter, 'places' => $places]) {
            $grant = ['topic' => $topic, 'filter' => (object) $filter];
            $bytes = strlen(Realtime::encode($grant)) + 1;
            for ($at = 0; isset($tokens[$at]) && $tokens[$at]['bytes'] + $bytes > self::MOST_BYTES; $at++);
            $tokens[$at] ??= ['bytes' => 0, 'grants' => [], 'places' => []];
            $tokens[$at]['bytes'] += $bytes;
            $tokens[$at]['grants'][] = $grant;
            array_push($tokens[$at]['places'], ...$places);
        }
        return $tokens;
    }

    /** The key with the most different values: listing those saves the most. */
    private static function axis(array $pairs): string|int
    {
        $different = [];
        foreach ($pairs as ['filter' => $filter]) {
            foreach ($filter as $key => $allowed) {
                $different[$key][Realtime::encode($allowed)] = true;
            }
        }
        $counts = array_map('count', $different);
        return $counts === [] ? '' : array_search(max($counts), $counts, true);
    }

    private static function widen(array $filter, array $other, string|int $axis): array
    {
        if (!array_key_exists($axis, $filter)) {
            return $filter;
        }
        $values = [];
        foreach ([...Realtime_Filters::values($filter, $axis), ...Realtime_Filters::values($other, $axis)] as $value) {
            $values[Realtime::encode($value)] = $value;
        }
        return array_replace($filter, [$axis => array_values($values)]);
    }
}
