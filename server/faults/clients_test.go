//go:build unix

package faults

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"licensekit/exporter"
	"licensekit/exporter/evidence"
	"licensekit/exporter/ledger/intake"
	"licensekit/server/client"
)

// clients work on a server until it is gone, and note what they are told. What
// got no answer they try again at the next server.
type clients struct {
	t       *testing.T
	book    *book
	rotates bool                     // also rotate the key that signs
	patient bool                     // always wait for exports
	excused func(*client.Error) bool // answers that the fault explains; nil for none but 503

	mu        sync.Mutex
	refused   []error // guarded by mu: answers that are wrong whatever happens
	unsettled []try   // guarded by mu
	serial    int     // guarded by mu
}

// try is something that may be asked for again.
type try func(context.Context, *client.Client) error

// begin sets a number of clients to work; ended waits until they have stopped,
// each after its first request that got no answer.
func (c *clients) begin(ctx context.Context, i *instance, number int) (ended func()) {
	var working sync.WaitGroup
	for range number {
		working.Go(func() {
			for ctx.Err() == nil && c.attempt(ctx, i.api, c.next()) {
			}
		})
	}
	return working.Wait
}

// attempt tells whether there was an answer.
func (c *clients) attempt(ctx context.Context, api *client.Client, do try) bool {
	err := do(ctx, api)
	if err == nil {
		return true
	}
	var answer *client.Error
	answered := errors.As(err, &answer)
	c.mu.Lock()
	defer c.mu.Unlock()
	if errors.Is(err, errWrong) || answered && answer.Status != http.StatusServiceUnavailable && (c.excused == nil || !c.excused(answer)) {
		c.refused = append(c.refused, err)
	} else {
		c.unsettled = append(c.unsettled, do)
	}
	return false
}

// errWrong is the error of an answer that no fault excuses.
var errWrong = errors.New("wrong answer")

// settle tries again what got no answer.
func (c *clients) settle(i *instance) {
	c.mu.Lock()
	tries := c.unsettled
	c.unsettled = nil
	c.mu.Unlock()
	for _, do := range tries {
		c.attempt(c.t.Context(), i.api, do)
	}
}

// complain reports the wrong answers so far.
func (c *clients) complain() {
	c.t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, err := range c.refused {
		c.t.Errorf("under load: got %v", err)
	}
	c.refused = nil
}

// next is what a client does next.
func (c *clients) next() try {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.serial++
	name, random := fmt.Sprint("n", c.serial), rand.IntN(100)
	customer := fmt.Sprint("customer ", c.serial/50)
	switch {
	case random < 45:
		return c.ingest(newRows(name, customer, 1+rand.IntN(60)), shapes[c.serial%len(shapes)], rand.IntN(3) == 0)
	case random < 52:
		return c.register(name)
	case random < 82:
		return c.freeze(name, customer, kinds[c.serial%len(kinds)], formats[c.serial/2%len(formats)])
	case random < 90:
		return c.issue(name)
	case random < 92 && c.rotates:
		return c.rotate
	}
	return c.download
}

// ingest sends rows, all or nothing or as they come.
func (c *clients) ingest(rows []row, as shape, atomic bool) try {
	return func(ctx context.Context, api *client.Client) error {
		result, event, err := send(ctx, api, "/api/v1/activities", as.contentType, as.encode(rows), url.Values{"atomic": {fmt.Sprint(atomic)}})
		if err != nil {
			return err
		}
		if result.Accepted+result.Duplicates != int64(len(rows)) {
			return fmt.Errorf("%w: send %d activities as %s: %+v", errWrong, len(rows), as.contentType, result)
		}
		var facts []fact
		for _, r := range rows {
			facts = append(facts, fact{of: activity, id: r.ID, text: r.line(), event: event})
		}
		c.book.note(facts...)
		return nil
	}
}

// register stores a customer.
func (c *clients) register(name string) try {
	return func(ctx context.Context, api *client.Client) error {
		line := fmt.Sprintf(`{"id":%q,"name":"Customer %s"}`, name, name)
		result, event, err := send(ctx, api, "/api/v1/records/customers", ndjson.contentType, line, nil)
		if err == nil && result.Accepted+result.Duplicates != 1 {
			err = fmt.Errorf("%w: send a customer: %+v", errWrong, result)
		}
		if err == nil {
			c.book.note(fact{of: customer, id: name, text: line, event: event})
		}
		return err
	}
}

// send sends rows and gives the account of them and the id of the request.
func send(ctx context.Context, api *client.Client, path, contentType, body string, query url.Values) (result intake.Result, id string, err error) {
	resp, err := api.Do(ctx, client.Request{
		Method: http.MethodPost, Path: path, Query: query, Body: strings.NewReader(body), Header: http.Header{"Content-Type": {contentType}},
	})
	if err != nil {
		return result, "", err
	}
	defer resp.Body.Close()
	_, err = client.Decode(resp.Body, &result)
	return result, resp.Header.Get("X-Request-Id"), err
}

