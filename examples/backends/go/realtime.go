// Bellwire from Go 1.19 or later, with the standard library alone: tokens, publishing, control, and the signature of hooks.
// Copy this file.
//
// Settings, from the environment: APP_KEY, REALTIME_URL (a relay, as this backend reaches it), REALTIME_API_KEY,
// REALTIME_SITE, HOOK_SECRET, and optionally REALTIME_ENABLED (default true) and REALTIME_PUBLIC_URL (the relay, as
// browsers reach it).

package main

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

const (
	tokenLife         = time.Minute
	requestTimeout    = 3 * time.Second
	hookTolerance     = 5 * time.Minute
	mostSubscriptions = 500
	// Bytes of JSON: a token's text is a third longer, and a relay takes 16,384 characters.
	mostGrantsBytes = 11_000
	mostReplyBytes  = 1 << 20
	largestInteger  = 1<<53 - 1
)

// Object is a JSON object.
type Object = map[string]any

// Refusal is an error in the shape that browsers and relays know: {code, message, retry}.
type Refusal struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Retry   string `json:"retry"`
	status  int
}

func (r *Refusal) Error() string { return r.Message }

func refuse(code, message string) *Refusal {
	known := map[string]Refusal{
		"bad-request":   {Retry: "never", status: 400},
		"forbidden":     {Retry: "never", status: 403},
		"not-found":     {Retry: "never", status: 404},
		"too-large":     {Retry: "never", status: 413},
		"token-missing": {Retry: "refresh", status: 401},
		"token-invalid": {Retry: "refresh", status: 401},
		"limit":         {Retry: "later", status: 429},
		"internal":      {Retry: "later", status: 500},
	}[code]
	return &Refusal{code, message, known.Retry, known.status}
}

// Visitor is who a request is from; the zero value is nobody.
type Visitor struct{ User, Session string }

// Permission says whether a user may subscribe a topic with a filter; an empty filter means every message of the topic.
type Permission func(user, topic string, filter Object) bool

// Grant is what may be subscribed.
type Grant struct {
	Topic  string `json:"topic"`
	Filter Object `json:"filter"`
}

// Realtime speaks with relays on behalf of one site.
type Realtime struct {
	enabled                   bool
	key, secret               []byte
	url, publicURL, site, api string
	http                      *http.Client
}

// NewRealtime reads the environment.
func NewRealtime() (*Realtime, error) {
	key := []byte(os.Getenv("APP_KEY"))
	// Keys are often written as `base64:...`.
	if encoded := strings.TrimPrefix(string(key), "base64:"); encoded != string(key) {
		key, _ = base64.StdEncoding.DecodeString(encoded)
	}
	if len(key) < 32 {
		return nil, errors.New("APP_KEY needs at least 32 bytes")
	}
	secret, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(os.Getenv("HOOK_SECRET"), "whsec_"))
	if err != nil {
		return nil, errors.New("HOOK_SECRET is whsec_ and base64")
	}
	r := &Realtime{enabled: true, key: key, secret: secret, site: os.Getenv("REALTIME_SITE"), api: os.Getenv("REALTIME_API_KEY")}
	switch strings.ToLower(strings.TrimSpace(os.Getenv("REALTIME_ENABLED"))) {
	case "false", "0", "no", "off":
		r.enabled = false
	}
	r.url = strings.TrimRight(os.Getenv("REALTIME_URL"), "/")
	r.publicURL = os.Getenv("REALTIME_PUBLIC_URL")
	if r.publicURL == "" {
		r.publicURL = strings.Replace(r.url, "http", "ws", 1)
	}
	// Followed, a redirect would carry the message to somebody unexpected.
	stay := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	r.http = &http.Client{Timeout: requestTimeout, CheckRedirect: stay}
	return r, nil
}

// ConnectionToken opens a connection for a visitor.
func (r *Realtime) ConnectionToken(visitor Visitor) string {
	return r.sign("bellwire:connect", visitor, Object{})
}

// SubscribeToken allows subscriptions on a connection of the visitor's own.
func (r *Realtime) SubscribeToken(visitor Visitor, grants []Grant) string {
	return r.sign("bellwire:subscribe", visitor, Object{"grants": grants})
}

// sign makes a JSON Web Token, HS256.
func (r *Realtime) sign(audience string, visitor Visitor, claims Object) string {
	now := time.Now()
	claims["aud"], claims["site"], claims["sub"], claims["sid"] = audience, r.site, visitor.User, visitor.Session
	// With fractions of a second, so that a revocation can tell the tokens of one second apart.
	claims["iat"] = json.Number(fmt.Sprintf("%.6f", float64(now.UnixMicro())/1e6))
	claims["exp"] = now.Add(tokenLife).Unix() + 1
	payload, _ := json.Marshal(claims) // strings and checked filters: it can't fail
	encode := base64.RawURLEncoding.EncodeToString
	text := encode([]byte(`{"alg":"HS256","typ":"JWT"}`)) + "." + encode(payload)
	return text + "." + encode(mac(r.key, []byte(text)))
}

