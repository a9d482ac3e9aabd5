package console

import (
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"licensekit/exporter/audit"
)

// Every type of event has a name, and can be filtered by.
func TestEventTypesAreNamed(t *testing.T) {
	for _, what := range audit.Types {
		if labels["event "+string(what)] == "" {
			t.Errorf("%s has no name", what)
		}
	}
	got, want := slices.Sorted(slices.Values(eventTypes)), slices.Sorted(slices.Values(audit.Types))
	if !slices.Equal(got, want) {
		t.Errorf("the filter offers %v, want %v", got, want)
	}
}

func TestSentence(t *testing.T) {
	for phrase, want := range map[string]string{
		"":                       "",
		"the query is wrong":     "The query is wrong.",
		"what was it?":           "What was it?",
		"report_kind is no kind": "report_kind is no kind.",
	} {
		if got := sentence(phrase); got != want {
			t.Errorf("sentence(%q) = %q, want %q", phrase, got, want)
		}
	}
}

// The scale of a chart has room for a few characters, whatever the amounts.
func TestRoundNumbersAreShort(t *testing.T) {
	for language, want := range map[string][]string{
		"en": {"9,999", "25 k", "2.5 M", "40 B", "5,000 T", "-9,000 T"},
		"de": {"9.999", "25 Tsd.", "2,5 Mio.", "40 Mrd.", "5.000 Bio.", "-9.000 Bio."},
	} {
		r := httptest.NewRequest("GET", "/console/", nil)
		r.Header.Set("Accept-Language", language)
		l := localeOf(r)
		for i, n := range []float64{9_999, 25e3, 2.5e6, 40e9, 5e15, -9e15} {
			if got := l.round(n); strings.ReplaceAll(got, "\u00a0", " ") != want[i] {
				t.Errorf("%s: round(%v) = %q, want %q", language, n, got, want[i])
			}
		}
	}
}
