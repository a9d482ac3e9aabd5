//go:build unix

package faults

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"licensekit/exporter"
	"licensekit/exporter/audit"
	"licensekit/exporter/evidence"
	"licensekit/exporter/report"
	"licensekit/server/client"
)

var digestOf = report.DigestOf

// missing compares facts with what the server answers, and gives what is missing
// or different. If they are the whole book, every artifact is downloaded and the
// audit trail is read from its first event, else some and as far as it takes.
func missing(i *instance, facts []fact, whole bool) (problems []error) {
	ctx := i.t.Context()
	note := func(err error) {
		if err != nil {
			problems = append(problems, err)
		}
	}
	note(wantDuplicates(ctx, i.api, "/api/v1/activities", about(facts, activity)))
	note(wantDuplicates(ctx, i.api, "/api/v1/records/customers", about(facts, customer)))
	exports := about(facts, export)
	for n, f := range exports {
		note(wantExport(ctx, i.api, f.export, whole || n >= len(exports)-3))
	}
	note(wantPlaces(exports))
	for _, f := range append(about(facts, token), about(facts, revoked)...) {
		note(wantToken(ctx, i, f))
	}
	note(wantKeys(ctx, i.api, about(facts, key)))
	note(wantEvents(ctx, i.api, facts, whole))
	return problems
}

// wantDuplicates sends again what was accepted, for a rehearsal.
func wantDuplicates(ctx context.Context, api *client.Client, path string, facts []fact) error {
	if len(facts) == 0 {
		return nil
	}
	var texts []string
	for _, f := range facts {
		texts = append(texts, f.text)
	}
	result, _, err := send(ctx, api, path, ndjson.contentType, strings.Join(texts, "\n"), url.Values{"dry_run": {"true"}})
	if err != nil {
		return err
	}
	if result.Duplicates != int64(len(facts)) {
		return fmt.Errorf("%s: of %d that were acknowledged %d are there, %d missing, %d different", path, len(facts), result.Duplicates, result.Accepted, result.Conflicts)
	}
	return nil
}

// wantExport follows an export to its end, and compares it with what was known
// of it. That the disk is full is a reason to fail.
func wantExport(ctx context.Context, api *client.Client, known exporter.Export, artifact bool) error {
	got, err := settled(ctx, api, known.ID)
	if err != nil {
		return err
	}
	if got.Status == exporter.Failed && known.Status != exporter.Failed && got.Error.Code != "STORAGE_FULL" {
		return fmt.Errorf("export %s, once %s, failed: %+v", known.ID, known.Status, got.Error)
	}
	if known.Status == exporter.Ready && (*got.ArtifactDigest != *known.ArtifactDigest || *got.Digest != *known.Digest || *got.LogIndex != *known.LogIndex) {
		return fmt.Errorf("export %s: got %+v, want %+v", known.ID, got, known)
	}
	if artifact && got.Status == exporter.Ready {
		return fetch(ctx, api, got)
	}
	return nil
}

// settled waits until an export is ready or has failed.
func settled(ctx context.Context, api *client.Client, id exporter.ID) (x exporter.Export, err error) {
	for deadline := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		_, err = api.Call(ctx, http.MethodGet, "/api/v1/reports/exports/"+string(id), nil, nil, &x)
		if err != nil {
			return x, fmt.Errorf("export %s: %w", id, err)
		}
		if x.Status.Final() {
			return x, nil
		}
		if time.Now().After(deadline) {
			return x, fmt.Errorf("export %s is %s for %v", id, x.Status, patience)
		}
	}
}

// wantPlaces finds two exports at one place in a log.
func wantPlaces(facts []fact) error {
	places := map[string]exporter.ID{}
	for _, f := range facts {
		if f.export.Status != exporter.Ready {
			continue
		}
		place := fmt.Sprintf("entry %d of log %s", *f.export.LogIndex, *f.export.LogOrigin)
		if other, taken := places[place]; taken {
			return fmt.Errorf("%s is that of %s and of %s", place, other, f.export.ID)
		}
		places[place] = f.export.ID
	}
	return nil
}

// wantToken uses a token.
func wantToken(ctx context.Context, i *instance, f fact) error {
	good := f.of == token
	api, err := client.New(i.url, f.text)
	if err != nil {
		return err
	}
	defer api.Close()
	_, err = api.Call(ctx, http.MethodGet, "/api/v1/reports/exports", url.Values{"limit": {"1"}}, nil, nil)
	var refused *client.Error
	if good && err != nil || !good && !(errors.As(err, &refused) && refused.Status == http.StatusUnauthorized) {
		return fmt.Errorf("%s %s: got %v", f.of, f.id, err)
	}
	return nil
}

func wantKeys(ctx context.Context, api *client.Client, facts []fact) error {
	var keys []evidence.PublicKeyRecord
	if _, err := api.Call(ctx, http.MethodGet, "/api/v1/system/public-keys", nil, nil, &keys); err != nil {
		return err
	}
	for _, f := range facts {
		if !slices.ContainsFunc(keys, func(k evidence.PublicKeyRecord) bool { return k.KID == f.id }) {
			return fmt.Errorf("public key %s is not shown", f.id)
		}
	}
	return nil
}

// wantEvents reads the trail, newest first, until it has come to all facts, or
// from its first event.
func wantEvents(ctx context.Context, api *client.Client, facts []fact, whole bool) error {
	wanted := map[string]fact{}
	for _, f := range facts {
		if f.event != "" {
			wanted[f.event] = f
		}
	}
	query, last := url.Values{"limit": {"200"}}, int64(0)
	for whole || len(wanted) > 0 {
		var events []audit.Event
		page, err := api.Call(ctx, http.MethodGet, "/api/v1/events", query, nil, &events)
		if err != nil {
			return err
		}
		for _, e := range events {
			if last > 0 && e.Sequence != last-1 {
				return fmt.Errorf("events: got %d before %d, want no gap", e.Sequence, last)
			}
			last = e.Sequence
			delete(wanted, e.RequestID)
			delete(wanted, e.ResourceID)
		}
		if page.NextCursor == nil {
			break
		}
		query.Set("cursor", strconv.FormatInt(*page.NextCursor, 10))
	}
	for request, f := range wanted {
		return fmt.Errorf("no event of %s, for %s %s (and %d others)", request, f.of, f.id, len(wanted)-1)
	}
	if whole && last != 1 {
		return fmt.Errorf("events: the first is %d, want 1", last)
	}
	return nil
}
