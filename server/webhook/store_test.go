package webhook

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"licensekit/exporter/audit"
)

func TestURLs(t *testing.T) {
	t.Parallel()
	some := networks{netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("::1/128")}
	for url, want := range map[string]struct{ none, some string }{ // the problem without and with allowed networks, "" for none
		"https://hooks.example.com/x?y=z":                    {},
		"https://hooks.example.com:8443":                     {},
		"HTTPS://hooks.example.com":                          {},
		"https://8.8.8.8/":                                   {},
		"https://[2606:4700::1111]/":                         {},
		"http://hooks.example.com/":                          {"must begin with https://", ""},
		"http://10.1.2.3/":                                   {"must begin with https://", ""},
		"http://8.8.8.8/":                                    {"must begin with https://", "so it takes https"},
		"https://10.1.2.3/":                                  {"a private address", ""},
		"https://10.2.2.3/":                                  {"a private address", "a private address"},
		"https://[::1]:8443/":                                {"a loopback address", ""},
		"https://127.0.0.1/":                                 {"a loopback address", "a loopback address"},
		"https://[::ffff:127.0.0.1]/":                        {"a loopback address", "a loopback address"},
		"https://169.254.169.254/latest":                     {"a link-local address", "a link-local address"},
		"https://[fe80::1%25eth0]/":                          {"a link-local address", "a link-local address"},
		"https://user@example.com/":                          {"a user or a password", "a user or a password"},
		"https://user:word@example.com/":                     {"a user or a password", "a user or a password"},
		"https://example.com/#x":                             {"no fragment", "no fragment"},
		"https://example.com:0/":                             {"no port", "no port"},
		"https://example.com:/":                              {"no port", "no port"},
		"https://example.com:65536/":                         {"no port", "no port"},
		"https:///x":                                         {"is no URL", "is no URL"},
		"https:example.com":                                  {"is no URL", "is no URL"},
		"ftp://example.com/":                                 {"must begin with https://", "must begin with https://"},
		"file:///etc/passwd":                                 {"is no URL", "is no URL"},
		"example.com":                                        {"is no URL", "is no URL"},
		"":                                                   {"is no URL", "is no URL"},
		"https://exa mple.com/":                              {"is no URL", "is no URL"},
		"https://example.com/\r\nX: y":                       {"is no URL", "is no URL"},
		"https://exämple.com/":                               {"is no URL", "is no URL"},
		"https://example.com/" + strings.Repeat("x", maxURL): {"bytes long", "bytes long"},
	} {
		for who, one := range map[string]struct {
			may  networks
			want string
		}{"none": {nil, want.none}, "some": {some, want.some}} {
			err := one.may.checkURL(url)
			if (err == nil) != (one.want == "") || err != nil && !strings.Contains(err.Error(), one.want) {
				t.Errorf("%q with %s allowed: got %v, want %q", url, who, err, one.want)
			}
		}
	}
}

func TestAddresses(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"8.8.8.8": "", "1.1.1.1": "", "100.63.255.255": "", "100.128.0.0": "", "172.15.0.1": "", "172.32.0.1": "", "2606:4700::1111": "", "2a00:1450::1": "",
		"127.0.0.1": "loopback", "127.255.255.254": "loopback", "::1": "loopback", "::ffff:127.0.0.1": "loopback",
		"0.0.0.0": "this host", "::": "this host",
		"10.0.0.1": "private", "172.16.0.1": "private", "172.31.255.255": "private", "192.168.1.1": "private", "fd00:ec2::254": "private", "fc00::1": "private", "fec0::1": "private",
		"169.254.169.254": "link-local", "fe80::1": "link-local", "fe80::1%eth0": "link-local",
		"100.64.0.1": "carrier", "100.127.255.255": "carrier", "224.0.0.1": "multicast", "ff02::1": "multicast",
		"255.255.255.255": "reserved", "240.0.0.1": "reserved", "198.18.0.1": "reserved", "192.0.0.8": "reserved", "2001::1": "reserved", "4000::1": "reserved",
		"::ffff:8.8.8.8": "", "::127.0.0.1": "reserved", "2001:db8::1": "examples", "203.0.113.9": "examples", "2002:7f00:1::": "6to4",
		"64:ff9b::7f00:1": "loopback", "64:ff9b::a00:1": "private", "64:ff9b::808:808": "", "64:ff9b:1::1": "reserved",
	} {
		got := notPublic(netip.MustParseAddr(text))
		if (got == "") != (want == "") || !strings.Contains(got, want) {
			t.Errorf("%s is %q, want %q", text, got, want)
		}
	}
}

