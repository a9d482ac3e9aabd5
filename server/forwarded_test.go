package server

import (
	"net/http"
	"net/netip"
	"testing"

	"licensekit/auth"
)

func networks(t testing.TB, texts ...string) (all []netip.Prefix) {
	t.Helper()
	for _, text := range texts {
		network, err := auth.ParseNetwork(text)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, network)
	}
	return all
}

func TestClientOf(t *testing.T) {
	const proxy = "10.0.0.2:1234"
	for _, test := range []struct {
		name, peer, header string
		lines              []string
		want               string // "" for the zero address
	}{
		{"no header", proxy, XForwardedFor, nil, "10.0.0.2"},
		{"one hop", proxy, XForwardedFor, []string{"192.0.2.1"}, "192.0.2.1"},
		{"a client that lies", proxy, XForwardedFor, []string{"127.0.0.1, 192.0.2.1"}, "192.0.2.1"},
		{"a client that lies on a line of its own", proxy, XForwardedFor, []string{"127.0.0.1", "192.0.2.1"}, "192.0.2.1"},
		{"a client that claims to be a proxy", proxy, XForwardedFor, []string{"192.0.2.9, 10.0.0.3, 192.0.2.1"}, "192.0.2.1"},
		{"two proxies", proxy, XForwardedFor, []string{"192.0.2.1, 10.0.0.3"}, "192.0.2.1"},
		{"only proxies", proxy, XForwardedFor, []string{"10.0.0.4, 10.0.0.3"}, "10.0.0.4"},
		{"nonsense before a proxy", proxy, XForwardedFor, []string{"localhost, 10.0.0.3"}, ""},
		{"nonsense behind", proxy, XForwardedFor, []string{"192.0.2.1, unknown"}, ""},
		{"empty", proxy, XForwardedFor, []string{""}, "10.0.0.2"},
		{"an empty hop", proxy, XForwardedFor, []string{"192.0.2.1,"}, ""},
		{"with a port", proxy, XForwardedFor, []string{"192.0.2.1:80"}, "192.0.2.1"},
		{"IPv6", proxy, XForwardedFor, []string{"2001:db8::1"}, "2001:db8::1"},
		{"IPv6 in brackets, with a zone", proxy, XForwardedFor, []string{"[fe80::1%eth0]"}, "fe80::1"},
		{"IPv6 with a port", proxy, XForwardedFor, []string{"[2001:db8::1]:80"}, "2001:db8::1"},
		{"half a bracket", proxy, XForwardedFor, []string{"[2001:db8::1"}, ""},
		{"a mapped proxy", "[::ffff:10.0.0.2]:1", XForwardedFor, []string{"192.0.2.1"}, "192.0.2.1"},
		{"the other header is the client's", proxy, XForwardedFor, nil, "10.0.0.2"},
		{"no proxy", "192.0.2.7:1", XForwardedFor, []string{"127.0.0.1"}, "192.0.2.7"},
		{"no peer", "@", XForwardedFor, []string{"127.0.0.1"}, ""},

		{"Forwarded", proxy, Forwarded, []string{"for=192.0.2.1;proto=http;by=10.0.0.2"}, "192.0.2.1"},
		{"Forwarded, a client that lies", proxy, Forwarded, []string{`for=127.0.0.1, For="[2001:db8::1]:4711"`}, "2001:db8::1"},
		{"Forwarded, a separator in quotes", proxy, Forwarded, []string{`for=192.0.2.1;host="a,for=127.0.0.1;b\",for=127.0.0.1"`}, "192.0.2.1"},
		{"Forwarded, hidden", proxy, Forwarded, []string{"for=_secret"}, ""},
		{"Forwarded, not said", proxy, Forwarded, []string{"for=127.0.0.1, proto=https"}, ""},
	} {
		r := &http.Request{RemoteAddr: test.peer, Header: http.Header{}}
		other := map[string]string{XForwardedFor: Forwarded, Forwarded: XForwardedFor}[test.header]
		r.Header.Set(other, "for=127.0.0.1")
		for _, line := range test.lines {
			r.Header.Add(test.header, line)
		}
		a := Access{TrustedProxies: networks(t, "10.0.0.0/24"), ForwardedHeader: test.header}
		want := netip.Addr{}
		if test.want != "" {
			want = netip.MustParseAddr(test.want)
		}
		if got := a.clientOf(r); got != want {
			t.Errorf("%s: client of %s with %s %q is %v, want %v", test.name, test.peer, test.header, test.lines, got, want)
		}
		if got := (Access{ForwardedHeader: test.header}).clientOf(r); test.peer != "@" && got != netip.MustParseAddrPort(test.peer).Addr() {
			t.Errorf("%s: without a trusted proxy the client is %v, want the peer %s", test.name, got, test.peer)
		}
	}
}

