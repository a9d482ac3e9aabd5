package webhook

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"strings"
	"testing"
	"time"

	"licensekit/exporter/audit"
)

// givenUp is an endpoint whose first delivery, of event a, was given up; b was
// received. What comes next is answered by the answers.
func givenUp(t *testing.T, s *site, answers ...http.HandlerFunc) (*receiver, Endpoint, string) {
	t.Helper()
	all := []http.HandlerFunc{}
	for range Attempts {
		all = append(all, answering(503))
	}
	r := newReceiver(t, append(append(all, answering(200)), answers...)...)
	e, secret := s.endpoint(t, r.URL, audit.ExportReady)
	s.happen(t, audit.ExportReady, "a", "b")
	eventually(t, func() (string, bool) { x := s.statuses(t, e.ID); return x, x == "failed delivered" }, "failed delivered")
	return r, e, secret
}

// What was given up is sent again as it was: same id, same body, a signature of
// now. Who replayed it is recorded.
func TestReplay(t *testing.T) {
	t.Parallel()
	s := newSite(t, setup{allowed: loopback}).run(t)
	r, e, secret := givenUp(t, s, answering(202))
	before := s.history(t, e.ID)
	ctx := audit.With(t.Context(), audit.Origin{ActorType: audit.ByKey, ActorID: "key_1"})
	came, err := s.Replay(ctx, e.ID, before[0].ID)
	if err != nil || came.Status != Delivered || came.Attempts != Attempts+1 || came.ResponseStatus != 202 || came.Error != "" {
		t.Errorf("replay gives %+v, %v; want it delivered by attempt %d", came, err, Attempts+1)
	}
	r.comes(t, strings.Repeat("a ", Attempts)+"b a")
	all := r.requests()
	first, last := all[0], all[len(all)-1]
	checkSignature(t, last, secret)
	if got, want := last.Header.Get("X-Locksmith-Delivery-ID"), first.Header.Get("X-Locksmith-Delivery-ID"); got != want || last.body != first.body {
		t.Errorf("the replay is %s with %s, want %s with %s", got, last.body, want, first.body)
	}
	if got, want := s.history(t, e.ID), []Delivery{came, before[1]}; fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("history is %+v, want %+v", got, want)
	}
	if now, err := s.Get(e.ID); err != nil || !now.LastDeliveryAt.Equal(came.LastAttemptAt) {
		t.Errorf("last delivery was at %v, %v; want %v", now.LastDeliveryAt, err, came.LastAttemptAt)
	}
	events, err := s.trail.After(t.Context(), last.event.Sequence+1, 1) // behind a and b
	if err != nil || len(events) != 1 {
		t.Fatalf("events are %+v, %v; want one more", events, err)
	}
	said := fmt.Sprint(events[0].Type, " ", events[0].ActorID, " ", events[0].ResourceID, " ", events[0].Metadata)
	if want := fmt.Sprintf("webhook_delivery.replayed key_1 %s map[delivery_id:%s event_sequence:%d event_type:report_export.ready received:true]", e.ID, came.ID, came.EventSequence); said != want {
		t.Errorf("event is %s, want %s", said, want)
	}
}

// A replay is one attempt, for a paused endpoint too, and takes nothing away from
// what was received.
func TestReplayThatFails(t *testing.T) {
	t.Parallel()
	s := newSite(t, setup{allowed: loopback}).run(t)
	r, e, _ := givenUp(t, s, answering(410))
	if _, _, err := s.Update(t.Context(), e.ID, Change{Active: pointer(false)}); err != nil {
		t.Fatal(err)
	}
	before, wants := s.history(t, e.ID), []Status{Failed, Delivered}
	for i, want := range wants {
		came, err := s.Replay(t.Context(), e.ID, before[i].ID)
		if err != nil || came.Status != want || came.Attempts != before[i].Attempts+1 || came.Error != "the answer is 410 Gone" || !came.NextAttemptAt.IsZero() {
			t.Errorf("replay of %+v gives %+v, %v; want it %s, with an error", before[i], came, err, want)
		}
	}
	r.comes(t, strings.Repeat("a ", Attempts)+"b a b")
	if now, err := s.Get(e.ID); err != nil || !now.LastDeliveryAt.Equal(before[1].LastAttemptAt) {
		t.Errorf("last delivery was at %v, %v; want that of b, %v", now.LastDeliveryAt, err, before[1].LastAttemptAt)
	}
}

// What is still tried keeps its turn, which comes at once.
func TestReplayOfWhatIsPending(t *testing.T) {
	t.Parallel()
	s := newSite(t, setup{allowed: loopback, pause: time.Hour}).run(t)
	r := newReceiver(t, answering(503), answering(200))
	e, _ := s.endpoint(t, r.URL, audit.ExportReady)
	s.happen(t, audit.ExportReady, "a", "b")
	eventually(t, func() (string, bool) { x := s.statuses(t, e.ID); return x, x == "pending" }, "pending")
	came, err := s.Replay(t.Context(), e.ID, s.history(t, e.ID)[0].ID)
	if err != nil || came.Status != Pending || came.Attempts != 1 || came.NextAttemptAt.After(time.Now()) {
		t.Errorf("replay gives %+v, %v; want it pending until now", came, err)
	}
	r.comes(t, "a a b")
	eventually(t, func() (string, bool) { x := s.statuses(t, e.ID); return x, x == "delivered delivered" }, "delivered delivered")
}

func TestWhatCanNotBeReplayed(t *testing.T) {
	t.Parallel()
	s := newSite(t, setup{allowed: loopback})
	r := newReceiver(t, answering(500))
	e, _ := s.endpoint(t, r.URL)
	sent, err := s.Test(t.Context(), e.ID)
	if err != nil {
		t.Fatal(err)
	}
	for _, one := range []struct {
		endpoint, id string
		want         error
	}{{e.ID, sent.ID, ErrTest}, {e.ID, "whd_none", fs.ErrNotExist}, {"whe_none", sent.ID, fs.ErrNotExist}} {
		if _, err := s.Replay(t.Context(), one.endpoint, one.id); !errors.Is(err, one.want) {
			t.Errorf("replay of %s of %s: got %v, want %v", one.id, one.endpoint, err, one.want)
		}
	}
	if got := len(r.requests()); got != 1 {
		t.Errorf("the receiver got %d requests, want that of the test", got)
	}
}
