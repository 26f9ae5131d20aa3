package main

import (
	"strings"
	"testing"
)

func TestIDsAreStringsOrIntegers(t *testing.T) {
	visitor, err := NewVisitor(5, uint64(7), "s")
	if err != nil || visitor != (Visitor{"5", "7", "s"}) {
		t.Fatal(visitor, err)
	}
	for wanted, ids := range map[string][2]any{
		"site is a string or an integer, not 5.5 (float64)":                       {5.5, "a"},
		"user is a string or an integer, not <nil> (<nil>)":                       {"a", nil},
		"site is a string or an integer, not true (bool)":                         {true, "a"},
		`site is 1 to 64 characters of A-Z a-z 0-9 _ -, not "a b" (string)`:       {"a b", "a"},
		`user is 1 to 128 bytes, not "" (string)`:                                 {"a", ""},
		`user is 1 to 128 bytes, not "` + strings.Repeat("a", 129) + `" (string)`: {"a", strings.Repeat("a", 129)},
	} {
		if _, err := NewVisitor(ids[0], ids[1], ""); err == nil || err.Error() != wanted {
			t.Errorf("%v: %v, not %s", ids, err, wanted)
		}
	}
}

func TestSettingsAreArgumentsFirst(t *testing.T) {
	t.Setenv("APP_KEY", "")
	t.Setenv("REALTIME_URL", "ws://nowhere")
	key := strings.Repeat("k", 32)
	realtime, err := NewRealtime(Config{Key: key, URL: "http://127.0.0.1:1/"})
	if err != nil || string(realtime.key) != key || realtime.url != "http://127.0.0.1:1" || realtime.publicURL != "ws://127.0.0.1:1" {
		t.Fatal(realtime, err)
	}
	if _, err := NewRealtime(Config{Key: key}); err == nil || !strings.Contains(err.Error(), "ws://nowhere") {
		t.Fatal(err)
	}
}

func TestWhatCannotBeAskedIsAnError(t *testing.T) {
	realtime, err := NewRealtime(Config{Key: strings.Repeat("k", 32), URL: "http://127.0.0.1:1"})
	if err != nil {
		t.Fatal(err)
	}
	if err := realtime.Publish(5.5, Object{}, "T"); err == nil || !strings.Contains(err.Error(), "5.5 (float64)") {
		t.Error(err)
	}
	if err := realtime.Publish("a", Object{"n": make(chan int)}, "T"); err == nil {
		t.Error("a channel is no JSON")
	}
	body, err := withIDs(Object{"user": 7, "except": Object{"session": int64(9), "client": "c"}})
	if err != nil || body["user"] != "7" || body["except"].(Object)["session"] != "9" || body["except"].(Object)["client"] != "c" {
		t.Error(body, err)
	}
}