// A token that works from one network alone, asked for with made-up headers:
// directly, and through a proxy that is trusted.
func TestSpoofedAddresses(t *testing.T) {
	t.Parallel()
	alone := newSite(t)
	behind := newSite(t, func(o *Options) {
		o.Access = Access{TrustedProxies: networks(t, "127.0.0.1"), ForwardedHeader: XForwardedFor}
	})
	for _, test := range []struct {
		s      *site
		header map[string]string
		status int
	}{
		{alone, nil, 401},
		{alone, map[string]string{"X-Forwarded-For": "192.0.2.1", "Forwarded": "for=192.0.2.1", "X-Real-Ip": "192.0.2.1", "True-Client-Ip": "192.0.2.1"}, 401},
		{behind, nil, 401},
		{behind, map[string]string{"X-Forwarded-For": "192.0.2.1"}, 200},
		{behind, map[string]string{"X-Forwarded-For": "192.0.2.1, 203.0.113.9"}, 401},
		{behind, map[string]string{"X-Forwarded-For": "203.0.113.9, 192.0.2.1"}, 200},
		{behind, map[string]string{"Forwarded": "for=192.0.2.1", "X-Real-Ip": "192.0.2.1"}, 401},
		{behind, map[string]string{"X-Forwarded-For": "203.0.113.9", "Forwarded": "for=192.0.2.1"}, 401},
	} {
		_, token := test.s.issue(t, auth.Spec{AllowedCIDRs: []string{"192.0.2.0/24"}})
		if a := test.s.do(t, call{method: "GET", path: "/api/v1/api-keys", token: token, header: test.header}); a.status != test.status {
			t.Errorf("trusted proxies %v, header %v: %s; want status %d", test.s.opts.Access.TrustedProxies, test.header, a, test.status)
		}
	}
	events := behind.events(t, "event_type=authentication.failed")
	if len(events) < 3 || events[0].IP != "203.0.113.9" {
		t.Errorf("in the trail %+v, want the address that the proxy gave", events)
	}
}

func FuzzParseHop(f *testing.F) {
	for _, seed := range []string{"192.0.2.1", "192.0.2.1:80", "[2001:db8::1]:80", "[fe80::1%eth0]", "unknown", `"[::1]"`, "_x", "", "[", "::ffff:192.0.2.1"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		addr := parseHop(text)
		if !addr.IsValid() {
			return
		}
		if addr.Zone() != "" {
			t.Errorf("parseHop(%q) = %v, with a zone", text, addr)
		}
		if again := parseHop(addr.String()); again != addr {
			t.Errorf("parseHop(%q) = %v, and of that %v", text, addr, again)
		}
	})
}

// Whatever stands before it, on a line of its own or on the same, nothing but
// the address that the proxy adds at the end counts.
func FuzzForwarded(f *testing.F) {
	for _, seed := range []string{"", "127.0.0.1", "for=127.0.0.1", `for="[::1]:1";by="a,b`, `for="\`, "a;b,c;d", "10.0.0.9"} {
		f.Add(seed)
	}
	trusted := networks(f, "10.0.0.0/24")
	want := netip.MustParseAddr("192.0.2.1")
	f.Fuzz(func(t *testing.T, lie string) {
		for header, added := range map[string]string{XForwardedFor: "192.0.2.1", Forwarded: "for=192.0.2.1"} {
			a := Access{TrustedProxies: trusted, ForwardedHeader: header}
			r := &http.Request{RemoteAddr: "10.0.0.2:1", Header: http.Header{header: {lie, added}}}
			if got := a.clientOf(r); got != want {
				t.Errorf("%s: %q, then %q: client %v, want %v", header, lie, added, got, want)
			}
			r.Header = http.Header{header: {lie + ", " + added}}
			if got := a.clientOf(r); got != want && got.IsValid() {
				t.Errorf("%s: %q: client %v, want %v or none", header, r.Header.Get(header), got, want)
			}
		}
	})
}
