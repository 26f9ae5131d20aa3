// Bellwire from Go 1.19 or later, with the standard library alone: tokens, publishing, control, and the signature of hooks.
// Copy this file and realtime_grants.go.
//
//	realtime, err := NewRealtime(Config{Topics: map[string]Rule{
//		"user.{id}": func(v Visitor, filter Object, params map[string]string) bool { return v.User == params["id"] },
//	}})
//	err = realtime.Publish(site, Object{"id": 5}, "Contact_Updated_Topic")
//
// Sites, users and sessions are strings, or integers, which are written as strings.

package main

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"
)

const (
	tokenLife         = time.Minute
	hookTolerance     = 5 * time.Minute
	mostSubscriptions = 500
	mostReplyBytes    = 1 << 20
)

// Config says what a Realtime needs. What is empty comes from the environment variable that is named behind it.
type Config struct {
	Topics     map[string]Rule // who may subscribe, by name or pattern
	Key        string          // APP_KEY
	URL        string          // REALTIME_URL: a relay, as this backend reaches it
	APIKey     string          // REALTIME_API_KEY
	PublicURL  string          // REALTIME_PUBLIC_URL: the relay as browsers reach it; default: URL with ws for http
	HookSecret string          // HOOK_SECRET
	Disabled   bool            // REALTIME_ENABLED=false
	Timeout    time.Duration   // that Publish and Command take at most, both attempts together; default: 2 s
}

// Realtime speaks with relays.
type Realtime struct {
	enabled             bool
	key, secret         []byte
	url, publicURL, api string
	rules               []compiledRule
	timeout             time.Duration
	http                *http.Client
}

// NewRealtime returns an error for a setting that is wrong or missing.
func NewRealtime(config Config) (*Realtime, error) {
	setting := func(given, name string) string {
		if given != "" {
			return given
		}
		return os.Getenv(name)
	}
	key := []byte(setting(config.Key, "APP_KEY"))
	// Keys are often written as `base64:...`.
	if encoded := strings.TrimPrefix(string(key), "base64:"); encoded != string(key) {
		key, _ = base64.StdEncoding.DecodeString(encoded)
	}
	if len(key) < 32 {
		return nil, errors.New("APP_KEY needs at least 32 bytes")
	}
	secret, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(setting(config.HookSecret, "HOOK_SECRET"), "whsec_"))
	if err != nil {
		return nil, errors.New("HOOK_SECRET is whsec_ and base64")
	}
	r := &Realtime{enabled: !config.Disabled, key: key, secret: secret, timeout: config.Timeout}
	switch strings.ToLower(strings.TrimSpace(os.Getenv("REALTIME_ENABLED"))) {
	case "false", "0", "no", "off":
		r.enabled = false
	}
	r.api = setting(config.APIKey, "REALTIME_API_KEY")
	r.url = strings.TrimRight(setting(config.URL, "REALTIME_URL"), "/")
	if base, err := url.Parse(r.url); r.enabled && (err != nil || base.Host == "" || base.Scheme != "http" && base.Scheme != "https") {
		return nil, fmt.Errorf("REALTIME_URL is a relay as this backend reaches it, such as http://127.0.0.1:6200, not %q", r.url)
	}
	r.publicURL = setting(config.PublicURL, "REALTIME_PUBLIC_URL")
	if r.publicURL == "" {
		r.publicURL = strings.Replace(r.url, "http", "ws", 1)
	}
	if r.rules, err = compileRules(config.Topics); err != nil {
		return nil, err
	}
	if r.timeout == 0 {
		r.timeout = 2 * time.Second
	}
	// Followed, a redirect would carry the message to somebody unexpected.
	stay := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	r.http = &http.Client{CheckRedirect: stay, Transport: &http.Transport{MaxIdleConnsPerHost: 8, IdleConnTimeout: time.Minute}}
	return r, nil
}

// ConnectionToken opens a connection for a visitor.
func (r *Realtime) ConnectionToken(visitor Visitor) string {
	return r.sign("bellwire:connect", visitor, Object{})
}

// SubscribeToken allows subscriptions on a connection of the visitor's own.
func (r *Realtime) SubscribeToken(visitor Visitor, grants []*Grant) string {
	return r.sign("bellwire:subscribe", visitor, Object{"grants": grants})
}

// sign makes a JSON Web Token, HS256.
func (r *Realtime) sign(audience string, visitor Visitor, claims Object) string {
	now := time.Now()
	claims["aud"], claims["site"], claims["sub"], claims["sid"] = audience, visitor.Site, visitor.User, visitor.Session
	// With fractions of a second, so that a revocation can tell the tokens of one second apart.
	claims["iat"] = json.Number(fmt.Sprintf("%.6f", float64(now.UnixMicro())/1e6))
	claims["exp"] = now.Add(tokenLife).Unix() + 1
	base64url := base64.RawURLEncoding.EncodeToString
	text := base64url([]byte(`{"alg":"HS256","typ":"JWT"}`)) + "." + base64url(encode(claims))
	return text + "." + base64url(mac(r.key, []byte(text)))
}

