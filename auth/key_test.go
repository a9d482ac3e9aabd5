package auth

import (
	"encoding/json"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestIssueRefuses(t *testing.T) {
	store, c := newStore(t)
	now := c.now()
	at := func(t time.Time) *time.Time { return &t }
	for name, test := range map[string]struct {
		spec  Spec
		field string
	}{
		"no name":             {Spec{}, "name"},
		"blank name":          {Spec{Name: " \u2003"}, "name"},
		"long name":           {Spec{Name: strings.Repeat("é", 64) + "x"}, "name"},
		"tab in name":         {Spec{Name: "a\tb"}, "name"},
		"C1 control in name":  {Spec{Name: "a\u0085b"}, "name"},
		"invalid UTF-8":       {Spec{Name: "a\xffb"}, "name"},
		"empty scopes":        {Spec{Name: "a", Scopes: []Scope{}}, "scopes"},
		"unknown scope":       {Spec{Name: "a", Scopes: []Scope{Admin, "root"}}, "scopes"},
		"no CIDR":             {Spec{Name: "a", AllowedCIDRs: []string{""}}, "allowed_cidrs"},
		"host name":           {Spec{Name: "a", AllowedCIDRs: []string{"10.0.0.0/8", "example.com"}}, "allowed_cidrs"},
		"CIDR too long":       {Spec{Name: "a", AllowedCIDRs: []string{"10.0.0.0/33"}}, "allowed_cidrs"},
		"zone":                {Spec{Name: "a", AllowedCIDRs: []string{"fe80::1%eth0"}}, "allowed_cidrs"},
		"beyond mapped":       {Spec{Name: "a", AllowedCIDRs: []string{"::ffff:0:0/95"}}, "allowed_cidrs"},
		"expired":             {Spec{Name: "a", ExpiresAt: at(now.Add(-time.Second))}, "expires_at"},
		"expires now":         {Spec{Name: "a", ExpiresAt: at(now)}, "expires_at"},
		"zero expiry":         {Spec{Name: "a", ExpiresAt: new(time.Time)}, "expires_at"},
		"expiry out of range": {Spec{Name: "a", ExpiresAt: at(time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC))}, "expires_at"},
	} {
		key, token, err := store.Issue(t.Context(), test.spec)
		var field *FieldError
		if !errors.As(err, &field) || field.Field != test.field {
			t.Errorf("%s: error %v, want a FieldError of %s", name, err, test.field)
		}
		if key.ID != "" || token.Reveal() != "" {
			t.Errorf("%s: got key %q and token %q beside the error, want none", name, key.ID, token.Reveal())
		}
	}
	if keys, err := store.List(t.Context()); err != nil || len(keys) != 0 {
		t.Errorf("List() = %d keys, %v after refusals only, want none", len(keys), err)
	}
}

func TestIssueNormalises(t *testing.T) {
	store, c := newStore(t)
	expires := c.now().Add(time.Hour)
	key, token := issue(t, store, Spec{
		Name:   strings.Repeat("é", 64),
		Scopes: []Scope{ReportRead, LicenseRead, ReportRead},
		AllowedCIDRs: []string{
			"192.0.2.77/24", "192.0.2.0/24", "198.51.100.9", "2001:db8::1", "2001:db8:1::9/48",
			"::ffff:10.1.2.3/104", "::ffff:203.0.113.5", "0.0.0.0/0",
		},
		ExpiresAt: &expires,
	})
	wantNetworks := []netip.Prefix{
		netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("198.51.100.9/32"),
		netip.MustParsePrefix("2001:db8::1/128"), netip.MustParsePrefix("2001:db8:1::/48"),
		netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("203.0.113.5/32"), netip.MustParsePrefix("0.0.0.0/0"),
	}
	if !slices.Equal(key.AllowedCIDRs, wantNetworks) {
		t.Errorf("AllowedCIDRs = %v, want %v", key.AllowedCIDRs, wantNetworks)
	}
	if want := []Scope{ReportRead, LicenseRead}; !slices.Equal(key.Scopes, want) {
		t.Errorf("Scopes = %v, want %v", key.Scopes, want)
	}
	if want := time.Date(2026, 3, 4, 5, 6, 7, 890_000_000, time.UTC); !key.ExpiresAt.Equal(want) || key.ExpiresAt.Location() != time.UTC {
		t.Errorf("ExpiresAt = %v, want %v", key.ExpiresAt, want)
	}
	if got, want := key.Prefix, token.Reveal()[:12]; got != want {
		t.Errorf("Prefix = %q, want %q", got, want)
	}
	if got := mustGet(t, store, key.ID); !sameKey(got, key) {
		t.Errorf("Get = %+v, want what Issue gave: %+v", got, key)
	}
}

func TestKeyJSON(t *testing.T) {
	store, c := newStore(t)
	key, token := issue(t, store, Spec{Name: "ci", Scopes: []Scope{ReportExport}})
	want := `{"id":"` + key.ID + `","name":"ci","key_prefix":"` + token.Reveal()[:12] + `",` +
		`"scopes":["report:export"],"allowed_cidrs":[],"is_active":true,"created_at":"2026-03-04T04:06:07.89Z"}`
	if got := marshal(t, mustGet(t, store, key.ID)); got != want {
		t.Errorf("unused key without end:\n got %s\nwant %s", got, want)
	}
	if !strings.HasPrefix(key.ID, "key_") || len(key.ID) != 30 {
		t.Errorf("ID = %q, want key_ and 26 characters", key.ID)
	}

	expires := c.now().Add(time.Hour)
	_, token = issue(t, store, Spec{Name: "ci", ExpiresAt: &expires, AllowedCIDRs: []string{"203.0.113.7"}})
	key = mustAuthenticate(t, store, token)
	want = `{"id":"` + key.ID + `","name":"ci","key_prefix":"` + token.Reveal()[:12] + `",` +
		`"scopes":["admin"],"allowed_cidrs":["203.0.113.7/32"],"is_active":true,` +
		`"expires_at":"2026-03-04T05:06:07.89Z","last_used_at":"2026-03-04T04:06:07.89Z","created_at":"2026-03-04T04:06:07.89Z"}`
	if got := marshal(t, key); got != want {
		t.Errorf("used key with an end:\n got %s\nwant %s", got, want)
	}
}

// A spec decoded from JSON tells omitted scopes from empty ones.
func TestSpecJSON(t *testing.T) {
	var omitted, empty Spec
	for text, spec := range map[string]*Spec{`{"name":"a"}`: &omitted, `{"name":"a","scopes":[]}`: &empty} {
		if err := json.Unmarshal([]byte(text), spec); err != nil {
			t.Fatal(err)
		}
	}
	store, _ := newStore(t)
	if key, _ := issue(t, store, omitted); !slices.Equal(key.Scopes, []Scope{Admin}) {
		t.Errorf("omitted scopes give %v, want [admin]", key.Scopes)
	}
	if _, _, err := store.Issue(t.Context(), empty); err == nil {
		t.Error("empty scopes are accepted, want an error")
	}
}

func sameKey(a, b Key) bool {
	return a.ID == b.ID && a.Name == b.Name && a.Prefix == b.Prefix && a.Active == b.Active &&
		slices.Equal(a.Scopes, b.Scopes) && slices.Equal(a.AllowedCIDRs, b.AllowedCIDRs) &&
		a.ExpiresAt.Equal(b.ExpiresAt) && a.LastUsedAt.Equal(b.LastUsedAt) && a.CreatedAt.Equal(b.CreatedAt)
}
