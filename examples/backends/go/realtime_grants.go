// Who may subscribe what, for realtime.go: visitors, rules by topic, filters, and grants that say much in few bytes. Copy this file too.

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"regexp"
	"sort"
	"strings"
	"unicode/utf16"
)

const (
	// Bytes of JSON: a token's text is a third longer, and a relay takes 16,384 characters.
	mostGrantsBytes  = 11_000
	mostFilterLength = 8192
	mostCombinations = 256
	largestInteger   = 1<<53 - 1
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
type Visitor struct{ Site, User, Session string }

// NewVisitor takes strings and integers. An error names what it got.
func NewVisitor(site, user, session any) (v Visitor, err error) {
	if v.Site, err = id("site", site); err != nil {
		return Visitor{}, err
	}
	if v.User, err = id("user", user); err != nil {
		return Visitor{}, err
	}
	if v.Session, err = id("session", session); err != nil {
		return Visitor{}, err
	}
	return v, nil
}

var siteName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

func id(name string, value any) (string, error) {
	var text, wanted string
	switch kind := reflect.ValueOf(value); kind.Kind() {
	case reflect.String, reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		text = fmt.Sprintf("%v", kind)
	default:
		wanted = "a string or an integer"
	}
	if wanted == "" && name == "site" && !siteName.MatchString(text) {
		wanted = "1 to 64 characters of A-Z a-z 0-9 _ -"
	}
	if wanted == "" && (len(text) > 128 || name == "user" && text == "") {
		wanted = "1 to 128 bytes"
	}
	if wanted != "" {
		return "", fmt.Errorf("%s is %s, not %#v (%[3]T)", name, wanted, value)
	}
	return text, nil
}

// ---- Topics

// Rule says whether a visitor may subscribe a topic with a filter; an empty filter means every message of the topic. The
// params are what the placeholders of a pattern like "user.{id}" stand for: characters other than the dot.
type Rule func(visitor Visitor, filter Object, params map[string]string) bool

type compiledRule struct {
	pattern           *regexp.Regexp
	literals, dynamic int
	rule              Rule
}

var (
	topicName   = regexp.MustCompile(`^[A-Za-z0-9_.:-][A-Za-z0-9_.:$-]{0,127}$`) // those that begin with $ are the server's
	placeholder = regexp.MustCompile(`\\\{(\w+)\\\}`)
)

// compileRules puts whole names before patterns, and more literal characters before fewer.
func compileRules(topics map[string]Rule) ([]compiledRule, error) {
	var rules []compiledRule
	for topic, rule := range topics {
		source := placeholder.ReplaceAllString(regexp.QuoteMeta(topic), `(?P<$1>[A-Za-z0-9_:$$-]+)`)
		pattern, err := regexp.Compile("^" + source + "$")
		if err != nil {
			return nil, fmt.Errorf("%q is no pattern of topics: %w", topic, err)
		}
		literals := len(placeholder.ReplaceAllString(regexp.QuoteMeta(topic), ""))
		rules = append(rules, compiledRule{pattern, literals, pattern.NumSubexp(), rule})
	}
	sort.Slice(rules, func(i, j int) bool {
		if (rules[i].dynamic == 0) != (rules[j].dynamic == 0) {
			return rules[i].dynamic == 0
		}
		return rules[i].literals > rules[j].literals
	})
	return rules, nil
}

// findRule gives nil where there is none.
func findRule(rules []compiledRule, topic string) (Rule, map[string]string) {
	if !topicName.MatchString(topic) {
		return nil, nil
	}
	for _, one := range rules {
		if found := one.pattern.FindStringSubmatch(topic); found != nil {
			params := map[string]string{}
			for i, name := range one.pattern.SubexpNames()[1:] {
				params[name] = found[i+1]
			}
			return one.rule, params
		}
	}
	return nil, nil
}

// ---- Filters

// readFilter refuses what a relay would refuse the whole token for.
func readFilter(value any) (Object, error) {
	if list, isList := value.([]any); value == nil || isList && len(list) == 0 { // as PHP writes an empty object
		return Object{}, nil
	}
	filter, isObject := value.(Object)
	if !isObject || len(filter) > 8 {
		return nil, refuse("bad-request", "A filter is an object of at most 8 keys")
	}
	for name := range filter {
		good := isText(name, 128) && name != "__proto__" && name != "constructor" && name != "prototype"
		for _, value := range valuesOf(filter, name) {
			good = good && isScalar(value)
		}
		if !good {
			return nil, refuse("bad-request", "Each key of a filter has a string, number, boolean or null, or a list of them")
		}
	}
	if combinations(filter) < 1 || combinations(filter) > mostCombinations || !isText(string(encode(filter)), mostFilterLength) {
		return nil, refuse("bad-request", "A filter has 1 to 256 combinations of values, and at most 8,192 characters")
	}
	return filter, nil
}

func valuesOf(filter Object, name string) []any {
	if list, isList := filter[name].([]any); isList {
		return list
	}
	return []any{filter[name]}
}

// combinations never overflows: a request is too short for that, and eight times 256 values would do it in floats only.
func combinations(filter Object) float64 {
	product := 1.0
	for name := range filter {
		product *= float64(len(valuesOf(filter, name)))
	}
	return product
}

func isScalar(value any) bool {
	switch value := value.(type) {
	case nil, bool:
		return true
	case string:
		return isText(value, 1024)
	case float64:
		return math.Abs(value) <= largestInteger
	}
	return false
}

// isText counts in UTF-16, as relays do.
func isText(text string, longest int) bool {
	return len(text) <= longest || len(utf16.Encode([]rune(text))) <= longest
}

// encode leaves <, > and & as they are, which take six bytes otherwise.
func encode(value any) []byte {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		panic(err) // what was parsed can be written
	}
	return bytes.TrimRight(text.Bytes(), "\n")
}

