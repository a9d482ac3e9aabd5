package console

import (
	"slices"
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
