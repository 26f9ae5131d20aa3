// Answers Bellwire's question "{{event}}", with nothing but Go's standard library.
//
//	HOOK_SECRET=whsec_... go run {{file}}
//
// The file that the relay's REALTIME_CONFIG names then says
//
//	hooks:
//	  secret: whsec_...
// @if connect
//	  headers: [cookie]
// @end
// @if connect refresh subscribe publish rpc
//	  {{event}}: { url: "http://127.0.0.1:8080/" }
// @end
// @if notices
//	  notices: { url: "http://127.0.0.1:8080/", events: [connected, disconnected] }
// @end
package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

const (
	// An older question may be a recording that somebody sends again.
	maxAge   = 5 * time.Minute
	maxBytes = 1 << 20
)

// Question is what a relay asks; which fields there are depends on the event.
type Question struct {
	Event   string            `json:"event"`
	Site    string            `json:"site"`
	User    string            `json:"user"`
	Session string            `json:"session"`
	Client  string            `json:"client"`
	Headers map[string]string `json:"headers"` // those that the relay passes on, by lower-case name
	// @if connect

	Claims map[string]any  `json:"claims"` // of a connection token, verified by the relay
	Data   json.RawMessage `json:"data"`   // what the page sent along: anybody can write it
	// @end
	// @if subscribe

	Topic  string            `json:"topic"`
	Filter map[string]any    `json:"filter"`
	Params map[string]string `json:"params"` // what a rule of the relay's file, such as user.{uuid}, read from the topic
	// @end
	// @if publish

	Topic string         `json:"topic"`
	Data  map[string]any `json:"data"`
	// @end
	// @if rpc

	Method string          `json:"method"`
	Data   json.RawMessage `json:"data"`
	// @end
	// @if notices

	Events []json.RawMessage `json:"events"`
	// @end
}

// Object is what a relay is answered.
type Object map[string]any

// @if connect subscribe publish rpc
// refuse is the answer no. The code "forbidden" is about permission; with any other, your own, the page gets "rejected". It
// finds code and words in the error's reason.
func refuse(code, message string) Object {
	return Object{"error": Object{"code": code, "message": message}}
}

// @end
// @if connect refresh subscribe
func inAnHour() int64 {
	return time.Now().Add(time.Hour).Unix()
}

// @end
// What is answered to each question. Object{"disconnect": Object{"code": ..., "reason": ...}} ends the connection.
var answers = map[string]func(Question) Object{
	// @if connect
	// Somebody connects: who is it?
	"connect": func(question Question) Object {
		user, known := question.Claims["sub"].(string)
		if !known {
			user, known = userOfCookie(question.Headers["cookie"])
		}
		if !known {
			return refuse("signed-out", "Sign in first")
		}
		return Object{
			"user":          user,                                            // "" admits a visitor without a name
			"info":          Object{"name": "User " + user},                  // shown to others where a topic has presence
			"until":         inAnHour(),                                      // the end of the connection, unless refresh puts it off
			"subscriptions": []Object{{"topic": "news", "filter": Object{}}}, // made at once
			"grants":        []Object{},                                      // what else may be subscribed without asking again, likewise
		}
	},
	// @end
	// @if refresh
	// A connection is about to end: may it stay?
	"refresh": func(question Question) Object {
		if question.User == "" { // look up here whether this user is still welcome
			return Object{"disconnect": Object{"code": "signed-out", "reason": "Sign in again"}}
		}
		return Object{"until": inAnHour()} // nil: no end any more
	},
	// @end
	// @if subscribe
	// May somebody hear this?
	"subscribe": func(question Question) Object {
		switch {
		case question.Topic == "news":
			return Object{} // everybody may
		case question.User != "" && question.Topic == "user."+question.User:
			return Object{"until": inAnHour()} // then it is asked again
		}
		return refuse("forbidden", "This is not for you: "+question.Topic)
	},
	// @end
	// @if publish
	// A client publishes: may this go in?
	"publish": func(question Question) Object {
		text, _ := question.Data["text"].(string)
		if question.User == "" {
			return refuse("forbidden", "Sign in first")
		}
		if strings.TrimSpace(text) == "" || len(text) > 1000 {
			return refuse("bad-message", "A message is a text of at most 1,000 bytes")
		}
		// Goes in instead of what the client sent. Object{"handled": true} publishes nothing; "topic" puts it elsewhere.
		return Object{"data": Object{"text": strings.TrimSpace(text), "user": question.User}}
	},
	// @end
	// @if rpc
	// A client calls a method. nil: there is no such method.
	"rpc": func(question Question) Object {
		switch question.Method {
		case "ping":
			return Object{"data": "pong"}
		case "whoami":
			if question.User == "" {
				return refuse("forbidden", "Sign in first")
			}
			return Object{"data": Object{"user": question.User}}
		case "double":
			var data struct{ N *float64 }
			if json.Unmarshal(question.Data, &data) != nil || data.N == nil {
				return refuse("no-number", "n is a number")
			}
			return Object{"data": *data.N * 2}
		}
		return nil
	},
	// @end
	// @if notices
	// No question: what happened. Each event has "event" (connected, disconnected, occupied or vacated) and whom or what it is
	// about. A notice comes at least once: the header webhook-id is the same each time.
	"notices": func(notice Question) Object {
		for _, event := range notice.Events {
			log.Print(string(event))
		}
		return Object{}
	},
	// @end
}