// AnswerTokenRequest gives what the browser's client asks for: a connection token, and subscribe tokens for what it may have
// of a list. The body has been read already; the zero Visitor is nobody.
func (r *Realtime) AnswerTokenRequest(request *http.Request, text []byte, visitor Visitor) (Object, error) {
	if !r.enabled {
		return Object{"enabled": false}, nil
	}
	body, err := ReadJSON(request, text)
	if err != nil {
		return nil, err
	}
	asked, isList := body["subscriptions"].([]any)
	if body["subscriptions"] != nil && !isList {
		return nil, refuse("bad-request", "subscriptions is a list of {topic, filter}")
	}
	if len(asked) > mostSubscriptions {
		return nil, refuse("too-large", fmt.Sprintf("At most %d subscriptions in one request", mostSubscriptions))
	}
	if visitor.User == "" {
		return nil, refuse("token-missing", "Sign in first")
	}
	reply := Object{"enabled": true, "url": r.publicURL, "site": visitor.Site, "token": r.ConnectionToken(visitor)}
	if isList {
		r.grant(reply, asked, visitor)
	}
	return reply, nil
}

// grant decides on each of a list. Where one token can't hold all that is allowed, there are several.
func (r *Realtime) grant(reply Object, asked []any, visitor Visitor) {
	allowed, results := []Grant{}, make([]Object, len(asked))
	for place, one := range asked {
		pair, _ := one.(Object)
		topic, _ := pair["topic"].(string)
		filter, err := r.RequirePermission(visitor, topic, pair["filter"])
		grant := Grant{topic, filter, []int{place}}
		if err == nil && len(encode(grant)) > mostGrantsBytes {
			err = refuse("too-large", "This filter is too long for a token")
		}
		if err != nil {
			results[place] = Object{"topic": pair["topic"], "filter": pair["filter"], "error": err}
			continue
		}
		allowed = append(allowed, grant)
		results[place] = Object{"topic": topic, "filter": filter}
	}
	reply["results"] = results
	var tokens []string
	for number, grants := range fillTokens(merge(allowed)) {
		tokens = append(tokens, r.SubscribeToken(visitor, grants))
		for _, grant := range grants {
			for _, place := range grant.places {
				if number > 0 {
					// A client that knows of one token only goes by the error, and asks again.
					full := refuse("limit", "No room in the first token: use the one in `token`, or ask for this one again")
					results[place]["token"], results[place]["error"] = number, full
				}
			}
		}
	}
	if len(tokens) > 0 {
		reply["subscribeToken"] = tokens[0]
	}
	if len(tokens) > 1 {
		reply["subscribeTokens"] = tokens
	}
}

// RequirePermission gives the filter as it was read, or a Refusal where the visitor may not subscribe.
func (r *Realtime) RequirePermission(visitor Visitor, topic string, filter any) (Object, error) {
	flat, err := readFilter(filter)
	if err != nil {
		return nil, err
	}
	// Of a topic that there is not, nobody learns more than of one that refuses.
	if rule, params := findRule(r.rules, topic); visitor.User != "" && rule != nil && rule(visitor, flat, params) {
		return flat, nil
	}
	return nil, refuse("forbidden", "This topic may not be subscribed with this filter")
}

// Publish tells everybody on the site who listens to any of the topics. An error means that not all could be told: log it and
// go on, what the application did has happened, and a page that was not told fetches anew when its connection is back.
func (r *Realtime) Publish(site any, data Object, topics ...string) error {
	return r.Command(site, "publish", Object{"topics": topics, "data": data})
}

// Command has relays do something: subscribe, unsubscribe, disconnect or revoke, where body says whom (user, session or
// client), topic and filter; or publish, where it says topic or topics, data, except and idempotencyKey.
func (r *Realtime) Command(site any, kind string, body Object) error {
	if !r.enabled {
		return errOff
	}
	name, err := id("site", site)
	if err != nil {
		return fmt.Errorf("%s: %w", kind, err)
	}
	body, err = withIDs(body)
	if err != nil {
		return fmt.Errorf("%s: %w", kind, err)
	}
	if kind == "publish" && body["idempotencyKey"] == nil {
		body["idempotencyKey"] = randomHex(16) // with a key of its own, what was sent twice is heard once
	}
	text, err := json.Marshal(body)
	if err != nil {
		return fmt.Errorf("%s: %w", kind, err)
	}
	// Not the request's context: who has gone away has changed it all the same.
	ctx, cancel := context.WithTimeout(context.Background(), r.timeout)
	defer cancel()
	address := r.url + "/v1/sites/" + name + "/" + kind
	err, again := r.post(ctx, address, text)
	if again && ctx.Err() == nil {
		time.Sleep(100 * time.Millisecond)
		err, _ = r.post(ctx, address, text)
	}
	if errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("%s did not answer within %g s", r.url, r.timeout.Seconds())
	}
	if err != nil {
		return fmt.Errorf("%s: %w", kind, err)
	}
	return nil
}

