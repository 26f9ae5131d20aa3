<?php

// Answers Bellwire's question "{{event}}", with nothing but PHP 8 itself.
//
//     HOOK_SECRET=whsec_... PHP_CLI_SERVER_WORKERS=4 php -S 127.0.0.1:8080 {{file}}
//
// Behind a web server it runs as it is. The file that the relay's REALTIME_CONFIG names then says
//
//     hooks:
//       secret: whsec_...
// @if connect
//       headers: [cookie]
// @end
// @if connect refresh subscribe publish rpc
//       {{event}}: { url: "http://127.0.0.1:8080/" }
// @end
// @if notices
//       notices: { url: "http://127.0.0.1:8080/", events: [connected, disconnected] }
// @end

declare(strict_types=1);

/** Seconds: an older question may be a recording that somebody sends again. */
const MAX_AGE = 300;

/**
 * What is answered to each question. An answer is an array, `['error' => ['code' => ..., 'message' => ...]]` to refuse,
 * or `['disconnect' => ['code' => ..., 'reason' => ...]]` to end the connection. The code 'forbidden' is about permission; with
 * any other, your own, the page gets `rejected`. It finds code and words in the error's `reason`.
 */
function answers(): array
{
    return [
        // @if connect
        // Somebody connects: who is it? The question has `site`, `client`, `headers` (those that the relay passes on), `data`
        // (what the page sent along: anybody can write it) and `claims` (of a connection token, verified by the relay; or null).
        'connect' => function (array $question): array {
            $user = $question['claims']['sub'] ?? user_of_cookie($question['headers']['cookie'] ?? '');
            if ($user === null) {
                return ['error' => ['code' => 'signed-out', 'message' => 'Sign in first']];
            }
            return [
                'user' => (string) $user, // an id is a string; '' admits a visitor without a name
                'info' => ['name' => "User $user"], // shown to others where a topic has presence
                'until' => time() + 3600, // the end of the connection, unless `refresh` puts it off
                'subscriptions' => [['topic' => 'news', 'filter' => (object) []]], // made at once
                'grants' => [], // what else may be subscribed without asking again: [['topic' => ..., 'filter' => ...]]
            ];
        },
        // @end
        // @if refresh
        // A connection is about to end: may it stay? The question has `site`, `user`, `session`, `client` and `headers`.
        'refresh' => function (array $question): array {
            $user = $question['user'] ?? '';
            if ($user === '') { // look up here whether this user is still welcome
                return ['disconnect' => ['code' => 'signed-out', 'reason' => 'Sign in again']];
            }
            return ['until' => time() + 3600]; // null: no end any more
        },
        // @end
        // @if subscribe
        // May somebody hear this? The question has `site`, `user`, `session`, `topic`, `filter`, and `params`: what a rule of the
        // relay's file, such as user.{uuid}, read from the topic.
        'subscribe' => function (array $question): array {
            ['topic' => $topic, 'filter' => $filter] = $question;
            $user = $question['user'] ?? '';
            if ($topic === 'news') {
                return []; // everybody may
            }
            if ($user !== '' && $topic === "user.$user") {
                return ['until' => time() + 3600]; // then it is asked again
            }
            return ['error' => ['code' => 'forbidden', 'message' => "This is not for you: $topic"]];
        },
        // @end
        // @if publish
        // A client publishes: may this go in? The question has `site`, `user`, `session`, `topic` and `data`.
        'publish' => function (array $question): array {
            $user = $question['user'] ?? '';
            $text = $question['data']['text'] ?? null;
            if ($user === '') {
                return ['error' => ['code' => 'forbidden', 'message' => 'Sign in first']];
            }
            if (!is_string($text) || trim($text) === '' || strlen($text) > 1000) {
                return ['error' => ['code' => 'bad-message', 'message' => 'A message is a text of at most 1,000 bytes']];
            }
            // Goes in instead of what the client sent. ['handled' => true] publishes nothing; ['topic' => ...] puts it elsewhere.
            return ['data' => ['text' => trim($text), 'user' => $user]];
        },
        // @end
        // @if rpc
        // A client calls a method. The question has `site`, `user`, `session`, `method` and `data`. null: there is no such method.
        'rpc' => fn (array $question): ?array => match ($question['method']) {
            'ping' => ['data' => 'pong'],
            'whoami' => ($question['user'] ?? '') === ''
                ? ['error' => ['code' => 'forbidden', 'message' => 'Sign in first']]
                : ['data' => ['user' => $question['user']]],
            'double' => is_numeric($question['data']['n'] ?? null)
                ? ['data' => $question['data']['n'] * 2]
                : ['error' => ['code' => 'no-number', 'message' => 'n is a number']],
            default => null,
        },
        // @end
        // @if notices
        // No question: what happened. Each event has `event` (connected, disconnected, occupied or vacated) and whom or what it is
        // about. A notice comes at least once: the header webhook-id is the same each time.
        'notices' => function (array $notice): array {
            foreach ($notice['events'] as $event) {
                error_log(json_encode($event));
            }
            return [];
        },
        // @end
    ];
}

// @if connect
/** Looks a session up. @return string|int|null the user's id; null: signed out */
function user_of_cookie(string $cookie): string|int|null
{
    return null; // your session store's answer
}

// @end
/** Whether a request is the relay's, by Standard Webhooks (https://www.standardwebhooks.com). */
function is_signed(string $secret, string $id, string $timestamp, string $signatures, string $body): bool
{
    $key = base64_decode(preg_replace('/^whsec_/', '', $secret), true);
    if ($key === false || $key === '' || $id === '' || !ctype_digit($timestamp) || abs(time() - (int) $timestamp) > MAX_AGE) {
        return false;
    }
    $expected = 'v1,' . base64_encode(hash_hmac('sha256', "$id.$timestamp.$body", $key, true));
    foreach (explode(' ', $signatures) as $signature) { // several while a secret is being changed
        if (hash_equals($expected, $signature)) { // takes as long for a wrong one
            return true;
        }
    }
    return false;
}

/** @return array{int, array} the HTTP status, and the answer */
function respond(string $body): array
{
    $header = fn (string $name): string => $_SERVER[$name] ?? '';
    $secret = (string) getenv('HOOK_SECRET');
    if (!is_signed($secret, $header('HTTP_WEBHOOK_ID'), $header('HTTP_WEBHOOK_TIMESTAMP'), $header('HTTP_WEBHOOK_SIGNATURE'), $body)) {
        return [401, ['problem' => 'Not signed with HOOK_SECRET, or too long ago']];
    }
    $question = json_decode($body, true);
    $answer = is_array($question) ? answers()[$question['event'] ?? 'notices'] ?? null : null;
    $reply = $answer === null ? null : $answer($question);
    return $reply === null ? [404, ['problem' => 'This is not answered here']] : [200, $reply];
}

[$status, $reply] = respond((string) file_get_contents('php://input'));
http_response_code($status);
header('Content-Type: application/json');
echo json_encode($reply, JSON_THROW_ON_ERROR | JSON_INVALID_UTF8_SUBSTITUTE);