// ---- Grants

// Grant is what may be subscribed.
type Grant struct {
	Topic  string `json:"topic"`
	Filter Object `json:"filter"`
	places []int  // in the list that was asked for
}

// merge makes one grant of those that differ in one key's values only, which lists them: exactly their union, never more.
func merge(grants []Grant) []*Grant {
	alike, order := map[string][]Grant{}, []string{}
	for _, grant := range grants {
		shape := grant.Topic + string(encode(sortedKeys(grant.Filter)))
		if alike[shape] == nil {
			order = append(order, shape)
		}
		alike[shape] = append(alike[shape], grant)
	}
	var merged []*Grant
	for _, shape := range order {
		axis, hasAxis := axisOf(alike[shape])
		growing := map[string]*Grant{}
		for _, grant := range alike[shape] {
			grant := grant
			rest := string(encode(without(grant.Filter, axis)))
			if known := growing[rest]; known != nil {
				wider := known.Filter
				if hasAxis {
					wider = widen(known.Filter, grant.Filter, axis)
				}
				if combinations(wider) <= mostCombinations && len(encode(wider)) <= mostFilterLength {
					known.Filter, known.places = wider, append(known.places, grant.places...)
					continue
				}
			}
			growing[rest] = &grant
			merged = append(merged, &grant)
		}
	}
	return merged
}

// axisOf finds the key with the most different values: listing those saves the most.
func axisOf(grants []Grant) (axis string, found bool) {
	most := 0
	for _, name := range sortedKeys(grants[0].Filter) {
		different := map[string]bool{}
		for _, grant := range grants {
			different[string(encode(grant.Filter[name]))] = true
		}
		if len(different) > most {
			axis, most = name, len(different)
		}
	}
	return axis, most > 0
}

func sortedKeys(filter Object) []string {
	names := make([]string, 0, len(filter))
	for name := range filter {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

func without(filter Object, axis string) Object {
	rest := Object{}
	for name, value := range filter {
		if name != axis {
			rest[name] = value
		}
	}
	return rest
}

func widen(filter, other Object, axis string) Object {
	wider := without(filter, axis)
	known, values := map[any]bool{}, []any{}
	for _, value := range append(append([]any{}, valuesOf(filter, axis)...), valuesOf(other, axis)...) {
		if !known[value] {
			known[value] = true
			values = append(values, value)
		}
	}
	wider[axis] = values
	return wider
}

// fillTokens gives lists of grants that fit into one token each. Each goes to the first with room for it.
func fillTokens(merged []*Grant) [][]*Grant {
	var tokens [][]*Grant
	var sizes []int
	for _, grant := range merged {
		size, at := len(encode(grant))+1, 0
		for at < len(sizes) && sizes[at]+size > mostGrantsBytes {
			at++
		}
		if at == len(sizes) {
			sizes, tokens = append(sizes, 0), append(tokens, nil)
		}
		sizes[at] += size
		tokens[at] = append(tokens[at], grant)
	}
	return tokens
}

func isJSON(contentType string) bool {
	return strings.EqualFold(strings.TrimSpace(strings.Split(contentType, ";")[0]), "application/json")
}
