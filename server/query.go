package server

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// repeatable are the parameters that may stand more than once.
var repeatable = []string{"map", "set"}

// queryOf parses the query string. Parameters that the route does not take,
// empty ones and ones that stand twice are errors.
func queryOf(r *request, names ...string) (url.Values, error) {
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		detail := err.Error()
		if strings.Contains(r.URL.RawQuery, ";") {
			detail += "; a semicolon in a value is written %3B"
		}
		return nil, invalidQuery(detail)
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		given := values[name]
		switch {
		case !slices.Contains(names, name):
			return nil, invalidQuery(fmt.Sprintf("unknown parameter %q; this route takes %s", name, strings.Join(names, ", ")))
		case len(given) > 1 && !slices.Contains(repeatable, name):
			return nil, invalidQuery("parameter " + name + " stands more than once")
		case slices.Contains(given, ""):
			return nil, invalidQuery("parameter " + name + " is empty; leave it out instead")
		}
	}
	return values, nil
}

// oneOf checks a parameter that has few values. It may be missing.
func oneOf[T ~string](name string, value T, values []T) error {
	if value == "" || slices.Contains(values, value) {
		return nil
	}
	names := make([]string, len(values))
	for i, v := range values {
		names[i] = string(v)
	}
	return invalidQuery(fmt.Sprintf("%s %q must be one of %s", name, value, strings.Join(names, ", ")))
}

// The limits of a list's page.
const (
	defaultLimit = 50
	maxLimit     = 200
)

// pageOf reads cursor and limit. A cursor is a sequence: the page holds what
// is below it.
func pageOf(q url.Values) (cursor int64, limit int, err error) {
	limit = defaultLimit
	if text := q.Get("limit"); text != "" {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || n < 1 {
			return 0, 0, invalidQuery(fmt.Sprintf("limit %q must be a whole number from 1 to %d", text, maxLimit))
		}
		limit = int(min(n, maxLimit))
	}
	if text := q.Get("cursor"); text != "" {
		if cursor, err = strconv.ParseInt(text, 10, 64); err != nil || cursor < 1 {
			return 0, 0, invalidQuery(fmt.Sprintf("cursor %q is not a next_cursor that this list gave", text))
		}
	}
	return cursor, limit, nil
}