// @if connect
// userOfCookie looks a session up: the user's id, and whether somebody is signed in.
func userOfCookie(cookie string) (user string, known bool) {
	return "", false // your session store's answer
}

// @end
var secret []byte

// isSigned tells whether a request is the relay's, by Standard Webhooks (https://www.standardwebhooks.com).
func isSigned(header http.Header, body []byte) bool {
	id, timestamp := header.Get("webhook-id"), header.Get("webhook-timestamp")
	seconds, err := strconv.ParseInt(timestamp, 10, 64)
	if id == "" || err != nil || time.Since(time.Unix(seconds, 0)).Abs() > maxAge {
		return false
	}
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(id + "." + timestamp + "."))
	mac.Write(body)
	expected := []byte("v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	// Several while a secret is being changed.
	for _, one := range strings.Fields(header.Get("webhook-signature")) {
		if hmac.Equal(expected, []byte(one)) { // takes as long for a wrong one
			return true
		}
	}
	return false
}

// respond gives the HTTP status, and the answer.
func respond(header http.Header, body []byte) (int, Object) {
	if !isSigned(header, body) {
		return 401, Object{"problem": "Not signed with HOOK_SECRET, or too long ago"}
	}
	question := Question{Event: "notices"}
	if err := json.Unmarshal(body, &question); err != nil {
		return 400, Object{"problem": err.Error()}
	}
	answer, known := answers[question.Event]
	if !known {
		return 404, Object{"problem": "This is not answered here"}
	}
	reply := answer(question)
	if reply == nil {
		return 404, Object{"problem": "There is nothing of this name"}
	}
	return 200, reply
}

func handle(response http.ResponseWriter, request *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(response, request.Body, maxBytes))
	if err != nil {
		http.Error(response, "The body can't be read", http.StatusBadRequest)
		return
	}
	status, reply := respond(request.Header, body)
	response.Header().Set("Content-Type", "application/json")
	response.WriteHeader(status)
	if err := json.NewEncoder(response).Encode(reply); err != nil {
		log.Print(err)
	}
}

func main() {
	var err error
	secret, err = base64.StdEncoding.DecodeString(strings.TrimPrefix(os.Getenv("HOOK_SECRET"), "whsec_"))
	if err != nil || len(secret) == 0 {
		log.Fatal("HOOK_SECRET is not set: whsec_ and some base64, as hooks.secret of the relay's file")
	}
	port := os.Getenv("PORT")
	if port == "" {
		port = "8080"
	}
	listener, err := net.Listen("tcp", "127.0.0.1:"+port)
	if err != nil {
		log.Fatal(err)
	}
	log.Printf("Answering {{event}} on http://%s/", listener.Addr())
	server := &http.Server{Handler: http.HandlerFunc(handle), ReadHeaderTimeout: 10 * time.Second}
	log.Fatal(server.Serve(listener))
}