// AnswerTokenRequest gives what the browser's client asks for: a connection token, and one subscribe token for all that it may
// have of a list.
func (r *Realtime) AnswerTokenRequest(body Object, visitor Visitor, may Permission) (Object, error) {
	if !r.enabled {
		return Object{"enabled": false}, nil
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
	reply := Object{"enabled": true, "url": r.publicURL, "site": r.site, "token": r.ConnectionToken(visitor)}
	if !isList {
		return reply, nil
	}
	grants, results, size := []Grant{}, []any{}, 0
	for _, one := range asked {
		pair, _ := one.(Object)
		grant, err := allow(visitor.User, pair["topic"], pair["filter"], may)
		text, _ := json.Marshal(grant)
		if err == nil && size+len(text) >= mostGrantsBytes {
			err = refuse("limit", "No room in this token: ask for this one again, with fewer others")
		}
		if err != nil {
			results = append(results, Object{"topic": pair["topic"], "filter": pair["filter"], "error": err})
			continue
		}
		size += len(text) + 1
		grants, results = append(grants, grant), append(results, grant)
	}
	reply["results"] = results
	if len(grants) > 0 {
		reply["subscribeToken"] = r.SubscribeToken(visitor, grants)
	}
	return reply, nil
}

// allow reads a topic and filter as they came from outside, and asks whether the user may subscribe them.
func allow(user string, topic, filter any, may Permission) (Grant, error) {
	if filter == nil {
		filter = Object{}
	}
	name, _ := topic.(string)
	flat, isObject := filter.(Object)
	if !isObject || !isFilter(flat) {
		return Grant{}, refuse("bad-request", "A filter has at most 8 keys, each with a string, number, boolean or null, or a list of them")
	}
	// Of a topic that there is not, nobody learns more than of one that refuses.
	if user == "" || !may(user, name, flat) {
		return Grant{}, refuse("forbidden", "This topic may not be subscribed with this filter")
	}
	return Grant{name, flat}, nil
}

// isFilter is false for what a relay would refuse the whole token for.
func isFilter(filter Object) bool {
	combinations := 1
	for name, allowed := range filter {
		values, isList := allowed.([]any)
		if !isList {
			values = []any{allowed}
		}
		combinations *= len(values)
		if combinations < 1 || combinations > 256 || utf8.RuneCountInString(name) > 128 {
			return false
		}
		for _, value := range values {
			switch value := value.(type) {
			case nil, bool:
			case string:
				if len(value) > 1024 {
					return false
				}
			case float64:
				if math.Abs(value) > largestInteger {
					return false
				}
			default:
				return false
			}
		}
	}
	return len(filter) <= 8
}

// Publish tells everybody who listens to any of the topics. An error means that not all could be told: log it and go on, what
// the application did has happened, and a page that was not told fetches anew when its connection is back.
func (r *Realtime) Publish(data Object, topics ...string) error {
	// With a key of its own, what was sent twice is heard once.
	return r.post("publish", Object{"topics": topics, "data": data, "idempotencyKey": randomHex(16)})
}

// Command has every relay do something: subscribe, unsubscribe, disconnect or revoke; body says whom (user, session or client),
// topic and filter.
func (r *Realtime) Command(kind string, body Object) error {
	return r.post(kind, body)
}

var errOff = errors.New("realtime is off")

// post asks the relay's API, once more where that may help.
func (r *Realtime) post(kind string, body Object) error {
	if !r.enabled {
		return errOff
	}
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	if err, again := r.request(kind, text); err == nil || !again {
		return err
	}
	time.Sleep(100 * time.Millisecond)
	err, _ = r.request(kind, text)
	return err
}

func (r *Realtime) request(kind string, text []byte) (err error, again bool) {
	address := r.url + "/v1/sites/" + url.PathEscape(r.site) + "/" + kind
	request, err := http.NewRequest(http.MethodPost, address, bytes.NewReader(text))
	if err != nil {
		return err, false
	}
	request.Header.Set("authorization", "Bearer "+r.api)
	request.Header.Set("content-type", "application/json")
	response, err := r.http.Do(request)
	if err != nil {
		return fmt.Errorf("%s: %w", kind, err), true
	}
	defer response.Body.Close()
	type result struct{ Error *Refusal }
	reply := struct {
		result
		Results []result
	}{}
	if err := json.NewDecoder(io.LimitReader(response.Body, mostReplyBytes)).Decode(&reply); err != nil {
		return fmt.Errorf("%s: status %d: %w", kind, response.StatusCode, err), true
	}
	for _, one := range append(reply.Results, reply.result) {
		if one.Error != nil {
			return fmt.Errorf("%s: %w", kind, one.Error), one.Error.Retry == "later"
		}
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: status %d", kind, response.StatusCode), false
	}
	return nil, false
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
	if site != r.site {
		return Visitor{}, refuse("forbidden", "This backend is not for that site")
	}
	user, _ = url.PathUnescape(user)
	session, _ = url.PathUnescape(session)
	return Visitor{user, session}, nil
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
