package console

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/text/language"

	"licensekit/exporter"
	"licensekit/exporter/audit"
	"licensekit/exporter/evidence"
	"licensekit/exporter/report"
	schedules "licensekit/server/schedule"
	webhooks "licensekit/server/webhook"
)

// spoken finds the messages that pages and code have by name.
var spoken = regexp.MustCompile(`(?:\bt |\.text\()"((?:[^"\\]|\\.)+)"`)

// messagesUsed gives every message that the console may show.
func messagesUsed(t *testing.T) map[string]bool {
	used := map[string]bool{signInRefused: true}
	texts, err := verifierTexts()
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range texts {
		used[text] = true
	}
	for _, words := range []map[string]string{labels, remedies} {
		for _, text := range words {
			used[text] = true
		}
	}
	for _, s := range sections {
		used[s.Label] = true
	}
	err = fs.WalkDir(os.DirFS("."), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".html") && !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		for _, found := range spoken.FindAllSubmatch(text, -1) {
			used[string(found[1])] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return used
}

// What a page shows as a label has one, whichever of its values it has.
func TestValuesHaveLabels(t *testing.T) {
	var names []string
	add := func(of string, values ...any) {
		for _, value := range values {
			names = append(names, strings.TrimSpace(of+" "+fmt.Sprint(value)))
		}
	}
	for _, what := range append([]audit.Type{webhooks.TestType}, audit.Types...) {
		add("event", what)
	}
	for _, status := range webhooks.Statuses {
		add("delivery", status)
	}
	for _, scope := range scopeNames {
		add("scope", scope)
		add("about", scope)
	}
	for _, kind := range []report.Kind{report.UsageSummary, report.UsageLedger, report.LicenseAudit, report.CustomerSummary, report.SubscriptionSettlement} {
		add("", kind)
		add("about", kind)
	}
	add("", exporter.Pending, exporter.Processing, exporter.Ready, exporter.Failed)
	add("", evidence.Passed, evidence.Failed, evidence.NotRun)
	add("", report.Added, report.Removed, report.Changed)
	add("by", audit.ByKey, audit.ByTheSystem)
	add("period", schedules.Day, schedules.Week, schedules.Month, schedules.Quarter)
	for _, name := range names {
		if labels[name] == "" {
			t.Errorf("%q has no label", name)
		}
	}
}

// Every message is there in German, with the same places for values, and the
// catalogue has none that nobody says.
func TestMessagesAreTranslated(t *testing.T) {
	used := messagesUsed(t)
	german := messagesOf(language.German)
	verbs := regexp.MustCompile(`%\S`)
	for _, key := range slices.Sorted(maps.Keys(used)) {
		w, ok := german[key]
		if !ok {
			t.Errorf("not in German: %q", key)
		}
		for form, text := range w {
			if got, want := verbs.FindAllString(text, -1), verbs.FindAllString(key, -1); !slices.Equal(got, want) {
				t.Errorf("%q in German, %s: values %v, want %v", key, form, got, want)
			}
		}
	}
	for _, tag := range []language.Tag{language.English, language.German} {
		for key, w := range messagesOf(tag) {
			if !used[key] {
				t.Errorf("%v has a message that nobody says: %q", tag, key)
			}
			if strings.HasPrefix(key, "%d ") && w["one"] == "" {
				t.Errorf("%v: %q has no form for one of them", tag, key)
			}
		}
	}
}