func TestWhatIsRefused(t *testing.T) {
	t.Parallel()
	s := newSite(t, setup{})
	name, url := pointer("n"), pointer("https://example.com/")
	many := make([]audit.Type, maxTypes+1)
	for i := range many {
		many[i] = audit.ExportReady
	}
	for want, c := range map[string]Change{
		"name is missing":        {URL: url},
		"url is missing":         {Name: name},
		"name must not be empty": {Name: pointer(" "), URL: url},
		"of at most 128":         {Name: pointer(strings.Repeat("n", 129)), URL: url},
		"a control character":    {Name: pointer("a\x1bb"), URL: url},
		"not valid UTF-8":        {Name: pointer("a\xffb"), URL: url},
		`has "export"`:           {Name: name, URL: url, EventTypes: &[]audit.Type{"export"}},
		`has "report_export.*"`:  {Name: name, URL: url, EventTypes: &[]audit.Type{"report_export.*"}},
		"has 101 types":          {Name: name, URL: url, EventTypes: &many},
		"must have 24 to 256":    {Name: name, URL: url, Secret: pointer("short")},
		"must be ASCII":          {Name: name, URL: url, Secret: pointer(strings.Repeat("a b", 10))},
		"url must begin":         {Name: name, URL: pointer("http://example.com/")},
	} {
		_, _, err := s.Create(t.Context(), c)
		var field *FieldError
		if !errors.As(err, &field) || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want a field error with %q", err, want)
		}
	}
	e, _ := s.endpoint(t, *url)
	_, _, err := s.Update(t.Context(), e.ID, Change{Rotate: true, Secret: pointer(strings.Repeat("s", 30))})
	if err == nil || !strings.Contains(err.Error(), "leave out secret") {
		t.Errorf("rotate and secret: got %v, want it refused", err)
	}
	for range maxEndpoints - 1 {
		s.endpoint(t, *url)
	}
	if _, _, err := s.Create(t.Context(), Change{Name: name, URL: url}); err == nil || !strings.Contains(err.Error(), "one too many") {
		t.Errorf("endpoint %d: got %v, want it refused", maxEndpoints+1, err)
	}
	for what, err := range map[string]error{
		"get":    func() error { _, err := s.Get("whe_none"); return err }(),
		"update": func() error { _, _, err := s.Update(t.Context(), "whe_none", Change{Name: name}); return err }(),
		"delete": s.Delete(t.Context(), "whe_none"),
		"test":   func() error { _, err := s.Test(t.Context(), "whe_none"); return err }(),
	} {
		if !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s of an endpoint that is not there: %v, want %v", what, err, fs.ErrNotExist)
		}
	}
}

// Changes are recorded, with nothing of the secret or of what stands in the URL
// behind the host.
func TestChangesAreRecorded(t *testing.T) {
	t.Parallel()
	s := newSite(t, setup{})
	ctx := audit.With(context.Background(), audit.Origin{ActorType: audit.ByKey, ActorID: "key_1"})
	secret := strings.Repeat("s3cret", 6)
	e, shown, err := s.Create(ctx, Change{Name: pointer("n"), URL: pointer("https://example.com/s3cret?s3cret"), Secret: &secret})
	if err != nil || shown != secret || e.SecretPrefix != "s3cr" {
		t.Fatalf("created %+v with %q, %v; want the secret that was given", e, shown, err)
	}
	if _, _, err := s.Update(ctx, e.ID, Change{Name: pointer("m"), Rotate: true, EventTypes: &[]audit.Type{"a.b", "a.b"}}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Update(ctx, e.ID, Change{}); err != nil { // changes nothing
		t.Fatal(err)
	}
	if err := s.Delete(ctx, e.ID); err != nil {
		t.Fatal(err)
	}
	events, err := s.trail.After(t.Context(), 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, one := range events {
		got = append(got, fmt.Sprint(one.Type, one.ActorID, one.ResourceID == e.ID, one.Metadata))
	}
	want := []string{
		"webhook_endpoint.createdkey_1true map[event_types:[] is_active:true name:n origin:https://example.com]",
		"webhook_endpoint.updatedkey_1true map[changed:[name event_types secret] event_types:[a.b] is_active:true name:m origin:https://example.com]",
		"webhook_endpoint.deletedkey_1true map[event_types:[a.b] is_active:true name:m origin:https://example.com]",
	}
	for i, line := range got {
		got[i] = strings.Replace(line, "key_1 true", "key_1true", 1)
	}
	if !slices.Equal(got, want) {
		t.Errorf("events:\ngot  %q\nwant %q", got, want)
	}
}
