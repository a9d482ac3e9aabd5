package console

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"licensekit/auth"
	"licensekit/exporter/audit"
)

const (
	eventsPath    = "/console/events"
	apiEventsPath = "/api/v1/events"
)

// eventFilters are the parameters of the list, which are those of the API's.
var eventFilters = []string{"event_type", "actor_type", "resource_type", "resource_id"}

// eventTypes are those that the filter offers; the API takes any.
var eventTypes = []audit.Type{
	audit.ExportCreated, audit.ExportReady, audit.ExportFailed, audit.ExportDownloaded, audit.ExportBundleDownloaded, audit.ExportPageViewed,
	audit.ActivitiesImported, audit.RecordsImported,
	audit.KeyCreated, audit.KeyRevoked, audit.LoginFailed,
	audit.SigningKeyRotated, audit.LogRestarted, audit.CheckpointCosigned,
	audit.WebhookCreated, audit.WebhookUpdated, audit.WebhookDeleted, audit.DeliveryReplayed,
	audit.ScheduleCreated, audit.ScheduleDeleted, audit.ScheduleRan, audit.ScheduleRefused,
	audit.DirectoryScrubbed, audit.DirectoryDamaged, audit.BlobsCollected,
	audit.DirectoryChecked, audit.DirectoryBackedUp, audit.ServerStarted, audit.ServerStopped,
}

// eventList is what the page of events shows.
type eventList struct {
	Filter   url.Values // as the page's URL has it
	Types    []audit.Type
	Actors   []audit.ActorType
	Narrowed bool
	Failure  *failure
	Events   []shownEvent
	Older    string // the following page's URL, "" on the last
	Newest   string // the first page's URL, "" on it
}

// shownEvent is an event as a page shows it.
type shownEvent struct {
	audit.Event
	Actor    string // by name where it is known
	About    string // the URL of what it is about, "" for none
	Metadata []fact
}

// listEvents shows the audit trail, newest first.
func (c *Console) listEvents(v *visit) error {
	query := v.query(append(eventFilters, "cursor")...)
	list := eventList{Filter: query, Types: eventTypes, Actors: []audit.ActorType{audit.ByKey, audit.ByTheSystem}}
	ask := url.Values{"limit": {"50"}}
	for name := range query {
		ask.Set(name, query.Get(name))
		list.Narrowed = list.Narrowed || name != "cursor"
	}
	var events []audit.Event
	page, err := v.call(http.MethodGet, apiEventsPath, ask, nil, &events)
	if err != nil {
		list.Failure = v.failureOf(err)
		if list.Failure.Status != http.StatusBadRequest {
			return err
		}
		return v.show(list.Failure.Status, "events", list)
	}
	names, err := v.keyNames()
	if err != nil {
		return err
	}
	for _, e := range events {
		list.Events = append(list.Events, v.shownEvent(e, names))
	}
	if page.NextCursor != nil {
		list.Older = with(eventsPath, query, "cursor", strconv.FormatInt(*page.NextCursor, 10))
	}
	if query.Has("cursor") {
		list.Newest = with(eventsPath, query, "cursor", "")
	}
	return v.show(http.StatusOK, "events", list)
}

func (v *visit) shownEvent(e audit.Event, names map[string]string) shownEvent {
	shown := shownEvent{Event: e, Actor: names[e.ActorID]}
	if shown.Actor == "" {
		shown.Actor = v.locale.label(e.ActorID)
	}
	switch {
	case e.ResourceID == "":
	case e.ResourceType == "report_export" && v.key.Allows(auth.ReportExport):
		shown.About = exportsPath + "/" + url.PathEscape(e.ResourceID)
	case e.ResourceType == "api_key" && v.key.Allows(auth.Admin):
		shown.About = tokensPath + "/" + url.PathEscape(e.ResourceID)
	}
	for _, name := range slices.Sorted(maps.Keys(e.Metadata)) {
		if text := v.locale.brief(e.Metadata[name]); text != "" {
			shown.Metadata = append(shown.Metadata, fact{name, text})
		}
	}
	return shown
}

// brief writes a value of metadata, digests by their beginning.
func (l *locale) brief(value any) string {
	switch value := value.(type) {
	case nil:
		return ""
	case string:
		if digest, ok := strings.CutPrefix(value, "sha256:"); ok && len(digest) > 16 {
			return "sha256:" + digest[:16] + "…"
		}
		return value
	case float64:
		if value == float64(int64(value)) {
			return l.number(int64(value))
		}
	case []any:
		var parts []string
		for _, one := range value {
			parts = append(parts, l.brief(one))
		}
		return strings.Join(parts, ", ")
	case map[string]any:
		var parts []string
		for _, name := range slices.Sorted(maps.Keys(value)) {
			parts = append(parts, name+" "+l.brief(value[name]))
		}
		return strings.Join(parts, ", ")
	}
	return fmt.Sprint(value)
}