// withIDs gives a copy in which users and sessions are strings.
func withIDs(body Object) (Object, error) {
	copied := Object{}
	for name, value := range body {
		var err error
		switch except, isObject := value.(Object); {
		case name == "user" || name == "session":
			value, err = id(name, value)
		case name == "except" && isObject:
			value, err = withIDs(except)
		}
		if err != nil {
			return nil, err
		}
		copied[name] = value
	}
	return copied, nil
}

var errOff = errors.New("realtime is off")

// post says whether asking once more may help.
func (r *Realtime) post(ctx context.Context, address string, text []byte) (err error, again bool) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(text))
	if err != nil {
		return err, false
	}
	request.Header.Set("authorization", "Bearer "+r.api)
	request.Header.Set("content-type", "application/json")
	response, err := r.http.Do(request)
	if err != nil {
		return err, true
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, mostReplyBytes))
	if err != nil {
		return err, true
	}
	type result struct{ Error *Refusal }
	reply := struct {
		result
		Results []result
	}{}
	status := response.StatusCode
	if json.Unmarshal(body, &reply) != nil {
		kind := response.Header.Get("content-type")
		return fmt.Errorf("the reply is no JSON but %s with the status %d: is REALTIME_URL a relay's address?", kind, status), status >= 500
	}
	for _, one := range append(reply.Results, reply.result) {
		if one.Error != nil {
			return one.Error, one.Error.Retry == "later"
		}
	}
	if status != http.StatusOK {
		return fmt.Errorf("status %d", status), false
	}
	return nil, false
}

// ReadJSON gives the object in a browser's request; {} of a GET. Forms of foreign pages can send cookies, but not this type.
func ReadJSON(request *http.Request, text []byte) (Object, error) {
	body := Object{}
	if kind := request.Header.Get("content-type"); request.Method == http.MethodPost && !isJSON(kind) {
		if kind == "" {
			kind = "none"
		}
		return nil, refuse("bad-request", "Send content-type: application/json, not "+kind)
	}
	// PHP writes an empty object as [].
	if request.Method != http.MethodPost || len(text) == 0 || string(bytes.TrimSpace(text)) == "[]" {
		return body, nil
	}
	if err := json.Unmarshal(text, &body); err != nil || body == nil {
		return nil, refuse("bad-request", "The body is a JSON object")
	}
	return body, nil
}

// VerifySignature checks what Standard Webhooks signs: id, time and content, of which a webhook's is its body.
func (r *Realtime) VerifySignature(header http.Header, content []byte) error {
	timestamp := header.Get("webhook-timestamp")
	seconds, err := strconv.ParseInt(timestamp, 10, 64)
	off := time.Since(time.Unix(seconds, 0))
	if len(r.secret) == 0 || err != nil || off > hookTolerance || off < -hookTolerance {
		return refuse("token-invalid", "The signature is missing or too old")
	}
	text := append([]byte(header.Get("webhook-id")+"."+timestamp+"."), content...)
	right := []byte("v1," + base64.StdEncoding.EncodeToString(mac(r.secret, text)))
	for _, signature := range strings.Fields(header.Get("webhook-signature")) {
		if hmac.Equal(right, []byte(signature)) {
			return nil
		}
	}
	return refuse("token-invalid", "The signature is wrong")
}

// ReadCaller gives who calls one of the application's own addresses over a socket, by `rpc("post:news/store", data)`.
func (r *Realtime) ReadCaller(request *http.Request, body []byte) (Visitor, error) {
	site, user, session := request.Header.Get("bellwire-site"), request.Header.Get("bellwire-user"), request.Header.Get("bellwire-session")
	lines := []string{request.Method + " " + request.RequestURI, site, user, session, string(body)}
	if err := r.VerifySignature(request.Header, []byte(strings.Join(lines, "\n"))); err != nil {
		return Visitor{}, err
	}
	user, _ = url.PathUnescape(user)
	session, _ = url.PathUnescape(session)
	return Visitor{site, user, session}, nil
}

func mac(key, text []byte) []byte {
	hash := hmac.New(sha256.New, key)
	hash.Write(text)
	return hash.Sum(nil)
}

func randomHex(count int) string {
	random := make([]byte, count)
	if _, err := rand.Read(random); err != nil {
		panic(err) // without chance there are no secrets
	}
	return hex.EncodeToString(random)
}