var (
	kinds   = []string{"usage-summary", "usage-ledger", "license-audit", "customer-summary", "subscription-settlement"}
	formats = []string{"json", "csv", "xlsx", "pdf"}
)

// freeze asks for an export, and only sometimes waits for it.
func (c *clients) freeze(name, customer, kind, format string) try {
	wait := "wait=2"
	if !c.patient && rand.IntN(2) == 0 {
		wait = "wait=0"
	}
	return func(ctx context.Context, api *client.Client) error {
		r, err := client.JSON(http.MethodPost, "/api/v1/reports/exports", map[string]any{
			"report_kind": kind, "format": format, "filters": map[string]string{"customer_id": customer},
		})
		if err != nil {
			return err
		}
		r.Header.Set("Idempotency-Key", name)
		r.Header.Set("Prefer", wait)
		var x exporter.Export
		event, err := ask(ctx, api, r, &x)
		if err == nil {
			c.book.note(fact{of: export, id: string(x.ID), export: x, event: event})
		}
		return err
	}
}

// ask sends a request and reads the answer's data. id is that of the request,
// "" where the answer was that of an earlier one.
func ask(ctx context.Context, api *client.Client, r client.Request, data any) (id string, err error) {
	resp, err := api.Do(ctx, r)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	if _, err := client.Decode(resp.Body, data); err != nil {
		return "", err
	}
	if resp.Header.Get("Idempotency-Replayed") != "" {
		return "", nil
	}
	return resp.Header.Get("X-Request-Id"), nil
}

// issue makes a token, and revokes every other one.
func (c *clients) issue(name string) try {
	return func(ctx context.Context, api *client.Client) error {
		var made struct {
			Key   struct{ ID string } `json:"api_key"`
			Token string              `json:"token"`
		}
		r, err := client.JSON(http.MethodPost, "/api/v1/api-keys", map[string]any{"name": name, "scopes": []string{"report:export"}})
		if err != nil {
			return err
		}
		event, err := ask(ctx, api, r, &made)
		if err != nil || rand.IntN(2) == 0 {
			if err == nil {
				c.book.note(fact{of: token, id: made.Key.ID, text: made.Token, event: event})
			}
			return err
		}
		event, err = ask(ctx, api, client.Request{Method: http.MethodDelete, Path: "/api/v1/api-keys/" + made.Key.ID}, nil)
		if err == nil {
			c.book.note(fact{of: revoked, id: made.Key.ID, text: made.Token, event: event})
		}
		return err
	}
}

// rotate replaces the key that signs.
func (c *clients) rotate(ctx context.Context, api *client.Client) error {
	var keys []evidence.PublicKeyRecord
	_, err := ask(ctx, api, client.Request{Method: http.MethodPost, Path: "/api/v1/system/keys/rotate"}, &keys)
	for n, k := range keys {
		f := fact{of: key, id: k.KID}
		if n == 0 { // the new one; where its event must be made up at a start, nobody knows the request
			f.event = k.KID
		}
		c.book.note(f)
	}
	return err
}

// download fetches one of the artifacts, whole.
func (c *clients) download(ctx context.Context, api *client.Client) error {
	exports := about(c.book.all(), export)
	if len(exports) == 0 {
		return nil
	}
	x := exports[rand.IntN(len(exports))].export
	if x.Status != exporter.Ready {
		return nil
	}
	return fetch(ctx, api, x)
}

// fetch downloads an artifact and compares it with its digest.
func fetch(ctx context.Context, api *client.Client, x exporter.Export) error {
	resp, err := api.Do(ctx, client.Request{Method: http.MethodGet, Path: x.DownloadURL})
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	content, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if got := digestOf(content); got != *x.ArtifactDigest {
		return fmt.Errorf("%w: artifact of %s: got %s, want %s", errWrong, x.ID, got, *x.ArtifactDigest)
	}
	return nil
}

// script is a run of everything that writes, one after the other.
func (c *clients) script(ctx context.Context, i *instance, round int) {
	name := func(n int) string { return fmt.Sprintf("r%d.%d", round, n) }
	steps := []try{c.ingest(newRows(name(0), "first", 30), ndjson, false), c.register(name(1)), c.issue(name(2))}
	for n, format := range formats {
		steps = append(steps, c.freeze(name(10+n), "first", "usage-ledger", format))
	}
	steps = append(steps, c.rotate, c.ingest(newRows(name(20), "second", 200), shapes[2], true),
		c.freeze(name(21), "second", "usage-summary", "csv"), c.download)
	for _, do := range steps {
		c.attempt(ctx, i.api, do)
	}
}

// follow notes what became of the exports that nobody waited for.
func (c *clients) follow(i *instance) {
	for _, f := range about(c.book.all(), export) {
		if f.export.Status.Final() {
			continue
		}
		if x, err := settled(c.t.Context(), i.api, f.export.ID); err == nil {
			c.book.note(fact{of: export, id: f.id, export: x})
		}
	}
}
