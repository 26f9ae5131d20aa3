// A whole backend on Bellwire in Go, without a framework: `PORT=8080 go run .`
//
// There are no passwords and nothing is stored: it shows what realtime needs. The settings are those of realtime.go.

package main

import (
	"crypto/hmac"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"math/rand"
	"net"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

const mostBytes = 256 << 10

// ---- Who is here, and what they may hear

type user struct {
	site       any
	name, role string
}

var users = map[string]user{
	"ann":     {"acme", "Ann", "admin"},
	"ben":     {"acme", "Ben", "member"},
	"mallory": {"acme", "Mallory", "blocked"},
	"gil":     {12, "Gil", "admin"},
}

// roleOf is empty also for somebody who claims to be of another tenant.
func roleOf(v Visitor) string {
	if user, known := users[v.User]; known && fmt.Sprint(user.site) == v.Site {
		return user.role
	}
	return ""
}

func isWelcome(v Visitor) bool {
	return roleOf(v) == "admin" || roleOf(v) == "member"
}

func welcome(v Visitor, _ Object, _ map[string]string) bool { return isWelcome(v) }

// Who may subscribe a topic, by its name or pattern. An empty filter means every message of it.
var topics = map[string]Rule{
	"Contact_Updated_Topic": welcome,
	"News_Topic":            welcome,
	"Chat_Message_Topic":    welcome,
	"Admin_Alert_Topic":     func(v Visitor, _ Object, _ map[string]string) bool { return roleOf(v) == "admin" },
	"user.{id}": func(v Visitor, _ Object, params map[string]string) bool {
		return isWelcome(v) && v.User == params["id"]
	},
}

type backend struct{ *Realtime }

// cookieOf signs, so that nothing need be stored. The relay knows the session's id, which is not enough to forge one.
func (b backend) cookieOf(v Visitor) string {
	return v.User + "." + v.Session + "." + hex.EncodeToString(mac(b.key, []byte("session:"+v.User+"."+v.Session)))
}

// visitorOf reads a request's cookies; the zero Visitor where nobody has signed in.
func (b backend) visitorOf(header http.Header) Visitor {
	request := http.Request{Header: header}
	cookie, err := request.Cookie("session")
	if err != nil {
		return Visitor{}
	}
	parts := strings.Split(cookie.Value, ".")
	user, known := users[parts[0]]
	if !known || len(parts) != 3 {
		return Visitor{}
	}
	visitor, err := NewVisitor(user.site, parts[0], parts[1])
	if err != nil || !hmac.Equal([]byte(b.cookieOf(visitor)), []byte(cookie.Value)) {
		return Visitor{}
	}
	return visitor
}

// ---- What a relay asks

type question struct {
	Event, Site, User, Session, Topic, Method string
	Headers                                   map[string]string
	Claims                                    struct{ Sub, Sid string }
	Filter, Data                              any
	Events                                    []any
}

func (q question) asker() Visitor { return Visitor{q.Site, q.User, q.Session} }

// no is a reply that refuses. "forbidden" is about permission; any other code is this backend's own, and reaches the page as
// the reason of "rejected".
func no(code, message string) Object {
	return Object{"error": Object{"code": code, "message": message}}
}

// answerHook gives the reply to a question; an empty one means yes.
func (b backend) answerHook(q question) (Object, error) {
	if q.Events != nil {
		return Object{}, nil // notices: somebody to keep a list of who is online would look at them
	}
	switch q.Event {
	case "connect":
		return b.onConnect(q), nil
	case "refresh":
		if !isWelcome(q.asker()) {
			return no("signed-out", "Sign in again"), nil
		}
		return Object{"until": time.Now().Unix() + 3600}, nil
	case "subscribe":
		if _, err := b.RequirePermission(q.asker(), q.Topic, q.Filter); err != nil {
			return no("forbidden", err.Error()), nil
		}
		return Object{}, nil
	case "publish":
		return onPublish(q), nil
	case "rpc":
		if q.Method != "ping" {
			return nil, refuse("not-found", "There is no such method")
		}
		return Object{"data": "pong"}, nil
	}
	return no("unknown-event", "This backend does not know that question"), nil
}

// onConnect goes by the token's claims, which the relay has verified, or else by the browser's cookie.
func (b backend) onConnect(q question) Object {
	visitor := Visitor{q.Site, q.Claims.Sub, q.Claims.Sid}
	if visitor.User == "" {
		visitor = b.visitorOf(http.Header{"Cookie": {q.Headers["cookie"]}})
	}
	// A cookie says which tenant's site somebody may enter: no other.
	if roleOf(visitor) == "" || visitor.Site != q.Site {
		return no("signed-out", "Sign in first")
	}
	if !isWelcome(visitor) {
		return Object{"disconnect": Object{"code": "blocked", "reason": "This account is blocked"}}
	}
	return Object{
		"user":          visitor.User,
		"session":       visitor.Session,
		"info":          Object{"name": users[visitor.User].name},
		"until":         time.Now().Unix() + 3600,
		"subscriptions": []Object{{"topic": "News_Topic"}},
	}
}

// onPublish looks at what a client wants to publish.
func onPublish(q question) Object {
	if q.Topic != "Chat_Message_Topic" || !isWelcome(q.asker()) {
		return no("forbidden", "Only the chat is open to clients")
	}
	data, _ := q.Data.(Object)
	text := textOf(data, "text")
	if length := utf8.RuneCountInString(text); length < 1 || length > 1000 {
		return no("invalid", "text has 1 to 1000 characters")
	}
	return Object{"data": Object{"text": text, "by": q.User}}
}

// ---- The application's own requests

// reply is an answer to a page.
type reply struct {
	status int
	body   any
	cookie *http.Cookie
}

func ok(body any) reply { return reply{status: http.StatusOK, body: body} }

// told logs what went wrong with realtime; the request goes on.
func told(err error) bool {
	if err != nil && !errors.Is(err, errOff) {
		log.Printf("realtime: %v", err)
	}
	return err == nil
}

func (b backend) saveContact(v Visitor, id int) reply {
	// Here the contact would be stored.
	err := b.Publish(v.Site, Object{"id": id, "updated_by": v.User}, "Contact_Updated_Topic")
	return ok(Object{"success": true, "told": told(err)})
}

// followContact subscribes the visitor's pages, all that are open, without their doing; or ends that.
func (b backend) followContact(v Visitor, id int, kind string) reply {
	err := b.Command(v.Site, kind, Object{"session": v.Session, "topic": "Contact_Updated_Topic", "filter": Object{"id": id}})
	return ok(Object{"success": told(err)})
}

// storeNews is an ordinary form, which a page may also send over its socket: `rpc("post:news/store", {title})`.
func (b backend) storeNews(v Visitor, input Object) reply {
	title := textOf(input, "title")
	if title == "" {
		errors := Object{"title": []string{"Write a title"}}
		return reply{status: http.StatusUnprocessableEntity, body: Object{"message": "The news needs a title", "errors": errors}}
	}
	id := rand.Intn(1_000_000)
	told(b.Publish(v.Site, Object{"id": id}, "News_Topic"))
	return reply{status: http.StatusCreated, body: Object{"id": id, "title": title, "author": v.User}}
}

func (b backend) signIn(input Object) reply {
	name, _ := input["user"].(string)
	user, known := users[name]
	if !known {
		return reply{status: http.StatusUnprocessableEntity, body: Object{"message": "Nobody has this name"}}
	}
	visitor, err := NewVisitor(user.site, name, randomHex(12))
	if err != nil {
		return reply{status: http.StatusInternalServerError, body: Object{"message": err.Error()}}
	}
	cookie := &http.Cookie{Name: "session", Value: b.cookieOf(visitor), Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode}
	return reply{http.StatusOK, Object{"user": name}, cookie}
}

// signOut ends what the session's tokens opened, in all its tabs.
func (b backend) signOut(v Visitor) reply {
	err := b.Command(v.Site, "revoke", Object{"session": v.Session})
	cookie := &http.Cookie{Name: "session", Path: "/", MaxAge: -1, HttpOnly: true, SameSite: http.SameSiteLaxMode}
	return reply{http.StatusOK, Object{"success": told(err)}, cookie}
}

func textOf(input Object, name string) string {
	text, _ := input[name].(string)
	return strings.TrimSpace(text)
}

// ---- HTTP

var contactPath = regexp.MustCompile(`^/contacts/([0-9]{1,9})(?:/(follow|unfollow))?$`)

func (b backend) answer(r *http.Request, body []byte) (reply, error) {
	request := r.Method + " " + r.URL.Path
	if request == "POST /hooks" {
		if err := b.VerifySignature(r.Header, body); err != nil {
			return reply{}, err
		}
		var q question
		if json.Unmarshal(body, &q) != nil {
			return reply{}, refuse("bad-request", "The body is no question")
		}
		answer, err := b.answerHook(q)
		return ok(answer), err
	}
	visitor, err := b.callerOf(r, body)
	if err != nil {
		return reply{}, err
	}
	if r.URL.Path == "/realtime" {
		tokens, err := b.AnswerTokenRequest(r, body, visitor)
		return ok(tokens), err
	}
	input, err := ReadJSON(r, body)
	if err != nil {
		return reply{}, err
	}
	switch request {
	case "POST /sign-in":
		return b.signIn(input), nil
	}
	if visitor.User == "" {
		return reply{}, refuse("token-missing", "Sign in first")
	}
	switch request {
	case "POST /news/store":
		return b.storeNews(visitor, input), nil
	case "POST /sign-out":
		return b.signOut(visitor), nil
	}
	if found := contactPath.FindStringSubmatch(r.URL.Path); found != nil && r.Method == http.MethodPost {
		id, _ := strconv.Atoi(found[1])
		switch found[2] {
		case "follow":
			return b.followContact(visitor, id, "subscribe"), nil
		case "unfollow":
			return b.followContact(visitor, id, "unsubscribe"), nil
		}
		return b.saveContact(visitor, id), nil
	}
	return reply{}, refuse("not-found", "There is nothing here")
}

// callerOf says who asks: a relay on behalf of a page, or a page itself.
func (b backend) callerOf(r *http.Request, body []byte) (Visitor, error) {
	if r.Header.Get("webhook-signature") != "" {
		visitor, err := b.ReadCaller(r, body)
		if roleOf(visitor) == "" {
			visitor = Visitor{}
		}
		return visitor, err
	}
	return b.visitorOf(r.Header), nil
}

func (b backend) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	// Whoever is still sending reads no answer, so a little more is read than is taken.
	body, err := io.ReadAll(io.LimitReader(r.Body, 4*mostBytes))
	var answer reply
	switch {
	case err != nil:
		err = refuse("bad-request", "The body could not be read")
	case len(body) > mostBytes:
		err = refuse("too-large", "At most 256 KiB")
	default:
		answer, err = b.answer(r, body)
	}
	if err != nil {
		var refusal *Refusal
		if !errors.As(err, &refusal) {
			log.Print(err)
			refusal = refuse("internal", "The backend failed")
		}
		answer = reply{status: refusal.status, body: Object{"error": refusal}}
	}
	if answer.cookie != nil {
		http.SetCookie(w, answer.cookie)
	}
	w.Header().Set("content-type", "application/json")
	w.Header().Set("cache-control", "no-store")
	w.WriteHeader(answer.status)
	if err := json.NewEncoder(w).Encode(answer.body); err != nil {
		log.Print(err)
	}
}

func main() {
	realtime, err := NewRealtime(Config{Topics: topics})
	if err != nil {
		log.Fatal(err)
	}
	port := os.Getenv("PORT")
	if port == "" {
		port = "8080"
	}
	listener, err := net.Listen("tcp", "127.0.0.1:"+port)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("Listening on http://%s\n", listener.Addr())
	server := &http.Server{Handler: backend{realtime}, ReadTimeout: 15 * time.Second, WriteTimeout: 30 * time.Second, IdleTimeout: time.Minute}
	log.Fatal(server.Serve(listener))
}
